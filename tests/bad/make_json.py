#!/usr/bin/python3
"""Makes tests/bad/json.txt: JSON texts that must be read and what they are in msgpack, and texts
that must be refused. Judged by Python 3.11's json with ft's rules on top (lib/base/json.h) and
python3-msgpack 1.0.3, without ft; a text under the wrong heading stops the script.
usage: make_json.py >json.txt

Lines: accept TEXT MSGPACK, reject TEXT, double BITS DIGITS, all in hex but the number of
significant digits that the shortest decimal form of a double has.
"""
import json
import math
import random
import struct
import sys

import msgpack


def refuse(why):
    raise ValueError(why)


def check(v, depth=0):
    """Refuses what ft refuses of what Python takes."""
    if isinstance(v, str):
        v.encode("utf-8")                                   # lone surrogates
    elif isinstance(v, float):
        math.isfinite(v) or refuse("range")
    elif isinstance(v, int) and not isinstance(v, bool):
        -2 ** 63 <= v < 2 ** 63 or refuse("range")
    elif isinstance(v, (list, dict)):
        depth < 16 or refuse("depth")
        for item in v:
            check(item, depth + 1)
        if isinstance(v, dict):
            any("\0" in key for key in v) and refuse("NUL in a key")
            for item in v.values():
                check(item, depth + 1)


def pairs(items):
    len(dict(items)) == len(items) or refuse("key twice")
    return dict(items)


def read(text):
    v = json.loads(text.decode("utf-8"), object_pairs_hook=pairs, parse_constant=refuse)
    check(v)
    return v


ACCEPT = r"""
[]|{}|[ ]|{ }|[[]]|[{}]|{"":0}|{"a":[]}|null|true|false|0|"x"|""| [] |[null]|[true,false,null]
[1,null,null,2]|[1 , 2]|{"a":1,"b":2}|{"a" : 1 }|{"a":{"a":{"a":1}}}|{"A":1,"a":2}|[""]|["a"]|0.0
-0|-0.0|1|-1|12|-12|10|1.5|-1.5|1e1|1E1|1e+1|1e-1|1.5e300|1.5E+10|0e1|0e+1|0E-1|1e-400|123.456e78
123e65|0.1|0.30000000000000004|1e308|2.2250738585072014e-308|5e-324|4.9406564584124654e-324
9223372036854775807|-9223372036854775808|4294967296|-2147483649|127|128|-32|-33|255|256|65535
65536|1.7976931348623157e308|-1.7976931348623157e308|1.0|100000000000000000000.0|1e22
9007199254740993.0|"\""|"\\"|"\/"|"/"|"\b\f\n\r\t"|"\u0041"|"\u00e9"|"\u0000"|"a\u0000b"|"\u001f"
"\u2028\u2029"|"\uFFFF"|"\uD83D\uDE00"|"\ud83d\ude00x"|"\uDBFF\uDFFF"|"\uD800\uDC00"|"\u12aB"
"\\u0000"|"\\\\"|"\\a"|"a/*b*/c"|"é"|"日本"|"😀"|"€𝄞"|""|"∀"|"  "|"{[,:]}"
{"\u0041":1}|{"é":2}|{"a\"b":3}|{"日":{"本":[]}}|[0,[1,[2,[3,[4]]]]]|["\"[[[[[[[[[[[[[[[[[["]
{"a":"[[[[[[[[[[[[[[[[[","b":[]}|"]]]]"|[1.0,1,"1"]
""".strip("\n").replace("\n", "|").split("|")

REJECT = r"""
 |[|]|{|}|[1|[1,|[1,]|[,1]|[,]|[1,,2]|[1 2]|["a" "b"]|[1]x|[1][2]|[]]|[[]|{"a"|{"a":|{"a":1
{"a":1,}|{,}|{"a" 1}|{"a":1 "b":2}|{"a":1,,"b":2}|{"a":1}}|{"a":1}{}|{a:1}|{'a':1}|{1:1}|{null:1}
{[]:1}|{"a"::1}|{"a":}|{:1}|{"a",1}|{"a":1;"b":2}|['a']|'a'|a|nul|nulll|NULL|Null|True|TRUE|tru
truee|fals|undefined|NaN|-NaN|nan|Infinity|-Infinity|inf|[Infinity]|01|-01|00|1.|.5|-.5|-|+|+1|--1
-a|1e|1e+|1E-|1.e1|.e1|e1|1.5.5|1e5.5|1e1e1|0x10|1_000|1,000|0b1|1f|1L|0.e1|1 000|- 1|1e 5|1a|-1a
٣|1e999|-1e999|1e309|1.7976931348623159e308|9223372036854775808|-9223372036854775809
18446744073709551616|123456789012345678901234567890|[1e400]|"|"a|"\"|"\x41"|"\a"|"\'"|"\0"|"\u"
"\u1"|"\u12"|"\u123"|"\u123g"|"\u 123"|"\U0041"|"\u+041"|"\ud800"|"\udc00"|"\ud800\ud800"
"\udc00\ud800"|"\ud800x"|"\ud800\n"|"\ud83d\u0041"|{"\ud800":1}|"a"b|"a" 1|/*c*/1|1/*c*/|//c|#c
[1]//c|<x>|{"a":1,"a":1}|{"a":1,"a":2}|{"a":1,"b":2,"a":3}|{"a":1,"\u0061":2}|{"b":{"a":1,"a":2}}
[{"":1,"":2}]|{"\u0000":1}|{"a\u0000b":1}|{"é":1,"\u00e9":2}|[1}|{"a":1]|([])|[1:2]|{"a","b"}
{"a"}|*|&|;|$|"a","b"|1 2|[] []|{}[]|⟨⟩|[“a”]|\u005b]|[\n]|\n|{"a":b}|["a",]|["a"|[""|{""
{"":|[tru]|[nul|[-]|[1+2]|[--2]|[-1.]|[1.a]
""".strip("\n").replace("\n", "|").split("|")

RAW_REJECT = [
    b"", b"\xef\xbb\xbf[]", b"[]\xef\xbb\xbf", b"\0", b"[]\0", b"[\0]", b"\"a\0b\"", b"\"\n\"",
    b"\"\t\"", b"\"\r\"", b"\"\x1f\"", b"\"\x01\"", b"\x0c[]", b"\x0b[]", b"\xc2\xa0[]",
    b"\xe2\x80\x83[]", b"[\xc2\xa0]",
    b"\"\xff\"", b"\"\x80\"", b"\"\xc3\"", b"\"\xc3\x28\"", b"\"\xe6\x97\"", b"\"\xf0\x9f\x98\"",
    b"\"\xc0\x80\"", b"\"\xc0\xaf\"", b"\"\xc1\xbf\"", b"\"\xe0\x80\xaf\"", b"\"\xe0\x9f\xbf\"",
    b"\"\xf0\x80\x80\xaf\"", b"\"\xf0\x8f\xbf\xbf\"", b"\"\xed\xa0\x80\"", b"\"\xed\xbf\xbf\"",
    b"\"\xed\xa0\xbd\xed\xb8\x80\"", b"\"\xf4\x90\x80\x80\"", b"\"\xf5\x80\x80\x80\"",
    b"\"\xf8\x88\x80\x80\x80\"", b"\"\xfe\xff\"", b"{\"\xff\":1}", b"\xff", b"[1,\xe9]",
    "[1]".encode("utf-16"), "[1]".encode("utf-16-le"), "[1]".encode("utf-32-be"),
    b"[" * 17 + b"]" * 17, b"{\"a\":" * 17 + b"1" + b"}" * 17, b"[{\"a\":" * 9 + b"1" + b"}]" * 9,
    b"[" * 3000, b"{\"a\":" * 900, b"[" * 17, b"9" * 900, b"-" + b"9" * 400, b"1" + b"0" * 19]

RAW_ACCEPT = [
    b"\t[\n1\r,\n2\t]\n", b"[\r\n]", b"\"\x7f\"", b"\"\xc2\x80\"", b"\"\xdf\xbf\"",
    b"\"\xe0\xa0\x80\"",
    b"\"\xed\x9f\xbf\"", b"\"\xee\x80\x80\"", b"\"\xef\xbf\xbf\"", b"\"\xf0\x90\x80\x80\"",
    b"\"\xf4\x8f\xbf\xbf\"", b"\"\xef\xbb\xbf\"", b"[" * 16 + b"]" * 16,
    b"{\"a\":" * 16 + b"1" + b"}" * 16, b"[" + b"1," * 999 + b"2]", b"\"" + b"a" * 300 + b"\"",
    b"0." + b"1" * 300, b"1" + b"0" * 18, b"0.0000000000000000000000000000001e40",
    ("{" + ",".join('"k%d":%d' % (i, i) for i in range(20)) + "}").encode(),
    b"\"" + b"\\n" * 40 + b"\""]

DOUBLES = [0.1, 1 / 3, 1e22, 1e23, 123456789.125, 5e-324, 1.5e-310, 4.35, 0.3,
           2 / 3, 1e-7, 1e300 / 3]


def main():
    whole = b'{"id":7,"messages":[{"role":"user","content":"a\\u00e9\\n"}],"n":[-1.5e3,true,null]}'
    accept = [x.encode() for x in ACCEPT] + RAW_ACCEPT + [whole]
    reject = [x.encode() for x in REJECT] + RAW_REJECT + [whole[:n] for n in range(1, len(whole))]
    for text in dict.fromkeys(accept):
        packed = msgpack.packb(read(text), use_bin_type=True)
        print("accept", text.hex(), packed.hex())
    for text in dict.fromkeys(reject):
        try:
            read(text)
        except (ValueError, RecursionError):
            print("reject", text.hex() or "-")
        else:
            sys.exit("Python accepts %r" % text)
    r = random.Random(3)
    doubles = DOUBLES + [r.uniform(-1, 1) * 10.0 ** r.randrange(-300, 300) for _ in range(200)]
    for d in doubles:
        digits = repr(d).lower().split("e")[0].replace(".", "").replace("-", "").strip("0")
        print("double", struct.pack(">d", d).hex(), len(digits))


main()

"""make_safetensors.py: writes mixed.safetensors and plain.safetensors, and safetensors.txt, what the
format's authors' reader makes of headers.

    python3 make_safetensors.py FOLDER

Made with safetensors 0.8.0 and numpy 2.4.6. Element k of tensor number i of a file is
((7 k + 3 i) mod 64 - 32) / 8, which all three types hold. A line of safetensors.txt is, between tabs:
    verdict     ok: to be accepted; no: refused by that reader too; strict: refused by ft alone
    length      what the eight bytes before the header say; =: its true length
    data        bytes behind the header
    word        what ft's message has to contain
    header      the text, in which \\xNN is a byte
tests/unit/safetensors_test.c reads all of it.
"""
import json
import struct
import sys

import numpy as np
import safetensors

MIXED = [("b.weight", "bfloat16", [3, 5]), ("a.half", "float16", [4]), ("z", "float32", []),
         ("a.b", "float32", [2, 3, 4]), ("a", "bfloat16", [1]), ("empty", "float32", [0, 7]),
         ("B", "float16", [2, 2]), ("quote\"d", "float32", [1, 1]), ("a-b", "float32", [3])]
PLAIN = [("x", "float32", [5]), ("w", "float16", [3])]


def values(i, shape):
    k = np.arange(int(np.prod(shape)))
    return (((7 * k + 3 * i) % 64 - 32) / 8).astype(np.float32)


def encode(i, kind, shape):
    v = values(i, shape)
    if kind == "bfloat16":
        return (v.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    return v.astype(kind).tobytes()


def file(path, tensors, metadata):
    keep = [np.frombuffer(encode(i, kind, shape) or b"\0", np.uint8)
            for i, (_, kind, shape) in enumerate(tensors)]
    specs = {name: safetensors.TensorSpec(
        dtype=kind, shape=shape, data_ptr=keep[i].ctypes.data,
        data_len=len(encode(i, kind, shape))) for i, (name, kind, shape) in enumerate(tensors)}
    with open(path, "wb") as f:
        f.write(safetensors.serialize(specs, metadata))


def entry(dtype="F32", shape="[2]", offsets="[0,8]"):
    return '{"dtype":"%s","shape":%s,"data_offsets":%s}' % (dtype, shape, offsets)


def headers():
    """verdict, length, data bytes, word, header"""
    one = '{"a":%s}' % entry()
    yield "ok", "=", 8, "", one
    yield "ok", "=", 8, "", one + "   "
    yield "ok", "=", 0, "", "{}"
    yield "ok", "=", 0, "", '{"__metadata__":{}}'
    yield "ok", "=", 8, "", '{"a":%s,"__metadata__":{"k":"v","n":"1"}}' % entry()
    yield "ok", "=", 8, "", '{ "a" : {"data_offsets":[0,8], "shape":[1, 2],"dtype":"F32"}\n}'
    yield "ok", "=", 12, "", '{"b":%s,"a":%s}' % (entry("BF16", "[2]", "[8,12]"), entry())
    yield "ok", "=", 4, "", '{"a":%s}' % entry("F16", "[2,1,1,1]", "[0,4]")
    yield "ok", "=", 4, "", '{"a":%s}' % entry(shape="[]", offsets="[0,4]")
    yield "ok", "=", 8, "", '{"e":%s,"a":%s}' % (entry(shape="[0]", offsets="[0,0]"), entry())
    yield "ok", "=", 8, "", '{"e":%s,"a":%s}' % (entry(shape="[0]", offsets="[8,8]"), entry())
    yield "ok", "=", 8, "", '{"\\u0061\\n":%s}'.replace("\\n", "") % entry()
    # The length.
    for n in (0, 1, len(one) - 1, len(one) + 9, 2 ** 31, 2 ** 63, 2 ** 64 - 8, 2 ** 64 - 1):
        yield "no", str(n), 8, "header", one
    yield "no", str(len(one) + 8), 8, "neither", one
    yield "strict", "=", 8, "begin", " " + one
    yield "no", "=", 8, "begin", ""
    yield "no", "=", 8, "begin", "["
    yield "no", "=", 8, "neither", one + "\\x00"
    yield "no", "=", 8, "", one + "}"
    yield "no", "=", 8, "header at byte", one + one
    yield "no", "=", 8, "header at byte", one[:-1] + ",}"
    yield "strict", "=", 8, "neither", one + "\\x0a"
    yield "strict", "=", 8, "neither", one + "\\x09 "
    # JSON.
    yield "no", "=", 0, "nesting", '{"a":' + "[" * 200 + "]" * 200 + "}"
    yield "no", "=", 0, "nesting", '{"a":' * 200 + "1" + "}" * 200
    yield "no", "=", 0, "header at byte", '{"a":' + "[" * 200 + "}"
    yield "no", "=", 8, "header at byte", '{"a\\xff":%s}' % entry()
    yield "no", "=", 8, "header at byte", '{"\\ud800":%s}' % entry()
    yield "no", "=", 8, "header at byte", "{'a':%s}" % entry()
    yield "no", "=", 8, "header at byte", '{"a":%s,,"b":1}' % entry()
    yield "no", "=", 8, "header at byte", '{"a":%s /* */}' % entry()
    yield "strict", "=", 8, "duplicate", '{"a":%s,"a":%s}' % (entry(), entry())
    yield "strict", "=", 8, "duplicate", '{"a":%s,"\\u0061":%s}' % (entry(), entry())
    yield ("no", "=", 8, "duplicate",
           '{"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}}')
    yield "strict", "=", 0, "duplicate", '{"__metadata__":{"k":"v","k":"v"}}'
    yield "no", "=", 0, "duplicate", '{"__metadata__":{},"__metadata__":{}}'
    # The metadata.
    for v in ("1", "null", "[]", "{}", "true"):
        yield "no", "=", 0, "__metadata__", '{"__metadata__":{"k":%s}}' % v
    yield "no", "=", 0, "__metadata__", '{"__metadata__":[]}'
    yield "no", "=", 0, "__metadata__", '{"__metadata__":"pt"}'
    # Entries.
    for v in ("1", '"x"', "null", "true", "[]"):
        yield "no", "=", 0, "", '{"a":%s}' % v
    yield "no", "=", 0, "dtype", '{"a":{}}'
    yield "no", "=", 8, "dtype", '{"a":{"shape":[2],"data_offsets":[0,8]}}'
    yield "no", "=", 8, "shape", '{"a":{"dtype":"F32","data_offsets":[0,8]}}'
    yield "no", "=", 8, "data_offsets", '{"a":{"dtype":"F32","shape":[2]}}'
    yield "strict", "=", 8, "besides", '{"a":' + entry()[:-1] + ',"more":1}}'
    for kind in ("f32", "F31", "", "Float32", "\\u001b[31m"):
        yield "no", "=", 8, "dtype", '{"a":%s}' % entry(kind)
    yield "no", "=", 8, "dtype", '{"a":{"dtype":32,"shape":[2],"data_offsets":[0,8]}}'
    for kind, size in (("F64", 16), ("I64", 16), ("I32", 8), ("U8", 2), ("BOOL", 2),
                       ("F8_E4M3", 2), ("C64", 16)):
        yield "strict", "=", size, kind, '{"a":%s}' % entry(kind, "[2]", "[0,%d]" % size)
    # Names.
    yield "strict", "=", 8, "name of 0", '{"":%s}' % entry()
    yield "strict", "=", 8, "name of 257", '{"%s":%s}' % ("n" * 257, entry())
    yield "ok", "=", 8, "", '{"%s":%s}' % ("n" * 256, entry())
    yield "strict", "=", 8, "0x1b", '{"\\u001b[31m":%s}' % entry()
    yield "strict", "=", 8, "0xc3", '{"\\u00e9":%s}' % entry()
    # Shapes.
    for shape in ("[3]", "[1]", "[2,2]", "[0]", "[]"):
        yield "no", "=", 8, "data_offsets", '{"a":%s}' % entry(shape=shape)
    for shape in ("[-2]", "[2.0]", "[2e0]", '["2"]', "[null]", "[[2]]", "[true]", "2", "{}",
                  '"2"', "null", "[0.5]"):
        yield "no", "=", 8, "shape", '{"a":%s}' % entry(shape=shape)
    yield "no", "=", 8, "2^63", '{"a":%s}' % entry(shape="[18446744073709551618]")
    for shape in ("[4611686018427387904]", "[9223372036854775807,3]", "[4294967296,4294967296]",
                  "[17592194433025,211106198978564]", "[4611686018427387906]",
                  "[4294967296,4294967296,0]"):
        yield "no", "=", 8, "overflow", '{"a":%s}' % entry(shape=shape)
    yield "no", "=", 8, "its shape", '{"a":%s}' % entry("F16", "[9223372036854775807]", "[0,8]")
    yield "strict", "=", 8, "dimensions", '{"a":%s}' % entry(shape="[2,1,1,1,1,1,1,1,1]")
    # Offsets.
    for offsets in ("[0,7]", "[0,9]", "[8,0]", "[1,9]", "[0,4]"):
        yield "no", "=", 8, "data_offsets", '{"a":%s}' % entry(offsets=offsets)
    for offsets in ("[-8,0]", "[0,8.0]", "[0.0,8]", "[0]", "[]", "[0,8,8]", '["0","8"]',
                    "[null,8]", "[[0],8]", "8", "{}", "[0,-8]", "[1e0,9]"):
        yield "no", "=", 8, "data_offsets", '{"a":%s}' % entry(offsets=offsets)
    yield "no", "=", 8, "2^63", '{"a":%s}' % entry(offsets="[0,18446744073709551624]")
    yield "no", "=", 8, "data_offsets", '{"a":%s}' % entry(offsets="[9223372036854775800,0]")
    yield ("no", "=", 8, "data_offsets",
           '{"a":%s}' % entry(offsets="[9223372036854775799,9223372036854775807]"))
    yield "no", "=", 16, "8 bytes follow", '{"a":%s}' % entry()
    yield "no", "=", 16, "begins at 8", '{"a":%s}' % entry(offsets="[8,16]")
    yield "no", "=", 8, "begins at 0", '{"a":%s,"b":%s}' % (entry(), entry())
    yield ("no", "=", 12, "begins at 4",
           '{"a":%s,"b":%s}' % (entry(), entry(offsets="[4,12]")))
    yield ("no", "=", 20, "begins at 12",
           '{"a":%s,"b":%s}' % (entry(), entry(offsets="[12,20]")))
    yield ("no", "=", 16, "begins at 8",
           '{"a":%s,"e":%s,"b":%s}' % (entry(shape="[4]", offsets="[0,16]"),
                                       entry(shape="[0]", offsets="[8,8]"),
                                       entry(shape="[0]", offsets="[16,16]")))
    yield "no", "=", 8, "ends at 9", '{"e":%s,"a":%s}' % (entry(shape="[0]", offsets="[9,9]"),
                                                         entry())
    yield "no", "=", 4, "4 bytes follow", '{"a":%s}' % entry()
    yield "no", "=", 1, "1 bytes follow", "{}"


def unescape(text):
    out, i = b"", 0
    while i < len(text):
        if text.startswith("\\x", i):
            out += bytes([int(text[i + 2:i + 4], 16)])
            i += 4
        else:
            out += text[i].encode()
            i += 1
    return out


def accepted(data):
    try:
        safetensors.deserialize(data)
        return True
    except safetensors.SafetensorError:
        return False


def main(folder):
    file(folder + "/mixed.safetensors", MIXED, {"format": "pt"})
    file(folder + "/plain.safetensors", PLAIN, None)
    with open(folder + "/safetensors.txt", "w") as f:
        for verdict, length, n, word, header in headers():
            header = header.replace("\n", "\\x0a")
            data = unescape(header)
            size = len(data) if length == "=" else int(length)
            if accepted(struct.pack("<Q", size) + data + bytes(n)) != (verdict != "no"):
                print("not as the reader judges:", verdict, length, n, header[:100])
            f.write("\t".join([verdict, length, str(n), word or "-", header]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])

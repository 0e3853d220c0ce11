# ft-import on files as they come: tables, lists, pretty-printed and compressed JSON, bytes that are
# no UTF-8; judged by Python's csv, json, gzip and zstandard (formats_oracle.py). The same bytes for
# any number of threads, and of several errors the first.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
python=/usr/bin/python3
oracle=$FT_ROOT/tests/cli/formats_oracle.py

as_wanted() { # WANT STREAM
    "$python" "$FT_ROOT/tests/ft_decode.py" "$2" >got &&
        "$python" "$FT_ROOT/tests/cli/import_oracle.py" same "$1" got
}

same_for_threads() { # WHAT OPTIONS... FILE
    what=$1
    shift
    ft-import -q --threads 1 -o one.ft "$@"
    ft-import -q --threads 4 -o four.ft "$@"
    check_same "$what: the same bytes with 1 and 4 threads" one.ft four.ft
}

# ---- tables ----
for dialect in csv crlf all tsv semicolon; do
    "$python" "$oracle" table 1 400 $dialect >table
    case $dialect in
        tsv) how='--format tsv' ;;
        semicolon) how='--format csv --delimiter ;' ;;
        *) how='--format csv' ;;
    esac
    # shellcheck disable=SC2086  # several words
    ft-import -q $how table >all.ft
    check "$dialect: the rows that Python wrote" as_wanted want all.ft
    # shellcheck disable=SC2086
    same_for_threads "$dialect" $how table
done
ft-import -q -f csv --delimiter auto <table >all.ft
check "a separator that is guessed" as_wanted want all.ft
"$python" "$oracle" table 2 40000 csv >table
ft-import -q -f csv table >all.ft
check "a table of several blocks" as_wanted want all.ft
same_for_threads "a table of several blocks" -f csv table
{ printf '\357\273\277'; cat table; } | ft-import -q -f csv --no-history >bom.ft
ft-import -q -f csv --no-history <table >all.ft
check_same "a byte order mark is no part of the first column" all.ft bom.ft

rows() { # WHAT WANT OPTIONS... < TABLE
    what=$1
    printf '%s\n' "$2" >want
    shift 2
    ft-import -q "$@" >few.ft || :
    check "$what" as_wanted want few.ft
}
printf 'question,answer,w\na,"b\nc",2\n' | rows "columns get other names" \
    '{"id":1,"prompt":"a","completion":"b\nc","w":"2"}' -f csv -c prompt=question,completion=answer
printf 'q,a\nx,y' | rows "fields of Alpaca" \
    '{"id":1,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]}' \
    -f csv --columns instruction=q,output=a
printf '{"a":"x","b":"y","c":1}\n' | rows "also those of JSON" \
    '{"id":1,"completion":"x","prompt":"y","c":1}' -c prompt=b,completion=a
printf '{"prompt":"x","completion":"y"}\n' | rows "two names change places" \
    '{"id":1,"completion":"x","prompt":"y"}' -c prompt=completion,completion=prompt
printf 'id,text,tags\n7,a,"[1,{""b"":null}]"\n-1.5,,"""s"""\n' | rows "columns of JSON" \
    '{"id":7,"text":"a","tags":[1,{"b":null}]}
{"id":-1.5,"text":"","tags":"s"}' -f csv --json-columns id,tags
printf 'text\n\n""\n \n' | rows "an empty line is none, an empty field is one" \
    '{"id":1,"text":""}
{"id":2,"text":" "}' -f csv

refused() { # WHAT MESSAGE OPTIONS... < FILE
    what=$1 message=$2
    shift 2
    cat >bad
    for threads in 1 4; do
        check_status 65 "$what is refused (threads $threads)" \
            ft-import --threads $threads "$@" -o bad.ft bad
        check "$what: said where and why" grep -q "^ft-import: bad: .*$message" stderr
        check "$what: no output is left" test ! -e bad.ft
    done
}
printf 'text,b\n1,2\n"x\ny",2\n\n3\n' | refused "a short row" 'line 6: .*1 fields, the' -f csv
printf 'text,b\n1,2\n1,2,3\n' | refused "a long row" 'line 3: column 5: over 2 fields' -f csv
printf 'text,b\n"1,2\n3,4\n' | refused "quotes that do not end" 'line 2: .*not ended' -f csv
printf 'text,b\n1,2\nx"y,2\n' | refused "a quote within a field" 'line 3: column 2: .*quote' -f csv
printf 'text,b\n"x\n"y,2\n' | refused "text behind quotes" 'line 3: column 2: .*separator' -f csv
printf 'text,b\n1\r1,2\n' | refused "a lone carriage return" 'line 2: .*carriage' -f csv
printf 'text,text\n1,2\n' | refused "a column twice" 'line 1: column 6: two columns' -f csv
printf 'text,\n1,2\n' | refused "a column without name" 'line 1: .*no name' -f csv
printf 'text,b\nx,"a\n\377"\n' | refused "bytes that are no UTF-8" 'line 3: byte 1: .*0xff' -f csv
printf 'text,b\nx,[1\n' | refused "bad JSON in a column" 'line 2: column 3: column b: its JSON' \
    -f csv --json-columns b
printf 'text,b\nx,%s\n' '[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]' |
    refused "JSON in a column that is too deep" 'line 2: .*nesting' -f csv --json-columns b
printf 'text\nx\n' | refused "a column of JSON that is not there" 'no column has the name b' \
    -f csv --json-columns b
printf 'a,b\nx,y\n' | refused "columns of no shape" 'line 2: unknown shape.*--columns' -f csv
printf 'a,b\nx,y\n' | refused "a name that is missing" 'line 2: field q, .*missing' -f csv -c text=q
printf 'a,text\nx,y\n' |
    refused "a name that is taken" 'line 2: field text is there' -f csv -c text=a
check_status 64 "two names for a field are misuse" ft-import -c a=b,c=b lines
check_status 64 "no names are misuse" ft-import -c a lines
check_status 64 "a delimiter without a table is misuse" ft-import --delimiter ';' lines
check_status 64 "a long delimiter is misuse" ft-import -f csv --delimiter ';;' lines
check_status 64 "a table of plain text is misuse" ft-import -f csv --shape plain lines

# ---- lists and objects over many lines ----
"$python" "$oracle" chats 3 3000
ft-import -q --no-history <lines.jsonl >lines.ft
for form in form-*; do
    ft-import -q --no-history <"$form" >form.ft
    check_same "${form#form-}: the same stream as from lines" lines.ft form.ft
    same_for_threads "${form#form-}" "$form"
done
printf ' [ ] \n' | ft-import -q >empty.ft
check_status 0 "an empty list" ft-check --json empty.ft
check "is an empty stream" grep -q '"records":0' stdout
printf '[{"text":"a"},\n{"text":"b"},\n]' | refused "a comma at the end" 'line 3: a comma before'
printf '[{"text":"a"}\n,,{"text":"b"}]' | refused "two commas" 'line 2: a comma where'
printf '[{"text":"a"}\n{"text":"b"}]' | refused "no comma" 'line 2: neither a comma'
printf '[{"text":"a"},\n{"text":"b"}\n' | refused "a list without end" 'line 3: the list is not'
printf '[{"text":"a"},\n\n 12]' | refused "a list of numbers" 'line 3: not an object but integer'
printf '[{"text":"a"},\n[{"text":"b"}]]' | refused "a list in a list" 'line 2: not an object'
printf '[\n{"text":"a"},\n{"text":\n\n"b",,}\n]' | refused "bad JSON in a list" 'line 5: column 5'
printf '{\n"text":\n"a"\n}\n{\n "text" 1}\n' | refused "a bad object over lines" 'line 6: column 9'
printf '[{"text":"a"},\n{"text":1}]' | refused "a bad field in a list" 'line 2: field text'
printf '[{"text":"a"}]\n}' | refused "a bracket too many" "line 2: column 1: '}'"
printf '[{"text":"a\n' | refused "a list that is cut" 'line 1: '
"$python" -c 'print("[\n" + "[" * 99)' | refused "a list that is too deep" 'line 2: nesting over 64'

# ---- plain text of several blocks ----
"$python" - <<'END2'
import json
import random
r = random.Random(9)
ends = ["\n", "\n", "\r\n", "\n\n", "\n \t\n", "\r\n\r\n", "\n\n\n\n"]
words = ["word", "é", " ", "\r", '"', "日本", "x" * 900]
whole = "".join("".join(r.choice(words) for _ in range(r.randrange(9))) + r.choice(ends)
                for _ in range(12000))
open("plain.txt", "w", encoding="utf-8", newline="").write(whole)
lines = [x[:-1] if x.endswith("\r") else x for x in whole.split("\n")]
runs, last = [], []
for line in lines + [""]:
    if line.strip(" \t"):
        last.append(line)
    elif last:
        runs.append("\n".join(last))
        last = []
for name, texts in ("lines", [x for x in lines if x.strip(" \t")]), ("runs", runs):
    with open("want." + name, "w", encoding="utf-8") as f:
        f.writelines(json.dumps({"id": i + 1, "text": x}) + "\n" for i, x in enumerate(texts))
END2
ft-import -q --shape plain plain.txt >all.ft
check "plain text: the lines that Python splits" as_wanted want.lines all.ft
same_for_threads "plain text" --shape plain plain.txt
ft-import -q --shape paragraphs plain.txt >all.ft
check "paragraphs: the runs that Python splits" as_wanted want.runs all.ft
same_for_threads "paragraphs" --shape paragraphs plain.txt

# ---- compressed ----
ft-import -q --no-history <lines.jsonl >lines.ft
"$python" "$oracle" pack lines.jsonl
for file in packed-*; do
    case $file in
        *-bad-*-cut-*) refused "${file#packed-}" 'cut off after' <"$file" ;;
        *-bad-*) refused "${file#packed-}" 'damaged before byte' <"$file" ;;
        *)
            ft-import -q --no-history <"$file" >packed.ft
            check_same "${file#packed-}: the same stream" lines.ft packed.ft
            ;;
    esac
done
"$python" -c 'import xxhash
print("\"%s\"" % xxhash.xxh3_128_hexdigest(open("packed-gzip", "rb").read()))' >digest
ft-import -q packed-gzip >packed.ft
ft-check --history --json packed.ft >history 2>/dev/null
check "the history has the digest of the packed file" grep -q -F -f digest history
"$python" -c 'import gzip, sys
sys.stdout.buffer.write(gzip.compress(b"{\"text\":1}\n{\"text\":\"a\"}\n" * 9)[:60])' |
    refused "a bad line in a file that is cut" 'line 1: field text'
printf 'PAR1\025\004\025' | refused "Parquet" 'Parquet.*JSON lines'
printf '\377\376{\0' | refused "UTF-16" 'UTF-16.*iconv'
"$python" -c 'import bz2, sys; sys.stdout.buffer.write(bz2.compress(b"{}" * 9))' |
    refused bzip2 bzip2
"$python" -c 'import lzma, sys; sys.stdout.buffer.write(lzma.compress(b"{}" * 9))' | refused xz xz
printf 'PAR1 is a word\n' | rows "a text may begin as Parquet does" \
    '{"id":1,"text":"PAR1 is a word"}' --shape plain

# ---- hostile sizes ----
if [ -z "${FT_ASAN:-}" ]; then
    for begin in '{"text":"' '[' '[{"text":"' ''; do
        "$python" - "$begin" >bomb <<'END2'
import sys
import zlib
z = zlib.compressobj(9, zlib.DEFLATED, 31)
filler = {"[": b"[", "": b"\n"}.get(sys.argv[1], b"a") * (1 << 20)
sys.stdout.buffer.write(z.compress(sys.argv[1].encode()))
for _ in range(24):
    sys.stdout.buffer.write(z.compress(filler))
sys.stdout.buffer.write(z.flush())
END2
        want=65
        [ -n "$begin" ] || want=0
        check_status $want "a bomb of '$begin' in bounded memory" \
            sh -c 'ulimit -v 400000; ft-import --threads 1 -q -o bomb.ft bomb'
    done
    "$python" -c 'print("{\"text\":\"x\",\"a\":[%s{}]}" % ("{}," * 5000000))' >objects.jsonl
    check_status 0 "15 MB of empty objects in a line, in bounded memory" \
        sh -c 'ulimit -v 400000; ft-import --threads 1 -q -o bomb.ft objects.jsonl'
    "$python" -c 'print("{\"text\":\"x\",\"a\":{%s}}" % ",".join("\"%d\":0" % i
        for i in [*range(600000), 77]))' >keys.jsonl
    check_status 65 "a key twice among many" ft-import -o bad.ft keys.jsonl
    column=$("$python" -c 'print(open("keys.jsonl").read().rindex("\"77\"") + 4)')
    check "is found" grep -q "line 1: column $column: duplicate" stderr
else
    skip "bounded memory: not with the sanitizers"
fi

# ---- of several errors the first, wherever the blocks are cut ----
"$python" - <<'END2'
import random
r = random.Random(5)
lines = ['{"text":"%s"}' % ("x" * r.randrange(300)) for _ in range(40000)]
for i in (31234, 31235, 37777, 39999):
    lines[i] = '{"text":}'
open("several.jsonl", "w").write("\n".join(lines))
END2
for threads in 1 2 4; do
    check_status 65 "several errors" ft-import --threads $threads -o bad.ft several.jsonl
    check "the first is named with $threads threads" grep -q ' line 31235: column 9' stderr
done

# ---- repairs ----
for seed in 1 2 3; do
    "$python" -c 'import random, sys
r = random.Random(int(sys.argv[1]))
parts = [b"a", b"\xc3\xa9", b"\xe6\x97\xa5", b"\xff", b"\xe6\x97", b"\xf0\x9f\x98", b"\x80",
         b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xe0\x80", b"\xf0\x9f\x98\x80"]
sys.stdout.buffer.write(b"".join(r.choice(parts) for _ in range(3000)))' $seed >broken
    "$python" "$oracle" repair <broken >fixed
    read -r repairs text <fixed
    printf '{"id":1,"text":%s}\n' "$text" >want
    { printf '{"text":"'; cat broken; printf '"}\n'; } >broken.jsonl
    check_status 0 "--repair-utf8 (seed $seed)" ft-import --repair-utf8 -o all.ft broken.jsonl
    check "repairs what Python replaces" as_wanted want all.ft
    check "and counts it" grep -q "repaired $repairs;" stderr
    ft-import -q --repair-utf8 --shape plain broken >all.ft
    check "also in plain text" as_wanted want all.ft
    { echo text; cat broken; } | ft-import -q --repair-utf8 -f csv >all.ft
    check "and in tables" as_wanted want all.ft
done
printf '{"text":"a"}\n{"text":"\303"}\n' | refused "without it, broken text" 'line 2: byte 10: '
finish

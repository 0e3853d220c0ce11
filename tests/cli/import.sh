# ft-import by the command line: records against import_oracle.py, read back by a decoder that
# shares no code with ft; what it must refuse, with the line and the field; nothing half written.
# shellcheck disable=SC2016  # dollars are text
set -eu
. "$FT_ROOT/tests/cli/lib.sh"
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
python=/usr/bin/python3
oracle=$FT_ROOT/tests/cli/import_oracle.py

records() { "$python" "$FT_ROOT/tests/ft_decode.py" "$1"; } # STREAM

as_wanted() { # WANT STREAM
    records "$2" >got && "$python" "$oracle" same "$1" got
}

# ---- random examples in all shapes ----
for seed in 1 2 3; do
    "$python" "$oracle" make $seed 1500 >lines.jsonl
    "$python" "$oracle" want <lines.jsonl >want
    ft-import -q <lines.jsonl >all.ft
    check "records as the oracle makes them (seed $seed)" as_wanted want all.ft
done
for threads in 1 2 4; do
    ft-import -q --threads $threads -o threads.ft lines.jsonl
    check_same "the same bytes from a file with $threads threads" all.ft threads.ft
done
{ printf '\357\273\277'; cat lines.jsonl; } >bom.jsonl
ft-import -q <bom.jsonl >bom.ft
check "a byte order mark is no part of the first line" as_wanted want bom.ft
printf %s "$(cat lines.jsonl)" >unended.jsonl
ft-import -q -i unended.jsonl >unended.ft
check "the last line need not be ended" as_wanted want unended.ft

# ---- named shapes ----
imports_as() { # WHAT JSON WANT OPTIONS...
    what=$1 json=$2 want=$3
    shift 3
    printf '%s\n' "$json" | ft-import -q "$@" >one.ft && records one.ft >got || : >got
    printf '%s\n' "$want" >want
    check "$what" "$python" "$oracle" same want got
}
imports_as "--shape text where a prompt passes by in part" '{"prediction":"p","text":"t"}' \
    '{"id":1,"prediction":"p","text":"t"}' --shape text
imports_as "--shape prompt with an instruction beside it" \
    '{"instruction":"i","output":"o","prompt":"p","completion":"c"}' \
    '{"id":1,"instruction":"i","output":"o","prompt":"p","completion":"c"}' --shape prompt
said='[{"role":"user","content":"i"},{"role":"assistant","content":"o"}]'
imports_as "--shape alpaca with a prompt that passes by" \
    '{"prompt":"p","completion":"c","output":"o","instruction":"i"}' \
    '{"id":1,"prompt":"p","completion":"c","messages":'"$said}" --shape alpaca
imports_as "a null id stays" '{"id":null,"text":"t"}' '{"id":null,"text":"t"}'

printf ' one\r\n\n\t\ntwo \\n "3"\ncaf\303\251' >plain.txt
ft-import -q --shape plain plain.txt >plain.ft
printf '%s\n' '{"id":1,"text":" one"}' '{"id":2,"text":"two \\n \"3\""}' '{"id":3,"text":"café"}' |
    sed 's/two .n/two \\\\n/' >want
check "plain text: a record a line" as_wanted want plain.ft
printf '\n\none\ntwo\n \n\nthree\n' | ft-import -q --shape paragraphs >plain.ft
printf '%s\n' '{"id":1,"text":"one\ntwo"}' '{"id":2,"text":"three"}' >want
check "paragraphs: a record up to a blank line" as_wanted want plain.ft

# ---- no examples ----
for text in '' '\n\n \r\n' '\357\273\277'; do
    # shellcheck disable=SC2059  # a format on purpose
    printf "$text" | ft-import -q >empty.ft
    check_status 0 "input without lines gives an empty stream" ft-check --json empty.ft
    check "it has no records" grep -q '"records":0' stdout
done

# ---- what it says at the end, and the history ----
check_status 0 "counts as JSON" ft-import --json -o all.ft lines.jsonl
"$python" "$oracle" want <lines.jsonl >want
check "rows and turns are those of the oracle" "$python" -c 'import json
said = json.load(open("stderr"))
want = [json.loads(x) for x in open("want")]
assert said["read"] == said["written"] == said["rows"] == len(want), said
assert said["turns"] == sum(len(x.get("messages", [])) for x in want), said'
"$python" -c 'import xxhash
print("\"%s\"" % xxhash.xxh3_128_hexdigest(open("lines.jsonl", "rb").read()))' >digest
ft-check --history --json all.ft >history 2>/dev/null
check "the history has the digest of the input" grep -q -F -f digest history

# ---- refusals: the line, the field, and nothing left ----
good='{"text":"good"}'
refused() { # WHAT MESSAGE JSON OPTIONS...
    what=$1 message=$2 json=$3
    shift 3
    printf '%s\n\n%s\n%s\n' "$good" "$json" "$good" >bad.jsonl
    check_status 65 "$what is refused" ft-import "$@" -o bad.ft bad.jsonl
    check "$what: said where and why" grep -q "^ft-import: bad.jsonl: line 3: .*$message" stderr
    check "$what: no output is left" test ! -e bad.ft
}
refused "bad JSON" 'column 9' '{"text":x}'
refused "a cut line" 'column' '{"text":"x'
refused "two objects on a line" 'column' '{"text":"x"}{"text":"y"}'
refused "a key twice" 'duplicate' '{"text":"x","text":"y"}'
refused "a number out of range" 'column' '{"text":"x","n":1e999}'
refused "a whole number out of range" 'column' '{"text":"x","n":9223372036854775808}'
refused "a lone surrogate" 'column' '{"text":"\ud800"}'
refused "deep nesting" 'nesting' '{"text":"x","a":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}'
refused "invalid UTF-8" 'UTF-8' "$(printf '{"text":"\303"}')"
refused "a line that is no object" 'not an object' '["text"]'
refused "an object of no shape" 'unknown shape' '{"question":"x"}'
refused "an id that is a list" 'field id' '{"text":"x","id":[1]}'
refused "messages that are no list" 'messages' '{"messages":"x"}'
refused "empty messages" 'messages is empty' '{"messages":[]}'
refused "a message without content" 'messages\[1\]' \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant"}]}'
refused "content that is null" 'messages\[0\].content' \
    '{"messages":[{"role":"user","content":null}]}'
refused "an unknown speaker" 'conversations\[1\]' \
    '{"conversations":[{"from":"human","value":"a"},{"from":"bing","value":"b"}]}'
refused "a speaker without words" 'conversations\[0\].*value' '{"conversations":[{"from":"human"}]}'
refused "a turn with both names of a field" 'conversations\[0\].*role' \
    '{"conversations":[{"from":"human","value":"a","role":"user"}]}'
refused "an image in a message" 'messages\[0\].content\[1\] is of type image_url' \
    '{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url"}]}]}'
refused "a part with more than text" 'messages\[0\].content\[0\] has fields' \
    '{"messages":[{"role":"user","content":[{"type":"text","text":"a","cache":1}]}]}'
refused "a query without response" 'field response' '{"query":"x"}'
refused "empty conversations" 'messages is empty' '{"conversations":[]}'
refused "an instruction without output" 'field output' '{"instruction":"x"}'
refused "an input that is a list" 'field input' '{"instruction":"x","input":["y"],"output":"z"}'
refused "a history that is no list" 'field history' '{"instruction":"x","output":"y","history":{}}'
refused "a history of three" 'history\[0\]' \
    '{"instruction":"x","output":"y","history":[["a","b","c"]]}'
refused "a prompt without completion" 'completion' '{"prompt":"x"}'
refused "a prompt of messages, a completion of text" 'prompt' \
    '{"prompt":[{"role":"user","content":"a"}],"completion":"b"}'
refused "text that is a number" 'text' '{"text":1}'
refused "a prediction without reference" 'reference' '{"prediction":"x"}'
refused "an empty list of references" 'reference' '{"prediction":"x","reference":[]}'
good='{"messages":[{"role":"user","content":"a"}]}'
refused "another shape than was named" 'shape text, not messages' '{"text":"x"}' --shape messages
good='{"conversations":[{"from":"human","value":"a"}]}'
refused "conversations whose place is taken" 'field messages is there' \
    '{"conversations":[{"from":"human","value":"a"}],"messages":[]}' --shape sharegpt
good='{"prompt":"a","completion":"b"}'
refused "a prompt behind messages" 'shape messages, not prompt' \
    '{"prompt":"a","completion":"b","messages":[{"role":"user","content":"a"}]}' --shape prompt

printf 'good\nb\303(d\n' >bad.txt
check_status 65 "plain text that is not UTF-8" ft-import --shape plain -o bad.ft bad.txt
check "is named by line and byte" grep -q 'bad.txt: line 2: byte 2' stderr
"$python" -c 'print("{\"text\":\"%s\"}" % ("x" * (8 << 20)))' >big.jsonl
check_status 65 "a record over 8 MiB" ft-import -o bad.ft big.jsonl
check "is named by its line" grep -q 'big.jsonl: line 1: ' stderr
"$python" -c 'print("{\"text\":\"%s\"}" % ("x" * ((8 << 20) - 32)))' | ft-import -q >big.ft
check_status 0 "a record of just under 8 MiB passes" ft-check big.ft
# One line without an end must not take all memory (the sanitizers' shadow is more than the limit).
if [ -z "${FT_ASAN:-}" ]; then
    check_status 65 "an endless line is refused in bounded memory" sh -c 'ulimit -v 400000
        head -c 300000000 /dev/zero | tr "\0" "[" | ft-import -o bad.ft --threads 1'
else
    skip "bounded memory: not with the sanitizers"
fi
check_status 65 "a stream is refused" ft-import -o bad.ft all.ft
check_status 66 "a missing file" ft-import -o bad.ft missing.jsonl
check_status 64 "an unknown shape is misuse" ft-import --shape csv -o bad.ft lines.jsonl
check "none of these left an output" test ! -e bad.ft
finish

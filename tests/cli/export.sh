# ft-export by the command line: what it writes is judged by Python's json and by ft-import, which
# import.sh holds to an oracle; what a shape cannot hold is refused with the record.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
python=/usr/bin/python3
oracle=$FT_ROOT/tests/cli/import_oracle.py

same_lines() { "$python" "$oracle" same "$1" "$2"; }

# ---- records as they are ----
for seed in 11 12; do
    "$python" "$oracle" make $seed 1500 >lines.jsonl
    ft-import -q --no-history <lines.jsonl >first.ft
    ft-export -q first.ft >out.jsonl
    "$python" "$FT_ROOT/tests/ft_decode.py" first.ft >decoded.jsonl
    check "the records that the decoder sees (seed $seed)" same_lines decoded.jsonl out.jsonl
    ft-import -q --no-history <out.jsonl >second.ft
    # The history aside, which names the input, the streams must be the same.
    check_same "import, export, import gives the same stream (seed $seed)" first.ft second.ft
done
for threads in 1 2 4; do
    ft-export -q --threads $threads -i first.ft -o threads.jsonl
    check_same "the same bytes with $threads threads" out.jsonl threads.jsonl
done

# ---- from each shape to itself ----
# In: lines of one shape. The stream of their import must come back through that shape.
round_trip() { # SHAPE
    ft-import -q --no-history <"$1.in" >first.ft
    check_status 0 "$1: can be exported as $1" ft-export -q --to "$1" -o "$1.out" first.ft
    ft-import -q --no-history --shape "$1" <"$1.out" >second.ft
    check_same "$1: import, export, import gives the same stream" first.ft second.ft
    "$python" -c 'import json, sys
for line in open(sys.argv[1]):
    assert set(sys.argv[2].split()) <= set(json.loads(line)), line' "$1.out" "$2"
    ok "$1: the fields are those of $1"
}
cat >messages.in <<'END'
{"messages":[{"role":"developer","content":"x"},{"role":"user","content":""}],"system":"s"}
{"k":[1.5,{"a":null}],"messages":[{"name":"n","content":"é\u0000\n","role":"tool"}],"id":"b"}
END
cat >sharegpt.in <<'END'
{"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b","loss":true}],"tools":"[]"}
{"n":1,"conversations":[{"from":"tool","value":"t"},{"value":"v","from":"model"}],"system":"s"}
END
cat >alpaca.in <<'END'
{"instruction":"i","input":"in","output":"o","system":"s","history":[["a","b"],["c",""]],"z":0}
{"output":"o","instruction":"","input":"","text":"rides along"}
END
cat >prompt.in <<'END'
{"prompt":"a\n","completion":"","prediction":"p"}
{"label":"l","completion":"c","prompt":""}
END
cat >query.in <<'END'
{"query":"q","response":"r","system":"s","history":[["a","b"],["c",""]],"z":0}
{"response":"","query":"","instruction":null,"text":"rides along"}
END
printf '%s\n' '{"text":"a\n\nb","group":"g"}' '{"id":0,"text":""}' >text.in
printf '%s\n' '{"prediction":"","reference":["a","b"]}' '{"reference":"r","prediction":"p"}' \
    >prediction.in
round_trip messages messages
round_trip sharegpt conversations
round_trip alpaca "instruction output"
round_trip prompt "prompt completion"
round_trip query "query response"
round_trip text text
round_trip prediction "prediction reference"

check "ShareGPT has its names of speakers" "$python" -c 'import json
got = [json.loads(x) for x in open("sharegpt.out")]
assert got[0]["conversations"] == [{"from": "human", "value": "a"},
                                   {"from": "gpt", "value": "b", "loss": True}], got
assert [t["from"] for t in got[1]["conversations"]] == ["system", "observation", "gpt"], got'
check "Alpaca has system and history apart" "$python" -c 'import json
got = [json.loads(x) for x in open("alpaca.out")]
assert got[0] == {"id": 1, "system": "s", "history": [["a", "b"], ["c", ""]],
                  "instruction": "i\n\nin", "output": "o", "z": 0}, got
assert "history" not in got[1] and "system" not in got[1], got'

# ---- tool calls, weights and function calls come back ----
cat >tools.in <<'END'
{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":null,"tool_calls":[{"id":"x","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"1","tool_call_id":"x","name":"f"},{"role":"assistant","content":"b","weight":0}],"tools":[{"type":"function"}],"weight":0.25}
END
ft-import -q --no-history <tools.in >first.ft
for shape in messages sharegpt record; do
    ft-export -q --to $shape first.ft >tools.out
    ft-import -q --no-history <tools.out >second.ft
    check_same "$shape keeps tool calls and weights" first.ft second.ft
done
echo '{"conversations":[{"from":"human","value":"a"},{"from":"function_call","value":"{}"}]}' |
    ft-import -q --no-history >first.ft
ft-export -q --to sharegpt first.ft | ft-import -q --no-history >second.ft
check_same "ShareGPT keeps function calls" first.ft second.ft

# ---- lists and tables ----
"$python" "$oracle" make 13 4000 >lines.jsonl
ft-import -q --no-history <lines.jsonl >first.ft
ft-export -q first.ft >out.jsonl
for threads in 1 4; do
    ft-export -q --threads $threads -f array first.ft >out.json
    check "one list of all records, as Python reads it ($threads threads)" "$python" -c 'import json
got = json.load(open("out.json"))
assert repr(got) == repr([json.loads(x) for x in open("out.jsonl")])'
done
ft-import -q --no-history <out.json >second.ft
check_same "a list comes back as the same stream" first.ft second.ft
ft-import -q </dev/null | ft-export -q -f array >out.json
check "no records are an empty list" test "$(cat out.json)" = '[]'

"$python" - >table.jsonl <<'END'
import json, random
r = random.Random(2)
pieces = ["a", ",", "\t", '"', "\n", "\r\n", "\r", "é", "😀", " ", ";", ""]
text = lambda: "".join(r.choice(pieces) for _ in range(r.randrange(9)))
for i in range(4000):
    row = {"prompt": text(), "completion": text(), "id": r.choice([i, i + .5, None, True]),
           "tags": r.choice([[], {"a": text()}, [1, text()], -1]), "odd \"na,me": text()}
    keys = list(row)
    if i:
        r.shuffle(keys)
    print(json.dumps({k: row[k] for k in keys}))
END
ft-import -q table.jsonl >table.ft
for format in csv tsv; do
    ft-export -q -f $format --threads 1 table.ft >table.$format
    ft-export -q -f $format --threads 4 table.ft >four.$format
    check_same "$format: the same bytes with 4 threads" table.$format four.$format
    check "$format: as Python's csv reads it" "$python" -c 'import csv, json, sys
rows = [json.loads(x) for x in open("table.jsonl")]
got = list(csv.DictReader(open(sys.argv[1], newline="", encoding="utf-8"), delimiter=sys.argv[2],
                          strict=True))
assert len(got) == len(rows) == 4000
for a, b in zip(got, rows):
    a = {k: json.loads(v) if k in ("id", "tags") else v for k, v in a.items()}
    assert repr(sorted(a.items())) == repr(sorted(b.items())), (a, b)' \
        table.$format "$([ $format = csv ] && echo , || printf '\t')"
    ft-import -q -f $format --json-columns id,tags table.$format | ft-export -q >back.jsonl
    ft-export -q table.ft >there.jsonl
    check "$format: the records come back" "$python" -c 'import json
for a, b in zip(open("back.jsonl"), open("there.jsonl"), strict=True):
    a, b = json.loads(a), json.loads(b)
    assert repr(sorted(a.items())) == repr(sorted(b.items())), (a, b)'
done
check_status 0 "a table says which of its columns are JSON" \
    ft-export --json -f csv -o t.csv table.ft
check "in the last line" grep -q '"json_columns":"id,tags"' stderr
printf '{"text":"","id":"x"}\n{"text":"","id":"y"}\n' | ft-import -q | ft-export -q -f csv >t.csv
printf 'text,id\n"",x\n"",y\n' >want.csv
check_same "empty cells are in quotes" want.csv t.csv
ft-import -q </dev/null | ft-export -q -f csv >t.csv
check "no records are an empty table" test ! -s t.csv
check_status 64 "plain text has no format" ft-export --to plain -f csv table.ft
unfit() { # WHAT MESSAGE JSON
    printf '{"text":"x","id":"i"}\n%s\n' "$3" | ft-import -q >bad.ft
    check_status 65 "a table: $1 is refused" ft-export -f csv -o bad.out bad.ft
    check "$1: said which and why" grep -q "^ft-export: record 2 of bad.ft: $2" stderr
    check "$1: no output is left" test ! -e bad.out
}
unfit "a field more" 'field label is no column' '{"text":"x","id":"i","label":"l"}'
unfit "another field" 'field text is missing' '{"prompt":"x","completion":"y","id":"i"}'
unfit "a number among strings" 'field id is a string in some' '{"text":"x","id":1}'
unfit "a NUL character" 'field text has a NUL' '{"text":"\u0000","id":"i"}'

# ---- plain text ----
printf 'one\n two\r\n\nthree "x"' | ft-import -q --shape plain >plain.ft
ft-export -q --to plain plain.ft >plain.txt
printf 'one\n two\nthree "x"\n' >want.txt
check_same "plain text: a line a record" want.txt plain.txt
printf '\n\none\ntwo\n\n\nthree' | ft-import -q --shape paragraphs >plain.ft
ft-export -q --to paragraphs plain.ft >plain.txt
printf 'one\ntwo\n\nthree\n' >want.txt
check_same "paragraphs with a blank line between" want.txt plain.txt

# ---- one question and its answer, as prompt or as chat ----
becomes() { # WHAT TO IN OUT
    printf '%s\n' "$3" | ft-import -q | ft-export -q --to "$2" >got || :
    printf '%s\n' "$4" >want
    check "$1" same_lines want got
}
turns='[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]'
becomes "a chat of one question becomes a prompt" prompt \
    '{"messages":'"$turns"',"label":1}' '{"id":1,"prompt":"a","completion":"b","label":1}'
becomes "a prompt becomes a chat" messages \
    '{"k":0,"prompt":"a","completion":"b"}' '{"id":1,"k":0,"messages":'"$turns}"
becomes "a prompt becomes ShareGPT" sharegpt '{"prompt":"a","completion":"b"}' \
    '{"id":1,"conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"}]}'
becomes "a prompt becomes Alpaca" alpaca '{"prompt":"a","completion":"b"}' \
    '{"id":1,"instruction":"a","output":"b"}'

check_status 0 "an empty stream" sh -c 'ft-import -q </dev/null | ft-export -q --to alpaca'
check "gives no line" test ! -s stdout

# ---- refusals ----
refused() { # WHAT TO MESSAGE GOOD BAD
    printf '%s\n' "$4" "$5" | ft-import -q >bad.ft
    check_status 65 "$1 is refused" ft-export --to "$2" -o bad.out bad.ft
    check "$1: said which and why" grep -q "^ft-export: record 2 of bad.ft: .*$3" stderr
    check "$1: no output is left" test ! -e bad.out
}
chat='{"messages":'"$turns}"
one=${turns#?}
refused "a chat of two questions as prompt" prompt messages "$chat" \
    '{"messages":['"${one%?},$one}"
refused "a system turn as prompt" prompt messages "$chat" \
    '{"messages":[{"role":"system","content":"a"},{"role":"user","content":"c"}]}'
refused "a weighted turn as prompt" prompt 'messages' "$chat" \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":0}]}'
refused "a prompt whose place is taken" prompt 'field prompt' "$chat" \
    '{"messages":'"$turns"',"prompt":"x"}'
refused "a chat as text" text 'cannot become text' '{"text":"x"}' "$chat"
refused "a text as chat" messages 'cannot become messages' "$chat" '{"text":"x"}'
refused "a chat as prediction" prediction 'cannot become prediction' \
    '{"prediction":"a","reference":"b"}' "$chat"
refused "a function call as messages" messages 'messages\[0\].role' "$chat" \
    '{"messages":[{"role":"function_call","content":"a"}]}'
refused "a weighted turn as query" query 'messages\[1\] has fields' "$chat" \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":0}]}'
refused "an unknown role as ShareGPT" sharegpt 'messages\[0\]' "$chat" \
    '{"messages":[{"role":"developer","content":"a"}]}'
refused "a system beside the turns as ShareGPT" sharegpt 'field system' "$chat" \
    '{"messages":'"$turns"',"system":"x"}'
refused "a turn with value as ShareGPT" sharegpt 'messages\[0\].*value' "$chat" \
    '{"messages":[{"role":"user","content":"a","value":1}]}'
refused "a chat without an answer as Alpaca" alpaca 'messages' "$chat" \
    '{"messages":[{"role":"user","content":"a"}]}'
refused "two users in a row as Alpaca" alpaca 'messages\[1\]' "$chat" \
    '{"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]}'
refused "an empty system turn as Alpaca" alpaca 'messages\[0\]' "$chat" \
    '{"messages":[{"role":"system","content":""},'"$one}"
refused "a turn with a name as Alpaca" alpaca 'messages\[0\]' "$chat" \
    '{"messages":[{"role":"user","content":"a","name":"n"},{"role":"assistant","content":"b"}]}'
refused "an input beside the turns as Alpaca" alpaca 'field input' "$chat" \
    '{"messages":'"$turns"',"input":"x"}'
refused "a chat as plain text" plain 'no plain text' '{"text":"x"}' "$chat"
refused "a label as plain text" plain 'field label' '{"text":"x"}' '{"text":"x","label":"l"}'
refused "two lines as plain text" plain 'several lines' '{"text":"x"}' '{"text":"x\ny"}'
refused "an empty text as plain text" plain 'empty' '{"text":"x"}' '{"text":""}'
refused "a carriage return at the end" plain 'carriage return' '{"text":"x"}' '{"text":"x\r"}'
refused "an empty line as paragraphs" paragraphs 'empty line' '{"text":"x"}' '{"text":"x\n\ny"}'

# ---- what JSON has no word for, in streams that ft did not write ----
unsayable() { # WHAT VALUE (of Python)
    "$python" -c 'import sys
sys.path.insert(0, sys.argv[1])
import make_stream as m
packb = m.pack
m.pack = lambda value: packb(value).replace(b"NOT UTF-8", b"NOT UTF\xff8")
odd = eval(sys.argv[2])
sys.stdout.buffer.write(m.stream([{"text": "x"}, {"text": "y", "odd": odd}], [0]))' \
        "$FT_ROOT/tests/golden" "$2" >odd.ft
    check_status 0 "$1: is a sound stream" ft-check -q odd.ft
    check_status 65 "$1 is refused" ft-export -o odd.out odd.ft
    check "$1: said which and where" grep -q "record 2 of odd.ft: field odd: " stderr
    check "$1: no output is left" test ! -e odd.out
}
unsayable "a binary value" 'b"\x00"'
unsayable "a binary value far inside" '[1, {"a": [b""]}]'
unsayable "not a number" 'float("nan")'
unsayable "infinity" '{"a": float("-inf")}'
unsayable "a number over 2^63-1" '2 ** 63'
unsayable "a key that is a number" '{1: 2}'
unsayable "a string that is not UTF-8" '"NOT UTF-8"'
unsayable "a key that is not UTF-8" '{"NOT UTF-8": 1}'

check_status 65 "JSON is no stream" ft-export -o bad.out lines.jsonl
head -c $(($(wc -c <first.ft) - 9)) first.ft >cut.ft
check_status 65 "a cut stream is refused" ft-export -o bad.out cut.ft
check_status 66 "a missing file" ft-export -o bad.out missing.ft
check_status 64 "an unknown shape is misuse" ft-export --to csv first.ft
check "none of these left an output" test ! -e bad.out
finish

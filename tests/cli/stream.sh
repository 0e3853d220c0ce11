# ft-check and ft-cat against a decoder and an encoder that share no code with ft
# (tests/ft_decode.py, tests/golden/make_stream.py).
set -eu
. "$FT_ROOT/tests/cli/lib.sh"
python=/usr/bin/python3
golden=$FT_ROOT/tests/golden/stream.ft

same_records() { # STREAM: ft-cat and the decoder give the same values
    "$FT_BIN/ft-cat" "$1" >ours && "$python" "$FT_ROOT/tests/ft_decode.py" "$1" >theirs &&
        "$python" -c 'import json, sys
a, b = ([json.loads(x) for x in open(f)] for f in sys.argv[1:])
sys.exit(a != b or not a)' ours theirs
}

check "ft-cat agrees with the decoder on the golden stream" same_records "$golden"
check_status 0 "ft-check accepts the golden stream" "$FT_BIN/ft-check" --history --json "$golden"
"$python" "$FT_ROOT/tests/ft_decode.py" --nodes "$golden" >nodes
check "its history has the ids that the decoder computes" "$python" -c 'import json
f = json.loads(open("stdout").readline())
nodes = [json.loads(x) for x in open("nodes")]
assert [n["id"] for n in f["history"]] == list(dict.fromkeys(n[0]["$bin"] for n in nodes))'

printf '%s\n' '{"prompt":"a","completion":"b","n":[1,-2,0.5,null]}' '{"text":"c"}' |
    "$FT_BIN/ft-import" --quiet >made.ft
check "the decoder accepts what ft-import writes" same_records made.ft

# The first of the two streams that the golden file holds is whole by itself; every other cut is
# refused, with the records that came.
"$python" - "$FT_ROOT/tests" "$golden" >whole <<'END'
import sys
sys.path.insert(0, sys.argv[1])
from ft_decode import Bad, decode
data = open(sys.argv[2], "rb").read()
for n in range(1, len(data)):
    try:
        decode(data[:n])
        print(n)
    except Bad:
        pass
END
check "the decoder finds one cut that leaves a whole stream" [ "$(wc -l <whole)" = 1 ]
size=$(wc -c <"$golden")
first=$(cat whole)
head -c "$first" "$golden" >first.ft
check_status 0 "ft-check accepts the stream before that cut" "$FT_BIN/ft-check" first.ft
: >accepted
for n in $(seq 0 29 "$size") $((first - 1)) $((first + 1)) $((size - 1)); do
    [ "$n" != "$first" ] || continue
    status=0
    head -c "$n" "$golden" | "$FT_BIN/ft-check" >out 2>err || status=$?
    { [ "$status" = 65 ] && grep -q 'truncated after [0-9]* records' err; } ||
        echo "# cut at byte $n: status $status: $(cat err)" >>accepted
done
check "cut streams are refused with the records that came" [ ! -s accepted ]
cat accepted

check_status 0 "ft-cat --head stops early and says so" "$FT_BIN/ft-cat" --head 2 "$golden"
check "two records were shown" [ "$(wc -l <stdout)" = 2 ]
check "the early stop is noted" grep -q 'stopped after 2 records' stderr
cat "$golden" "$golden" >both.ft
check_status 0 "concatenated streams are a stream" "$FT_BIN/ft-check" both.ft
check "with the records of both" grep -q '	406	' stdout
echo '{"text":"x"}' >plain.jsonl
check_status 65 "JSON is no stream" "$FT_BIN/ft-check" "$golden" plain.jsonl
check "the good file is still reported" grep -q 'stream.ft.*ok$' stdout
check_status 66 "a missing file" "$FT_BIN/ft-check" missing.ft
finish

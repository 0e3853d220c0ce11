# ft-dedup --substring by the command line: what is cut, against repeat_oracle.py, which looks every
# run of bytes up in a dictionary of those before it.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle=$FT_ROOT/tests/cli/repeat_oracle.py
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }
# Lines of JSON in one form.
plain() { /usr/bin/python3 -c 'import json, sys
for line in sys.stdin: print(json.dumps(json.loads(line)))'; }

/usr/bin/python3 "$oracle" make 240 >data.jsonl
to_stream <data.jsonl >data.ft
decode data.ft >all.json

# compare WHAT "KEY MIN KEEP HOW" FILE OPTION...
compare() {
    what=$1 arguments=$2 file=$3
    shift 3
    # shellcheck disable=SC2086  # words
    decode "$file.ft" | /usr/bin/python3 "$oracle" cut $arguments 2>counts | plain >want
    ft-dedup -q --json --substring "$@" "$file.ft" 2>said >cut.ft
    decode cut.ft | plain >got
    check_same "$what: the oracle's texts" want got
    check "$what: and its counts" /usr/bin/python3 -c 'import json
want = json.load(open("counts"))
said = json.loads(open("said").read().splitlines()[-1])
assert all(said[k] == want[k] for k in ("cut_bytes", "cut_rows"))
assert said["dropped"] == ({"emptied": want["emptied"]} if want["emptied"] else {})
assert want["cut_bytes"] > 1000 and want["cut_rows"] > 10 and want["emptied"] > 2, want'
}
compare "the usual" "response 100 1 sentence" data
cp cut.ft usual.ft
compare "exact" "response 100 1 exact" data --cut exact
compare "short ones" "prompt 16 1 exact" data --key prompt --min-bytes 16 --cut exact
compare "all texts" "all 40 1 sentence" data --key all --min-bytes 40
compare "up to three" "all 60 3 exact" data --key all --min-bytes 60 --max-per-template 3 \
    --cut exact
compare "up to two" "response 50 2 sentence" data --min-bytes 50 --max-per-template 2

for threads in 1 4; do
    ft-dedup -q --substring --threads $threads <data.ft >t.ft
    check_same "$threads threads: the same bytes" usual.ft t.ft
done
check_status 0 "within --memory" ft-dedup -q --substring --memory 8M -o m.ft data.ft
check_same "the same bytes" usual.ft m.ft

# What does not fit into memory is searched on disk: the same bytes, whatever the bound.
/usr/bin/python3 "$oracle" make 1000 | to_stream >large.ft
decode large.ft >large.json
for arguments in "response 100 1 exact" "all 16 2 exact" "all 301 1 sentence"; do
    # shellcheck disable=SC2086  # words
    set -- $arguments
    compare "on disk, $arguments" "$arguments" large --memory 4M --key "$1" --min-bytes "$2" \
        --max-per-template "$3" --cut "$4"
    cp cut.ft disk.ft
    for memory in 12M 5G; do
        ft-dedup -q --substring --key "$1" --min-bytes "$2" --max-per-template "$3" --cut "$4" \
            --memory $memory --report top.$memory large.ft >cut.ft
        check_same "--memory $memory, $arguments: the same bytes" disk.ft cut.ft
    done
    # shellcheck disable=SC2086  # words
    /usr/bin/python3 "$oracle" top "$1" "$2" 100 <large.json >want
    plain <top.12M >got
    check_same "$arguments: the oracle's report" want got
    check_same "$arguments: of any bound" top.12M top.5G
done
/usr/bin/python3 -c 'print("{\"text\": \"" + "many words " * 40000 + "\"}")' | to_stream >long.ft
ft-dedup -q --substring --cut exact -o want.ft long.ft
check_status 0 "a text longer than what fits" \
    ft-dedup -q --substring --cut exact --memory 4M -o got.ft long.ft
check_same "is cut all the same" want.ft got.ft
/usr/bin/python3 -c 'import random
rng = random.Random(1)
for i in range(500):
    print("{\"text\": \"" + 2 * (rng.randbytes(500).hex() + ".\\n") + "\"}")' | to_stream >hex.ft
check_status 71 "more passages to show than fit are refused" \
    ft-dedup --substring --memory 4M --top 500 --report no.jsonl -o no.ft hex.ft
check "with the number" grep -q 'passages to show take over [0-9]* bytes' stderr
check "and nothing is written" test ! -e no.ft -a ! -e no.jsonl

# The report: what repeats, counted by searching for it.
ft-dedup -q --substring --cut exact --top 40 --report top.jsonl data.ft >cut.ft
/usr/bin/python3 - <<'END' >verdict
import json
texts = []
for line in open("all.json"):
    r = json.loads(line)
    texts += ([t["content"] for t in r["messages"] if t["role"] == "assistant"]
              if "messages" in r else [r.get("text", r.get("completion"))])
texts = [t.encode() for t in texts]
top = [json.loads(line) for line in open("top.jsonl")]
assert len(top) == 40
whole = 0
for p in top:
    t = p["text"].encode()
    assert p["bytes"] == (p["count"] - 1) * p["length"] and p["length"] >= 100 and p["count"] > 1
    if len(t) < p["length"]:
        continue                       # it begins or ends inside a character, or is long
    whole += 1
    assert p["count"] == sum(x[i:i + len(t)] == t for x in texts for i in range(len(x))), p
assert whole > 5
assert [p["bytes"] for p in top] == sorted((p["bytes"] for p in top), reverse=True)
runs = {}
for x in texts:
    for i in range(len(x) - 99):
        runs[x[i:i + 100]] = runs.get(x[i:i + 100], 0) + 1
most = max(runs.values())
assert any(p["count"] == most for p in top)
print("right")
END
check "--report has passages with their counts, those that take most first" grep -q right verdict

to_stream </dev/null >empty.ft
check_status 0 "an empty input is a stream" ft-dedup -q --substring --report r -o still.ft empty.ft
check "with an empty report" test -e r -a ! -s r
echo '{"text": "short"}' | to_stream >short.ft
check_status 0 "texts under --min-bytes stay" ft-dedup -q --substring -o s.ft short.ft
decode short.ft >want
decode s.ft >got
check_same "as they are" want got
head -c 3000 data.ft >cut.ft
check_status 65 "a truncated input is refused" \
    ft-dedup --substring --report no.jsonl -o no.ft cut.ft
check "and leaves nothing" test ! -e no.ft -a ! -e no.jsonl
check_status 64 "two modes at once are misuse" ft-dedup --substring --against data.ft data.ft
check_status 64 "options without --substring are misuse" ft-dedup --min-bytes 50 data.ft
check_status 64 "--ignore is of the other modes" ft-dedup --substring --ignore case data.ft
TMPDIR=$PWD/missing check_status 73 "no folder for spools" ft-dedup --substring -o no.ft data.ft
finish

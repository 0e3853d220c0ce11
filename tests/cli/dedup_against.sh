# ft-dedup --against by the command line: what leaks, against leak_oracle.py, which compares every
# item with every example word by word.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle=$FT_ROOT/tests/cli/leak_oracle.py
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }
# Lines of a report in one form of JSON.
plain() { /usr/bin/python3 -c 'import json, sys
for line in sys.stdin: print(json.dumps(json.loads(line), sort_keys=True))' <"$1"; }

/usr/bin/python3 "$oracle" make .
for f in train a b; do to_stream <$f.jsonl >$f.ft; done
decode train.ft >all.json

# compare WHAT "ORACLE'S ARGUMENTS" OPTION...
compare() {
    what=$1 arguments=$2
    shift 2
    # shellcheck disable=SC2086  # words
    /usr/bin/python3 "$oracle" find train.jsonl a.jsonl,b.jsonl $arguments >want.jsonl
    ft-dedup -q --against a.ft,b.ft --report got.jsonl "$@" train.ft >clean.ft
    plain want.jsonl >want
    plain got.jsonl >got
    check_same "$what: the oracle's leaks" want got
    check "$what: there are some" test "$(wc -l <want)" -gt 60
    /usr/bin/python3 -c 'import json
gone = {json.loads(line)["row"] for line in open("want.jsonl")}
for i, line in enumerate(open("all.json"), 1):
    if i not in gone: print(line, end="")' >want
    decode clean.ft >got
    check_same "$what: the other examples stay" want got
}
compare "the usual rule" ""
cp got.jsonl usual.jsonl
cp clean.ft usual.ft
compare "boilerplate counts" "8 8 13 0.5 1.0 0" --boilerplate 1
check "without it more leaks" test "$(wc -l <got.jsonl)" -gt "$(wc -l <usual.jsonl)"
compare "runs of 5" "5 6 9 0.7 0.001 20" --run 5 --span 6 --sure-span 9 --share 0.7
compare "any run" "8 1 1 0.0 0.001 40" --span 1 --sure-span 1 --share 0 --boilerplate-min 40
compare "boilerplate by share" "8 8 13 0.5 0.05 0" --boilerplate 0.05 --boilerplate-min 0

for threads in 1 4; do
    ft-dedup -q --against a.ft,b.ft --threads $threads --report r.jsonl train.ft >t.ft
    check_same "$threads threads: the same stream" usual.ft t.ft
    check_same "$threads threads: the same report" usual.jsonl r.jsonl
done
ft-dedup -q --against a.ft,b.ft <usual.ft >again.ft
decode usual.ft >usual
decode again.ft >again
check_same "what was cleaned stays as it is" usual again

ft-dedup --json --against a.ft,b.ft --mark train.ft 2>said | decode >marked
/usr/bin/python3 - <<'END' >verdict
import json
worst = {}
for line in open("usual.jsonl"):
    m = json.loads(line)
    best = worst.get(m["row"])
    if not best or (m["span"], m["share"]) > (best["span"], best["share"]):
        worst[m["row"]] = m
rows = [json.loads(line) for line in open("all.json")]
for i, line in enumerate(open("marked"), 1):
    r, want = json.loads(line), dict(rows[i - 1])
    if i in worst:
        want["dirty"] = {k: worst[i][k] for k in ("set", "item", "span", "share")}
    assert r == want, (r, want)
assert i == len(rows)
said = json.loads(open("said").read())
lines = [json.loads(line) for line in open("usual.jsonl")]
for name in "a.ft", "b.ft":
    mine = [m for m in lines if m["set"] == name]
    assert said["leaked of " + name] == len({m["item"] for m in mine}), name
    assert said["rows of " + name] == len({m["row"] for m in mine}), name
assert said["items of a.ft"] == 40 and said["items of b.ft"] == 31
assert said["boilerplate_runs"] > 0 and said["dropped"] == {}
print("right")
END
check "--mark writes all examples, with the worst leak in dirty, and the counts are right" \
    grep -q right verdict
ft-dedup --against a.ft,b.ft train.ft 2>said >/dev/null
check "dropped ones are counted" grep -q "dropped [0-9]* (contaminated)" said

check_status 71 "an index over --memory is refused" \
    ft-dedup --memory 4K --against a.ft -o no.ft train.ft
check "with the numbers" grep -q 'record [0-9]* of a.ft: .*over the bound of 4096' stderr
check_status 0 "one within it is not" ft-dedup -q --memory 1M --against a.ft,b.ft -o m.ft train.ft
check_same "and gives the same" usual.ft m.ft
to_stream </dev/null >empty.ft
check_status 0 "an empty input is a stream" ft-dedup -q --against a.ft -o still.ft empty.ft
check_status 0 "an empty set finds nothing" ft-dedup -q --against empty.ft -o same.ft train.ft
decode same.ft >same
check_same "and drops nothing" all.json same
head -c 3000 train.ft >cut.ft
check_status 65 "a truncated input is refused" \
    ft-dedup --against a.ft --report no.jsonl -o no.ft cut.ft
check "and leaves nothing" test ! -e no.ft -a ! -e no.jsonl
head -c 900 a.ft >cut.ft
check_status 65 "a truncated set too" ft-dedup --against cut.ft -o no.ft train.ft
check_status 66 "a missing set too" ft-dedup --against none.ft -o no.ft train.ft
check_status 64 "a set from a pipe is misuse" ft-dedup --against - train.ft
check_status 64 "options without --against are misuse" ft-dedup --share 0.7 train.ft
echo '{"prediction":"a","reference":"b"}' | to_stream >bad.ft
check_status 65 "an item without a prompt is refused" ft-dedup --against bad.ft -o no.ft train.ft
check "with its number" grep -q 'record 1 of bad.ft: .*--key' stderr
check_status 0 "and taken by another key" \
    ft-dedup -q --against bad.ft --key response -o k.ft train.ft
finish

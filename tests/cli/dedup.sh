# ft-dedup by the command line: what stays, against dedup_oracle.py, which compares canonical forms
# made with Python's unicodedata; the same bytes for any threads and any bound on memory.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle=$FT_ROOT/tests/cli/dedup_oracle.py
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }

/usr/bin/python3 "$oracle" make >data.jsonl
to_stream <data.jsonl >data.ft
decode data.ft >all.json

for key in all prompt response; do
    /usr/bin/python3 "$oracle" "$key" <all.json >want
    ft-dedup -q --key $key <data.ft >got.ft
    decode got.ft >got
    check_same "--key $key keeps what the oracle keeps" want got
    check "--key $key: some stay, some go" \
        test "$(wc -l <got)" -gt 20 -a "$(wc -l <got)" -lt "$(wc -l <all.json)"
    ft-dedup -q --key $key --threads 1 data.ft >one.ft
    ft-dedup -q --key $key --threads 4 data.ft >four.ft
    check_same "--key $key: the same bytes with 1 and 4 threads" one.ft four.ft
done

ft-dedup -q data.ft >once.ft
ft-dedup -q data.ft | ft-dedup --json 2>again.json | decode >again
decode once.ft >once
check_same "what was deduplicated has no more duplicates" once again
check "and the last line says so" grep -q '"dropped":{}' again.json
cat data.ft data.ft | ft-dedup -q | decode >twice
check_same "of two joined streams the second is dropped" once twice
total=$(wc -l <all.json) kept=$(wc -l <once)
ft-dedup data.ft 2>said >/dev/null
check "the last line has the counts" grep -q \
    "read $total, written $kept, dropped $((total - kept)) (duplicate)" said
decode --trailer once.ft >trailer
counts="\"read\": $total, \"created\": 0, \"written\": $kept"
check "the trailer has them too" \
    grep -q "$counts, \"dropped\": {\"duplicate\": $((total - kept))}" trailer

for list in none case space case,space,punctuation space,digits,case marks,case,space \
    case,space,punctuation,digits,marks; do
    for key in all prompt; do
        /usr/bin/python3 "$oracle" $key $list <all.json >want
        ft-dedup -q --key $key --ignore $list <data.ft | decode >got
        check_same "--ignore $list --key $key keeps what the oracle keeps" want got
    done
done
check_status 64 "an unknown difference is misuse" ft-dedup --ignore case,tone data.ft
check "and named" grep -q '"tone" is not one of' stderr

# Over the bound: each text three times, in another order each time, so that first appearances
# stand on both sides of the moment when memory is full.
/usr/bin/python3 -c '
import json, random
rng = random.Random(1)
for lap in range(3):
    for i in rng.sample(range(lap * 3000, lap * 3000 + 9000), 9000):
        print(json.dumps({"text": "Text %d" % i, "n": rng.randrange(1000)}))' |
    to_stream >many.ft
ft-dedup many.ft >free.ft 2>said
decode many.ft | /usr/bin/python3 "$oracle" all >want
decode free.ft >got
check_same "without a bound the oracle's" want got
for m in 64K 65000 128K 1M; do
    for threads in 1 4; do
        ft-dedup -q --memory $m --threads $threads many.ft >bound.ft
        check_same "--memory $m with $threads threads: the same bytes as without" free.ft bound.ft
    done
done
check "the spooled part is much of it" test "$(grep -c . want)" -gt 10000
check_status 71 "a bound for no table at all is refused" ft-dedup --memory 4K -o out.ft many.ft
check "by its name" grep -q -e '--memory: .*over the bound of 4096' stderr
check "and no output is left" test ! -e out.ft
TMPDIR=$PWD/missing check_status 73 "no folder for spools" \
    ft-dedup --memory 64K -o out.ft many.ft
check "leaves no output" test ! -e out.ft

echo '{"prediction":"a","reference":"b"}' | to_stream >bad.ft
check_status 65 "a record without the part is refused" ft-dedup --key prompt -o no.ft bad.ft
check "with its number" grep -q 'record 1 of bad.ft: .*prompt' stderr
check_status 0 "and taken by another key" ft-dedup -q --key response -o yes.ft bad.ft
check_status 64 "an unknown key is misuse" ft-dedup --key id data.ft
head -c 3000 data.ft >cut.ft
check_status 65 "a truncated input is refused" ft-dedup -o no.ft cut.ft
check "and leaves nothing" test ! -e no.ft
to_stream </dev/null >empty.ft
check_status 0 "an empty stream stays one" ft-dedup -q -o still.ft empty.ft
decode still.ft >nothing
check "without records" test ! -s nothing
finish

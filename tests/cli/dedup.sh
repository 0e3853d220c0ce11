# ft-dedup by the command line: what stays, against dedup_oracle.py, which compares canonical forms
# made with Python's unicodedata; the same bytes for any threads; the bound on memory.
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

/usr/bin/python3 -c 'for i in range(3000): print("{\"text\":\"%d\"}" % i)' | to_stream >many.ft
check_status 71 "a table over --memory is refused" ft-dedup --memory 64K -o out.ft many.ft
check "with the record and the numbers" \
    grep -q 'record [0-9]* of many.ft: .*over the bound of 65536' stderr
check "and no output is left" test ! -e out.ft
check_status 0 "a table within --memory is not" ft-dedup -q --memory 1M -o out.ft many.ft

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

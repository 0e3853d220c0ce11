# ft-dedup --near by the command line: what stays, for what, and in which cluster, against
# dedup_near_oracle.py; the same bytes for any threads and memory; bounds, misuse, failures.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/dedup_near_oracle.py" "$@"; }
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }

oracle make 1200 | to_stream >data.ft
decode data.ft >all.json

# agrees WHAT OPTION VALUE...: the oracle's options are those of the program, without the dashes.
agrees() {
    what=$1
    shift
    arguments=
    for word in "$@"; do
        case $word in
            mark) arguments="$arguments --mark" ;;
            [a-z]*[a-z]) arguments="$arguments --$word" ;;
            *) arguments="$arguments $word" ;;
        esac
    done
    arguments=$(echo "$arguments" | sed 's/--mark 1/--mark/; s/--\(prompt\|response\)/\1/')
    # shellcheck disable=SC2086  # words
    check_status 0 "$what: runs" ft-dedup -q --near $arguments --pairs pairs -o got.ft data.ft
    decode got.ft >got.json
    oracle check all.json got.json pairs "$@" >wrong 2>measured
    sed 's/^/# /' wrong measured
    check "$what: as the oracle says" test ! -s wrong
}
agrees "as it comes"
agrees "--mark" mark 1
agrees "other numbers" threshold 0.5 shingle 3 bands 30 rows 4 seed 9
agrees "a threshold of 1" threshold 1
agrees "the response" key response
agrees "the prompt, marked" key prompt mark 1

for t in 1 2 4; do
    ft-dedup -q --near --threads $t --pairs pairs$t data.ft >got$t.ft
done
check_same "the same bytes with 1 and 2 threads" got1.ft got2.ft
check_same "the same bytes with 1 and 4 threads" got1.ft got4.ft
check_same "and the same pairs" pairs1 pairs4
ft-dedup -q --near --memory 33M --no-history data.ft >tight.ft
ft-dedup -q --near --no-history data.ft >loose.ft
check_same "and the same bytes in little memory" loose.ft tight.ft
ft-dedup -q --near data.ft | ft-dedup --json --near 2>again.json >again.ft
check "what went once leaves nothing to go" grep -q '"dropped":{},' again.json
ft-dedup --near --json data.ft 2>said >/dev/null
check "the last line has the counts" grep -q \
    '"compared":[0-9]*,"alike":[0-9]*,"clusters":[0-9]*,"largest":[0-9]*' said

# One bucket for all.
oracle same 100000 | ft-import -q --level 1 >same.ft
ft-dedup --near --json same.ft 2>said | decode >one
check "of 100,000 equal texts one stays" test "$(wc -l <one)" = 1
check "each compared about once" awk -v n="$(sed -n 's/.*"compared":\([0-9]*\).*/\1/p' said)" \
    'BEGIN { exit !(n > 90000 && n < 150000) }'
ft-dedup --near same.ft -o /dev/null 2>said
check "and a large cluster is an alarm, with its text" grep -q \
    'warning: a cluster of 100000 examples of 100000.*"one and the same text, over' said
oracle templates 3000 | ft-import -q >templates.ft
ft-dedup -q --near --candidates 20 templates.ft 2>said >few.ft
check "rows that are compared with some of their candidates only are told" \
    grep -q 'warning: [0-9]* examples shared a band with over 20 ' said
ft-dedup -q --near templates.ft 2>said >most.ft
check "others are not" test ! -s said

check_status 0 "--explain reads nothing" ft-dedup --near --explain
check "and knows that of J = 0.8 pairs 92 % are found" grep -q '^ *0.80  0.9235' stdout
check_status 0 "--explain of other settings" ft-dedup --near --explain --bands 20 --rows 13
check "and that NeMo's settings find 68 %" grep -q '^ *0.80  0.677' stdout

check_status 71 "a bound below what it takes at all is refused" \
    ft-dedup --near --memory 1M -o no.ft data.ft
check "with the number" grep -q -- '--memory: .* take [0-9]* bytes .* bound of 1048576' stderr
check_status 71 "and one that the examples exceed" ft-dedup --near --memory 38M -o no.ft same.ft
check "with their number" grep -q 'memory: [0-9]* examples take' stderr
check "and no output is left" test ! -e no.ft
check_status 64 "--pairs without --near is misuse" ft-dedup --pairs p data.ft
check "and says so" grep -q -- '--pairs goes with --near' stderr
check_status 64 "so is --threshold 0" ft-dedup --near --threshold 0 data.ft
check_status 64 "and --bands 0" ft-dedup --near --bands 0 data.ft
check_status 73 "pairs into a folder that is not there" \
    ft-dedup --near --pairs no/p -o no.ft data.ft
check "leave no output" test ! -e no.ft
TMPDIR=$PWD/none check_status 73 "no folder for spools" ft-dedup --near -o no.ft data.ft
head -c 3000 data.ft >cut.ft
check_status 65 "a truncated input is refused" ft-dedup --near --pairs p -o no.ft cut.ft
check "and leaves nothing" test ! -e no.ft -a ! -e p
echo '{"prediction":"a","reference":"b"}' | to_stream >bad.ft
check_status 65 "a record without the part is refused" \
    ft-dedup --near --key prompt --pairs p -o no.ft bad.ft
check "with its number" grep -q 'record 1 of bad.ft: .*prompt' stderr
to_stream </dev/null >empty.ft
check_status 0 "an empty stream stays one" ft-dedup -q --near --pairs p -o still.ft empty.ft
decode still.ft >nothing
check "without records" test ! -s nothing -a -e p -a ! -s p
finish

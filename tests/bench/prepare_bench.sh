#!/bin/sh
# The whole of pipelines/prepare.mk, step by step: seconds, rate and peak memory of each program.
# FT_BENCH_BYTES (256 MB) of package descriptions and changed copies of them; with 10000000000 it
# shows that memory stays, but for what grows with the rows: the indexes.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
bytes=${FT_BENCH_BYTES:-256000000}
data=$FT_ROOT/build/data/apt.jsonl
mkdir -p "${data%/*}"
[ -f "$data" ] || sh "$FT_ROOT/pipelines/apt-data.sh" "${data%/*}/apt-lists" >"$data"
for first in 0 1; do
    /usr/bin/python3 "$FT_ROOT/tests/bench/prepare_data.py" "$data" $((bytes / 2)) $first \
        >raw.$first &
done
wait
bytes=$(cat raw.0 raw.1 | wc -c)
echo "$(cat raw.0 raw.1 | wc -l) examples, $bytes bytes of JSON lines"

step() { # NAME COMMAND...
    timed "$@"
    awk -v name="$1" -v bytes="$bytes" '{
        printf "%-18s %8.1f s  %7.1f MB/s  peak %6d MiB\n", name, $1, bytes / 1e6 / $1, $2 / 1024
    }' "$1.runs"
}
step import sh -c 'cat raw.0 raw.1 | ft-import -q -o imported.ft'
rm raw.0 raw.1
step dedup ft-dedup -q -i imported.ft -o exact.ft
rm imported.ft
step near ft-dedup -q --near --pairs near.jsonl -i exact.ft -o near.ft
step filter ft-filter -q --explain filter.txt -i near.ft -o filtered.ft
step conflicts ft-label -q --conflicts --suggest suggestions.jsonl -i filtered.ft -o /dev/null
step split ft-split -q --group group --stratify label --ratio 80,10,10 --seed 1 \
    --to all.ft,val.ft,test.ft -i filtered.ft
step against ft-dedup -q --against val.ft,test.ft -i all.ft -o train.ft
step stats ft-stats -q --against test.ft --html report.html -i train.ft
ft-check train.ft val.ft test.ft

#!/bin/sh
# Longer rows at the same number of tokens: a step of 8 x 512 and one of 1 x 4096, all 4096 tokens
# computed at once in both. Rank 16 on all seven matrices, loss on all tokens; median of three runs.
set -eu
# shellcheck disable=SC1091
. "$FT_ROOT/tests/bench/bench_lib.sh"
runs=${FT_BENCH_RUNS:-3}
long=4096
rows_of 512 "${FT_BENCH_BYTES:-62000}" >512.packed
rows_of $long "${FT_BENCH_BYTES:-62000}" >$long.packed
option=
if takes ft-train --compute auto; then
    option="--compute auto"
fi
i=0
while [ $i -lt "$runs" ]; do
    i=$((i + 1))
    for T in 512 $long; do
        batch=$((long / T))
        # shellcheck disable=SC2086  # words
        timed "$T" ft-train -q -i $T.packed -m "$MODEL" --batch $batch --micro $batch --no-shuffle \
            --log train.log -o adapter.ft $option
        calc "$long / $(steps_rate train.log)" '%.3f\n' >>"$T.seconds"
    done
done
short_s=$(median 512.seconds) long_s=$(median $long.seconds)
short_m=$(median 512.runs 2) long_m=$(median $long.runs 2)
for T in 512 $long; do
    awk -v T="$T" -v b=$((long / T)) -v s="$(median "$T.seconds")" \
        -v m="$(median "$T.runs" 2)" 'BEGIN {
        printf "%d x %-4d  %6.2f s a step  %6.0f MiB\n", b, T, s, m / 1024 }'
done
# Attention costs 7 T H D L a token (two products forward, five back, half of them masked).
expected=$(calc "(567 + 7 * $long * 576 * 30 / 1e6) / (567 + 7 * 512 * 576 * 30 / 1e6)")
echo "${option:-f32}: time $(calc "$long_s / $short_s") times (by arithmetic $expected)," \
    "memory $(calc "$long_m / $short_m") times"

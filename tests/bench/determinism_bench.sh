#!/bin/sh
# What the promise "the same bytes for any number of threads" costs: the same steps with sums in
# whatever order is fastest, where ft-train offers that (a hidden option, --free-reductions).
set -eu
# shellcheck disable=SC1091
. "$FT_ROOT/tests/bench/bench_lib.sh"
if ! takes ft-train --free-reductions; then
    echo "not measurable: this ft-train has no --free-reductions to compare with"
    exit 0
fi
rows_of 512 "${FT_BENCH_BYTES:-62000}" >all.packed
for _ in 1 2 3; do
    for option in "" --free-reductions; do
        # shellcheck disable=SC2086  # none or one word
        ft-train -q -i all.packed -m "$MODEL" --batch 8 --no-shuffle --log train.log \
            -o adapter.ft $option
        steps_rate train.log >>"rates$option"
    done
done
fixed=$(median rates) free=$(median rates--free-reductions)
echo "fixed order $fixed tokens/s, free order $free: determinism costs" \
    "$(calc "100 * (1 - $fixed / $free)" %.1f) % (median of three)"

#!/bin/sh
# Two threads against one: LoRA training at 8 x 512, rank 16 on all seven matrices, loss on all
# tokens. Median of three runs, in turn; the adapters must be the same bytes.
set -eu
# shellcheck disable=SC1091
. "$FT_ROOT/tests/bench/bench_lib.sh"
runs=${FT_BENCH_RUNS:-3}
rows_of 512 "${FT_BENCH_BYTES:-62000}" >all.packed
for compute in auto f32; do
    options="--compute $compute"
    # shellcheck disable=SC2086  # words
    takes ft-train $options || options=
    i=0
    while [ $i -lt "$runs" ]; do
        i=$((i + 1))
        for n in 1 2; do
            # shellcheck disable=SC2086
            ft-train -q -i all.packed -m "$MODEL" --batch 8 --no-shuffle --log train.log \
                --threads $n -o $n.ft $options
            steps_rate train.log >>"$compute.$n"
        done
        cmp 1.ft 2.ft || exit 1
    done
    one=$(median $compute.1)
    two=$(median $compute.2)
    echo "${options:-ft-train in f32}: one thread $one tokens/s, two $two:" \
        "$(calc "$two / $one") times, same bytes"
    [ -n "$options" ] || break
done
for name in f32 bf16; do
    one=$(processor_limit $name 1) two=$(processor_limit $name 2)
    [ -z "$one" ] || echo "the processor's own limit, $name: one thread $one GFLOP/s, two $two:" \
        "$(calc "$two / $one") times"
done

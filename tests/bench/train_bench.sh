#!/bin/sh
# LoRA training, rank 16 on all seven matrices, loss on all tokens: ft-train beside transformers and
# peft (bf16, eager and by torch.compile; fp32 at 4 x 512), the same rows. Median of three runs,
# ft and its peer in turn; the compiled peer runs once, because compiling takes minutes.
set -eu
# shellcheck disable=SC1091
. "$FT_ROOT/tests/bench/bench_lib.sh"
runs=${FT_BENCH_RUNS:-3} batch=${FT_BENCH_BATCH:-8}
half=$((batch / 2))
flop=629e6     # a token: 4 N + 6 LoRA + attention at 512 + head at every token

rows_of 512 "${FT_BENCH_BYTES:-62000}" >all.packed
full_rows 512 all.packed >rows.jsonl
[ "$(wc -l <rows.jsonl)" -ge 12 ] || { echo "too few rows"; exit 1; }

ours() { # NAME BATCH OPTION...: steps 2 and 3 count
    name=$1 examples=$2
    shift 2
    timed "$name" ft-train -q -i all.packed -m "$MODEL" --batch "$examples" --no-shuffle --json \
        --log train.log -o adapter.ft "$@"
    echo "$(steps_rate train.log)" "$(tail -n 1 "$name.runs" | cut -d ' ' -f 2)" >>"$name.rates"
}
theirs() { # NAME BATCH OPTION...
    name=$1 examples=$2
    shift 2
    has_peer || return 0
    TORCHINDUCTOR_CACHE_DIR=$PWD/inductor timed "$name" "$PEER_PYTHON" \
        "$FT_ROOT/tests/bench/train_peer.py" "$MODEL" rows.jsonl --batch "$examples" "$@"
    echo "$(jq .tokens_per_s "$name.out") $(tail -n 1 "$name.runs" | cut -d ' ' -f 2)" \
        >>"$name.rates"
}
line() { # NAME TITLE
    [ -f "$1.rates" ] || return 0
    awk -v t="$2" -v r="$(median "$1.rates")" -v m="$(median "$1.rates" 2)" -v flop=$flop \
        -v limit="${limit:-0}" -v n="$(wc -l <"$1.rates")" 'BEGIN {
        printf "%-38s %6.1f tokens/s %6.0f MiB  %3.0f GFLOP/s", t, r, m / 1024, r * flop / 1e9
        if (limit > 0) printf " = %.2f of the bf16 limit", r * flop / 1e9 / limit
        printf "  (%s)\n", (n > 1 ? "median of " n : "one run") }'
}
ratio() { # OURS THEIRS TITLE GOAL MEMORY_GOAL
    [ -f "$1.rates" ] && [ -f "$2.rates" ] || return 0
    echo "$3: speed $(calc "$(median "$1.rates") / $(median "$2.rates")") (goal: $4)," \
        "memory $(calc "$(median "$1.rates" 2) / $(median "$2.rates" 2)") (goal: $5)"
}

limit=$(processor_limit bf16)
i=0
while [ $i -lt "$runs" ]; do
    i=$((i + 1))
    if takes ft-train --compute auto; then
        ours auto "$batch" --compute auto
        ours f32 $half --compute f32
    else
        ours f32 $half
    fi
    theirs eager "$batch" --dtype bf16
    theirs peer32 $half --dtype f32
done
theirs compiled "$batch" --dtype bf16 --compile

[ -z "$limit" ] || echo "bf16 limit of this processor in this run: $limit GFLOP/s"
line auto "ft-train --compute auto, $batch x 512"
line f32 "ft-train in f32, $half x 512"
line eager "transformers + peft bf16, $batch x 512"
line compiled "the same, torch.compile"
line peer32 "transformers + peft fp32, $half x 512"
[ ! -f compiled.rates ] ||
    echo "compiling took $(jq '.first_s - .step_s | round' compiled.out) s, not counted"
ratio auto eager "auto : eager bf16" 2 0.25
ratio auto compiled "auto : compiled bf16" 1.6 -
ratio f32 peer32 "f32 : fp32" 1 0.5
ratio f32 eager "f32 at $half : eager bf16 at $batch" - -

#!/bin/sh
# Training a model of the shape of Llama-2-7B (random weights in Q4_0, made here: 4 GB of disk, gone
# at the end): LoRA rank 16 on all seven matrices, 1 x 512 tokens a step, all of them targets.
# FT_BENCH_SHAPE='--layers 20 --embed 8192 --heads 64 --kv-heads 8 --mlp 28672' is a quarter of the
# 70B shape; FT_BENCH_OPTIONS goes to ft-train (say, --recompute full). No peer: the ratio is to the
# limit of the processor.
set -eu
# shellcheck disable=SC1091
. "$FT_ROOT/tests/bench/bench_lib.sh"
shape=${FT_BENCH_SHAPE:-}
trap 'rm -f 7b.gguf' EXIT
trap 'exit 1' HUP INT TERM
from=$(date +%s)
# shellcheck disable=SC2086  # words
/usr/bin/python3 "$FT_ROOT/tests/bench/make_7b.py" 7b.gguf $shape >weights
read -r layer_weights head_weights <weights
echo "model of $(calc "($layer_weights + 2 * $head_weights) / 1e6" %.0f) million weights," \
    "$(calc "$(wc -c <7b.gguf) / 1e9") GB, written in $(($(date +%s) - from)) s"
option() { # NAME DEFAULT: of the shape
    # shellcheck disable=SC2086
    set -- "$1" "$2" $shape
    name=$1 value=$2
    shift 2
    while [ $# -gt 1 ]; do
        [ "$1" != "--$name" ] || value=$2
        shift
    done
    echo "$value"
}
layers=$(option layers 32) embed=$(option embed 4096) heads=$(option heads 32)
kv=$(($(option kv-heads "$heads") * embed / heads)) mlp=$(option mlp 11008)

# The tokenizer knows little but bytes: 512 tokens are some 500 characters.
licence_text 1700 | ft-import -q --shape plain | ft-tokenize -q -m 7b.gguf --raw |
    ft-pack -q --no-pack -l 512 --long split -o all.packed
kind=f32 compute=
if takes ft-train --compute auto; then
    kind=auto compute="--compute auto"
fi
compute="$compute ${FT_BENCH_OPTIONS:-}"
limit=$(processor_limit bf16)
# Multiply-adds count two. The adapter: 16 (in + out) weights for each of the seven matrices.
lora=$((16 * layers * (4 * embed + 2 * (embed + kv) + 3 * (embed + mlp))))
flop=$(calc "4 * $layer_weights + 6 * $lora + 7 * 512 * $embed * $layers + 4 * $head_weights" %.0f)
# shellcheck disable=SC2086
ft-train -q --json --plan -i all.packed -m 7b.gguf --batch 1 $compute -o adapter.ft >plan.json
# shellcheck disable=SC2086
timed train ft-train -q --json -i all.packed -m 7b.gguf --batch 1 --no-shuffle \
    --log train.log -o adapter.ft $compute
rate=$(steps_rate train.log)
gflops=$(calc "$rate * $flop / 1e9" %.1f)
echo "ft-train $kind, 1 x 512: $(calc "$rate") tokens/s (steps 2 and 3 of one run)," \
    "$gflops GFLOP/s${limit:+ = $(calc "$gflops / ${limit:-1}") of the bf16 limit ($limit)}"
echo "peak $(calc "$(median train.runs 2) / 1024" %.0f) MiB, planned" \
    "$(calc "$(jq .peak plan.json) / 1048576" %.0f); losses" \
    "$(jq -rs '[.[].loss // empty | . * 1000 | round / 1000 | tostring] | join(" ")' train.log)"
# Work done twice to save memory is no progress: told apart.
case $compute in
    *"--recompute full"*)
        again=$(calc "$flop + 2 * ($layer_weights + $lora + 512 * $embed * $layers)" %.0f)
        echo "with what is computed again: $(calc "$rate * $again / 1e9" %.1f) GFLOP/s" ;;
esac
echo "$(calc "$flop / 1e9") Gflop a token: 4 x $layer_weights weights in layers, 6 x $lora" \
    "in the adapter, attention, 4 x $head_weights in the head"

#!/bin/sh
# An adapter that ft trained, exported and loaded by peft: both must lose the same on the same ids
# (goal: within 1e-3 nats a target; both compute in fp32). First the toy model, then the real one.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
has_peer || { echo "skipped: the peers are not installed"; exit 0; }
HF_HUB_OFFLINE=1
export HF_HUB_OFFLINE
failed=0

# compare NAME MODEL PEER_MODEL ROWS OPTION...: trains with the options, exports, asks both.
compare() {
    name=$1 model=$2 peer_model=$3 rows=$4
    shift 4
    ft-train -q -m "$model" --epochs 1 --seed 3 "$@" -o adapter.ft "$rows" 2>/dev/null
    rm -rf folder
    ft-export -q --to peft folder adapter.ft
    ft-cat "$rows" | jq -c '.segments[].ids' >ids
    bare=$(ft-eval -q -m "$model" --json --compute f32 "$rows" 2>/dev/null | jq .loss)
    ours=$(ft-eval -q -m "$model" -a adapter.ft --json --compute f32 "$rows" 2>/dev/null | jq .loss)
    theirs=$("$PEER_PYTHON" "$FT_ROOT/tests/golden/make_peft.py" loss "$peer_model" folder ids \
        2>peer.err) || { tail -n 5 peer.err; exit 1; }
    awk -v n="$name" -v bare="$bare" -v a="$ours" -v b="$theirs" 'BEGIN {
        d = a - b
        if (d < 0) d = -d
        printf "%-12s ft %.7f  peft %.7f  nats/target  (bare model %.4f; apart %.1e, goal 1e-3)\n",
               n, a, b, bare, d
        exit !(d <= 1e-3 && (a - bare) ^ 2 > 1e-4)
    }' || failed=1
}

licence_text 4000 | ft-import -q --shape plain | ft-tokenize -q -m "$TOY" --raw |
    ft-pack -q --no-pack -l 120 --long split -o toy.rows
rows_of 120 3000 >real.rows
compare toy-lora "$TOY" toy toy.rows --lora-rank 4 --lr 1e-2 --batch 2
compare toy-rslora "$TOY" toy toy.rows --lora-rank 4 --lora-rslora --lr 1e-2 --batch 2
compare toy-dora "$TOY" toy toy.rows --lora-rank 4 --lora-dora --lr 1e-2 --batch 2
compare toy-ia3 "$TOY" toy toy.rows --method ia3 --lr 5e-2 --batch 2
compare toy-prefix "$TOY" toy toy.rows --method prefix --prefix-tokens 5 --lr 5e-2 --batch 2
compare toy-prompt "$TOY" toy toy.rows --method prompt --prompt-tokens 5 --lr 5e-2 --batch 2
compare real-lora "$MODEL" "$MODEL" real.rows --lora-rank 8 --lr 1e-3 --batch 2
compare real-dora "$MODEL" "$MODEL" real.rows --lora-rank 8 --lora-dora --lr 1e-3 --batch 2
compare real-prefix "$MODEL" "$MODEL" real.rows --method prefix --prefix-tokens 8 --lr 1e-2 \
    --batch 2
exit $failed

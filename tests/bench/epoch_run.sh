#!/bin/sh
# epoch_run.sh [nf4]: one epoch over 1,000 real chats (a Debian package's long description, and its
# one-line summary as the answer; loss on the answer and the end token), batch 16, rank 16 on all
# seven matrices, learning rate 2e-4, and the loss on chats of other source packages before and
# after: ft-train beside transformers and peft in bf16 with padded batches of 8, accumulated to 16.
# Both take the same examples in the same order and begin with the same adapter. nf4: over weights
# in NF4 with double quantisation. The peer takes a quarter of an hour, so it runs once; ft three
# times. FT_BENCH_LIMIT=N takes N examples.
set -eu
# shellcheck disable=SC1091
. "$FT_ROOT/tests/bench/bench_lib.sh"
base=${1:-}
runs=${FT_BENCH_RUNS:-3}
limit=${FT_BENCH_LIMIT:-1000}
base_option=${base:+--base $base}
# shellcheck disable=SC2086  # words
if [ -n "$base" ] && ! takes ft-train $base_option; then
    echo "not measurable yet: this ft-train has no $base_option"
    exit 0
fi

# ---- the data: shuffled once, for both ----
apt=$FT_ROOT/build/data/apt.jsonl
if [ ! -f "$apt" ]; then
    sh "$FT_ROOT/pipelines/apt-data.sh" "$FT_ROOT/build/data/apt-lists" >apt.jsonl
    mv apt.jsonl "$apt"
fi
awk 'length($0) < 2200 && ++n % 45 == 1' "$apt" | ft-import -q | ft-dedup -q |
    ft-split -q --group group --ratio 90,10 --to train.ft,val.ft
packed() { # IN EXAMPLES OUT
    ft-export -q -i "$1" | shuf --random-source="$MODEL" | head -n "$2" | ft-import -q |
        ft-tokenize -q -m "$MODEL" | ft-pack -q --no-pack -l 512 --long drop -o "$3"
    ft-cat "$3" >"${3%.packed}.jsonl"
}
packed train.ft "$limit" train.packed
packed val.ft "$limit" val.packed
packed train.ft 4 few.packed
count='[.[].segments[] | [(.ids | length), (.mask[1:] | map(select(. == 1 or . == true)) | length)]]
    | "\(length) examples, \(map(.[0]) | add) tokens, \(map(.[1]) | add) targets"'
echo "training: $(jq -rs "$count" train.jsonl); validation: $(jq -rs "$count" val.jsonl)"
tokens=$(jq -s '[.[].segments[].ids | length] | add' train.jsonl)

# ---- ft ----
train_options="-q --json -m $MODEL --no-shuffle --batch 16 --lr 2e-4 --seed 1 $base_option"
kinds=f32
if takes ft-train --compute auto; then
    kinds="auto f32"
fi
for kind in $kinds; do
    option="--compute $kind"
    # shellcheck disable=SC2086
    takes ft-train $option || option=
    # The adapter that training begins with, also the peer's: a step that moves nothing.
    # shellcheck disable=SC2086
    [ -f initial.ft ] ||
        timed initial ft-train $train_options --lr 1e-30 -i few.packed -o initial.ft $option
    eval_option=$option
    # shellcheck disable=SC2086
    takes ft-eval $eval_option || eval_option=
    # shellcheck disable=SC2086
    ft-eval -q --json -m "$MODEL" -a initial.ft -i val.packed $eval_option >"$kind.before"
    i=0
    # The f32 run is there for its loss: once is enough where auto is measured.
    while [ $i -lt "$runs" ] && { [ $i = 0 ] || [ "$kind" = "${kinds%% *}" ]; }; do
        i=$((i + 1))
        # shellcheck disable=SC2086
        timed "$kind" ft-train $train_options -i train.packed --val val.packed --log "$kind.log" \
            -o "$kind.ft" $option
        jq -s '[.[] | select(.tokens)] | ([.[].tokens] | add) / ([.[] | .tokens / .tokens_per_s]
            | add)' "$kind.log" >>"$kind.rates"
    done
    jq -s '[.[].val_loss // empty] | last' "$kind.log" >"$kind.after"
done

# ---- the peer ----
if has_peer; then
    /usr/bin/python3 "$FT_ROOT/tests/bench/adapter_dump.py" initial.ft initial
    # shellcheck disable=SC2086
    timed peer "$PEER_PYTHON" "$FT_ROOT/tests/bench/epoch_peer.py" "$MODEL" train.jsonl val.jsonl \
        --dtype bf16 --batch 8 --step-batch 16 --initial initial ${base:+--nf4 unpacked}
fi

line() { # TITLE SECONDS TOKENS_PER_S KIB BEFORE AFTER REMARK
    printf '%-28s %7.1f s  %7.1f tokens/s  %6.0f MiB  loss %.4f -> %.4f  (%s)\n' "$1" "$2" "$3" \
        "$(calc "$4 / 1024")" "$5" "$6" "$7"
}
for kind in $kinds; do
    n=$(wc -l <"$kind.runs")
    line "ft-train $kind $base" "$(median "$kind.runs")" "$(median "$kind.rates")" \
        "$(median "$kind.runs" 2)" "$(jq .loss "$kind.before")" "$(cat "$kind.after")" \
        "median of $n"
done
first=${kinds%% *}
[ "$first" = f32 ] ||
    echo "loss of auto against f32: $(calc "100 * ($(cat auto.after) / $(cat f32.after) - 1)" \
        %+.3f) % (bound: 1)"
has_peer || { echo "the peer is not installed: its line is missing"; exit 0; }
peer() { jq ".$1" peer.out; }
line "transformers + peft bf16 $base" "$(peer wall_s)" "$(peer tokens_per_s)" \
    "$(median peer.runs 2)" "$(peer val_before)" "$(peer val_after)" "one run"
echo "ratio: whole run $(calc "$(peer wall_s) / $(median "$first.runs")") times faster (goal: 4)," \
    "training alone $(calc "$(median "$first.rates") / $(peer tokens_per_s)")," \
    "memory $(calc "$(median "$first.runs" 2) / $(median peer.runs 2)") (goal: 0.25)," \
    "loss $(calc "100 * ($(cat "$first.after") / $(peer val_after) - 1)" %+.2f) %" \
    "over $tokens tokens"

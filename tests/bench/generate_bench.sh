#!/bin/sh
# Generation beside llama.cpp: one sequence, sixteen at once, and reading a prompt of 512 tokens.
#   wall: tokens a second by the clock, on all processors
#   busy: tokens a second of processor time on one thread, for a machine that others use too;
#         llama.cpp's is the difference between a long and a short run.
# Sixteen sequences and prompts are ft's products alone (generate_rate.c), without attention.
set -eu
# shellcheck disable=SC1091
. "$FT_ROOT/tests/bench/bench_lib.sh"
runs=${FT_BENCH_RUNS:-3}
rate=$FT_BIN/../tests/bench/generate_rate
llama=
[ ! -d "$FT_PEERS" ] || llama=$(sh "$FT_ROOT/tests/bench/llama_build.sh" 2>build.log) || llama=
[ -n "$llama" ] || echo "llama.cpp is not there: no comparison"
all=$(nproc)

# user COMMAND...: seconds of processor time.
user() { /usr/bin/time -f '%U' -o user.time "$@" >/dev/null 2>&1 && cat user.time; }

# busy_rate TOKENS LONG SHORT: of the difference between two commands, given as words.
busy_rate() {
    # shellcheck disable=SC2086
    long=$(user $2) short=$(user $3)
    calc "$1 / ($long - $short)" %.1f
}

batched="$llama/bin/llama-batched-bench -c 2048 -npp 8 -npl 16"
bench="$llama/bin/llama-bench -r 1"
ours() { # NAME: busy and wall of one way to compute
    name=$1
    shift
    FT_BENCH_CPU=1 "$rate" "$file" 1 "$@" | awk '{ print $1 }' >>"$name.busy"
    "$rate" "$file" "$all" "$@" | awk '{ print $1, $2 }' >>"$name.wall"
}
theirs() {
    [ -n "$llama" ] || return 0
    busy_rate 128 "$bench -m $file -t 1 -p 0 -n 160" "$bench -m $file -t 1 -p 0 -n 32" >>l1.busy
    busy_rate 384 "$batched -m $file -t 1 -tb 1 -ntg 32" "$batched -m $file -t 1 -tb 1 -ntg 8" \
        >>l16.busy
    busy_rate 768 "$bench -m $file -t 1 -p 512 -n 0" "$bench -m $file -t 1 -p 128 -n 0" >>lp.busy
    $bench -m "$file" -t "$all" -p 0 -n 64 -o jsonl 2>/dev/null | jq .avg_ts >>l1.wall
    $batched -m "$file" -t "$all" -tb "$all" -ntg 24 --output-format jsonl 2>/dev/null |
        jq .speed_tg >>l16.wall
    $bench -m "$file" -t "$all" -p 512 -n 0 -o jsonl 2>/dev/null | jq .avg_ts >>lp.wall
}

line() { # TITLE OURS THEIRS
    busy=$(median "$2.busy") wall=$(median "$2.wall")
    printf '%-36s busy %7.1f wall %7.1f' "$1" "$busy" "$wall"
    [ -z "$llama" ] || printf '   llama.cpp %7.1f %7.1f   ratio %s %s' "$(median "$3.busy")" \
        "$(median "$3.wall")" "$(calc "$busy / $(median "$3.busy")")" \
        "$(calc "$wall / $(median "$3.wall")")"
    echo
}

for type in q4_0 q4_1 q8_0 bf16; do
    file=$type.gguf
    rm -f ./*.busy ./*.wall
    if [ $type = q4_1 ]; then file=$MODEL; else ft-quant -q -m "$MODEL" -t $type -o $file; fi
    i=0
    while [ $i -lt "$runs" ]; do
        i=$((i + 1))
        ours one decode 96
        theirs
        ours f16 f32 16 6
        ours b16 bf16 16 6
        ours fp f32 512 1
        ours bp bf16 512 1
    done
    line "$type, one sequence, f32" one l1
    line "$type, 16 sequences, products f32" f16 l16
    line "$type, 16 sequences, products bf16" b16 l16
    line "$type, prompt of 512, products f32" fp lp
    line "$type, prompt of 512, products bf16" bp lp
    limit=$(processor_limit read)
    [ -z "$limit" ] || [ $type != bf16 ] || echo "BF16 at one sequence reads" \
        "$(median one.wall 2) GB/s of $limit: $(calc "$(median one.wall 2) / $limit")"
    [ "$file" = "$MODEL" ] || rm "$file"
done

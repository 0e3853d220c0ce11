#!/bin/sh
# Generation beside llama.cpp, the same files and lengths: 64 tokens by one sequence, 32 tokens each
# by sixteen at once, and a prompt of 512 tokens. Whole passes on both sides (generate_rate.c,
# llama-bench, llama-batched-bench).
#   busy: tokens a second of processor time on one thread, for a machine that others use too;
#         llama.cpp's is the difference between a long and a short run
#   wall: tokens a second by the clock, on all processors
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
    calc "$1 / ($long - $short + 1e-9)" %.1f
}

# soon COMMAND...: what it prints, or nothing when it takes long: llama.cpp's threads wait for each
# other in loops, and hardly get on when others use the machine.
soon() { timeout 20 "$@" 2>/dev/null || true; }

bench="$llama/bin/llama-bench"
batched="$llama/bin/llama-batched-bench -c 2048 -npp 8 -npl 16"
theirs() {
    [ -n "$llama" ] || return 0
    run="$bench -m $file -t 1 -p 0 -n 64"
    busy_rate 128 "$run -r 3" "$run -r 1" >>l1.busy
    run="$batched -m $file -t 1 -tb 1"
    busy_rate 512 "$run -ntg 40" "$run -ntg 8" >>l16.busy
    run="$bench -m $file -t 1 -p 512 -n 0"
    busy_rate 1024 "$run -r 3" "$run -r 1" >>lp.busy
    soon "$bench" -m "$file" -t "$all" -p 0 -n 64 -r 1 -o jsonl | jq .avg_ts >>l1.wall
    # shellcheck disable=SC2086  # words
    soon $batched -m "$file" -t "$all" -tb "$all" -ntg 32 --output-format jsonl |
        grep '^{' | jq .speed_tg >>l16.wall
    soon "$bench" -m "$file" -t "$all" -p 512 -n 0 -r 1 -o jsonl | jq .avg_ts >>lp.wall
}
ours() { # COMPUTE-FOR-ONE COMPUTE
    for kind in busy wall; do
        if [ $kind = busy ]; then threads=1; else threads=$all; fi
        [ $kind = wall ] || export FT_BENCH_CPU=1
        "$rate" "$file" "$threads" "$1" 1 1 64 | awk '{ print $1, $2 }' >>o1.$kind
        "$rate" "$file" "$threads" "$2" 16 8 32 | awk '{ print $1 }' >>o16.$kind
        "$rate" "$file" "$threads" "$2" 1 512 1 | awk '{ print $3 }' >>op.$kind
        unset FT_BENCH_CPU
    done
}

# ratio OURS THEIRS: of the medians; nothing when one is missing.
ratio() {
    a=$(median "$1") b=$(median "$2")
    [ -z "$a" ] || [ -z "$b" ] || calc "$a / $b"
}
line() { # TITLE OURS THEIRS GOAL
    printf '%-28s busy %7.1f wall %7.1f' "$1" "$(median "$2.busy")" "$(median "$2.wall")"
    [ -z "$llama" ] || printf '   llama.cpp busy %7.1f wall %7.1f   ratio %s %s (goal %s)' \
        "$(median "$3.busy")" "$(median "$3.wall")" "$(ratio "$2.busy" "$3.busy")" \
        "$(ratio "$2.wall" "$3.wall")" "$4"
    echo
}

for type in q4_0 q8_0 bf16; do
    file=$type.gguf
    rm -f ./*.busy ./*.wall
    ft-quant -q -m "$MODEL" -t $type -o $file 2>/dev/null
    case $type in
        q4_0) one=int8 many=int8 goal=1.5 ;;
        q8_0) one=int8 many=int8 goal=1.3 ;;
        bf16) one=f32 many=bf16 goal='see below' ;;
    esac
    i=0
    while [ $i -lt "$runs" ]; do
        i=$((i + 1))
        ours "$one" "$many"
        theirs
    done
    line "$type one sequence, $one" o1 l1 "$goal"
    line "$type 16 sequences, $many" o16 l16 2
    line "$type prompt of 512, $many" op lp 1.3
    limit=$(processor_limit read)
    [ -z "$limit" ] || echo "$type one sequence reads $(median o1.wall 2) GB/s of $limit:" \
        "$(calc "$(median o1.wall 2) / $limit") (goal for bf16: 0.85)"
    rm $file
done

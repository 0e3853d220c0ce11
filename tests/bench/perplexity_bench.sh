#!/bin/sh
# Perplexity of a BF16 model by ft-eval and by llama-perplexity: the same file, text and windows of
# 512, of which the second half is scored. Whole programs, wall clock; median of three runs in turn.
# llama-perplexity gets one window or four at once, whichever is faster.
set -eu
# shellcheck disable=SC1091
. "$FT_ROOT/tests/bench/bench_lib.sh"
runs=${FT_BENCH_RUNS:-3}
ft-quant -q -m "$MODEL" -t bf16 -o bf16.gguf

# llama-perplexity leaves out the tokens behind the last whole window, and scores tokens 257 to 511
# of a window (the prediction of token 256 stays out); ft-pack does the same with a context of 257
# when fewer than 258 tokens are left over, so the text is cut to fit.
bytes=${FT_BENCH_BYTES:-75000}
while :; do
    licence_text "$bytes" >text.txt
    ft-import -q --shape plain <text.txt | ft-tokenize -q -m bf16.gguf --raw >text.tokens
    tokens=$(ft-cat text.tokens | jq '.ids | length')
    [ $((tokens % 512)) -gt 200 ] || break
    bytes=$((bytes - 400))
done
windows=$((tokens / 512))
ft-pack -q --no-pack -l 512 --long split --context 257 --no-overlap -i text.tokens -o text.packed
[ "$(ft-cat text.packed | wc -l)" = $windows ] || { echo "other windows"; exit 1; }

llama=
if has_peer || [ -d "$FT_PEERS" ]; then
    llama=$(sh "$FT_ROOT/tests/bench/llama_build.sh" 2>build.log) || llama=
fi
kinds=f32
if takes ft-eval --compute auto; then
    kinds="auto f32"
fi
i=0
while [ $i -lt "$runs" ]; do
    i=$((i + 1))
    for kind in $kinds; do
        option="--compute $kind"
        # shellcheck disable=SC2086  # words
        takes ft-eval $option || option=
        # shellcheck disable=SC2086
        timed "$kind" ft-eval -q --json -i text.packed -m bf16.gguf $option
    done
    [ -z "$llama" ] || for n in 1 4; do
        timed llama$n "$llama/bin/llama-perplexity" -m bf16.gguf -f text.txt -c 512 \
            -b $((512 * n)) -ub 512 -t "$(nproc)" -tb "$(nproc)" --no-warmup --fit off
    done
done

all=$((windows * 512))
line() { # NAME TITLE PERPLEXITY
    awk -v t="$2" -v n=$all -v p="$3" -v s="$(median "$1.runs")" -v m="$(median "$1.runs" 2)" \
        'BEGIN { printf "%-28s %7.1f tokens/s  %5.0f MiB  perplexity %.4f\n", t, n / s,
                 m / 1024, p }'
}
echo "$windows windows of 512 tokens, $((windows * 255)) of $all tokens scored, BF16 file"
for kind in $kinds; do
    [ "$(jq .tokens "$kind.out")" = $((windows * 255)) ] || { echo "other targets"; exit 1; }
    line "$kind" "ft-eval $kind" "$(jq .perplexity "$kind.out")"
done
[ -n "$llama" ] || { echo "llama.cpp is not there: no comparison"; exit 0; }
final() { sed -n 's/.*Final estimate: PPL = \([0-9.]*\).*/\1/p' "$1.err" "$1.out" | head -n 1; }
best=1
for n in 1 4; do
    line llama$n "llama-perplexity, $n at once" "$(final llama$n)"
done
[ "$(calc "$(median llama4.runs) < $(median llama1.runs)" %d)" = 0 ] || best=4
fastest=${kinds%% *}
echo "speed $(calc "$(median llama$best.runs) / $(median "$fastest.runs")") of its best (goal:" \
    "1.3), perplexity $(calc "$(jq .perplexity "$fastest.out") / $(final llama$best)" %.5f)," \
    "memory $(calc "$(median "$fastest.runs" 2) / $(median llama$best.runs 2)")"
limit=$(processor_limit bf16)
# 2 N and attention for each token, the head (2 C V) where one is scored.
work=$(calc "($all * 230.1e6 + $windows * 255 * 56.6e6) / 1e9" %.3f)
[ -z "$limit" ] || echo "of the bf16 limit ($limit GFLOP/s):" \
    "ft $(calc "$work / $(median "$fastest.runs") / $limit")," \
    "llama.cpp $(calc "$work / $(median llama$best.runs) / $limit")"

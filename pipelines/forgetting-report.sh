#!/bin/sh
# forgetting-report.sh FOLDER SHARE COMPARISON...: reads what forgetting-report.mk measured, writes
# the table FOLDER/report.tsv, and prints it for people, with a verdict: forgotten is what is worse
# by the paired test, its p corrected by Holm for all lines, and by at least SHARE
# of what was there.
set -eu
[ $# -ge 3 ] || { echo "usage: forgetting-report.sh FOLDER SHARE COMPARISON..." >&2; exit 64; }
here=$(dirname "$0")
folder=$1 share=$2
shift 2

{
    printf 'what\tmetric\tlower_is_better\tbase\ttuned\tdifference\tlow\thigh\tp\tdetectable'
    printf '\texamples\n'
    for file; do
        what=$(basename "$file" .json)
        jq -r --arg what "${what#compare-}" '.comparisons[] | [$what, .metric,
            (if .lower_is_better then 1 else 0 end), .base.mean, .other.mean, .difference,
            .interval[0], .interval[1], .p, .detectable, .examples] | @tsv' "$file"
    done
} >"$folder/report.tsv"

{
    for way in base tuned; do
        jq -r --arg way "$way" '["loss", $way, .perplexity, .bits_per_byte, .tokens] | @tsv' \
            "$folder/general-$way.json"
    done
    sed '1d; s/^/line\t/' "$folder/report.tsv"
} | awk -F '\t' -v share="$share" -f "$here/holm.awk" -f "$here/forgetting-report.awk"

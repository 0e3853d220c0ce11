#!/bin/sh
# decide.sh FOLDER METRICS SHOTS ANSWERS: reads what decide.mk measured in FOLDER, writes the table
# FOLDER/decide.tsv, and prints it for people, with a recommendation and its reasons.
#
# The recommendation: of the ways for which the data show no difference from the best one, the one
# that costs least for ANSWERS answers, or one that needs less (zero, fixed, near, lora) and costs
# at most a tenth more, since seconds are not known better than that. A difference is shown when the
# paired test of ft-compare says so, its p corrected by Holm for all pairs of ways.
set -eu
[ $# = 4 ] || { echo "usage: decide.sh FOLDER METRICS SHOTS ANSWERS" >&2; exit 64; }
here=$(dirname "$0")
metric=${2%%,*}

{
    printf 'way\tmetric\tscore\tlow\thigh\texamples\tprompt_tokens\tshared_tokens\tanswer_tokens'
    printf '\tseconds\tseconds_alone\ttraining_seconds\ttraining_tokens\tmemory_bytes\n'
    for way in zero fixed near lora; do
        jq -rn --arg way "$way" --arg metric "$metric" --slurpfile quality "$1/quality-$way.json" \
            --slurpfile all "$1/generate-$way.json" --slurpfile alone "$1/alone-$way.json" \
            --slurpfile shots "$1/shots-near.json" --slurpfile plan "$1/plan.json" \
            --slurpfile train "$1/train.json" --slurpfile log "$1/train.log" '
            $quality[0] as $q | $all[0] as $a | $alone[0] as $l |
            ($shots[0] | .seconds / ([.read + .pool, 1] | max)) as $look |
            (if $way == "near" then $look else 0 end) as $look |
            def each($v; $n): if $n > 0 then $v / $n else null end;
            [$way, $metric, $q[$metric], $q.intervals[$metric].low, $q.intervals[$metric].high,
             $q.examples, each($a.prompt_tokens; $a.answers), each($a.shared_tokens; $a.answers),
             each($a.answer_tokens; $a.answers), each($a.seconds; $a.answers) + $look,
             each($l.seconds; $l.answers) + $look] +
            (if $way == "lora"
             then [$train[0].seconds, ([$log[].tokens // 0] | add), $plan[0].peak]
             else [0, 0, 0] end) | @tsv'
    done
} >"$1/decide.tsv"

# Every pair by every metric: "pair METRIC BASE OTHER difference low high p detectable". The pairs
# behind the first run are compared by the first metric alone.
pairs() {
    jq -r '.baseline as $base | .comparisons[] |
        ["pair", .metric, $base, .system, .difference, .interval[0], .interval[1], .p,
         .detectable] | @tsv' "$1/compare-zero.json" "$1/compare-fixed.json" "$1/compare-near.json"
}

# What the other metrics say: "other METRIC WAY score".
others() {
    for way in zero fixed near lora; do
        jq -r --arg way "$way" --arg first "$metric" --arg all "$2" '
            . as $q | $all | split(",")[] | select(. != $first) |
            ["other", ., $way, $q[.]] | @tsv' \
            "$1/quality-$way.json"
    done
}

{
    sed '1d; s/^/way\t/' "$1/decide.tsv"
    pairs "$1"
    others "$1" "$2"
} | awk -F '\t' -v shots="$3" -v answers="$4" -v metric="$metric" \
    -f "$here/holm.awk" -f "$here/decide.awk"

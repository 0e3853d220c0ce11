#!/bin/sh
# lr-recommend.sh RUNS RATE...: from the losses of lr-search.mk's runs, a table in RUNS/rates.tsv
# and a recommendation with its reason: the smallest rate that is not worse than the best one by
# more than chance, because a small rate changes less of what the model knew.
set -eu
runs=$1
shift
for rate; do
    printf '%s\t%s\n' "$rate" "$(jq -r '.loss // "-"' "$runs/$rate.json")"
done | sort -g >"$runs/losses"
best=$(awk '$2 != "-" && (!n++ || $2 < least) { least = $2; rate = $1 } END { print rate }' \
    "$runs/losses")
[ -n "$best" ] || { echo "Every run blew up: try much smaller rates."; exit 0; }

# Against the best, example by example: rate, difference, its standard error, verdict.
printf '%s\t0\t0\tbest\n' "$best" >"$runs/against"
# shellcheck disable=SC2046  # a list of words
set -- $(awk -v best="$best" '$2 != "-" && $1 != best { print $1 }' "$runs/losses")
if [ $# -gt 0 ]; then
    names=$(echo "$best" "$@" | tr ' ' ',')
    (cd "$runs" && for r; do set -- "$@" "$r.jsonl"; shift; done &&
        ft-compare -q --json --seed 1 --metrics loss --names "$names" "$best.jsonl" "$@") |
        jq -r '.comparisons[] | [.system, .difference, .se, .verdict] | @tsv' >>"$runs/against"
fi
awk -F '\t' '
    NR == FNR { difference[$1] = $2; error[$1] = $3; verdict[$1] = $4; next }
    { printf "%s\t%s\t%s\t%s\n", $1, $2, $2 == "-" ? "-" : error[$1] + 0,
             $2 == "-" ? "blew up" : verdict[$1] }' \
    "$runs/against" "$runs/losses" >"$runs/rates.tsv"

awk -F '\t' -v best="$best" '
    function gap(i) {
        return loss[i] == "-" ? "blew up" : sprintf("is worse by %.4f", loss[i] - loss[at])
    }
    { rate[NR] = $1; loss[NR] = $2; verdict[NR] = $4; if ($1 == best) at = NR }
    END {
        print "learning rate   validation loss   against the best"
        for (i = 1; i <= NR; i++)
            printf("%-15s %15s   %s\n", rate[i],
                   (loss[i] == "-" ? "-" : sprintf("%.4f", loss[i])), verdict[i])
        for (pick = 1; pick < at && (loss[pick] == "-" || verdict[pick] == "worse" ||
                                     verdict[pick] == "too few"); pick++);
        if (pick == at)
            printf("\nTake %s: it has the lowest validation loss.", best)
        else
            printf("\nTake %s: %s has the lowest validation loss, but not by more than chance,\n" \
                   "and the smaller rate changes less of what the model knew.", rate[pick], best)
        if (pick > 1)
            printf(" %s %s.", rate[pick - 1], gap(pick - 1))
        if (at < NR)
            printf(" %s %s.", rate[at + 1], gap(at + 1))
        print ""
        for (i = 1; i <= NR && verdict[i] != "too few"; i++);
        if (i <= NR)
            print "The validation set is too small to say how sure that is: take more examples."
        if (at == NR)
            print "The best is the largest that was tried: try larger ones."
        if (at == 1)
            print "The best is the smallest that was tried: try smaller ones."
    }' "$runs/rates.tsv"

#!/bin/sh
# lr-run.sh W MODEL THREADS RATE OPTION...: one run of lr-search.mk. A run that blows up is a
# result, not a failure: its loss is null.
set -eu
w=$1 model=$2 threads=$3 rate=$4
shift 4
run=$w/runs/$rate
status=0
ft-train -i "$w/short.packed" -m "$model" --lr "$rate" --threads "$threads" \
    --checkpoint "$run.checkpoint" --resume --log "$run.log" "$@" -o "$run.ft" 2>"$run.err" ||
    status=$?
case $status in
    0)
        ft-eval -q -i "$w/val.packed" -m "$model" -a "$run.ft" --threads "$threads" \
            --scores "$run.jsonl" --json >"$run.json.part"
        mv "$run.json.part" "$run.json"
        ;;
    70) echo '{"loss":null}' >"$run.json" ;;
    *) cat "$run.err" >&2; exit "$status" ;;
esac
rm -rf "$run.checkpoint"

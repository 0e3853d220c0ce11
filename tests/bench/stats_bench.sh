#!/bin/sh
# ft-stats on English prose, rows of about 400 bytes: time and memory of counting alone, with
# languages, with the spread of 1,000 rows by n-grams; and what 100 rows take by the model. Beside
# it, the same counts of wording by Python's Counter, which must be the same.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
licence_text 150000 >text
python3 - >rows.jsonl <<'END'
import json, random
r = random.Random(1)
words = open("text", encoding="utf-8", errors="replace").read().split()
for i in range(10000):
    at = r.randrange(len(words) - 80)
    print(json.dumps({"id": i, "prompt": " ".join(words[at:at + r.randrange(5, 25)]),
                      "completion": " ".join(words[at + 25:at + r.randrange(30, 80)])}))
END
ft-import -q --level 1 <rows.jsonl >rows.ft
bytes=$(wc -c <rows.jsonl)
speed() { # NAME LABEL: from NAME.runs
    read -r seconds kib <"$1.runs"
    echo "ft-stats $2  $(calc "$bytes / 1e6 / $seconds" %.1f) MB/s  ($((kib / 1024)) MiB)"
}
rm -f ./*.runs
timed plain ft-stats -q --no-languages --sample 0 --json --threads 2 rows.ft
speed plain "counting"
timed languages ft-stats -q --sample 0 --json --threads 2 rows.ft
speed languages "and languages"
timed spread ft-stats -q --no-languages --sample 1000 --json --threads 2 rows.ft
speed spread "and the spread of 1,000 rows"
head -n 100 rows.jsonl | ft-import -q >few.ft
timed model ft-stats -q --no-languages -m "$MODEL" --sample 100 --json --threads 2 few.ft
read -r seconds kib <model.runs
echo "ft-stats -m, 100 rows  $seconds s  ($((kib / 1024)) MiB)"
timed peer python3 "$FT_ROOT/tests/bench/stats_peer.py" rows.jsonl
read -r seconds kib <peer.runs
echo "Python, wording of the answers alone  $(calc "$bytes / 1e6 / $seconds" %.1f) MB/s" \
    "($((kib / 1024)) MiB)"
jq -c '[.answers.words, .answers.vocabulary, (.answers.distinct_3 * 1e9 | round)]' plain.out >mine
cmp mine peer.out

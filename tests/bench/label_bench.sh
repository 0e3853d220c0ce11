#!/bin/sh
# ft-label beside scikit-learn's logistic regression and cleanlab on the same task: package
# descriptions with their section as label, the 12 largest, one label in twenty replaced; 5 folds
# by source package. Time of the whole and what was found. Then confident learning alone on the
# same probabilities.
set -eu
# shellcheck source=tests/bench/bench_lib.sh
. "$FT_ROOT/tests/bench/bench_lib.sh"
data=$FT_ROOT/build/data/apt.jsonl
[ -e "$data" ] || { echo "no $data (make demo fetches it)"; exit 0; }
unset OPENBLAS_CORETYPE
/usr/bin/python3 - "$data" >noisy.jsonl 2>planted <<'END'
import collections, json, random, sys
r = random.Random(7)
rows = [json.loads(line) for line in open(sys.argv[1])]
chosen = [c for c, _ in collections.Counter(x["label"] for x in rows).most_common(12)]
row = 0
for x in rows:
    if x["label"] not in chosen or r.random() < 0.75:
        continue
    row += 1
    if r.random() < 0.05:
        true = x["label"]
        x["label"] = r.choice([c for c in chosen if c != true])
        print(row, true, file=sys.stderr)
    print(json.dumps(x))
END
ft-import -q <noisy.jsonl >noisy.ft
timed ft ft-label --threads 2 --suggest ft.jsonl -o /dev/null noisy.ft
timed knn ft-label --threads 2 --knn --suggest knn.jsonl -o /dev/null noisy.ft
judge() { # NAME: rows on standard input, most suspicious first
    awk -v name="$1" 'NR == FNR { planted[$1]; all++; next }
        { n++; if ($1 in planted) hit++ }
        END { printf "%-22s flagged %d, of %d planted found %d: precision %.2f, recall %.2f\n",
              name, n, all, hit, n ? hit / n : 0, all ? hit / all : 0 }' planted -
}
echo "load $(cut -d ' ' -f 1-3 /proc/loadavg)"
echo "$(wc -l <noisy.jsonl) rows; ft-label $(median ft.runs) s, with --knn $(median knn.runs) s"
jq -r .row ft.jsonl | judge "ft-label"
jq -r .row knn.jsonl | sort -n | uniq -d | judge "ft-label, both votes"
if has_peer; then
    timed peer "$PEER_PYTHON" "$FT_ROOT/tests/bench/label_peer.py" noisy.jsonl probs.jsonl
    echo "scikit-learn, cleanlab $(median peer.runs) s  ($(cat peer.err))"
    judge "scikit-learn, cleanlab" <peer.out
    ft-import -q <probs.jsonl | ft-label -q --probs probs --rank self --suggest - |
        jq -r .row >same.rows
    # Of rows with equal probabilities either may be taken: those are compared, not the rows.
    jq -r '.probs[.label]' probs.jsonl >own
    for i in peer.out same.rows; do
        awk 'NR == FNR { own[NR] = $1; next } { print own[$1] }' own $i >$i.own
    done
    cmp peer.out.own same.rows.own &&
        echo "the same in the same order as cleanlab, but for ties, from the same probabilities"
fi

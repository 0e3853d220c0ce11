# metrics_bench.sh: text metrics, beside sacrebleu and rouge-score: whole runs of ft-eval, start and
# reading included, against the peers' scoring alone; and whether the scores are the same. Then
# ft-compare on 100,000 rows, its bootstrap beside scipy's: 1,000 resamples of the mean difference.
# shellcheck shell=sh
. "$FT_ROOT/tests/bench/bench_lib.sh"

runs=${FT_BENCH_RUNS:-3}
pairs=100000 few=4000

# Pieces of the licences of 10 to 29 words, predictions with up to 5 words exchanged.
/usr/bin/python3 - $pairs >pairs.jsonl <<'END_PYTHON'
import json, random, sys
r = random.Random(1)
words = [w for p in ("GPL-3", "GFDL-1.3", "Apache-2.0")
         for w in open("/usr/share/common-licenses/" + p, errors="ignore").read().split()]
for i in range(int(sys.argv[1])):
    n = 10 + r.randrange(20)
    at = r.randrange(len(words) - n)
    ref = words[at:at + n]
    hyp = list(ref)
    for _ in range(r.randrange(6)):
        hyp[r.randrange(n)] = r.choice(words)
    print(json.dumps({"prediction": " ".join(hyp), "reference": " ".join(ref)}))
END_PYTHON
ft-import -q <pairs.jsonl >pairs.ft
head -n $few pairs.jsonl >few.jsonl
ft-import -q <few.jsonl >few.ft

rate() { # NAME METRICS OPTION...: pairs a second of whole runs
    name=$1 metrics=$2
    shift 2
    i=0
    while [ $i -lt "$runs" ]; do
        timed "$name" ft-eval -q --metrics "$metrics" "$@" pairs.ft
        i=$((i + 1))
    done
    calc "$pairs / $(median "$name.runs")" %.0f
}

peer() { # METRICS WORD
    "$PEER_PYTHON" "$FT_ROOT/tests/bench/metrics_peer.py" few.jsonl "$1" 2>peer.err
}

report() { # NAME METRICS PEER_WORD OPTION...
    name=$1 metrics=$2 word=$3
    shift 3
    ours=$(rate "$name" "$metrics" "$@" --bootstrap 0)
    if ! has_peer; then
        echo "metrics/$name $ours pairs/s"
        return
    fi
    answer=$(peer "$word")
    theirs=$(calc "$few / ${answer%% *}" %.0f)
    echo "metrics/$name $ours pairs/s (peer $theirs: $(calc "$ours / $theirs" %.0f) times)"
    ft-eval -q --metrics "$metrics" "$@" --bootstrap 0 few.ft | head -n -1 | cut -f 2 |
        tr '\n' ' ' >ours.scores
    # shellcheck disable=SC2086  # words
    set -- ${answer#* }
    echo "$*" >theirs.scores
    paste -d ' ' ours.scores theirs.scores | awk '{ n = NF / 2
        for (i = 1; i <= n; i++) { d = $i - $(i + n); if (d < 0) d = -d; if (d > worst) worst = d }
        print "metrics/'"$name"'_difference", worst + 0, "(largest, to the peer)"
        exit worst > 1e-9 }'
}

report bleu_chrf bleu,chrf bleu,chrf
report rouge rouge1,rouge2,rougeL,rougeLsum rouge --stem
echo "metrics/bleu_chrf_intervals $(rate intervals bleu,chrf) pairs/s (1000 draws)"

# Two systems' scores of the same rows, and groups of five.
/usr/bin/python3 - $pairs <<'END_PYTHON'
import random, sys
r = random.Random(2)
with open("a.jsonl", "w") as a, open("b.jsonl", "w") as b:
    for i in range(int(sys.argv[1])):
        x = r.random()
        for f, v in ((a, x), (b, min(1, x + r.gauss(0.002, 0.1)))):
            print('{"id":%d,"group":%d,"f1":%.6f}' % (i, i // 5, v), file=f)
END_PYTHON
for f in a b; do sed 's/"group":[0-9]*,//' $f.jsonl >$f-alone.jsonl; done
compare_rate() { # NAME A B
    i=0
    while [ $i -lt "$runs" ]; do
        timed "$1" ft-compare -q --resamples 1000 --swaps 1000 "$2" "$3"
        i=$((i + 1))
    done
    calc "$pairs / $(median "$1.runs")" %.0f
}
theirs=''
if has_peer; then
    seconds=$("$PEER_PYTHON" "$FT_ROOT/tests/bench/metrics_peer.py" a.jsonl compare b.jsonl)
    theirs=" (peer $(calc "$pairs / $seconds" %.0f): its resampling alone)"
fi
echo "metrics/compare $(compare_rate compare a-alone.jsonl b-alone.jsonl) rows/s$theirs"
echo "metrics/compare_groups $(compare_rate compare_groups a.jsonl b.jsonl) rows/s"
echo "metrics/peak $(calc "$(median bleu_chrf.runs 2) / 1024" %.0f) MiB"

"""metrics_peer.py PAIRS.jsonl bleu,chrf|rouge: seconds that sacrebleu or rouge-score take for these pairs,
without reading them, and their scores. metrics_peer.py A.jsonl compare B.jsonl: seconds that scipy takes for
1,000 resamples and for 1,000 swaps of the mean difference, without reading."""
import json
import sys
import time

rows = [json.loads(line) for line in open(sys.argv[1])]
if sys.argv[2] == "compare":
    import numpy as np
    from scipy.stats import bootstrap, permutation_test
    other = [json.loads(line) for line in open(sys.argv[3])]
    d = np.array([y["f1"] - x["f1"] for x, y in zip(rows, other)])
    start = time.perf_counter()
    bootstrap((d,), np.mean, n_resamples=1000, method="percentile", batch=50)
    permutation_test((d,), np.mean, permutation_type="samples", n_resamples=1000, batch=50)
    print(time.perf_counter() - start)
    sys.exit()
hyps, refs = [r["prediction"] for r in rows], [r["reference"] for r in rows]
if sys.argv[2] == "rouge":
    from rouge_score import rouge_scorer
    types = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
    scorer = rouge_scorer.RougeScorer(types, use_stemmer=True)
    start = time.perf_counter()
    sums = dict.fromkeys(types, 0.0)
    for hyp, ref in zip(hyps, refs):
        for name, score in scorer.score(ref, hyp).items():
            sums[name] += score.fmeasure
    seconds = time.perf_counter() - start
    scores = [sums[t] / len(rows) for t in types]
else:
    from sacrebleu.metrics import BLEU, CHRF
    start = time.perf_counter()
    scores = [m.corpus_score(hyps, [refs]).score for m in (BLEU(), CHRF())]
    seconds = time.perf_counter() - start
print(seconds, *scores)

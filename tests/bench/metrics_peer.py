"""metrics_peer.py PAIRS.jsonl bleu,chrf|rouge: seconds that sacrebleu or rouge-score take for these pairs,
without reading them, and their scores."""
import json
import sys
import time

rows = [json.loads(line) for line in open(sys.argv[1])]
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

"""make_metrics.py: what the reference programs score the pairs of metric_pairs.py.

    for n in usual intl char none labels chrf; do
        build/peers/python/bin/python tests/golden/make_metrics.py $n > tests/golden/metrics_$n.txt
    done

Made with sacrebleu 2.6.0 (regex 2026), rouge-score 0.1.2, nltk 3.10 and scikit-learn under Python 3.11.
em and f1 follow the definitions of the scripts evaluate-v1.1.py and evaluate-v2.0.py.
    OPTIONS name|options of ft-eval
    A name|metric|score of all
    B name|metric|sums of blocks of 20 pairs, in which pair k counts k + 1 times
So one wrong pair shows, and the files stay small. With a second argument each pair's scores are
printed as a JSON line.
"""
import json
import os
import re
import string
import sys
import unicodedata
from collections import Counter

from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from metric_pairs import labels, pairs  # noqa: E402

BLOCK = 20
ROUGES = ["rouge1", "rouge2", "rougeL", "rougeLsum"]
CONFIGS = {
    "usual": dict(options="", tok="13a", smooth="exp", lower=False, stem=False, unicode=False, squad=1),
    "intl": dict(options="--tok intl,unicode --smooth floor --lowercase --stem --squad 2", tok="intl",
                 smooth="floor", lower=True, stem=True, unicode=True, squad=2),
    "char": dict(options="--tok char --smooth add-k --stem", tok="char", smooth="add-k", lower=False,
                 stem=True, unicode=False, squad=1),
    "none": dict(options="--tok none,unicode --smooth none --lowercase --squad 2", tok="none",
                 smooth="none", lower=True, stem=False, unicode=True, squad=2),
}
# Settings of chrF and chrF++ alone.
CHRF_CONFIGS = {
    "orders": ("--chrf-char-order 4 --chrf-word-order 3 --chrf-beta 3 --chrf-whitespace --lowercase",
               dict(char_order=4, beta=3, whitespace=True, lowercase=True), 3),
    "long": ("--chrf-char-order 9 --chrf-beta 1", dict(char_order=9, beta=1), 0),
    "epsilon": ("--chrf-eps-smoothing --chrf-word-order 1", dict(eps_smoothing=True), 1),
}
ALONE = [(0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3005, 0x3005), (0x3007, 0x3007),
         (0x3040, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF),
         (0xFF66, 0xFF9D), (0x20000, 0x3FFFF)]


class UnicodeWords:
    """The words of --tok unicode, by unicodedata: letters, marks and numbers; scripts without spaces by
    the letter."""

    def __init__(self, stem):
        from nltk.stem import porter
        self.stemmer = porter.PorterStemmer() if stem else None

    def tokenize(self, text):
        words, was_alone, inside = [], False, False
        for c in text.lower():
            kind = unicodedata.category(c)[0]
            alone = kind == "L" and any(a <= ord(c) <= b for a, b in ALONE)
            if kind not in "LMN":
                inside = was_alone = False
                continue
            if not inside or alone or (was_alone and kind != "M"):
                words.append("")
            words[-1] += c
            inside = True
            if kind != "M":
                was_alone = alone
        if self.stemmer:
            words = [self.stemmer.stem(w) if len(w.encode()) > 3 and w.isascii() else w for w in words]
        return words


def normalised(s):
    s = "".join(c for c in s.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", s).split())


def squad(version, prediction, references):
    def f1(gold):
        a, b = normalised(prediction).split(), normalised(gold).split()
        if version == 2 and (not a or not b):
            return int(a == b)
        same = sum((Counter(a) & Counter(b)).values())
        if same == 0:
            return 0
        return 2 * (same / len(a)) * (same / len(b)) / (same / len(a) + same / len(b))
    if version == 2:
        references = [r for r in references if normalised(r)] or [""]
    return (100.0 * max(normalised(prediction) == normalised(r) for r in references),
            100.0 * max(f1(r) for r in references))


def score(config, data):
    """Per pair and of all: {metric: [values]}, {metric: value}."""
    c = config
    of_all = {"bleu": BLEU(tokenize=c["tok"], smooth_method=c["smooth"], lowercase=c["lower"]),
              "chrf": CHRF(lowercase=c["lower"]), "chrfpp": CHRF(word_order=2, lowercase=c["lower"])}
    single = dict(of_all, bleu=BLEU(tokenize=c["tok"], smooth_method=c["smooth"], lowercase=c["lower"],
                                    effective_order=True))
    words = UnicodeWords(c["stem"]) if c["unicode"] else None
    rouge = rouge_scorer.RougeScorer(ROUGES, use_stemmer=c["stem"], tokenizer=words)
    values = {m: [] for m in list(of_all) + ROUGES + ["em", "f1", "accuracy"]}
    for prediction, references in data:
        for m in of_all:
            values[m].append(single[m].sentence_score(prediction, references).score)
        best = rouge.score_multi(references, prediction)
        for m in ROUGES:
            values[m].append(float(best[m].fmeasure))
        em, f1 = squad(c["squad"], prediction, references)
        values["em"].append(em)
        values["f1"].append(f1)
        low = str.lower if c["lower"] else str
        values["accuracy"].append(float(low(prediction).strip() in [low(r).strip() for r in references]))
    n = max(len(r) for _, r in data)
    streams = [[r[k] if k < len(r) else None for _, r in data] for k in range(n)]
    hyps = [p for p, _ in data]
    total = {m: of_all[m].corpus_score(hyps, streams).score for m in of_all}
    for m in values:
        total.setdefault(m, sum(values[m]) / len(values[m]))
    return values, total


def print_chrf(data):
    n = max(len(r) for _, r in data)
    streams = [[r[k] if k < len(r) else None for _, r in data] for k in range(n)]
    for name, (options, how, words) in CHRF_CONFIGS.items():
        print(f"OPTIONS {name}|{options}")
        for m, order in (("chrf", words), ("chrfpp", 2)):
            metric = CHRF(word_order=order, **how)
            values = [metric.sentence_score(p, refs).score for p, refs in data]
            total = metric.corpus_score([p for p, _ in data], streams).score
            print_values(name, m, values, total)


def print_values(name, m, values, total):
    print(f"A {name}|{m}|{total!r}")
    sums = [sum((k + 1) * v for k, v in enumerate(values[at:at + BLOCK]))
            for at in range(0, len(values), BLOCK)]
    print(f"B {name}|{m}|{' '.join('%.13g' % x for x in sums)}")


def calibration(rows):
    brier, bins = 0.0, {}
    for row in rows:
        brier += sum((p - (name == row["reference"])) ** 2 for name, p in row["scores"].items())
        best = max(row["scores"], key=row["scores"].get)
        p = row["scores"][best]
        bins.setdefault(min(int(p * 15), 14), []).append((p, best == row["reference"]))
    ece = sum(abs(sum(p for p, _ in b) - sum(hit for _, hit in b)) for b in bins.values()) / len(rows)
    return ece, brier / len(rows)


def print_labels():
    rows = list(labels())
    p, r = [x["prediction"] for x in rows], [x["reference"] for x in rows]
    ece, brier = calibration(rows)
    for m, v in (("accuracy", accuracy_score(r, p)), ("macro_f1", f1_score(r, p, average="macro")),
                 ("micro_f1", f1_score(r, p, average="micro")), ("mcc", matthews_corrcoef(r, p)),
                 ("ece", ece), ("brier", brier)):
        print(f"A labels|{m}|{float(v)!r}")


def main():
    name = sys.argv[1]
    if name == "labels":
        print_labels()
        return
    data = []
    for record in pairs():
        refs = record["reference"]
        data.append((record["prediction"], refs if isinstance(refs, list) else [refs]))
    if name == "chrf":
        print_chrf(data)
        return
    values, total = score(CONFIGS[name], data)
    if len(sys.argv) > 2:
        for i in range(len(data)):
            print(json.dumps({m: values[m][i] for m in values}))
        return
    print(f"OPTIONS {name}|{CONFIGS[name]['options']}")
    for m in values:
        print_values(name, m, values[m], total[m])


if __name__ == "__main__":
    main()

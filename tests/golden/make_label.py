#!/usr/bin/env python3
"""Makes label.txt: what cleanlab 2.9 (numpy 2) finds in labels and probabilities that
tests/unit/data_confident.c can make again: make_label.py >label.txt

Weights are whole numbers from SplitMix64; a row's probabilities are its weights by their sum, so
each is one correctly rounded division and the same everywhere. Each set is asked twice, with
numpy's own argsort and with a stable one; the files hold the stable answer, and a comment says
whether the other is the same.
"""
import sys
import warnings

import cleanlab
import numpy as np
from cleanlab.filter import find_label_issues

warnings.filterwarnings("ignore")
MASK = (1 << 64) - 1


def splitmix(seed, i):
    z = (seed + (i + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def make(seed, n, K, present, skew, noise, boost):
    """n rows; classes below `present` occur; class k is skew times rarer than class k - 1; of 1000
    rows `noise` get another label; boost: the weight of being right, against 2^20."""
    labels, p = [], []
    shares = [max(1, 1000 // skew ** k) for k in range(present)]
    for i in range(n):
        at = i * (K + 8)
        pick, true = splitmix(seed, at) % sum(shares), 0
        while pick >= shares[true]:
            pick -= shares[true]
            true += 1
        given = true
        if splitmix(seed, at + 1) % 1000 < noise:
            given = splitmix(seed, at + 2) % present
        weights = [splitmix(seed, at + 8 + k) % (1 << 20) + 1 for k in range(K)]
        weights[true] += splitmix(seed, at + 3) % (boost << 20)
        labels.append(given)
        p.append([w / sum(weights) for w in weights])
    return np.array(labels), np.array(p)


plain_argsort = np.argsort


def stable_argsort(a, *args, **kwargs):
    return plain_argsort(a, kind="stable")


def ask(labels, p, rank):
    return find_label_issues(labels, p, return_indices_ranked_by=rank, n_jobs=1)


print(f"# make_label.py with cleanlab {cleanlab.__version__}, numpy {np.__version__}")
print("# set seed n K present skew noise boost; then for each ranking: name, count, rows in order")
for args in [(1, 900, 3, 3, 1, 150, 6), (2, 1500, 10, 10, 2, 120, 20), (3, 700, 6, 4, 3, 250, 8),
             (4, 60, 4, 4, 5, 200, 3), (5, 3000, 40, 37, 1, 80, 60), (6, 400, 2, 2, 8, 300, 2)]:
    labels, p = make(*args)
    print("set", *args)
    for name, rank in ("margin", "normalized_margin"), ("self", "self_confidence"):
        own = ask(labels, p, rank)
        np.argsort = stable_argsort
        stable = ask(labels, p, rank)
        np.argsort = plain_argsort
        same = np.array_equal(own, stable)
        counts = np.bincount(labels, minlength=args[2]).tolist()
        print(f"# rows of each class: {counts}; numpy's own argsort: "
              f"{'the same' if same else f'{len(set(own) ^ set(stable))} rows differ'}")
        print(name, len(stable), *stable)
        print(args, name, len(own), len(stable), same, file=sys.stderr)

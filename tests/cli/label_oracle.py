#!/usr/bin/python3
"""What ft-label must say, made without it.

label_oracle.py knn <ALL.json          neighbours' votes: rows that must be flagged, as "row winner"
label_oracle.py f1 <ALL.json           conflicting answers: "row with_row f1"
label_oracle.py z SCORES Z             rows of outliers by robust z-score
Texts are ASCII without odd white space, so their canonical form is lower case with single spaces.
"""
import collections
import json
import math
import re
import statistics
import sys

import xxhash


def canonical(text):
    return " ".join(text.lower().split())


def words(text):
    return re.findall(r"[a-z0-9]+", canonical(text))


def vectors(texts):
    bags = []
    for text in texts:
        w = words(text)
        terms = w + [a + " " + b for a, b in zip(w, w[1:])]
        bags.append(collections.Counter(xxhash.xxh3_64_intdigest(t.encode(), seed=1) % (1 << 20)
                                        for t in terms))
    df = collections.Counter(b for bag in bags for b in bag)
    result = []
    for bag in bags:
        v = {b: (1 + math.log(c)) * (1 + math.log((1 + len(bags)) / (1 + df[b])))
             for b, c in bag.items()}
        length = math.sqrt(sum(x * x for x in v.values()))
        result.append({b: x / length for b, x in v.items()})
    return result


def knn(rows):
    v = vectors([r["text"] for r in rows])
    for i, a in enumerate(v):
        near = []
        for k, b in enumerate(v):
            score = sum(x * b[t] for t, x in a.items() if t in b)
            if k != i and score > 0:
                near.append((-score, k))
        near.sort()
        near = [rows[k]["label"] for _, k in near[:10]]
        if len(near) < 5 or sum(x != rows[i]["label"] for x in near) / len(near) < 0.7:
            continue
        count = collections.Counter(near)
        winner = next(x for x in near if count[x] == max(count.values()))
        if winner != rows[i]["label"]:
            print(i + 1, winner)


def f1(rows):
    seen = collections.defaultdict(list)
    for i, r in enumerate(rows):
        mine = collections.Counter(words(r["completion"]))
        before = seen[canonical(r["prompt"])]
        scores = []
        for row, other in before:
            total = sum(mine.values()) + sum(other.values())
            scores.append((2 * sum((mine & other).values()) / total if total else 1, row))
        if scores and min(scores)[0] < 0.5:
            print(i + 1, min(scores)[1], repr(float(min(scores)[0])))
        before.append((i + 1, mine))


def outliers(path, z):
    losses = [json.loads(line)["loss"] for line in open(path)]
    known = [x for x in losses if x is not None]
    middle = statistics.median(known)
    mad = statistics.median(abs(x - middle) for x in known)
    for i, x in enumerate(losses):
        if x is not None and 0.6745 * (x - middle) / mad > z:
            print(i + 1)


if sys.argv[1] == "z":
    outliers(sys.argv[2], float(sys.argv[3]))
else:
    {"knn": knn, "f1": f1}[sys.argv[1]]([json.loads(line) for line in sys.stdin])

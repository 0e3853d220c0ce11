"""Words, different words and distinct-3 of the answers, as people count them in Python.

Texts are ASCII but for a few marks, which are no words here or there."""
import collections
import json
import math
import re
import sys

grams = [collections.Counter() for _ in range(4)]
for line in open(sys.argv[1]):
    words = re.findall(r"[a-z0-9]+", json.loads(line)["completion"].lower())
    for n in range(4):
        grams[n].update(zip(*(words[i:] for i in range(n + 1))))
totals = [sum(g.values()) for g in grams]
for g, total in zip(grams, totals):
    entropy = -sum(c / total * math.log2(c / total) for c in g.values())
print(json.dumps([totals[0], len(grams[0]), round(len(grams[2]) / totals[2] * 1e9)],
                 separators=(",", ":")))

"""shots_oracle.py POOL K < QUESTIONS: BM25 by its formula, over ASCII words. Prints for each question
(JSON lines from ft-cat) the ids of its shots, the nearest last, and its text with them."""
import json
import math
import re
import sys
from collections import Counter

pool = [json.loads(line) for line in open(sys.argv[1])]
k = int(sys.argv[2])


def question(r):
    if "messages" in r:
        return "\n".join(m["content"] for m in r["messages"] if m["role"] == "user")
    return r["prompt"]


def words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


bags = [Counter(words(question(r))) for r in pool]
n = len(pool)
mean = sum(sum(b.values()) for b in bags) / n
df = Counter(w for b in bags for w in b)


def score(q, b):
    s = 0
    for w, times in q.items():
        if w in b:
            idf = math.log(1 + (n - df[w] + 0.5) / (df[w] + 0.5))
            norm = 1.2 * (1 - 0.75 + 0.75 * sum(b.values()) / mean)
            s += times * idf * b[w] * 2.2 / (b[w] + norm)
    return s


def same(a, b):
    return " ".join(question(a).lower().split()) == " ".join(question(b).lower().split())


def turns(r):
    if "messages" in r:
        return [m for m in r["messages"] if m["role"] != "system"]
    return [{"role": "user", "content": r["prompt"]},
            {"role": "assistant", "content": r["completion"]}]


for line in sys.stdin:
    r = json.loads(line)
    q = Counter(words(question(r)))
    near = [(-score(q, b), i) for i, b in enumerate(bags) if score(q, b) > 0]
    near = [pool[i] for s, i in sorted(near) if not same(pool[i], r)][:k][::-1]
    if "messages" in r:
        head = [m for m in r["messages"] if m["role"] == "system"]
        rest = [m for m in r["messages"] if m["role"] != "system"]
        r["messages"] = head + [t for s in near for t in turns(s)] + rest
    else:
        r["prompt"] = "".join(s["prompt"] + s["completion"] + "\n\n" for s in near) + r["prompt"]
    r["shots"] = [s["id"] for s in near]
    print(json.dumps(r, sort_keys=True))

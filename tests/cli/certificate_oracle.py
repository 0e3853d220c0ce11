#!/usr/bin/python3
"""The oracle of certificates.sh: where each example belongs, worked out by brute force from what
ft-split(1) says.

  make SEED N               prints N examples as JSON lines: repeated prompts, answers, clusters, sites,
                            authors, labels, augmented ones
  parts CONFIG PREFIX <ALL  writes what belongs into PREFIX0, PREFIX1, … and prints what the last line must
                            say as "KEY VALUE" lines. CONFIG: JSON of ratio, seed, groups, over
                            [prompt, response], stratify, previous (list of files)
  apart CONFIG FILE...      fails when two files share a key that is not common
  ratios FIELD RATIO FILE...  fails when a value of FIELD misses a share by an example or more

Files hold records as ft_decode.py prints them.
"""
import json
import random
import sys
from collections import Counter, defaultdict
from fractions import Fraction

import msgpack
import xxhash

PROMPT, RESPONSE, CLUSTER, GROUP = range(4)
RANK = [2, 3, 1, 0]                    # a component is named by its smallest group, cluster, prompt


def h(data):
    return xxhash.xxh3_128_digest(data)


def make(seed, n):
    rng = random.Random(seed)
    for i in range(n):
        prompt = f"question {rng.randrange(3 * n)}"
        answer = rng.choice(["yes", "no", "", f"answer {rng.randrange(n)}", f"answer {i} of many",
                             f"reply {i}", f"word {i}"])
        kind = rng.randrange(8)
        if kind < 3:
            r = {"messages": [{"role": "system", "content": "Be kind."},
                              {"role": "user", "content": prompt},
                              {"role": "assistant", "content": answer.upper()}]}
        elif kind < 6:
            r = {"prompt": rng.choice([prompt, f" {prompt} ", ""]) if kind == 5 else prompt,
                 "completion": answer}
        elif kind == 6:
            r = {"text": f"text {rng.randrange(n)}"}
        else:
            r = {"prediction": answer, "reference": f"reference {rng.randrange(n)}"}
            if rng.random() < 0.5:
                r["prompt"] = prompt
        if rng.random() < 0.3:
            r["cluster"] = f"{rng.randrange(n):016x}"
        if rng.random() < 0.3:
            r["site"] = rng.randrange(n // 2)
        if rng.random() < 0.3:
            r["author"] = rng.choice([None, rng.randrange(n // 2), f"a{rng.randrange(n)}"])
        if rng.random() < 0.9:
            r["label"] = rng.choice("aaaaaabbbc")
        if rng.random() < 0.05:
            r["aug"] = "typo"
        print(json.dumps({"id": i, **r}))


def normal(text):
    return " ".join(text.lower().split()).encode()


def texts(r):
    """prompt (None: there is none), response, whole."""
    if "messages" in r:
        turns = [(m["role"], m["content"]) for m in r["messages"]]
        of = {who: "\n".join(c for w, c in turns if w == who) for who in ("user", "assistant")}
        whole = b"".join(normal(x) + b"\xff" for turn in turns for x in turn)
        return normal(of["user"]), normal(of["assistant"]), whole
    if "completion" in r:
        p, c = normal(r["prompt"]), normal(r["completion"])
        return p, c, p + b"\xff" + c
    if "text" in r:
        return normal(r["text"]), normal(r["text"]), normal(r["text"])
    p = normal(r["prompt"]) if "prompt" in r else None
    whole = (p or b"") + normal(r["prediction"]) + b"\xff" + normal(r["reference"])
    return p, normal(r["prediction"]), whole


def value(salt, v):
    return h(b"\xff" + salt.encode() + b"\xff" + msgpack.packb(v, use_bin_type=True))


def keys_of(r, groups):
    """(kind, digest) of each key, the prompt first."""
    prompt, response, whole = texts(r)
    keys = [(PROMPT, h(prompt) if prompt else h(b"\xffall\xff" + h(whole)))]
    if response and "text" not in r:
        keys.append((RESPONSE, h(b"\xffresponse\xff" + h(response))))
    if r.get("cluster") is not None:
        keys.append((CLUSTER, value("cluster", r["cluster"])))
    for i, field in enumerate(groups):
        if r.get(field) is not None:
            keys.append((GROUP, value(f"group:{field}" if i else "group", r[field])))
    return keys


def find_common(rows, over):
    """The prompts and responses that more than a limit of groups have."""
    seen, examples = defaultdict(set), Counter()
    for keys in rows:
        by = dict(reversed(keys))             # of several groups the first
        for kind in (PROMPT, RESPONSE):
            if kind in by:
                seen[kind, by[kind]].add(by.get(GROUP, by.get(1 - kind)))
                examples[kind, by[kind]] += 1
    return {key for key, groups in seen.items() if over[key[0]] and len(groups) > over[key[0]]}


def tied(rows, common):
    """What ties each example; of one with common keys alone, prompt and response together."""
    for keys in rows:
        left = [key for key in keys if key not in common]
        by = dict(keys)
        yield left or [(PROMPT, h(by[PROMPT] + by.get(RESPONSE, bytes(16))))]


def components(rows):
    """Lists of row numbers, by walking from example to example."""
    having, done = defaultdict(list), set()
    for i, keys in enumerate(rows):
        for key in keys:
            having[key].append(i)
    for i in range(len(rows)):
        if i in done:
            continue
        done.add(i)
        todo, members = [i], []
        while todo:
            at = todo.pop()
            members.append(at)
            for key in rows[at]:
                for other in having[key]:
                    if other not in done:
                        done.add(other)
                        todo.append(other)
        yield sorted(members)


def most(counted, order):
    best = max(counted.values())
    return min((v for v, n in counted.items() if n == best), key=order)


def deal(records, config):
    """The part of each example, and the number of components, of common texts, of matched rows."""
    shares = [Fraction(x) for x in config["ratio"].split(",")]
    total, n = sum(shares), len(records)
    rows = [keys_of(r, config["groups"]) for r in records]
    common = find_common(rows, config["over"])
    ties = list(tied(rows, common))
    before = {}
    for i, name in enumerate(config["previous"]):
        for r in read(name):
            before.setdefault(texts(r)[:2], i)
    was = [before.get(texts(r)[:2]) for r in records]
    side, strata, found = [None] * n, defaultdict(list), list(components(ties))
    for members in found:
        key = min((RANK[kind], digest) for i in members for kind, digest in ties[i])[1]
        big = len(members) > 1 and 5 * len(members) > n * min(shares) / total
        spot = xxhash.xxh3_64_intdigest(key, config["seed"])
        if not config["stratify"]:
            at = (spot >> 11) * Fraction(1, 2 ** 53) * total
            part = 0 if big else next(k for k in range(len(shares)) if at < sum(shares[:k + 1]))
            for i in members:
                side[i] = part
            continue
        labels = [records[i].get(config["stratify"]) for i in members]
        marks = Counter(bytes(16) if v is None else value("stratum", v) for v in labels)
        earlier = Counter(was[i] for i in members if was[i] is not None)
        pin = most(earlier, int) if earlier else 0 if big else None
        strata[most(marks, bytes)].append((spot, key, members, pin))
    for group in strata.values():
        want = [sum(len(m) for _, _, m, _ in group) * s / total for s in shares]
        free = []
        for _, _, members, pin in sorted(group):
            if pin is None:
                free.append(members)
                continue
            want[pin] -= len(members)
            for i in members:
                side[i] = pin
        want = [max(w, 0) for w in want]
        rest, at = sum(map(len, free)), 0
        room = sum(want)
        for members in free:
            middle = at + Fraction(len(members), 2)
            at += len(members)
            part = next((k for k in range(len(want)) if middle * room < sum(want[:k + 1]) * rest),
                        len(want) - 1)
            for i in members:
                side[i] = part
    return side, len(found), len(common), was, len(strata)


def read(name):
    with open(name) as file:
        return [json.loads(line) for line in file]


def parts(config, prefix):
    config = json.loads(config)
    lines = sys.stdin.readlines()
    records = [json.loads(line) for line in lines]
    side, n, common, was, strata = deal(records, config)
    files = [open(f"{prefix}{i}", "w") for i in range(len(config["ratio"].split(",")))]
    moved = previous = dropped = 0
    for i, line in enumerate(lines):
        if records[i].get("aug") is not None and side[i]:
            dropped += 1
            continue
        files[side[i]].write(line)
        if was[i] is not None:
            previous += 1
            moved += was[i] != side[i]
    print(f"components {n}\ncommon {common}")
    if config["stratify"]:
        print(f"strata {strata}")
    if config["previous"]:
        print(f"previous {previous}\nmoved {moved}")
    if dropped:
        print(f"dropped {dropped}")


def apart(config, *names):
    config = json.loads(config)
    rows = [(name, keys_of(r, config["groups"])) for name in names for r in read(name)]
    common, where = find_common([keys for _, keys in rows], config["over"]), {}
    for (name, _), keys in zip(rows, tied([keys for _, keys in rows], common)):
        for key in keys:
            if where.setdefault(key, name) != name:
                sys.exit(f"{where[key]} and {name} share {key}")


def ratios(field, ratio, *names):
    shares = [Fraction(x) for x in ratio.split(",")]
    counts = [Counter(r.get(field) for r in read(name)) for name in names]
    for v, n in sum(counts, Counter()).items():
        for share, c in zip(shares, counts):
            if abs(c[v] - n * share / sum(shares)) >= 1:
                sys.exit(f"{v}: {c[v]} of {n}")


if __name__ == "__main__":
    what, *args = sys.argv[1:]
    if what == "make":
        make(*map(int, args))
    else:
        {"parts": parts, "apart": apart, "ratios": ratios}[what](*args)

#!/usr/bin/python3
"""The oracle of split.sh.

  make SEED N [FIRST]      prints N examples as JSON lines, with ids from FIRST
  parts FIELD SEED RATIO PREFIX <ALL   writes what belongs into PREFIX0, PREFIX1, … (FIELD "-": no
                           group); components found by spreading labels until nothing changes
  apart FIELD FILE...      fails when two files share a prompt or a group
  whole ALL FILE...        fails when the files are not ALL, each in ALL's order
  stay OLD... : NEW...     fails when an example of OLD is in another file of NEW

Files hold records as ft_decode.py prints them.
"""
import json
import random
import sys

import msgpack
import xxhash


def make(seed, n, first=0):
    rng = random.Random(seed)
    for i in range(first, first + n):
        text = f"question {rng.randrange(2 * n)} of {first}"
        text = rng.choice([text, text.upper(), f"  {text}\n", text.replace(" ", "\t")])
        r = {"id": i}
        if rng.random() < 0.5:
            turns = [("system", str(i)), ("user", text), ("assistant", str(i % 7))]
            r["messages"] = [{"role": who, "content": what} for who, what in turns]
        else:
            r.update(prompt=text, completion=str(i % 5))
        kind = rng.randrange(6)
        if kind < 4:
            site = rng.randrange(n // 2) + first
            r["site"] = [site, f"s{site}", -1 - site, 0.5 + site][kind]
        elif kind == 4:
            r["site"] = None
        print(json.dumps(r))


def prompt_key(r):
    turns = [m["content"] for m in r.get("messages", []) if m["role"] == "user"]
    text = "\n".join(turns) if "messages" in r else r["prompt"]
    return xxhash.xxh3_128_digest(" ".join(text.lower().split()))


def group_key(r, field):
    if r.get(field) is None:
        return None
    return xxhash.xxh3_128_digest(b"\xffgroup\xff" + msgpack.packb(r[field], use_bin_type=True))


def labels(keys):
    """For each example the smallest number of one it is tied to."""
    label, changed = list(range(len(keys))), True
    while changed:
        least = {}
        for i, own in enumerate(keys):
            for k in filter(None, own):
                least[k] = min(least.get(k, i), label[i])
        new = [min(least[k] for k in filter(None, own)) for own in keys]
        changed, label = new != label, new
    return label


def parts(field, seed, ratio, prefix):
    lines = sys.stdin.readlines()
    records = [json.loads(line) for line in lines]
    keys = [(prompt_key(r), group_key(r, field)) for r in records]
    label = labels(keys)
    members = {}
    for i, own in enumerate(label):
        members.setdefault(own, []).append(i)
    shares = [float(x) for x in ratio.split(",")]
    files = [open(f"{prefix}{i}", "w") for i in range(len(shares))]
    for i, line in enumerate(lines):
        tied = members[label[i]]
        groups = [keys[k][1] for k in tied if keys[k][1]]
        key = min(groups or [keys[k][0] for k in tied])
        side, at = 0, xxhash.xxh3_64_intdigest(key, int(seed)) / 2**64 * sum(shares)
        while side + 1 < len(shares) and at >= sum(shares[:side + 1]):
            side += 1
        if len(tied) > 1 and len(tied) > len(lines) * min(shares) / sum(shares) / 5:
            side = 0
        files[side].write(line)


def read(name):
    with open(name) as file:
        return file.readlines()


def apart(field, *names):
    where = {}
    for name in names:
        for r in map(json.loads, read(name)):
            for key in filter(None, (prompt_key(r), group_key(r, field))):
                if where.setdefault(key, name) != name:
                    sys.exit(f"{where[key]} and {name} share something with {r}")


def whole(everything, *names):
    rest = [read(name) for name in names]
    for line in read(everything):
        for lines in rest:
            if lines and lines[0] == line:
                lines.pop(0)
                break
        else:
            sys.exit(f"not where it is due: {line}")
    if any(rest):
        sys.exit("more than there was")


def stay(*names):
    at = names.index(":")
    for old, new in zip(names[:at], names[at + 1:]):
        missing = set(read(old)) - set(read(new))
        if missing or not read(old):
            sys.exit(f"from {old}, not in {new}: {missing}")


def main(what, *args):
    if what == "make":
        make(*map(int, args))
    else:
        {"parts": parts, "apart": apart, "whole": whole, "stay": stay}[what](*args)


main(*sys.argv[1:])

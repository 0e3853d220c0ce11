#!/usr/bin/python3
"""The oracle of pack.sh.

  make SEED N SHORTEST LONGEST    writes a stream of kind tokens with N examples, made without ft
  rows [options of ft-pack] <TOKENS.json    prints the rows that ft-pack must write, from what
                                  ft_decode.py prints of its input, then a line with the counts
"""
import argparse
import json
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden"))
from make_stream import digest, node, pack, stream  # noqa: E402

BATCH = 65536


def as_tokens(header, trailer):
    """Turns a stream of kind text into one of kind tokens."""
    header.update(kind="tokens", tokenizer=b"T" * 16, template=b"C" * 16)
    trailer["header"] = digest(pack(header))
    trailer["history"][-1] = node({**trailer["history"][-1][1], "kind": "tokens"})


def mask_bytes(bits):
    return bytes(sum(b << i for i, b in enumerate(bits[at:at + 8]))
                 for at in range(0, len(bits), 8))


def make(seed, n, shortest, longest):
    rng = random.Random(seed)
    records = []
    for i in range(n):
        length = rng.randint(shortest, longest)
        first = rng.choice([0, 1, length // 2, length - 1])
        bits = [int(k > 0 and k >= first and rng.random() < 0.9) for k in range(length)]
        r = {"id": rng.choice([i, f"n{i}"]),
             "ids": b"".join(rng.randrange(2**32).to_bytes(4, "little") for _ in bits),
             "mask": mask_bytes(bits)}
        if i % 3 == 0:
            r["group"] = f"g{i % 5}"
        if i % 4 == 0:
            r["weight"] = rng.choice([0.5, 2])
        if i % 7 == 0:
            r["label"] = [None, {"deep": i}]
        records.append(r)
    sys.stdout.buffer.write(stream(records, list(range(0, n, 2000)), notes=as_tokens))


def segment(record, bits, start, end, seen):
    """Tokens [start, end) of an example, or None when no target is left."""
    kept = [b if k >= max(seen, 1) else 0 for k, b in enumerate(bits[start:end])]
    if not any(kept):
        return None
    ids = record["ids"]["$bin"][8 * start:8 * end]
    return {**record, "length": end - start, "ids": {"$bin": ids},
            "mask": {"$bin": mask_bytes(kept).hex()}}


def segments(record, o, counts):
    """What becomes of one example."""
    raw = bytes.fromhex(record["mask"]["$bin"])
    n = len(record["ids"]["$bin"]) // 8
    bits = [raw[k // 8] >> k % 8 & 1 for k in range(n)]
    if not o.length or n <= o.length:
        return [segment(record, bits, 0, n, 0)]
    if o.long == "cut":
        return [segment(record, bits, 0, o.length, 0)]
    if o.long == "drop":
        counts["too long"] = counts.get("too long", 0) + 1
        return []
    # The targets lie behind the context: this many of them belong to each window.
    if o.no_overlap:
        starts = range(0, n, o.length)
    else:
        starts = [t - o.context for t in range(o.context, n, o.length - o.context)]
    counts["created"] += len(starts) - 1
    return [segment(record, bits, s, min(s + o.length, n), o.context) for s in starts]


def best_fit(items, capacity):
    """Best-fit decreasing by looking at every room that might do."""
    rows, having = [], [[] for _ in range(capacity + 1)]
    for item in sorted(items, key=lambda s: -s["length"]):
        room = next((r for r in range(item["length"], capacity + 1) if having[r]), None)
        if room is None:
            rows.append([])
            row, room = rows[-1], capacity
        else:
            row = having[room].pop()
        row.append(item)
        having[room - item["length"]].append(row)
    return rows


def rows_of(args):
    p = argparse.ArgumentParser()
    p.add_argument("-l", dest="length", type=int, default=0)
    p.add_argument("--no-pack", action="store_true")
    p.add_argument("--long")
    p.add_argument("--context", type=int, default=0)
    p.add_argument("--no-overlap", action="store_true")
    o = p.parse_args(args)
    counts, items = {"read": 0, "created": 0, "written": 0}, []
    for line in sys.stdin:
        counts["read"] += 1
        for s in segments(json.loads(line), o, counts):
            if s is None:
                counts["no target"] = counts.get("no target", 0) + 1
            else:
                items.append(s)
    counts["written"] = len(items)
    for at in range(0, len(items), BATCH):
        part = items[at:at + BATCH]
        for row in [[s] for s in part] if o.no_pack else best_fit(part, o.length):
            print(json.dumps({"segments": row}, sort_keys=True))
    print(json.dumps(counts, sort_keys=True))


def main(what, *args):
    if what == "make":
        make(*map(int, args))
    else:
        rows_of(args)


main(*sys.argv[1:])

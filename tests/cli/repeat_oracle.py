#!/usr/bin/python3
"""The oracle of dedup_substring.sh. `make` prints examples as JSON lines, with passages that come
again: whole, in part, in a row, across characters of several bytes. `cut KEY MIN KEEP HOW BLOCK`
prints those of standard input (as ft_decode.py prints them) after every run of MIN bytes was looked
up in a dictionary of all runs before it; at the end, on standard error, what was counted.
"""
import json
import random
import re
import sys

SENTENCE = re.compile(rb"""(?:[.!?]|\xe2\x80\xa6)(?:["')\]}]|\xe2\x80\x9d|\xe2\x80\x99|\xc2\xbb)*"""
                      rb"[ \t-\r]+$")
WHITE = b" \t\n\v\f\r"


def ends_sentence(text, at):
    if at in (0, len(text)) or text[at - 1:at] == b"\n":
        return True
    if text[at - 3:at] in (b"\xe3\x80\x82", b"\xef\xbc\x81", b"\xef\xbc\x9f"):
        return True
    return text[at] not in WHITE and bool(SENTENCE.search(text[:at]))


def is_whole(text, at):
    return at in (0, len(text)) or text[at] & 0xc0 != 0x80


def texts_of(r, key):
    """[(holder, field)] of the texts that are looked at."""
    if "messages" in r:
        role = {"prompt": ["user"], "response": ["assistant"], "all": ["user", "assistant"]}[key]
        return [(t, "content") for t in r["messages"] if t["role"] in role]
    if "text" in r:
        return [(r, "text")]
    return [(r, f) for f in r if f in {"prompt": ["prompt"], "response": ["completion"],
                                       "all": ["prompt", "completion"]}[key]]


def cut_block(block, least, keep, how, count):
    """block: [(record, [(holder, field, bytes)])]. Yields what is left of each record."""
    seen, at = {}, 0
    for record, places in block:
        changed = emptied = False
        for holder, field, text in places:
            gone = bytearray(len(text))
            for i in range(len(text) - least + 1):
                kept = seen.setdefault(text[i:i + least], [0, 0])
                if kept[0] < keep:
                    if kept[0] == 0 or at + i >= kept[1] + least:
                        kept[:] = [kept[0] + 1, at + i]
                else:
                    for k in range(max(at + i, kept[1] + least) - at, i + least):
                        gone[k] = 1
            at += len(text)
            left, i, last = b"", 0, 0
            while i < len(text):
                if not gone[i]:
                    i += 1
                    continue
                a = i
                while i < len(text) and gone[i]:
                    i += 1
                b, fits = i, ends_sentence if how == "sentence" else is_whole
                while a < b and not fits(text, a):
                    a += 1
                while b > a and not fits(text, b):
                    b -= 1
                if a < b:
                    left, last = left + text[last:a], b
            left += text[last:]
            if how == "sentence" and last == len(text) and text:
                left = left.rstrip(WHITE)
            count["cut_bytes"] += len(text) - len(left)
            changed |= left != text
            emptied |= bool(text.strip(WHITE)) and not left.strip(WHITE) and left != text
            holder[field] = left.decode()
        if emptied:
            count["emptied"] += 1
            continue
        count["cut_rows"] += changed
        yield record


def cut(key, least, keep, how, limit):
    count = {"cut_bytes": 0, "cut_rows": 0, "emptied": 0, "blocks": 0}
    block, size = [], 0

    def flush():
        count["blocks"] += bool(block)
        for record in cut_block(block, least, keep, how, count):
            print(json.dumps(record, ensure_ascii=False))

    for line in sys.stdin:
        r = json.loads(line)
        places = [(h, f, h[f].encode()) for h, f in texts_of(r, key)]
        places = [p for p in places if len(p[2]) >= least]
        n = sum(len(p[2]) for p in places)
        if size and size + n > limit:
            flush()
            block, size = [], 0
        block.append((r, places))
        size += n
    flush()
    print(json.dumps(count), file=sys.stderr)


def make(rows):
    rng = random.Random(3)
    letters = "abcdeiou\u00e9\u00f6\u4e2d\u6587"
    vocabulary = ["".join(rng.choice(letters) for _ in range(rng.randint(1, 8)))
                  for _ in range(300)]
    ends = [". ", ". ", "! ", "?\" ", ".\n", "\n\n", "\u3002", ", ", " ", "\u2026) "]

    def sentence(n):
        return " ".join(rng.choice(vocabulary) for _ in range(n)) + rng.choice(ends)

    passages = ["".join(sentence(rng.randint(3, 12)) for _ in range(rng.randint(1, 6)))
                for _ in range(25)]

    def text():
        out = ""
        for _ in range(rng.randint(0, 4)):
            kind = rng.randrange(8)
            p = rng.choice(passages)
            if kind < 3:
                out += p
            elif kind == 3:
                at = rng.randrange(len(p))
                out += p[at:at + rng.randint(5, 200)]
            elif kind == 4:
                out += p * 2
            elif kind == 5:
                out += rng.choice(["-", "ab", "\u00e9", "0, "]) * rng.randint(10, 150)
            else:
                out += sentence(rng.randint(3, 25))
        return out

    for i in range(rows):
        kind = i % 3
        if kind == 0:
            r = {"prompt": text(), "completion": text()}
        elif kind == 1:
            r = {"text": text()}
        else:
            roles = ["system", "user", "assistant", "user", "assistant"][rng.randrange(2):]
            r = {"messages": [{"role": w, "content": text(), "n": i} for w in roles]}
        print(json.dumps({"id": i, **r, "extra": [i % 3, None]}))


if sys.argv[1] == "make":
    make(int(sys.argv[2]))
else:
    cut(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], int(sys.argv[6]))

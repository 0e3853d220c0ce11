#!/usr/bin/python3
"""The oracle of dedup_substring.sh. `make` prints examples as JSON lines, with passages that come
again: whole, in part, in a row, across characters of several bytes. `cut KEY MIN KEEP HOW` prints
those of standard input (as ft_decode.py prints them) after every run of MIN bytes was looked up in
a dictionary of all runs before it; at the end, on standard error, what was counted.
`top KEY MIN MOST` prints the report of at most so many passages.
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


def looked_at(key, least):
    """[(record, [(holder, field, bytes)])] of standard input."""
    block = []
    for line in sys.stdin:
        r = json.loads(line)
        places = [(h, f, h[f].encode()) for h, f in texts_of(r, key)]
        block.append((r, [p for p in places if len(p[2]) >= least]))
    return block


def cut(key, least, keep, how):
    count = {"cut_bytes": 0, "cut_rows": 0, "emptied": 0}
    for record in cut_block(looked_at(key, least), least, keep, how, count):
        print(json.dumps(record, ensure_ascii=False))
    print(json.dumps(count), file=sys.stderr)


def trim(text):
    """Without what is no whole character at both ends."""
    while text and text[0] & 0xc0 == 0x80:
        text = text[1:]
    while True:
        try:
            return text.decode()
        except UnicodeDecodeError:
            text = text[:-1]


def top(key, least, most):
    """The report: longest passages of equally frequent runs, by the bytes they take; without those
    that share half of the different 16-byte runs of the shorter with one before."""
    count, first, at = {}, {}, 0
    whole = b"".join(t + b"\0" for _, places in looked_at(key, least) for _, _, t in places)
    for text in whole.split(b"\0")[:-1]:
        for i in range(len(text) - least + 1):
            run = text[i:i + least]
            count[run] = count.get(run, 0) + 1
            first.setdefault(run, at + i)
        at += len(text) + 1
    passages = []
    for run in sorted((r for r in count if count[r] > 1), key=first.get):
        p = passages[-1] if passages else None
        if p and p[1] == count[run] and first[run] == p[0] + p[2] - least + 1:
            p[2] += 1
        else:
            passages.append([first[run], count[run], least])
    shown = []
    for at, n, length in sorted(passages, key=lambda p: (-(p[1] - 1) * p[2], p[0])):
        text = whole[at:at + length]
        grams = {text[i:i + 16] for i in range(min(length, 4096) - 15)}
        if len(shown) == most:
            break
        if any(2 * len(grams & s) >= min(len(grams), len(s)) for s in shown):
            continue
        shown.append(grams)
        print(json.dumps({"count": n, "length": length, "bytes": (n - 1) * length,
                          "text": trim(text[:1000])}))


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
elif sys.argv[1] == "cut":
    cut(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
else:
    top(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))

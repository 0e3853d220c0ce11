#!/usr/bin/python3
"""The oracle of dedup_against.sh. `make DIR` writes DIR/train.jsonl, DIR/a.jsonl and DIR/b.jsonl:
evaluation items, and examples in which some of them were hidden whole, wrapped anew, in parts, or
as good as. `find TRAIN SETS [N SPAN SURE SHARE OFTEN MIN]` compares every item with every example,
word by word, and prints what leaks as JSON lines, as ft-dedup --against --report does.
"""
import json
import random
import sys
import unicodedata

UNSPACED = [(0x0e00, 0x0eff), (0x1000, 0x109f), (0x1780, 0x17ff), (0x3005, 0x3007),
            (0x3040, 0x30ff), (0x3400, 0x4dbf), (0x4e00, 0x9fff), (0xf900, 0xfaff),
            (0x20000, 0x3ffff)]


def canonical(text):
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    return " ".join(folded.split())


def words(text):
    out = [""]
    for c in canonical(text):
        if unicodedata.category(c)[0] not in "LMN":
            out.append("")
        elif any(a <= ord(c) <= b for a, b in UNSPACED):
            out += [c, ""]
        else:
            out[-1] += c
    return [w for w in out if w]


def pieces(r):
    """[(kind, text)] in the order of the record."""
    if "messages" in r:
        kinds = {"user": "question", "assistant": "answer"}
        return [(kinds.get(t["role"], "other"), t["content"]) for t in r["messages"]]
    if "completion" in r:
        return [("question", r["prompt"]), ("answer", r["completion"])]
    return [("text", r["text"])]


def item_of(r):
    p = pieces(r)
    questions = [t for k, t in p if k in ("question", "text")]
    return {"words": [w for t in questions for w in words(t)],
            "question": canonical("\n".join(questions)), "text": questions[0],
            "answers": [canonical("\n".join(t for k, t in p if k == "answer"))]
            if any(k == "answer" for k, _ in p) else []}


def has_short(item, r):
    """Whether the example has a whole short item with its answer."""
    p = [(k, canonical(t)) for k, t in pieces(r)]
    questions = [t for k, t in p if k in ("question", "text")]
    if not item["question"]:
        return False
    if not item["answers"]:
        return item["question"] in questions
    for answer in item["answers"]:
        for i, (kind, text) in enumerate(p):
            if kind == "answer" and text == answer:
                asked = [t for k, t in p[:i] if k == "question"]
                if asked and asked[-1] == item["question"]:
                    return True
        asked = [t for k, t in p if k == "question"]
        if len(asked) > 1 and " ".join(asked) == item["question"] and \
                " ".join(t for k, t in p if k == "answer") == answer:
            return True
        if answer and canonical(item["question"] + " " + answer) in questions:
            return True
    return False


def runs(tokens, n):
    return [tuple(tokens[i:i + n]) for i in range(len(tokens) - n + 1)]


def compare(item, row, n, often):
    """(span, from, share): by looking at every pair of places."""
    places = {}
    for i, run in enumerate(runs(row, n)):
        if run not in often:
            places.setdefault(run, []).append(i)
    pairs, covered = set(), set()
    for k, run in enumerate(runs(item, n)):
        for i in places.get(run, []):
            pairs.add((i, k))
            covered.update(range(k, k + n))
    best, at = 0, 0
    for i, k in sorted(pairs):
        if (i - 1, k - 1) in pairs:
            continue
        length = n
        while (i + length - n + 1, k + length - n + 1) in pairs:
            length += 1
        if length > best:
            best, at = length, i
    return best, at, len(covered) / len(item) if item else 0.0


def find(train, sets, n=8, span=8, sure=13, share=0.5, often=0.001, least=20):
    rows = [json.loads(line) for line in open(train)]
    tokens = [[w for _, t in pieces(r) for w in words(t)] for r in rows]
    items = []
    for name in sets.split(","):
        for i, line in enumerate(open(name)):
            r = json.loads(line)
            items.append((name.replace(".jsonl", ".ft"), r.get("id", i + 1), item_of(r)))
    known = {run for _, _, it in items for run in runs(it["words"], n)}
    count = {}
    for t in tokens:
        for run in set(runs(t, n)) & known:
            count[run] = count.get(run, 0) + 1
    limit = max(int(often * len(rows)), least)
    common = {run for run, c in count.items() if c > limit} if often < 1 else set()
    for number, (r, t) in enumerate(zip(rows, tokens), 1):
        have = set(runs(t, n))
        for name, ident, it in items:
            hit = {"id": r["id"], "row": number, "set": name, "item": ident}
            if len(it["words"]) < n:
                if has_short(it, r):
                    hit.update(span=len(it["words"]), share=1.0, text=it["text"])
                    print(json.dumps(hit))
                continue
            if have.isdisjoint(runs(it["words"], n)):
                continue
            best, at, part = compare(it["words"], t, n, common)
            if best >= span and (part >= share or best >= sure):
                hit.update(span=best, share=part, text=" ".join(t[at:at + best]))
                print(json.dumps(hit))


# ---- data ----

BOILER = "please answer the following question by choosing one of the options below"


def make(folder):
    rng = random.Random(11)
    vocabulary = ["".join(rng.choice("aeioubdkmnrst") for _ in range(rng.randint(2, 7)))
                  for _ in range(900)] + ["\u00e9t\u00e9", "Stra\u00dfe", "don't", "42", "x_1"]

    def text(n):
        return " ".join(rng.choice(vocabulary) for _ in range(n))

    def wrapped(t):
        """The same words in other lines, case, punctuation and spelling of accents."""
        out = []
        for i, w in enumerate(t.split(" ")):
            w = rng.choice([str.upper, str.lower, str.title, str])(w)
            out.append(rng.choice(["", "", "\"", "("]) + w + rng.choice(["", "", ",", ".", "!)"]))
            out.append("\n" if i % 4 == 3 else rng.choice([" ", "  ", "\t"]))
        return unicodedata.normalize(rng.choice(["NFC", "NFD"]), "".join(out))

    han = [chr(c) for c in range(0x4e00, 0x4e60)]
    long_items, short_items = [], []
    for i in range(40):
        t = text(rng.randint(8, 60))
        if i % 4 == 0:
            t = BOILER + ": " + t
        if i % 10 == 9:
            t = "".join(rng.choice(han) for _ in range(20))
        long_items.append({"id": "long-%d" % i, "prompt": t, "completion": text(3)})
    for i in range(30):
        r = {"id": i, "prompt": text(rng.randint(1, 7)),
             "completion": rng.choice(["ls -l", text(2)])}
        if i % 3 == 1:
            r = {"id": i, "messages": [{"role": "user", "content": r["prompt"]},
                                       {"role": "assistant", "content": r["completion"]}]}
        if i % 10 == 9:
            r = {"id": i, "text": text(5)}
        short_items.append(r)
    short_items.append({"messages": [{"role": "user", "content": "say a"},
                                     {"role": "assistant", "content": "a"},
                                     {"role": "user", "content": "and b"},
                                     {"role": "assistant", "content": "b"}]})

    def row(question, answer):
        shape = rng.randrange(3)
        if shape == 0:
            return {"prompt": question, "completion": answer}
        if shape == 1:
            return {"text": question + "\n" + answer}
        turns = [("system", text(4))] if rng.random() < .3 else []
        if rng.random() < .4:
            turns += [("user", text(5)), ("assistant", text(6))]
        turns += [("user", question), ("assistant", answer)]
        return {"messages": [{"role": w, "content": c} for w, c in turns]}

    rows = []
    for i in range(900):
        rows.append(row(text(rng.randint(1, 40)), text(rng.randint(1, 40))))
    for i in range(60):                       # boilerplate, and no leak
        rows.append(row(BOILER + " " + text(10), text(3)))
    for it in long_items:
        w = it["prompt"].split(" ")
        if len(w) == 1:                       # Han: by characters
            rows.append(row("\n".join(it["prompt"]), "x"))
            rows.append(row(text(3) + it["prompt"][:9] + text(3), "x"))
            continue
        rows.append(row(it["prompt"], it["completion"]))
        rows.append(row(text(9) + " " + wrapped(it["prompt"]), text(3)))
        rows.append(row(text(5), text(20) + " " + wrapped(it["prompt"])))
        for n in (7, 8, 10, 12, 13, 20):      # parts of it
            at = rng.randrange(max(1, len(w) - n))
            part = wrapped(" ".join(w[at:at + n]))
            rows.append(row(text(6) + " " + part + " " + text(6), text(4)))
        if len(w) > 24:                       # two parts, far from each other
            rows.append(row(" ".join(w[:9]) + " " + text(5) + " " + " ".join(w[-9:]), text(2)))
    for it in short_items[:-1]:
        p = pieces(it)
        q, a = p[0][1], p[-1][1] if len(p) > 1 else ""
        rows.append(row(wrapped(q), a))       # punctuation counts here
        rows.append(row("  " + q.upper() + "\n", a.title() + " "))
        rows.append(row(q, a))
        rows.append(row(q, text(4)))
        rows.append(row(text(1) + " " + q, a))
        rows.append({"text": q + " " + a})
    rows.append(short_items[-1])
    rows.append({"messages": short_items[-1]["messages"][2:]})
    rng.shuffle(rows)
    for name, data in (("train", rows), ("a", long_items), ("b", short_items)):
        with open(folder + "/" + name + ".jsonl", "w") as f:
            for i, r in enumerate(data):
                f.write(json.dumps({"id": "r%d" % i, **r} if name == "train" else r) + "\n")


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    find(sys.argv[2], sys.argv[3], *[float(x) if "." in x else int(x) for x in sys.argv[4:]])

#!/usr/bin/python3
"""The oracle of dedup_near.sh.

make N               prints N examples as JSON lines: texts, chats and prompts, half of them variants
                     of one before, with planted changes; short, empty and non-Latin ones among them
same N               N examples whose texts are equal
templates N          N examples that have four of five words in common
check ALL GOT PAIRS [OPTION VALUE]...
                     ALL, GOT: records before and after (as ft_decode.py prints them), PAIRS: what
                     --pairs wrote. Prints what is wrong, and nothing when all is right

check knows two ways. First, by brute force over pairs of shingles as strings, without any hash: what
went is alike to what stayed, by the very number that was printed; of what has a kept row
with J >= 0.85 before it nearly all went. Second, by doing the whole thing once more in
Python (Philox, XXH3, multiply-shift, bands), which gives each row's fate and cluster exactly.
"""
import collections
import json
import random
import re
import sys
import unicodedata

import xxhash

MASK = (1 << 64) - 1


# ---- making examples ----

LATIN = ("the a of to and in is it you that he was for on are with as his they be at one have this "
         "from or had by hot but some what there we can out other were all your when up use word "
         "how said each she which do their time if will way about many then them would write "
         "like so these her long make thing see him two has look more day could go come did").split()
OTHERS = ["\u043c\u0438\u0440", "\u4e16\u754c", "caf\u00e9", "Stra\u00dfe", "\u03c3\u03bf\u03c6\u03cc\u03c2",
          "\U0001f600", "na\u00efve", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u00c5ngstr\u00f6m"]


def words(rng, n):
    pool = LATIN if rng.random() < 0.8 else OTHERS
    return [rng.choice(pool) + (str(rng.randrange(30)) if rng.random() < 0.3 else "")
            for _ in range(n)]


def change(rng, text):
    """Replaces a run of words, or single ones, or the order of the two halves."""
    text = list(text)
    how = rng.randrange(5)
    if how == 0 and text:
        at = rng.randrange(len(text))
        run = rng.randint(0, max(1, len(text) // 6))
        text[at:at + run] = words(rng, rng.randint(0, run))
    elif how == 1:
        for _ in range(rng.randint(1, 3)):
            if text:
                text[rng.randrange(len(text))] = words(rng, 1)[0]
    elif how == 2:
        text += words(rng, rng.randint(1, 5))
    elif how == 3:
        text = text[len(text) // 2:] + text[:len(text) // 2]
    return text


def spell(rng, text):
    joined = "".join(w + rng.choice([" ", " ", " ", "  ", "\n", "\u00a0"]) for w in text)
    return rng.choice([str, str, str.upper])(unicodedata.normalize(rng.choice(["NFC", "NFD"]),
                                                                   joined))


def make(n):
    rng = random.Random(17)
    texts = []
    for i in range(n):
        if texts and rng.random() < 0.5:
            text = change(rng, texts[rng.randrange(max(0, len(texts) - 80), len(texts))])
        else:
            text = words(rng, rng.choice([0, 1, 2, 3, 4, 5, 6, 9, 20, 40, 60, 90]))
        texts.append(text)
        kind = rng.randrange(6)
        whole = spell(rng, text)
        if kind == 0:
            cut = len(whole) // 2
            r = {"prompt": whole[:cut], "completion": whole[cut:]}
        elif kind == 1:
            r = {"messages": [{"role": "user", "content": "what next?"},
                              {"role": "assistant", "content": whole}]}
        else:
            r = {"text": whole}
        if i % 3:
            r = {"id": rng.choice([n + 1 + i, "row %d \u00e9" % i]), **r}
        if i % 7 == 0:
            r["cluster"] = "of old"
        print(json.dumps({**r, "extra": [i, None]}))


def same(n):
    for i in range(n):
        print(json.dumps({"id": i, "text": "one and the same text, over and over, for all of them"}))


def templates(n):
    """50 words, 40 in common at the start, 10 of its own: J is 36/56."""
    rng = random.Random(3)
    for i in range(n):
        print(json.dumps({"id": i, "text": " ".join(["w%d" % k for k in range(40)] +
                                                    ["r%d" % rng.randrange(1 << 30)
                                                     for _ in range(10)])}))


# ---- texts and shingles ----

def canonical(text):
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
    return " ".join(folded.split()).encode()


def part(r, key):
    if "messages" in r:
        turns = [(t["role"], t["content"]) for t in r["messages"]]
        if key == "all":
            return b"".join(canonical(s) + b"\xff" for t in turns for s in t)
        role = "user" if key == "prompt" else "assistant"
        return canonical("\n".join(c for who, c in turns if who == role))
    if "prompt" in r:
        p, c = canonical(r["prompt"]), canonical(r["completion"])
        return {"all": p + b"\xff" + c, "prompt": p, "response": c}[key]
    return canonical(r["text"])


def shingles(text, k):
    """Pieces in their order; each once."""
    spans = [m.span() for m in re.finditer(rb"[^ \xff]+", text)]
    if not spans:
        return []
    if len(spans) >= k:
        pieces = [text[spans[i][0]:spans[i + k - 1][1]] for i in range(len(spans) - k + 1)]
    else:
        characters = text.decode("utf-8", "surrogateescape")
        pieces = [text] + [characters[i:i + 4].encode("utf-8", "surrogateescape")
                           for i in range(len(characters) - 3)]
    return list(dict.fromkeys(pieces))


def jaccard(a, b):
    common = len(a & b)
    return common / (len(a) + len(b) - common)


# ---- the same once more ----

def philox(seed, index):
    c = [index & 0xffffffff, index >> 32, 0, 5 << 24]
    k0, k1 = seed & 0xffffffff, seed >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [p1 >> 32 ^ c[1] ^ k0, p1 & 0xffffffff, p0 >> 32 ^ c[3] ^ k1, p0 & 0xffffffff]
        k0, k1 = (k0 + 0x9E3779B9) & 0xffffffff, (k1 + 0xBB67AE85) & 0xffffffff
    return c[1] << 32 | c[0]


def band_keys(sets, o):
    bands, rows = int(o["bands"]), int(o["rows"])
    a = [philox(int(o["seed"]), 2 * j) | 1 for j in range(bands * rows)]
    b = [philox(int(o["seed"]), 2 * j + 1) for j in range(bands * rows)]
    for pieces in sets:
        h = [xxhash.xxh3_64_intdigest(p) or 1 for p in pieces]
        least = [min(((x * v + y) & MASK) >> 32 for v in h) for x, y in zip(a, b)] if h else []
        raw = b"".join(m.to_bytes(4, "little") for m in least)
        yield [xxhash.xxh3_64_intdigest(raw[i:i + 4 * rows])
               for i in range(0, len(raw), 4 * rows)]


def decide(sets, o):
    """Returns: for each row its kept row (or itself) and J, and the root of its cluster."""
    threshold = float(o["threshold"])
    parent = list(range(len(sets)))

    def find(i):
        while parent[i] != i:
            i = parent[i]
        return i

    kept_in, last_in, fate = collections.defaultdict(list), {}, []
    frozen = [frozenset(s) for s in sets]
    for i, keys in enumerate(band_keys(sets, o)):
        places = list(enumerate(keys))
        candidates = sorted({k for p in places for k in kept_in[p]})
        before = {last_in[p] for p in places if p in last_in}
        fate.append((i, None))
        for j in candidates + sorted(before - set(candidates)):
            similar = jaccard(frozen[i], frozen[j])
            if similar < threshold:
                continue
            if fate[i][0] == i and j in candidates:
                fate[i] = j, similar
            x, y = sorted((find(i), find(j)))
            parent[y] = x
        for p in places:
            last_in[p] = i
            if fate[i][0] == i:
                kept_in[p].append(i)
    return fate, [find(i) for i in range(len(sets))]


# ---- checking ----

def identity(records, i):
    return records[i].get("id", i + 1)


def check_pairs(records, sets, pairs, stayed, threshold):
    """By strings alone: precision, the numbers, recall."""
    number = {json.dumps(identity(records, i)): i for i in range(len(records))}
    gone = set()
    for p in pairs:
        i, j = number[json.dumps(p["id"])], number[json.dumps(p["kept"])]
        similar = jaccard(set(sets[i]), set(sets[j]))
        if not (j < i and j in stayed and i not in stayed):
            yield "row %d went for %d" % (i + 1, j + 1)
        if similar < threshold or abs(similar - p["jaccard"]) > 1e-12:
            yield "rows %d and %d: J is %r, %r was said" % (i + 1, j + 1, similar, p["jaccard"])
        gone.add(i)
    having, due, found = collections.defaultdict(list), 0, 0
    for i, pieces in enumerate(sets):
        common = collections.Counter(j for p in pieces for j in having[p])
        if any(c / (len(pieces) + len(sets[j]) - c) >= max(0.85, threshold)
               for j, c in common.items()):
            due += 1
            found += i in gone
        if i in stayed:
            for p in pieces:
                having[p].append(i)
    if due < 20 or found < 0.95 * due:
        yield "of %d rows with J >= 0.85 to a kept one %d went" % (due, found)
    sys.stderr.write("recall %d of %d, precision 1 of %d pairs\n" % (found, due, len(pairs)))


def cluster_of(records, texts, sets, i):
    if sets[i]:
        return xxhash.xxh3_64_hexdigest(texts[i])
    return None


def check(all_file, got_file, pairs_file, given):
    o = {"threshold": "0.75", "shingle": "5", "bands": "14", "rows": "8", "seed": "0",
         "key": "all", "mark": "0", **given}
    records, got, pairs = ([json.loads(line) for line in open(f)]
                           for f in (all_file, got_file, pairs_file))
    texts = [part(r, o["key"]) for r in records]
    sets = [shingles(t, int(o["shingle"])) for t in texts]
    fate, roots = decide(sets, o)
    stayed = {i for i in range(len(records)) if fate[i][0] == i}
    yield from check_pairs(records, sets, pairs, stayed, float(o["threshold"]))
    want = [{"id": identity(records, i), "kept": identity(records, j), "jaccard": similar}
            for i, (j, similar) in enumerate(fate) if i != j]
    if pairs != want:
        yield "--pairs has %d lines, %d were due" % (len(pairs), len(want))
    rows = [i for i in range(len(records)) if i in stayed or o["mark"] == "1"]
    if len(rows) != len(got):
        yield "%d records stayed, %d were due" % (len(got), len(rows))
    empty = set()
    for i, r in zip(rows, got):
        mark = {} if i in stayed else {"duplicate_of": identity(records, fate[i][0])}
        cluster = cluster_of(records, texts, sets, roots[i])
        if cluster is None:
            cluster = r["cluster"]
            if not re.fullmatch("[0-9a-f]{16}", cluster) or cluster in empty:
                yield "record %d, of an empty text, has the cluster %s" % (i + 1, cluster)
            empty.add(cluster)
        due = {k: v for k, v in records[i].items() if k != "cluster"}
        if r != {**due, "cluster": cluster, **mark}:
            yield "record %d is %r with cluster %s" % (i + 1, r, cluster)
    if not pairs or not (any(roots[i] != i for i in stayed) or o["threshold"] == "1"):
        yield "nothing to find in these examples"


def main(argv):
    if argv[1] == "check":
        wrong = list(check(*argv[2:5], dict(zip(argv[5::2], argv[6::2]))))
        print("\n".join(wrong[:10]), end="\n" if wrong else "")
    else:
        {"make": make, "same": same, "templates": templates}[argv[1]](int(argv[2]))


main(sys.argv)

#!/usr/bin/python3
"""What ft-stats must say, counted without it: by brute force, from the definitions.

stats_oracle.py RECORDS.jsonl REPORT.json      compares; prints each figure that differs
stats_oracle.py --page FILE.html               whether a page is well formed and needs nothing else
"""
import collections
import html.parser
import json
import math
import re
import sys
import unicodedata
import xml.etree.ElementTree as ET

import zstandard

MARKS = [(0xA0, 0xBF), (0x2000, 0x206F), (0x3000, 0x303F), (0xFF00, 0xFF0F)]
ALONE = [(0x2E80, 0x2FFF), (0x3040, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)]


def canonical(text):
    folded = unicodedata.normalize("NFD", text).casefold()
    return " ".join(unicodedata.normalize("NFC", folded).split())


def is_in(c, ranges):
    return any(a <= ord(c) <= b for a, b in ranges)


def words_of(text):
    """Words, each with where it begins and ends."""
    found, start = [], None
    for i, c in enumerate(text + " "):
        letter = (c.isascii() and c.isalnum()) or (ord(c) >= 0xA0 and not is_in(c, MARKS))
        alone = letter and is_in(c, ALONE)
        if start is not None and (not letter or alone):
            found.append((text[start:i], start, i))
            start = None
        if alone:
            found.append((c, i, i + 1))
        elif letter and start is None:
            start = i
    return found


def prompt_of(r):
    if "messages" in r:
        return "\n".join(m["content"] for m in r["messages"] if m["role"] == "user")
    return r.get("prompt")


def answer_of(r):
    if "messages" in r:
        return "\n".join(m["content"] for m in r["messages"] if m["role"] == "assistant")
    return next(r[k] for k in ("completion", "text", "prediction") if k in r)


def key_of(r):
    if "messages" in r:
        return tuple((m["role"], canonical(m["content"])) for m in r["messages"])
    if "prediction" in r:
        ref = r["reference"]
        return ("p", canonical(r.get("prompt", "") + r["prediction"]),
                tuple(map(canonical, ref if isinstance(ref, list) else [ref])))
    return tuple((k, canonical(r[k])) for k in ("prompt", "completion", "text") if k in r)


def percentile(values, p):
    values = sorted(values)
    return values[max(math.ceil(p / 100 * len(values)), 1) - 1]


def entropy(counts):
    total = sum(counts)
    return -sum(c / total * math.log2(c / total) for c in counts) if total else 0.0


def gini(counts):
    """The mean difference of all pairs by twice the mean."""
    n, mean = len(counts), sum(counts) / len(counts)
    return sum(abs(a - b) for a in counts for b in counts) / (2 * n * n * mean)


def lengths(name, values, want):
    if not values:
        return
    row = {"mean": sum(values) / len(values), "min": min(values), "max": max(values)}
    for p in (5, 25, 50, 75, 95, 99):
        row[f"p{p}"] = percentile(values, p)
    for k, v in row.items():
        want["lengths", "percentiles", name, k] = v


def bins(values):
    """Edges 0, 1, 2, 4, … and what lies between them."""
    top = max(values)
    edges = [0, 1]
    while edges[-1] <= top:
        edges.append(edges[-1] * 2)
    return {"edges": edges, "counts": [sum(a <= v < b for v in values)
                                       for a, b in zip(edges, edges[1:])]}


def compressed(texts):
    z = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters.from_level(
        3, window_log=27))
    data = b"".join(t.encode() + b"\n" for t in texts)
    return len(data) / len(z.compress(data))


def wording(name, texts, want, close):
    docs = [[w for w, _, _ in words_of(canonical(t))] for t in texts]
    flat = [(w, d, i) for d, doc in enumerate(docs) for i, w in enumerate(doc)]
    grams = {n: [tuple(doc[i:i + n]) for doc in docs for i in range(len(doc) - n + 1)]
             for n in (1, 2, 3, 4)}
    want[name, "texts"], want[name, "words"] = len(texts), len(flat)
    want[name, "vocabulary"] = len(set(grams[1]))
    for n in (1, 2, 3):
        want[name, f"distinct_{n}"] = len(set(grams[n])) / len(grams[n])
        windows = []
        for at in range(0, len(flat) - 9999, 10000):
            part = flat[at:at + 10000]
            inside = [tuple(x[0] for x in part[i:i + n]) for i in range(len(part) - n + 1)
                      if part[i][1] == part[i + n - 1][1]]
            windows.append(len(set(inside)) / len(inside))
        want[name, f"distinct_{n}_10k"] = sum(windows) / len(windows) if windows else None
    for n in (1, 2, 3, 4):
        want[name, f"entropy_{n}"] = entropy(collections.Counter(grams[n]).values())
    plain = [x[0] for x in flat]
    spans = [len(set(plain[i:i + 500])) / 500 for i in range(len(plain) - 499)]
    want[name, "mattr_500"] = (sum(spans) / len(spans) if spans
                               else len(set(plain)) / len(plain))
    sets = [{tuple(doc[i:i + 4]) for i in range(len(doc) - 3)} for doc in docs]
    having = collections.Counter(g for s in sets for g in s)
    others = [sum(having[g] - 1 for g in s) for s in sets]
    want[name, "self_repetition"] = sum(math.log(1 + x) for x in others) / len(others)
    want[name, "repeating_share"] = sum(x > 0 for x in others) / len(others)
    close[name, "compression"] = compressed(texts)
    close[name, "compression_sorted"] = compressed(sorted(texts, key=lambda t: t.encode() + b"\n"))
    begin = collections.Counter()
    for t in texts:
        c = canonical(t)
        found = words_of(c)[:3]
        if found:
            begin[c[found[0][1]:found[-1][2]]] += 1
    top(name, "beginnings", begin, len(texts), want)


def top(section, key, counter, rows, want):
    ranked = sorted(counter.items(), key=lambda x: (-x[1], x[0].encode()))[:10]
    want[section, key] = [{"value": v, "rows": c, "share": c / rows} for v, c in ranked]


def name_of(value):
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def field(section, values, want):
    if not values:
        return
    c = collections.Counter(map(name_of, values))
    want[section, "rows"], want[section, "different"] = len(values), len(c)
    want[section, "largest"] = max(c.values())
    want[section, "entropy"] = entropy(c.values())
    want[section, "evenness"] = (entropy(c.values()) / math.log2(len(c)) if len(c) > 1 else 1.0)
    want[section, "gini"] = gini(list(c.values()))
    want[section, "imbalance"] = max(c.values()) / min(c.values())
    top(section, "top", c, len(values), want)


def report(rows):
    want, close = {}, {}
    prompts = [p for p in map(prompt_of, rows) if p is not None]
    answers = [answer_of(r) for r in rows]
    asked = collections.Counter(canonical(p if p is not None else r["text"])
                                for r in rows for p in [prompt_of(r)]
                                if p is not None or "text" in r)
    turns = [len(r["messages"]) for r in rows if "messages" in r]
    want["data", "rows"] = len(rows)
    want["data", "duplicates"] = len(rows) - len({key_of(r) for r in rows})
    want["data", "prompts"] = len(asked)
    want["data", "most_frequent_prompt"] = max(asked.values())
    want["data", "augmented"] = sum("aug" in r for r in rows)
    want["data", "dirty"] = sum("dirty" in r for r in rows)
    want["data", "turns"] = sum(turns)
    want["data", "turns_mean"] = sum(turns) / len(turns)
    want["data", "turns_histogram"] = {
        "edges": list(range(1, max(turns) + 2)),
        "counts": [turns.count(n) for n in range(1, max(turns) + 1)]}
    for name, texts in (("prompt", prompts), ("answer", answers)):
        counts = [len(words_of(canonical(t))) for t in texts]
        lengths(f"{name} characters", [len(t) for t in texts], want)
        lengths(f"{name} words", counts, want)
        want["lengths", f"{name}_words"] = bins(counts)
        want["lengths", f"empty_{name}s"] = counts.count(0)
        wording(f"{name}s", texts, want, close)
    for section, key in (("labels", "label"), ("sources", "source"), ("groups", "group"),
                         ("clusters", "cluster"), ("augmentation", "aug")):
        field(section, [r[key] for r in rows if r.get(key) is not None], want)
    field("tags", [t for r in rows for t in r.get("tags", {})], want)
    field("roles", [m["role"] for r in rows for m in r.get("messages", [])], want)
    return want, close


def look_up(got, path):
    for key in path:
        if isinstance(got, list):
            got = next((x for x in got if x["what"] == key), None)
        else:
            got = got.get(key) if got else None
    return got


def equal(a, b, tolerance):
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k], tolerance) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equal(x, y, tolerance) for x, y in zip(a, b))
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return abs(a - b) <= tolerance * max(abs(a), 1e-3)
    return a == b


def compare(records, got_path):
    with open(records) as f:
        rows = [json.loads(line) for line in f]
    with open(got_path) as f:
        got = json.load(f)
    want, close = report(rows)
    wrong = 0
    for figures, tolerance in ((want, 1e-9), (close, 0.01)):
        for path, v in figures.items():
            g = look_up(got, path)
            if not equal(v, g, tolerance):
                wrong += 1
                print("/".join(path), "is", g, "and should be", v)
    print(len(want) + len(close), "figures compared", file=sys.stderr)
    sys.exit(wrong > 0)


class Page(html.parser.HTMLParser):
    """Elements in order, nothing from elsewhere, nothing that runs."""
    EMPTY = {"meta", "br"}

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], collections.Counter()

    def handle_starttag(self, tag, attrs):
        self.seen[tag] += 1
        assert tag not in ("script", "link", "img", "iframe", "object"), tag
        for key, value in attrs:
            assert not key.startswith("on") and key not in ("href", "src"), key
            assert "url(" not in (value or "") or key == "xmlns", value
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open)
        self.open.pop()


def check_page(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    page = Page()
    page.feed(text)
    page.close()
    assert not page.open, page.open
    assert len(text.encode()) < 300000, len(text)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text), "control characters"
    pictures = re.findall(r"<svg .*?</svg>", text, re.S)
    assert len(pictures) == page.seen["svg"] > 0
    for picture in pictures:
        root = ET.fromstring(picture)
        assert root.find("{http://www.w3.org/2000/svg}title").text
        assert root.find("{http://www.w3.org/2000/svg}desc").text
        assert "nan" not in picture.replace("dominant", "") and "inf\"" not in picture
    ET.fromstring(text.replace("<!DOCTYPE html>", ""))
    print(len(pictures), "pictures")


if sys.argv[1] == "--page":
    check_page(sys.argv[2])
else:
    compare(sys.argv[1], sys.argv[2])

#!/usr/bin/python3
"""What ft-cat must print, by the stream decoder and the GGUF reader of the tests.

usage: cat_oracle.py json STREAM SHOWN          SHOWN: what ft-cat printed
       cat_oracle.py text STREAM SHOWN MODEL    SHOWN: what ft-cat --decode printed
Ends with an assertion that fails where they differ.
"""
import json
import math
import os
import struct
import sys

sys.path.insert(0, os.environ["FT_ROOT"] + "/tests")
import ft_decode     # noqa: E402
import gguf_read     # noqa: E402


def segment(s):
    """A tokens map with numbers for its bytes."""
    ids = list(struct.unpack("<%dI" % (len(s["ids"]) // 4), s["ids"]))
    mask = [s["mask"][i // 8] >> i % 8 & 1 for i in range(len(ids))]
    return {**s, "ids": ids, "mask": mask}


def tensor(t):
    t = dict(t)
    data = t.pop("data")
    x = struct.unpack("<%df" % (len(data) // 4), data)
    return {**t, "count": len(x), "min": min(x), "max": max(x),
            "norm": math.sqrt(math.fsum(v * v for v in x))}


def shown_as(kind, record):
    if kind == "tokens":
        return segment(record)
    if kind == "packed":
        return {**record, "segments": [segment(s) for s in record["segments"]]}
    return tensor(record) if kind == "adapter" else record


def same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=0)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def byte_of_letter():
    """GPT-2's table from letters to bytes: printable ones stand for themselves."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in own]
    return {**{chr(b): b for b in own}, **{chr(256 + i): b for i, b in enumerate(others)}}


def marked_text(s, tokens, types):
    table = byte_of_letter()
    out = b""
    was = 0
    for i, is_target in zip(s["ids"], s["mask"]):
        if is_target != was:
            out += ("\u27e6" if is_target else "\u27e7").encode()
        was = is_target
        control = types[i] == 3
        out += tokens[i].encode() if control else bytes(table[c] for c in tokens[i])
    return out + ("\u27e7".encode() if was else b"") + b"\n\n"


def main(what, stream, shown, model=None):
    with open(stream, "rb") as f:
        headers, records, _ = ft_decode.decode(f.read())
    kind = headers[0]["kind"]
    want = [shown_as(kind, r) for r in records]
    with open(shown, "rb") as f:
        got = f.read()
    if what == "json":
        lines = [json.loads(line) for line in got.splitlines()]
        assert len(lines) == len(want) > 0
        for n, (a, b) in enumerate(zip(lines, want)):
            assert same(a, b), (n, a, b)
        return
    keys = gguf_read.Gguf(model).keys
    segments = [s for w in want for s in w.get("segments", [w])]
    assert any(1 in s["mask"] for s in segments) and any(0 in s["mask"][1:] for s in segments)
    text = b"".join(marked_text(s, keys["tokenizer.ggml.tokens"], keys["tokenizer.ggml.token_type"])
                    for s in segments)
    assert got == text, (got[:300], text[:300])


if __name__ == "__main__":
    main(*sys.argv[1:])

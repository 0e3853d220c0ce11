"""Inputs for ft-import in the forms that files come in, and what is in them, by Python's csv, json,
gzip and zstandard.

    formats_oracle.py table SEED ROWS DIALECT > FILE   random table; its rows go to ./want
    formats_oracle.py chats SEED N                     random chats as lines.jsonl, and the same as
                                                       list, pretty-printed and mixed files
    formats_oracle.py pack FILE                        FILE packed in several ways
    formats_oracle.py repair < BYTES                   how many repairs, and the text as JSON
"""
import csv
import gzip
import io
import json
import random
import sys

PIECES = ["a", "end", " ", "\n", ",", ";", "\t", "|", '"', '""', "é", "日本", "😀", "\\", "0", "'",
          "\r\n", "x" * 40, "# no", "="]
DIALECTS = {"csv": {"delimiter": ",", "lineterminator": "\n"},
            "crlf": {"delimiter": ",", "lineterminator": "\r\n"},
            "all": {"delimiter": ",", "lineterminator": "\r\n", "quoting": csv.QUOTE_ALL},
            "tsv": {"delimiter": "\t", "lineterminator": "\n"},
            "semicolon": {"delimiter": ";", "lineterminator": "\n"}}


def text(r, most=6):
    return "".join(r.choice(PIECES) for _ in range(r.randrange(most)))


def table(seed, n, dialect):
    r = random.Random(seed)
    names = ["prompt", "completion", 'odd "name"', "two\nlines"]
    r.shuffle(names)
    out = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
    w = csv.writer(out, **DIALECTS[dialect])
    w.writerow(names)
    with open("want", "w", encoding="utf-8") as want:
        for number in range(1, n + 1):
            row = [text(r) for _ in names]
            w.writerow(row)
            print(json.dumps({"id": number, **dict(zip(names, row))}), file=want)
            if r.random() < 0.1:
                out.write(DIALECTS[dialect]["lineterminator"])
    out.flush()


def chats(seed, n):
    r = random.Random(seed)
    rows = [{"messages": [{"role": "user", "content": text(r, 60)},
                          {"role": "assistant", "content": text(r, 40) + "[]{}\""}],
             "n": r.choice([1, -2.5, None, [1, {"a": []}], {}]), "label": text(r)}
            for _ in range(n)]
    with open("lines.jsonl", "w", encoding="utf-8") as f:
        f.writelines(json.dumps(x, ensure_ascii=False) + "\n" for x in rows)
    forms = {
        "list": json.dumps(rows), "tight": json.dumps(rows, separators=(",", ":")),
        "indented": json.dumps(rows, indent=2, ensure_ascii=False),
        "a-line-each": "[\n" + ",\n".join(json.dumps(x) for x in rows) + "\n]\n",
        "commas-first": "[" + "\r\n , ".join(json.dumps(x) for x in rows) + "]",
        "pretty": "\n".join(json.dumps(x, indent=1) for x in rows) + "\n",
        "two-lists": json.dumps(rows[:n // 2]) + "\n" + json.dumps(rows[n // 2:], indent=1)
                     + " [ ] \n"}
    for name, whole in forms.items():
        with open("form-" + name, "w", encoding="utf-8", newline="") as f:
            f.write(whole)


def pack(name):
    import zstandard
    whole = open(name, "rb").read()
    a, b = whole[:len(whole) // 3], whole[len(whole) // 3:]

    def save(suffix, data):
        with open("packed-" + suffix, "wb") as f:
            f.write(data)

    zstd = zstandard.ZstdCompressor(level=3)
    unsized = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(
        window_log=27, write_content_size=False))
    streamed = unsized.compressobj()
    one_gz, one_zst = gzip.compress(whole), zstd.compress(whole)
    save("gzip", one_gz)
    save("gzip-members", gzip.compress(a) + gzip.compress(b"") + gzip.compress(b, 1))
    save("gzip-padded", one_gz + b"\0" * 700)
    save("zstd", one_zst)
    save("zstd-frames", zstd.compress(a) + zstd.compress(b))
    save("zstd-skippable", b"\x50\x2a\x4d\x18\x03\0\0\0abc" + one_zst)
    save("zstd-wide", streamed.compress(whole) + streamed.flush())
    for kind, data in ("gzip", one_gz), ("zstd", one_zst):
        for cut in 5, len(data) // 2, len(data) - 1:
            save("bad-%s-cut-%d" % (kind, cut), data[:cut])
        save("bad-%s-bit" % kind, data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
        save("bad-%s-behind" % kind, data + b"more")
    wider = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(
        window_log=28, write_content_size=False)).compressobj()
    save("bad-zstd-window", wider.compress(whole) + wider.flush())


def repair():
    raw = sys.stdin.buffer.read()
    fixed = raw.decode("utf-8", errors="replace")
    # None of the inputs holds U+FFFD itself.
    print(fixed.count("\ufffd"), json.dumps(fixed))


if sys.argv[1] == "table":
    table(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
elif sys.argv[1] == "chats":
    chats(int(sys.argv[2]), int(sys.argv[3]))
elif sys.argv[1] == "pack":
    pack(sys.argv[2])
else:
    repair()

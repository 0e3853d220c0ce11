"""dedup_peer.py plain|datatrove TEXTS.jsonl: megabytes a second of the input at which one Python
process parses JSON lines and keeps the first of equal texts by a set of SHA-256 digests: of the
texts folded and with white space collapsed, or in datatrove's simplified form (0.10.1)."""
import hashlib
import json
import os
import sys
import time
import unicodedata


def fold(text):
    return " ".join(unicodedata.normalize("NFC", text.casefold()).split())


form = fold
if sys.argv[1] == "datatrove":
    from datatrove.utils.text import TextNormConfig, simplify_text
    config = TextNormConfig(remove_punctuation=False, norm_numbers=False, norm_weekdays=False,
                            norm_monthnames=False)

    def form(text):
        return simplify_text(text, config)

seen, kept, total = set(), 0, 0
start = time.perf_counter()
with open(sys.argv[2]) as f, open(os.devnull, "w") as out:
    for line in f:
        digest = hashlib.sha256(form(json.loads(line)["text"]).encode()).digest()
        total += 1
        if digest not in seen:
            seen.add(digest)
            kept += 1
            out.write(line)
speed = os.path.getsize(sys.argv[2]) / 1e6 / (time.perf_counter() - start)
print(f"{sys.argv[1]:<10} SHA-256 set  {speed:.0f} MB/s  (kept {kept} of {total})")

"""tokenize_peer.py MODEL.gguf TEXTS.jsonl TOKENS.jsonl: megabytes a second of other tokenizers on
two threads, the best of three, with the model's own vocabulary: lines
"name speed equal", equal being the share of texts whose ids are those in TOKENS.jsonl (ft-cat of
ft-tokenize --raw). Made for tokenizers 0.23.3 (encode_batch) and tiktoken 0.14
(encode_ordinary_batch)."""
import json
import os
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "2"
os.environ["TOKENIZERS_PARALLELISM"] = "true"

import gguf  # noqa: E402
import tiktoken  # noqa: E402
from tokenizers import Tokenizer, models, pre_tokenizers  # noqa: E402

fields = gguf.GGUFReader(sys.argv[1]).fields
names = fields["tokenizer.ggml.tokens"].contents()
types = fields["tokenizer.ggml.token_type"].contents()
merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]


def hugging_face():
    tokenizer = Tokenizer(models.BPE(vocab={s: i for i, s in enumerate(names)}, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return lambda texts: [row.ids for row in
                          tokenizer.encode_batch(texts, add_special_tokens=False)]


def ranks():
    """Bytes to rank, as tiktoken wants them: the byte tokens, then the results of the merges in
    their order, which in this vocabulary is that of the ids. Bytes without a token get ranks that
    no id has."""
    visible = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    hidden = [b for b in range(0x100) if b not in visible]
    byte_of = {chr(b): b for b in visible} | {chr(0x100 + i): b for i, b in enumerate(hidden)}
    found = {bytes(byte_of[c] for c in s): i for i, s in enumerate(names) if types[i] == 1}
    for byte in range(256):
        found.setdefault(bytes([byte]), len(names) + byte)
    return found


def tiktoken_s():
    encoding = tiktoken.Encoding(
        "model", mergeable_ranks=ranks(), special_tokens={},
        pat_str=r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?=\p{N})"
                r"|\s+(?!\S)|\s+")
    return lambda texts: encoding.encode_ordinary_batch(texts, num_threads=2)


texts = [json.loads(line)["text"] for line in open(sys.argv[2])]
want = [json.loads(line)["ids"] for line in open(sys.argv[3])]
size = sum(len(t.encode()) for t in texts)
for name, encode in ("tokenizers", hugging_face()), ("tiktoken", tiktoken_s()):
    best = 0.0
    for _ in range(3):
        start = time.perf_counter()
        rows = encode(texts)
        best = max(best, size / 1e6 / (time.perf_counter() - start))
    print(f"{name} {best:.1f} {sum(a == b for a, b in zip(rows, want, strict=True)) / len(rows)}")

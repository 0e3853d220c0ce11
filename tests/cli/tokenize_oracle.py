"""tokenize_oracle.py MODEL.gguf (chat|all|raw) < examples.jsonl > tokens.jsonl

What ft-tokenize is to write for examples in ASCII, by another way: Python's re for the words,
merges by trying all, and targets by counting bytes. For a model with the smollm pre-tokenizer.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.environ["FT_ROOT"], "tests"))
from gguf_read import Gguf  # noqa: E402

WORD = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d| ?[A-Za-z]+| ?[^\sA-Za-z]+|\s+(?!\S)|\s+")
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"

keys = Gguf(sys.argv[1]).keys
how = sys.argv[2]
vocab = {t: i for i, t in enumerate(keys["tokenizer.ggml.tokens"])}
rank = {tuple(m.split(" ")): i for i, m in enumerate(keys["tokenizer.ggml.merges"])}


def visible(c):
    return c if "!" <= c <= "~" else chr(0x100 + ord(c)) if c <= " " else "\u0121"


def merged(word):
    parts = [visible(c) for c in word]
    while True:
        pairs = [(rank[p], i) for i, p in enumerate(zip(parts, parts[1:])) if p in rank]
        if not pairs:
            return parts
        i = min(pairs)[1]
        parts[i:i + 2] = [parts[i] + parts[i + 1]]


def tokens(text):
    """(id, offset of its first byte) of each token."""
    at = 0
    for piece in re.split(r"([0-9])", text):
        for word in WORD.findall(piece) if not piece.isdigit() else [piece]:
            for part in merged(word):
                yield vocab[part], at
                at += len(part)
    assert at == len(text)


def segments(example):
    """(text, where its target begins or None) and special tokens as (id, is target)."""
    if "text" in example:
        return [(example["text"], 0)] + [(keys["tokenizer.ggml.eos_token_id"], True)] * (how != "raw")
    if "prompt" in example:
        whole = example["prompt"] + example["completion"]
        return [(whole, 0 if how == "raw" else len(example["prompt"]))] + \
            [(keys["tokenizer.ggml.eos_token_id"], True)] * (how != "raw")
    turns = example["messages"]
    if turns[0]["role"] != "system":
        turns = [{"role": "system", "content": SYSTEM}] + turns
    out = []
    for turn in turns:
        said = {bool(turn[k]) for k in ("weight", "train", "loss") if turn.get(k) is not None}
        mine = turn["role"] == "assistant" and said != {False}
        head = turn["role"] + "\n"
        pieces = [(vocab["<|im_start|>"], False),
                  (head + turn["content"], len(head) if mine else None),
                  (vocab["<|im_end|>"], mine), ("\n", None)]
        if how == "all":
            pieces = [(p, (said != {False}) if isinstance(p, int) else
                       None if said == {False} else 0) for p, _ in pieces]
        out += pieces
    return out


for number, line in enumerate(sys.stdin, 1):
    example = json.loads(line)
    ids, mask = [], []
    for what, target in segments(example):
        if isinstance(what, int):
            ids.append(what)
            mask.append(int(target))
            continue
        for token, at in tokens(what):
            ids.append(token)
            mask.append(int(target is not None and at >= target))
    if how == "all" and "messages" not in example:
        mask = [1] * len(ids)
    mask[0] = 0
    row = {"id": example.get("id", number), "ids": ids, "mask": mask}
    row.update({k: example[k] for k in ("group", "label", "source", "weight") if k in example})
    print(json.dumps(row))

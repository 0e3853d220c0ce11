"""make_shots.py: writes shots.jsonl, which texts transformers' hidden states say are nearest.

    python3 make_shots.py toy.gguf > shots.jsonl

Made with torch 2.15.0, transformers 5.23.0, tokenizers 0.23.3, gguf 0.19.0 and numpy 2.4.6. Lines are
examples: those with "pool" are to be chosen from; the others ask, and "near" holds the ids of the
nine nearest by the cosine of the mean of the last hidden states over the first 256 tokens, the
nearest first. A question that has two of them less than 1e-4 apart is left out.
"""
import json
import random
import sys

import numpy as np
import torch
from gguf import GGUFReader
from tokenizers import Tokenizer, models, pre_tokenizers

from make_generate import toy
from make_toy import TEXT

NEAR, CONTEXT = 9, 256


def tokenizer_of(path):
    fields = GGUFReader(path).fields
    vocab = {s: i for i, s in enumerate(fields["tokenizer.ggml.tokens"].contents())}
    merges = [tuple(m.split(" ")) for m in fields["tokenizer.ggml.merges"].contents()]
    t = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    t.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    return t


@torch.no_grad()
def vector(model, ids):
    out = model(torch.tensor([ids[:CONTEXT]]), output_hidden_states=True)
    mean = out.hidden_states[-1][0].double().mean(dim=0).numpy()
    return mean / np.linalg.norm(mean)


def texts(rng, n):
    words = TEXT.split()
    for i in range(n):
        start, size = rng.randrange(len(words)), rng.choice([2, 5, 9, 14])
        if i == 7:
            size = 400
        yield " ".join((words * 3)[start:start + size])


def main():
    rng = random.Random(6)
    model, tokenizer = toy(), tokenizer_of(sys.argv[1])

    def of(text):
        return vector(model, tokenizer.encode(text, add_special_tokens=False).ids)

    pool = list(texts(rng, 90))
    points = np.array([of(t) for t in pool])
    for i, text in enumerate(pool):
        print(json.dumps({"id": f"p{i}", "prompt": text, "completion": f" is {i}", "pool": True}))
    for i, text in enumerate(texts(rng, 60)):
        cosine = points @ of(text)
        order = np.argsort(-cosine, kind="stable")[:NEAR + 1]
        if min(cosine[order][:-1] - cosine[order][1:]) >= 1e-4 and cosine[order][-1] > 0 and \
                " ".join(text.lower().split()) not in [" ".join(p.lower().split()) for p in pool]:
            print(json.dumps({"id": f"q{i}", "prompt": text, "completion": "",
                              "near": [f"p{k}" for k in order[:NEAR]]}))


if __name__ == "__main__":
    main()

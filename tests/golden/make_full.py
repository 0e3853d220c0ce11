"""make_full.py: writes full.mp: losses and gradients of all weights of the toy model by torch.

    python3 make_full.py [full.mp]

Made with torch 2.15.0, transformers 5.23.0 and numpy 2.4.6, in fp32. One msgpack map:
    {norm, examples: [{ids, mask, weight, nll}], grads: {name: bin f32, rows in Hugging Face's order}}
grads are of sum(weight * nll) / norm over all examples together, names those of adapter streams.
The head is tied, so the embedding's gradient is that of both. ids and mask are bins (u32
little-endian, a byte each).
"""
import sys

import numpy as np
import torch

from make_generate import toy
from make_grads import f32, make_example, token_nll
from make_train import put

NORM = 53.0
LENGTHS = [5, 65, 2, 64, 97]


def main():
    rng = np.random.default_rng(20260103)
    model = toy()
    examples, total = [], 0
    for T in LENGTHS:
        ids, mask = make_example(rng, T, 512)
        weight = float(np.float32(rng.uniform(0.5, 2)))
        nll = token_nll(model(torch.tensor(ids[None], dtype=torch.long)).logits, ids, mask)
        total = total + weight * nll / NORM
        examples.append({"ids": ids.astype("<u4").tobytes(), "mask": mask.tobytes(),
                         "weight": weight, "nll": nll.item()})
    total.backward()
    grads = {"base_model.model." + n: f32(p.grad) for n, p in model.named_parameters()}
    assert len(grads) == 2 + 2 * 9
    with open(sys.argv[1] if len(sys.argv) > 1 else "full.mp", "wb") as f:
        f.write(put({"norm": NORM, "examples": examples, "grads": grads}))


if __name__ == "__main__":
    main()

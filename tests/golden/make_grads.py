"""make_grads.py: writes grads.mp: logits, losses and LoRA gradients by transformers and peft.

    python3 make_grads.py SmolLM2-135M-Instruct.Q4_1.gguf [grads.mp]

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2, gguf 0.19.0 and numpy 2.4.6, in fp32.
The file is one msgpack map:
    toy: {rank, size_b, norm, examples: [{ids, mask, weight, nll}], logits: [bin f32 [T x V] of the
          first two examples], grads: {PEFT name: bin f32, rows in PEFT's order}}
    real: {rank, size_b, examples: [{ids, at, vocab, logits: bin f32 [at x vocab], nll}]}
grads are of sum(weight * nll) / norm over all examples together. The adapter's values are those of
lora_value() in make_generate.py. ids and mask are bins (u32 little-endian, a byte each).
"""
import sys

import numpy as np
import torch

from make_generate import real, toy, with_lora
from make_train import put

RANK, SIZE_B, NORM = 4, 0.5, 37.5
LENGTHS = [5, 65, 1, 2, 63, 64, 129, 17]
REAL_LENGTHS = [3, 70, 200]


def f32(t):
    return t.detach().to(torch.float32).contiguous().numpy().astype("<f4").tobytes()


def token_nll(logits, ids, mask):
    """Sum of -log p over the targets; ids[i] is predicted from what stands before it."""
    logp = torch.log_softmax(logits[0, :-1], dim=-1)
    nll = -logp[torch.arange(len(ids) - 1), torch.tensor(ids[1:], dtype=torch.long)]
    return (nll * torch.tensor(mask[1:], dtype=torch.float32)).sum()


def make_example(rng, T, vocab):
    ids = rng.integers(0, vocab, T)
    mask = (rng.random(T) < 0.6).astype(np.uint8)
    mask[0] = 0
    if T > 1:
        mask[-1] = 1
    return ids, mask


def make_toy_part(rng):
    model = with_lora(toy(), RANK, SIZE_B)
    examples, logits, total = [], [], 0
    for T in LENGTHS:
        ids, mask = make_example(rng, T, 512)
        weight = float(np.float32(rng.uniform(0.5, 2)))
        out = model(torch.tensor(ids[None], dtype=torch.long)).logits
        if len(logits) < 2:
            logits.append(f32(out[0]))
        nll = token_nll(out, ids, mask) if T > 1 else torch.zeros(())
        total = total + weight * nll / NORM
        examples.append({"ids": ids.astype("<u4").tobytes(), "mask": mask.tobytes(),
                         "weight": weight, "nll": nll.item()})
    total.backward()
    grads = {n.replace(".default", ""): f32(p.grad) for n, p in model.named_parameters()
             if "lora_" in n}
    assert len(grads) == 2 * 7 * 2
    return {"rank": RANK, "size_b": SIZE_B, "norm": NORM, "examples": examples, "logits": logits,
            "grads": grads}


def make_real_part(rng, path):
    model = with_lora(real(path), 16, 0.02)
    examples = []
    for T in REAL_LENGTHS:
        ids, mask = make_example(rng, T, 49152)
        at = sorted({0, T // 2, T - 1})
        vocab = np.sort(rng.choice(49152, 64, replace=False))
        with torch.no_grad():
            out = model(torch.tensor(ids[None], dtype=torch.long)).logits
        examples.append({"ids": ids.astype("<u4").tobytes(), "mask": mask.tobytes(),
                         "at": np.array(at).astype("<u4").tobytes(),
                         "vocab": vocab.astype("<u4").tobytes(),
                         "logits": f32(out[0][at][:, vocab]),
                         "nll": token_nll(out, ids, mask).item()})
    return {"rank": 16, "size_b": 0.02, "examples": examples}


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(20260101)
    out = {"toy": make_toy_part(rng), "real": make_real_part(rng, sys.argv[1])}
    with open(sys.argv[2] if len(sys.argv) > 2 else "grads.mp", "wb") as f:
        f.write(put(out))


if __name__ == "__main__":
    main()

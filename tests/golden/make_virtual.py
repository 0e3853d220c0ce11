"""make_virtual.py: writes virtual.mp: losses and gradients of peft's prefix and prompt tuning.

    python3 make_virtual.py [virtual.mp]

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2 and numpy 2.4.6, in fp32, on the toy model.
The file is one msgpack map of two parts, "prefix" and "prompt":
    {n, size, norm, examples: [{ids, mask, weight, nll}], logits: bin f32 [V] behind the last token
     of the first example, grad: bin f32 of peft's prompt_embeddings, by sum(weight * nll) / norm,
     begin: [ids], start: bin f32, what the base makes of these ids in the place of
     prompt_embeddings: their embeddings, or the keys and values of a pass over them}
The adapter's values are those of lora_value(0, …, size) in make_generate.py.
"""
import sys

import numpy as np
import torch
from peft import PrefixTuningConfig, PromptTuningConfig, get_peft_model

from make_generate import lora_value, toy
from make_grads import f32, make_example, token_nll
from make_train import put

N, NORM = 5, 21.5
LENGTHS = [9, 2, 31, 64, 40]


def adapted(method, size):
    config = {"prefix": PrefixTuningConfig, "prompt": PromptTuningConfig}[method](
        task_type="CAUSAL_LM", num_virtual_tokens=N)
    model = get_peft_model(toy(), config).eval()
    table = model.prompt_encoder["default"].embedding.weight
    table.data = torch.from_numpy(lora_value(0, table.numel(), size).reshape(table.shape))
    return model, table


def start(method, ids):
    """What prompt_embeddings would be for these tokens, by the base alone."""
    base = toy()
    with torch.no_grad():
        if method == "prompt":
            return base.model.embed_tokens(torch.tensor(ids))
        past = base(torch.tensor([ids]), use_cache=True).past_key_values
        blocks = [x for layer in past.layers for x in (layer.keys, layer.values)]
        return torch.cat([b[0].transpose(0, 1).reshape(len(ids), -1) for b in blocks], dim=1)


def make_part(rng, method, size):
    model, table = adapted(method, size)
    part = {"n": N, "size": size, "norm": NORM}
    examples, total = [], 0
    for T in LENGTHS:
        ids, mask = make_example(rng, T, 512)
        weight = float(np.float32(rng.uniform(0.5, 2)))
        out = model(torch.tensor(ids[None], dtype=torch.long)).logits[:, -T:]
        if not examples:
            part["logits"] = f32(out[0, -1])
        nll = token_nll(out, ids, mask)
        total = total + weight * nll / NORM
        examples.append({"ids": ids.astype("<u4").tobytes(), "mask": mask.tobytes(),
                         "weight": weight, "nll": nll.item()})
    total.backward()
    begin = rng.integers(0, 512, N)
    return dict(part, examples=examples, grad=f32(table.grad),
                begin=begin.astype("<u4").tobytes(), start=f32(start(method, begin.tolist())))


def main():
    rng = np.random.default_rng(20260301)
    out = {"prefix": make_part(rng, "prefix", 2.0), "prompt": make_part(rng, "prompt", 1.0)}
    with open(sys.argv[1] if len(sys.argv) > 1 else "virtual.mp", "wb") as f:
        f.write(put(out))


if __name__ == "__main__":
    main()

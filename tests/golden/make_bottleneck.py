"""make_bottleneck.py: writes bottleneck.mp: losses and gradients of bottleneck layers by torch.

    python3 make_bottleneck.py [bottleneck.mp]

Made with torch 2.15.0, transformers 5.23.0 and numpy 2.4.6, in fp32. The layers stand behind
transformers' o_proj and down_proj as forward hooks (Houlsby et al. 2019), or behind down_proj alone
(Pfeiffer et al. 2020): y + up(silu(down(y))), down and up being torch.nn.Linear. One msgpack map:
    houlsby, pfeiffer: {width, norm, examples: [{ids, mask, weight, nll}],
                        grads: {ft's name: bin f32}}
grads are of sum(weight * nll) / norm over all examples together. Values are those of lora_value()
in make_generate.py, one number a tensor in the order of adapter streams. ids and mask are bins (u32
little-endian, a byte each).
"""
import sys

import numpy as np
import torch

from make_generate import lora_value, toy
from make_grads import f32, make_example, token_nll
from make_train import put

WIDTH, SIZE, NORM = 5, 0.4, 41.0
LENGTHS = [5, 65, 2, 64, 97]


def add_bottlenecks(model, houlsby):
    """Returns the parameters by name, in the order of adapter streams."""
    named = {}
    for i, layer in enumerate(model.model.layers):
        places = [("self_attn", layer.self_attn.o_proj)] if houlsby else []
        for block, linear in places + [("mlp", layer.mlp.down_proj)]:
            down = torch.nn.Linear(linear.out_features, WIDTH)
            up = torch.nn.Linear(WIDTH, linear.out_features)
            for name, p in [("down.weight", down.weight), ("down.bias", down.bias),
                            ("up.weight", up.weight), ("up.bias", up.bias)]:
                value = lora_value(len(named), p.numel(), SIZE).reshape(p.shape)
                p.data = torch.from_numpy(value)
                named[f"base_model.model.model.layers.{i}.{block}.adapter_{name}"] = p

            def behind(module, args, y, down=down, up=up):
                return y + up(torch.nn.functional.silu(down(y)))
            linear.register_forward_hook(behind)
    return named


def make_part(rng, houlsby):
    model = toy()
    for p in model.parameters():
        p.requires_grad_(False)
    named = add_bottlenecks(model, houlsby)
    examples, total = [], 0
    for T in LENGTHS:
        ids, mask = make_example(rng, T, 512)
        weight = float(np.float32(rng.uniform(0.5, 2)))
        nll = token_nll(model(torch.tensor(ids[None], dtype=torch.long)).logits, ids, mask)
        total = total + weight * nll / NORM
        examples.append({"ids": ids.astype("<u4").tobytes(), "mask": mask.tobytes(),
                         "weight": weight, "nll": nll.item()})
    total.backward()
    return {"width": WIDTH, "norm": NORM, "examples": examples,
            "grads": {name: f32(p.grad) for name, p in named.items()}}


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(20260102)
    out = {"houlsby": make_part(rng, True), "pfeiffer": make_part(rng, False)}
    with open(sys.argv[1] if len(sys.argv) > 1 else "bottleneck.mp", "wb") as f:
        f.write(put(out))


if __name__ == "__main__":
    main()

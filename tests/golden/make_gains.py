"""make_gains.py: writes gains.mp: losses, gradients and merged weights of DoRA and IA3 by peft.

    python3 make_gains.py [gains.mp]

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2 and numpy 2.4.6, in fp32, on the toy model.
The file is one msgpack map:
    norm, examples: [{ids, mask, weight}] as in grads.mp
    dora, ia3, ia3_all: {nll: [float], grads: {PEFT name: bin f32 in PEFT's order},
                         merged: {matrix: bin f32, row 5 of it after merge_and_unload}}
    magnitudes: {PEFT name: bin f32, what DoRA begins with}
grads are of sum(weight * nll) / norm over all examples together. A and B are those of
lora_value() in make_generate.py; the magnitudes are 1.5 + values 1000 + tensor of size 1, the
vectors of IA3 1 + values 2000 + tensor of size 0.8, where tensor is 7 * layer + matrix. ia3 is on
peft's matrices for Llama, ia3_all on all seven.
"""
import sys

import numpy as np
import torch
from peft import IA3Config, LoraConfig, TaskType, get_peft_model, get_peft_model_state_dict

from make_generate import TARGETS, lora_value, toy
from make_grads import LENGTHS, NORM, f32, make_example, token_nll
from make_train import put

RANK, SIZE_B, ROW = 4, 0.5, 5


def tensor_of(name):
    parts = name.split(".")
    return int(parts[4]) * 7 + TARGETS.index(parts[6])


def set_values(model):
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        t, n = tensor_of(name), p.numel()
        if "lora_magnitude" in name:
            v = 1.5 + lora_value(1000 + t, n, 1.0)
        elif "ia3_l" in name:
            v = 1.0 + lora_value(2000 + t, n, 0.8)
        elif "lora_B" in name:
            v = lora_value(2 * t + 1, n, SIZE_B)
        else:
            v = lora_value(2 * t, n, 2.0 / p.shape[1] ** 0.5)
        p.data = torch.from_numpy(np.float32(v).reshape(p.shape))
    return model


def peft_name(name):
    return name.replace(".default", "").replace("magnitude_vector.weight", "magnitude_vector")


def measure(model, examples):
    nlls, total = [], 0
    for x in examples:
        ids, mask = np.frombuffer(x["ids"], "<u4"), np.frombuffer(x["mask"], np.uint8)
        out = model(torch.tensor(ids[None].astype(np.int64))).logits
        nll = token_nll(out, ids.astype(np.int64), mask) if len(ids) > 1 else torch.zeros(())
        total = total + x["weight"] * nll / NORM
        nlls.append(nll.item())
    total.backward()
    grads = {peft_name(n): f32(p.grad) for n, p in model.named_parameters() if p.requires_grad}
    assert set(grads) == set(get_peft_model_state_dict(model))
    sd = model.merge_and_unload().state_dict()
    merged = {n: f32(w[ROW]) for n, w in sd.items() if n.split(".")[-2] in TARGETS}
    assert len(merged) == 14
    return {"nll": nlls, "grads": grads, "merged": merged}


def dora():
    return get_peft_model(toy(), LoraConfig(
        r=RANK, lora_alpha=2 * RANK, lora_dropout=0.0, target_modules=TARGETS, use_dora=True))


def ia3(**modules):
    return get_peft_model(toy(), IA3Config(task_type=TaskType.CAUSAL_LM, **modules))


def main():
    torch.manual_seed(0)
    rng = np.random.default_rng(20260204)
    examples = []
    for T in LENGTHS:
        ids, mask = make_example(rng, T, 512)
        examples.append({"ids": ids.astype("<u4").tobytes(), "mask": mask.tobytes(),
                         "weight": float(np.float32(rng.uniform(0.5, 2)))})
    model = dora()
    magnitudes = {n: f32(v) for n, v in get_peft_model_state_dict(model).items()
                  if "magnitude" in n}
    out = {"norm": NORM, "examples": examples, "magnitudes": magnitudes,
           "dora": measure(set_values(model).eval(), examples),
           "ia3": measure(set_values(ia3()).eval(), examples),
           "ia3_all": measure(set_values(ia3(target_modules=TARGETS,
                                             feedforward_modules=["down_proj"])).eval(), examples)}
    for name in ("dora", "ia3", "ia3_all"):
        print(name, len(out[name]["grads"]), out[name]["nll"])
    with open(sys.argv[1] if len(sys.argv) > 1 else "gains.mp", "wb") as f:
        f.write(put(out))


if __name__ == "__main__":
    main()

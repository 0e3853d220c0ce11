"""make_kl.py: writes kl.mp: the training of make_train.py beside a divergence from the base.

    python3 make_kl.py [kl.mp]

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2 and numpy 2.4.6, in fp32; the gradients are
autograd's. The same examples, order and initial adapter as in train.mp; the loss that is
minimised is loss + WEIGHT * mean of KL(base || adapted), the mean weighted as losses are. The file
is one msgpack map: the weight, loss, divergence and gradient norm of each step, the final adapter.
tests/unit/train_practice_test.c repeats the run.
"""
import math
import sys

import numpy as np
import torch
from transformers import get_cosine_schedule_with_warmup

import make_train as base

WEIGHT = 0.5


def both_of(model, examples):
    """The weighted means of the loss and of the divergence, over all targets."""
    nll, kl, weight = 0.0, 0.0, 0.0
    for x in examples:
        ids = torch.tensor([x["ids"]])
        at = torch.tensor([i for i, bit in enumerate(x["mask"]) if bit])
        with torch.no_grad(), model.disable_adapter():
            want = torch.log_softmax(model(input_ids=ids).logits[0].float(), -1)[at - 1]
        logp = torch.log_softmax(model(input_ids=ids).logits[0].float(), -1)[at - 1]
        nll = nll - x["weight"] * logp[torch.arange(len(at)), ids[0, at]].sum()
        kl = kl + x["weight"] * (want.exp() * (want - logp)).sum()
        weight += x["weight"] * len(at)
    return nll / weight, kl / weight


def train():
    rng = np.random.default_rng(7)
    torch.manual_seed(7)
    model = base.toy_model()
    params = [p for p in model.parameters() if p.requires_grad]
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.copy_(torch.randn(p.shape) * 0.02)
    examples = base.make_examples(rng, base.EXAMPLES)
    per_epoch = math.ceil(base.EXAMPLES / base.BATCH)
    total = per_epoch * base.EPOCHS
    opt = torch.optim.AdamW(params, lr=base.LR, betas=(0.9, 0.999), eps=1e-8,
                            weight_decay=base.DECAY)
    sched = get_cosine_schedule_with_warmup(opt, math.ceil(base.WARMUP * total), total)
    steps = []
    for step in range(total):
        at = step % per_epoch * base.BATCH
        opt.zero_grad()
        loss, kl = both_of(model, examples[at:at + base.BATCH])
        (loss + WEIGHT * kl).backward()
        norm = torch.nn.utils.clip_grad_norm_(params, base.CLIP)
        steps.append([float(loss.detach()), float(kl.detach()), float(norm)])
        opt.step()
        sched.step()
    return {"weight": WEIGHT, "steps": steps, "final": base.adapter(model)}


if __name__ == "__main__":
    data = train()
    print(*data["steps"], sep="\n")
    with open(sys.argv[1] if len(sys.argv) > 1 else "kl.mp", "wb") as f:
        f.write(base.put(data))

"""make_lora_family.py: writes lora_family.mp: rsLoRA, LoRA+, PiSSA and OLoRA by peft and torch.

    python3 make_lora_family.py [lora_family.mp]

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2 and numpy 2.4.6, in fp32, on the toy model.
The file is one msgpack map like train.mp's: the examples with their order, settings, and under
`runs` for each way to train: rank, alpha, rslora, plus, the first and the last adapter under PEFT's
names, loss, rate and gradient norm of each step, and of two the gradients of the first step.
peft takes what PiSSA and OLoRA start from out of the base; `first` and `last` are then A and B
alone, without the part that is subtracted again. Singular vectors and rows of R have no sign of
their own: here those are taken where the largest component of a row of A (PiSSA), or the diagonal
of R (OLoRA), is positive.
"""
import math
import sys

import numpy as np
import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from transformers import LlamaConfig, LlamaForCausalLM, get_cosine_schedule_with_warmup

from make_toy import CONFIG, make_hf_state_dict
from make_train import adapter, loss_of, make_examples, put

RANK, ALPHA, LR, WARMUP, DECAY, CLIP = 4, 8.0, 1e-2, 0.2, 0.01, 1.0
EXAMPLES, BATCH, EPOCHS = 16, 4, 2
RUNS = [("rslora", dict(use_rslora=True), 0.0), ("plus", {}, 8.0),
        ("pissa", dict(init_lora_weights="pissa"), 0.0),
        ("olora", dict(init_lora_weights="olora"), 0.0),
        ("pissa_rslora", dict(init_lora_weights="pissa", use_rslora=True), 4.0)]


def toy_model(options):
    c = CONFIG
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=c["vocab"], hidden_size=c["channels"], intermediate_size=c["mlp"],
        num_hidden_layers=c["layers"], num_attention_heads=c["heads"],
        num_key_value_heads=c["kv_heads"], head_dim=c["head_dim"],
        max_position_embeddings=c["context"], rope_theta=c["rope_theta"],
        rms_norm_eps=c["rms_eps"], tie_word_embeddings=True, attn_implementation="eager"))
    state = {k: torch.from_numpy(v) for k, v in make_hf_state_dict().items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert missing == ["lm_head.weight"] and not unexpected
    model.tie_weights()
    return get_peft_model(model, LoraConfig(
        r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, task_type="CAUSAL_LM",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
                        "down_proj"], **options))


def choose_signs(model, pick):
    """Turns the sign of pairs of a row of A and a column of B; their product stays."""
    with torch.no_grad():
        for module in model.modules():
            if hasattr(module, "lora_A") and "default" in getattr(module, "lora_A"):
                a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
                for r in range(RANK):
                    if pick(a, r) < 0:
                        a[r] *= -1
                        b[:, r] *= -1


def train(name, options, plus, examples):
    torch.manual_seed(7)
    model = toy_model(options)
    if name.startswith("pissa"):
        choose_signs(model, lambda a, r: a[r, a[r].abs().argmax()])
    elif name == "olora":
        choose_signs(model, lambda a, r: a[r, r])
    else:
        with torch.no_grad():
            for n, p in model.named_parameters():
                if "lora_B" in n:
                    p.copy_(torch.randn(p.shape) * 0.02)
    params = [p for p in model.parameters() if p.requires_grad]
    first = adapter(model)
    per_epoch = math.ceil(EXAMPLES / BATCH)
    total = per_epoch * EPOCHS
    if plus:
        opt = create_loraplus_optimizer(model, torch.optim.AdamW, lr=LR, loraplus_lr_ratio=plus,
                                        loraplus_weight_decay=DECAY, betas=(0.9, 0.999), eps=1e-8)
    else:
        opt = torch.optim.AdamW(params, lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=DECAY)
    sched = get_cosine_schedule_with_warmup(opt, math.ceil(WARMUP * total), total)
    steps, grads = [], {}
    for step in range(total):
        at = step % per_epoch * BATCH
        opt.zero_grad()
        loss = loss_of(model, examples[at:at + BATCH])
        loss.backward()
        if step == 0 and name in ("pissa", "olora"):
            grads = {n.replace(".default", ""): [p.shape[0], p.shape[1],
                                                 p.grad.numpy().astype("<f4").tobytes()]
                     for n, p in model.named_parameters() if p.requires_grad}
        norm = torch.nn.utils.clip_grad_norm_(params, CLIP)
        steps.append([float(loss.detach()), float(sched.get_last_lr()[0]), float(norm)])
        opt.step()
        sched.step()
    print(name, *steps, sep="\n")
    return {"rank": RANK, "alpha": ALPHA, "rslora": int(bool(options.get("use_rslora"))),
            "plus": plus, "first": first, "last": adapter(model), "steps": steps, "grads": grads}


def main():
    examples = make_examples(np.random.default_rng(11), EXAMPLES)
    out = {"lr": LR, "warmup": WARMUP, "decay": DECAY, "clip": CLIP, "batch": BATCH,
           "epochs": EPOCHS, "examples": examples,
           "runs": {name: train(name, options, plus, examples) for name, options, plus in RUNS}}
    with open(sys.argv[1] if len(sys.argv) > 1 else "lora_family.mp", "wb") as f:
        f.write(put(out))


if __name__ == "__main__":
    main()

"""make_train.py: writes train.mp, a short LoRA training of the toy model by transformers and peft.

    python3 make_train.py [train.mp]

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2 and numpy 2.4.6, in fp32. The file is one
msgpack map: the examples with their order, the initial and the final adapter under PEFT's names and
in PEFT's row order, loss, rate and gradient norm of each step, the validation loss after the last,
and some schedules of transformers. tests/unit/train_golden_test.c repeats the run.
"""
import math
import struct
import sys

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict
from transformers import LlamaConfig, LlamaForCausalLM, get_cosine_schedule_with_warmup

from make_toy import CONFIG, make_hf_state_dict

RANK, ALPHA, LR, WARMUP, DECAY, CLIP = 4, 8.0, 1e-2, 0.2, 0.01, 1.0
EXAMPLES, BATCH, EPOCHS = 24, 4, 2


def put(v):
    """The few msgpack types needed here, each in one fixed width."""
    if isinstance(v, bytes):
        return b"\xc6" + struct.pack(">I", len(v)) + v
    if isinstance(v, str):
        return b"\xd9" + struct.pack(">B", len(v.encode())) + v.encode()
    if isinstance(v, int):
        return b"\xcf" + struct.pack(">Q", v)
    if isinstance(v, float):
        return b"\xcb" + struct.pack(">d", v)
    if isinstance(v, list):
        return b"\xdd" + struct.pack(">I", len(v)) + b"".join(map(put, v))
    return b"\xdf" + struct.pack(">I", len(v)) + b"".join(put(k) + put(x) for k, x in v.items())


def toy_model():
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
                        "down_proj"]))


def make_examples(rng, n):
    out = []
    for i in range(n):
        length = int(rng.integers(3, 41))
        mask = (rng.random(length) < 0.6).astype(int)
        mask[0], mask[-1] = 0, 1
        out.append({"ids": [int(x) for x in rng.integers(0, CONFIG["vocab"], length)],
                    "mask": [int(x) for x in mask], "weight": [1.0, 1.0, 0.5, 2.0][i % 4]})
    return out


def nll_of(model, example):
    """Sum of -log p over the example's targets, and their number."""
    ids = torch.tensor([example["ids"]])
    at = torch.tensor([i for i, bit in enumerate(example["mask"]) if bit])
    logp = torch.log_softmax(model(input_ids=ids).logits[0].float(), -1)
    return -logp[at - 1, ids[0, at]].sum(), len(at)


def loss_of(model, examples):
    total, weight = 0.0, 0.0
    for x in examples:
        nll, n = nll_of(model, x)
        total, weight = total + x["weight"] * nll, weight + x["weight"] * n
    return total / weight


def adapter(model):
    return {name: [t.shape[0], t.shape[1], t.detach().numpy().astype("<f4").tobytes()]
            for name, t in get_peft_model_state_dict(model).items()}


def schedule(peak, warmup, total):
    p = torch.nn.Parameter(torch.zeros(1))
    opt = torch.optim.AdamW([p], lr=peak)
    sched = get_cosine_schedule_with_warmup(opt, warmup, total)
    rates = []
    for _ in range(total):
        rates.append(float(sched.get_last_lr()[0]))
        opt.step()
        sched.step()
    return {"peak": peak, "warmup": warmup, "total": total, "rates": rates}


def train():
    rng = np.random.default_rng(7)
    torch.manual_seed(7)
    model = toy_model()
    params = [p for p in model.parameters() if p.requires_grad]
    with torch.no_grad():        # B is not left at zero, so that its row order matters at once
        for name, p in model.named_parameters():
            if "lora_B" in name:
                p.copy_(torch.randn(p.shape) * 0.02)
    examples, val = make_examples(rng, EXAMPLES), make_examples(rng, 6)
    initial = adapter(model)
    per_epoch = math.ceil(EXAMPLES / BATCH)
    total = per_epoch * EPOCHS
    opt = torch.optim.AdamW(params, lr=LR, betas=(0.9, 0.999), eps=1e-8, weight_decay=DECAY)
    sched = get_cosine_schedule_with_warmup(opt, math.ceil(WARMUP * total), total)
    steps = []
    for step in range(total):
        at = step % per_epoch * BATCH
        opt.zero_grad()
        loss = loss_of(model, examples[at:at + BATCH])
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(params, CLIP)
        steps.append([float(loss.detach()), float(sched.get_last_lr()[0]), float(norm)])
        opt.step()
        sched.step()
    with torch.no_grad():
        val_loss = float(loss_of(model, val))
    return {"rank": RANK, "alpha": ALPHA, "lr": LR, "warmup": WARMUP, "decay": DECAY, "clip": CLIP,
            "batch": BATCH, "epochs": EPOCHS, "examples": examples, "val": val, "steps": steps,
            "val_loss": val_loss, "initial": initial, "final": adapter(model),
            "schedules": [schedule(2e-4, 3, 10), schedule(1.0, 0, 7), schedule(3e-3, 4, 4),
                          schedule(1e-4, 1, 33)]}


if __name__ == "__main__":
    data = train()
    print(*data["steps"], "val", data["val_loss"], sep="\n")
    with open(sys.argv[1] if len(sys.argv) > 1 else "train.mp", "wb") as f:
        f.write(put(data))

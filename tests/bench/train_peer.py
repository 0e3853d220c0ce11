"""train_peer.py: LoRA training steps by transformers and peft, to be compared with ft-train.

    train_peer.py MODEL.gguf ROWS.jsonl [--dtype f32|bf16] [--steps N] [--threads N]

ROWS.jsonl is what ft-cat prints of a packed stream made by ft-pack --no-pack from rows of equal
length: four of them make a step. Prints one JSON line: tokens_per_s (median over the steps, the
first left out), peak_mib, losses.
"""
import argparse
import json
import resource
import statistics
import time

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM

BATCH = 4


def read_rows(path):
    for line in open(path):
        for s in json.loads(line)["segments"]:
            labels = [i if bit else -100 for i, bit in zip(s["ids"], s["mask"])]
            yield s["ids"], labels


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("rows")
    p.add_argument("--dtype", choices=["f32", "bf16"], default="f32")
    p.add_argument("--steps", type=int, default=4)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    folder, _, name = a.model.rpartition("/")
    model = AutoModelForCausalLM.from_pretrained(
        folder or ".", gguf_file=name,
        dtype=torch.float32 if a.dtype == "f32" else torch.bfloat16)
    model.config.use_cache = False
    model = get_peft_model(model, LoraConfig(
        r=16, lora_alpha=32, lora_dropout=0.0, task_type="CAUSAL_LM",
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj",
                        "down_proj"]))
    params = [x for x in model.parameters() if x.requires_grad]
    opt = torch.optim.AdamW(params, lr=2e-4, weight_decay=0.01)
    rows = list(read_rows(a.rows))
    rates, losses = [], []
    for step in range(a.steps):
        batch = [rows[(step * BATCH + i) % len(rows)] for i in range(BATCH)]
        ids = torch.tensor([r[0] for r in batch])
        labels = torch.tensor([r[1] for r in batch])
        start = time.monotonic()
        opt.zero_grad()
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        rates.append(ids.numel() / (time.monotonic() - start))
        losses.append(loss.item())
    print(json.dumps({
        "tokens_per_s": round(statistics.median(rates[1:] or rates), 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "losses": losses}))


if __name__ == "__main__":
    main()

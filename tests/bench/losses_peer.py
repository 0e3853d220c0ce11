"""losses_peer.py MODEL.gguf ROWS.jsonl INITIAL TRAIN.log: the first ten steps again by transformers
and peft in fp32, and how far the losses are apart. INITIAL: a folder that adapter_dump.py made."""
import argparse
import json
import sys

import peer_model
import torch
from transformers import get_cosine_schedule_with_warmup

model_path, rows_path, initial, log_path = sys.argv[1:]
model, params = peer_model.load(argparse.Namespace(
    model=model_path, dtype="f32", nf4=None, compile=False, initial=initial, threads=2))

rows = [json.loads(x)["segments"] for x in open(rows_path)]
steps = (len(rows) + 3) // 4
opt = torch.optim.AdamW(params, lr=1e-3, weight_decay=0.01, eps=1e-8)
schedule = get_cosine_schedule_with_warmup(opt, 0, steps)
ours = [x["loss"] for x in map(json.loads, open(log_path)) if "loss" in x]
worst = 0
for step in range(10):
    batch = [s for r in rows[4 * step:4 * step + 4] for s in r]
    targets = sum(sum(s["mask"]) for s in batch)
    total = 0
    opt.zero_grad()
    for s in batch:
        logits = model(torch.tensor([s["ids"]])).logits[0, :-1]
        keep = torch.tensor(s["mask"][1:], dtype=torch.bool)
        loss = torch.nn.functional.cross_entropy(
            logits[keep], torch.tensor(s["ids"][1:])[keep], reduction="sum") / targets
        loss.backward()
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(params, 1.0)
    opt.step()
    schedule.step()
    worst = max(worst, abs(ours[step] / total - 1))
    print(f"step {step + 1:2}  ft {ours[step]:.6f}  peft {total:.6f}")
print(f"largest difference {100 * worst:.4f} %  (goal: 0.5)")
sys.exit(not worst <= 0.005)

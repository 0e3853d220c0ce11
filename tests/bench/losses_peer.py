"""losses_peer.py MODEL.gguf ROWS.jsonl INITIAL TRAIN.log: the first ten steps again by transformers
and peft in fp32, and how far the losses are apart. INITIAL: a folder that adapter_dump.py made."""
import json
import os
import sys

import numpy as np
import torch
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
from transformers import AutoModelForCausalLM, get_cosine_schedule_with_warmup

model_path, rows_path, initial, log_path = sys.argv[1:]
torch.set_num_threads(2)
folder, _, name = model_path.rpartition("/")
model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
model = get_peft_model(model, LoraConfig(
    r=16, lora_alpha=32, lora_dropout=0.0, task_type="CAUSAL_LM",
    target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]))
index = json.load(open(os.path.join(initial, "index.json")))
tensors = {k: torch.from_numpy(np.fromfile(os.path.join(initial, v["file"]), "<f4").reshape(v["shape"]))
           for k, v in index.items()}
set_peft_model_state_dict(model, tensors)

rows = [json.loads(x)["segments"] for x in open(rows_path)]
steps = (len(rows) + 3) // 4
params = [p for p in model.parameters() if p.requires_grad]
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

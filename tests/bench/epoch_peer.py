"""epoch_peer.py: one epoch of LoRA training by transformers and peft over chats of unequal length,
with the validation loss before and after, to be compared with ft-train.

    epoch_peer.py MODEL.gguf TRAIN.jsonl VAL.jsonl [--dtype f32|bf16] [--batch N] [--step-batch N]
                  [--nf4 FOLDER] [--initial FOLDER] [--limit N] [--threads N]

The .jsonl files are what ft-cat prints of packed streams made by ft-pack --no-pack: the same ids
and the same targets, in the same order. Batches of --batch are padded to their longest example and
accumulated to --step-batch; the loss of a step is the mean over its targets, as in ft-train, and so
is the validation loss. Prints one JSON line; wall_s is the whole program but for the validation
before training.
"""
import argparse
import json
import math
import resource
import time

START = time.monotonic()

import peer_model  # noqa: E402
import torch  # noqa: E402
from transformers import get_cosine_schedule_with_warmup  # noqa: E402


def padded(rows):
    longest = max(len(ids) for ids, _ in rows)
    ids = torch.zeros(len(rows), longest, dtype=torch.long)
    labels = torch.full((len(rows), longest), -100)
    seen = torch.zeros(len(rows), longest, dtype=torch.long)
    for i, (x, y) in enumerate(rows):
        ids[i, :len(x)] = torch.tensor(x)
        labels[i, :len(x)] = torch.tensor(y)
        seen[i, :len(x)] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": seen}


def n_targets(rows):
    return sum(1 for _, y in rows for label in y[1:] if label != -100)


def validate(model, rows, batch):
    model.eval()
    total = 0.0
    with torch.no_grad():
        for at in range(0, len(rows), batch):
            part = rows[at:at + batch]
            # num_items_in_batch 1: the sum over the targets.
            total += model(**padded(part), num_items_in_batch=1).loss.item()
    model.train()
    return total / n_targets(rows)


def epoch(model, params, rows, a):
    steps = math.ceil(len(rows) / a.step_batch)
    opt = torch.optim.AdamW(params, lr=a.lr, weight_decay=0.01)
    schedule = get_cosine_schedule_with_warmup(opt, math.ceil(0.03 * steps), steps)
    losses = []
    for at in range(0, len(rows), a.step_batch):
        step = rows[at:at + a.step_batch]
        items, total = n_targets(step), 0.0
        opt.zero_grad()
        for i in range(0, len(step), a.batch):
            loss = model(**padded(step[i:i + a.batch]), num_items_in_batch=items).loss
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        schedule.step()
        losses.append(total)
    return losses


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("train")
    p.add_argument("val")
    p.add_argument("--lr", type=float, default=2e-4)
    p.add_argument("--step-batch", type=int, default=16)
    p.add_argument("--limit", type=int, help="take only the first examples (to try it out)")
    peer_model.add_options(p)
    a = p.parse_args()
    model, params = peer_model.load(a)
    train = list(peer_model.read_rows(a.train))[:a.limit]
    val = list(peer_model.read_rows(a.val))[:a.limit]
    before_from = time.monotonic()
    before = validate(model, val, a.batch)
    train_from = time.monotonic()
    losses = epoch(model, params, train, a)
    train_s = time.monotonic() - train_from
    after = validate(model, val, a.batch)
    wall = time.monotonic() - START - (train_from - before_from)
    print(json.dumps({
        "examples": len(train), "val_before": before, "val_after": after,
        "wall_s": round(wall, 1), "train_s": round(train_s, 1),
        "tokens_per_s": round(sum(len(x) for x, _ in train) / train_s, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "losses": losses}))


if __name__ == "__main__":
    main()

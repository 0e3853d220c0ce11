"""train_peer.py: LoRA training steps by transformers and peft, to be compared with ft-train.

    train_peer.py MODEL.gguf ROWS.jsonl [--dtype f32|bf16] [--batch N] [--compile] [--nf4 FOLDER]
                  [--steps N] [--threads N]

ROWS.jsonl is what ft-cat prints of a packed stream made by ft-pack --no-pack from rows of equal
length. Prints one JSON line: tokens_per_s (median over the steps but the first), first_s (seconds
of the first step, in which torch.compile compiles), step_s (median), peak_mib, losses.
"""
import argparse
import json
import resource
import statistics
import time

import peer_model
import torch


def main():
    p = argparse.ArgumentParser()
    p.add_argument("model")
    p.add_argument("rows")
    p.add_argument("--steps", type=int, default=3)
    peer_model.add_options(p)
    a = p.parse_args()
    model, params = peer_model.load(a)
    opt = torch.optim.AdamW(params, lr=2e-4, weight_decay=0.01)
    rows = list(peer_model.read_rows(a.rows))
    seconds, losses = [], []
    for step in range(a.steps):
        batch = [rows[(step * a.batch + i) % len(rows)] for i in range(a.batch)]
        ids = torch.tensor([r[0] for r in batch])
        labels = torch.tensor([r[1] for r in batch])
        start = time.monotonic()
        opt.zero_grad()
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        losses.append(loss.item())
        seconds.append(time.monotonic() - start)
    median = statistics.median(seconds[1:] or seconds)
    print(json.dumps({
        "tokens_per_s": round(ids.numel() / median, 1),
        "first_s": round(seconds[0], 1), "step_s": round(median, 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "losses": losses}))


if __name__ == "__main__":
    main()

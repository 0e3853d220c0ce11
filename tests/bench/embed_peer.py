"""embed_peer.py MODEL.gguf IDS VECTORS...: tokens a second of transformers in bf16 on two
threads, the best of three, and the least cosine of each file's vectors with transformers' in fp32.
Made for torch 2.15.0, transformers 5.23.0."""
import os
import sys
import time

import numpy as np
import torch

from peer_model import load_gguf

torch.set_num_threads(2)
path, ids, *files = sys.argv[1:]
rows = torch.tensor([[int(i) for i in line.split()] for line in open(ids)])


@torch.no_grad()
def vectors(model):
    parts = [model.model(rows[at:at + 8]).last_hidden_state.float().mean(dim=1)
             for at in range(0, len(rows), 8)]
    return torch.cat(parts).numpy()


model, best = load_gguf(path, torch.bfloat16).eval(), 0.0
for _ in range(3):
    start = time.perf_counter()
    vectors(model)
    best = max(best, rows.numel() / (time.perf_counter() - start))
print(f"transformers bf16  {best:.0f} tokens/s")
want = vectors(load_gguf(path, torch.float32).eval())
for name in files:
    got = np.fromfile(name, dtype="<f4").reshape(want.shape)
    cosines = (got * want).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
    print(f"{os.path.basename(name)}  cosine with transformers f32 at least {cosines.min():.6f}")

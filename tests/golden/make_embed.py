"""make_embed.py: writes embed.txt, the means of transformers' last hidden states in fp32.

    python3 make_embed.py SmolLM2-135M-Instruct.Q4_1.gguf > embed.txt

Made with torch 2.15.0, transformers 5.23.0, peft 0.21.2, gguf 0.19.0 and numpy 2.4.6. Lines:
    MODEL LORA T C ids... values...
LORA is 0 or the rank of the adapter that lora_value() of make_generate.py makes.
"""
import sys

import numpy as np
import torch

from make_generate import real, toy, with_lora


@torch.no_grad()
def write(model, name, lora, lengths, vocab):
    rng = np.random.default_rng(11)
    for T in lengths:
        ids = rng.integers(0, vocab, T)
        out = model(torch.tensor(ids[None], dtype=torch.long), output_hidden_states=True)
        mean = out.hidden_states[-1][0].double().mean(dim=0)
        print(name, lora, T, len(mean), *ids, *(f"{v:.7g}" for v in mean.tolist()))


write(toy(), "toy", 0, [1, 2, 63, 64, 65, 129, 17], 512)
write(with_lora(toy(), 4, 0.5), "toy", 4, [3, 70], 512)
write(real(sys.argv[1]), "real", 0, [1, 9, 200], 49152)

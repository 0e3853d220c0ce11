#!/bin/sh
# The files that ft-merge and ft-quant write, read by llama.cpp: the same logits? The adapter is
# trained for a few steps on text of this machine. llama.cpp rounds activations to 8 bits for q8_0
# and q4_0 products, so those are compared by the divergence of the predictions and the first
# choice.
set -eu
llama=$(sh "$FT_ROOT/tests/bench/llama_build.sh")
ft-import -q --shape plain </usr/share/common-licenses/GPL-3 |
    ft-tokenize -q -m "$MODEL" --raw | ft-pack -q -l 512 -o rows.packed
ft-train -q -i rows.packed -m "$MODEL" --lora-rank 8 --lr 1e-3 -o adapter.ft
for type in f32 f16 bf16; do
    ft-merge -q -m "$MODEL" -a adapter.ft --type $type --verify -o $type.gguf
done
for type in q8_0 q4_0; do
    ft-quant -q -m f16.gguf -t $type -o $type.gguf
done
ids=$(ft-cat rows.packed --head 1 2>/dev/null | jq -r '[.segments[].ids[]] | .[0:64] | @tsv')
for type in f32 f16 bf16 q8_0 q4_0; do
    # shellcheck disable=SC2086  # one word an id
    "$FT_BIN/../tests/bench/ft_logits" $type.gguf $ids >ours
    # shellcheck disable=SC2086
    "$llama/bin/llama_logits" $type.gguf $ids >theirs
    "$PEER_PYTHON" - $type <<'END'
import sys
import numpy as np
type_name = sys.argv[1]

def logits(name):
    return np.fromfile(name, "<f4").reshape(64, -1).astype(np.float64)

def log_softmax(x):
    x = x - x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))

ours, theirs = logits("ours"), logits("theirs")
p, q = log_softmax(ours), log_softmax(theirs)
kl = (np.exp(p) * (p - q)).sum(1).mean()
same = (ours.argmax(1) == theirs.argmax(1)).mean()
print(f"{type_name:5} max logit difference {abs(ours - theirs).max():.2e}, mean KL {kl:.2e} nats, "
      f"same first choice {100 * same:.0f} %")
# f16 and bf16: llama.cpp rounds the activations to the type of the weights.
bound = {"f32": 1e-6, "f16": 1e-4, "bf16": 1e-2, "q8_0": 1e-2, "q4_0": 2e-2}[type_name]
sys.exit(not kl <= bound)
END
done

#!/bin/sh
# first_steps.sh MODEL.gguf: the whole way in eight lines, on 150 small examples: teach a model to
# answer with an ISO date and nothing else. About a minute on two cores; writes into ./first-steps.
set -eu
model=${1:?usage: first_steps.sh MODEL.gguf}
data=$(dirname "$0")/dates.jsonl
mkdir -p first-steps
here=first-steps

# Clean, and keep a tenth each for validation and test.
ft-import -i "$data" | ft-dedup |
    ft-split --to $here/train.ft,$here/val.ft,$here/test.ft --ratio 80,10,10

# From conversations to ids; the marked ids are what is to be learned.
for part in train val test; do
    ft-tokenize -i $here/$part.ft -m "$model" | ft-pack -l 256 -o $here/$part.packed
done

# Before, training, after.
ft-eval -i $here/test.packed -m "$model"
ft-train -i $here/train.packed -m "$model" --val $here/val.packed --val-every 8 \
    --epochs 2 --batch 8 --lr 1e-3 --log $here/train.log -o $here/adapter.ft
ft-eval -i $here/test.packed -m "$model" -a $here/adapter.ft

# Ask it: by the adapter beside its base, and as one merged and quantised file.
ft-generate -i $here/test.ft -m "$model" -a $here/adapter.ft --max-tokens 24 -o $here/answers.ft
ft-merge -m "$model" -a $here/adapter.ft -o $here/tuned.gguf
ft-quant -m $here/tuned.gguf -t q8_0 -o $here/tuned-q8.gguf
ft-check $here/answers.ft $here/adapter.ft $here/tuned-q8.gguf

#!/bin/sh
# The first ten losses of a LoRA run on the real model beside transformers and peft in fp32: the
# same rows in the same order, from the same initial adapter (ft's own draw, read by the second
# decoder).
set -eu
[ -x "$PEER_PYTHON" ] || { echo "skipped: the peers are not installed"; exit 0; }
head -c 30000 /usr/share/common-licenses/GPL-3 | tr '\n' ' ' | ft-import -q --shape plain |
    ft-tokenize -q -m "$MODEL" --raw | ft-pack -q --no-pack -l 160 --long split -o rows.packed
options="--no-shuffle --batch 4 --seed 5 --lr 1e-3 --warmup 0 --epochs 1"
# shellcheck disable=SC2086  # words
ft-train -q -i rows.packed -m "$MODEL" $options --lr 1e-30 -o initial.ft
# shellcheck disable=SC2086
ft-train -q -i rows.packed -m "$MODEL" $options --log train.log -o adapter.ft
ft-cat rows.packed >rows.jsonl
# Tensors of the initial adapter as plain float32, from a decoder that is not ft's.
/usr/bin/python3 "$FT_ROOT/tests/bench/adapter_dump.py" initial.ft initial
"$PEER_PYTHON" "$FT_ROOT/tests/bench/losses_peer.py" "$MODEL" rows.jsonl initial train.log \
    2>peer.err || { tail -n 5 peer.err; exit 1; }

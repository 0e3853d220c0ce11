#!/bin/sh
# LoRA training in fp32, 4 x 512 tokens a step, rank 16 on all seven matrices, loss on all tokens:
# ft-train beside transformers and peft, the same rows, three runs each in turn.
set -eu
# One text of some 8,500 tokens, cut into rows of 512: the last, shorter row is a step that is not
# timed.
head -c 36000 /usr/share/common-licenses/GPL-3 | tr '\n' ' ' | ft-import -q --shape plain |
    ft-tokenize -q -m "$MODEL" --raw | ft-pack -q --no-pack -l 512 --long split -o all.packed
ft-cat all.packed | jq -c 'select(([.segments[].ids | length] | add) == 512)' >rows.jsonl
[ "$(wc -l <rows.jsonl)" -ge 12 ]
peak() { sed -n 's/.*Maximum resident set size (kbytes): //p' "$1"; }
: >ours
: >theirs
for _ in 1 2 3; do
    /usr/bin/time -v ft-train -q -i all.packed -m "$MODEL" --batch 4 --micro 4 --no-shuffle \
        --log train.log -o adapter.ft 2>said
    echo "$(jq -s '[.[1:3][].tokens_per_s] | add / 2' train.log) $(peak said)" >>ours
    if [ -x "$PEER_PYTHON" ]; then
        "$PEER_PYTHON" "$FT_ROOT/tests/bench/train_peer.py" "$MODEL" rows.jsonl >peer 2>peer.err ||
            { tail -n 5 peer.err; exit 1; }
        jq -r '"\(.tokens_per_s) \(.peak_mib * 1024)"' peer >>theirs
    fi
done
line() { # NAME FILE
    sort -n "$2" | sed -n 2p |
        awk -v name="$1" '{ printf "%-20s %6.1f tokens/s  %6.0f MiB\n", name, $1, $2 / 1024 }'
}
line ft-train ours
[ ! -s theirs ] || line 'transformers + peft' theirs

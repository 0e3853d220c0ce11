#!/bin/sh
# Embeddings (lib/nn/embed.h) of English in pieces of 256 tokens, on two threads, beside
# transformers in bf16; and how far the vectors are from transformers'.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
licence_text 80000 | ft-import -q --shape plain | ft-tokenize -q -m "$MODEL" --raw |
    ft-pack -q --no-pack -l 256 --long split >rows.ft
full_rows 256 rows.ft | head -n 32 | jq -r '.segments[0].ids | map(tostring) | join(" ")' >ids
for compute in f32 bf16 int8; do
    "$FT_BIN/../tests/bench/ft_embeds" "$MODEL" $compute 2 <ids >$compute.vectors 2>rate
    echo "ft_embed $compute  $(cat rate) tokens/s"
done
if has_peer; then
    "$PEER_PYTHON" "$FT_ROOT/tests/bench/embed_peer.py" "$MODEL" ids ./*.vectors 2>peer.err ||
        { tail -n 3 peer.err; exit 1; }
fi

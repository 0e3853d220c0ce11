#!/bin/sh
# ft-tokenize as a whole program (decompress, encode, compress) on two threads, beside Hugging
# Face's encode_batch, on the licence texts of this machine in pieces of about 4 KiB.
set -eu
python3 - >texts.jsonl <<'END'
import glob, json
text, size = "", 0
folders = "/usr/share/common-licenses/*", "/usr/share/doc/*/copyright"
for name in sorted(glob.glob(folders[0]) + glob.glob(folders[1])):
    text += open(name, errors="replace").read()
for _ in range(40):
    for at in range(0, len(text), 4096):
        print(json.dumps({"text": text[at:at + 4096]}))
        size += 4096
        if size >= 16 << 20:
            raise SystemExit
END
ft-import -q --level 1 <texts.jsonl >texts.ft
bytes=$(python3 -c '
import json
print(sum(len(json.loads(line)["text"].encode()) for line in open("texts.jsonl")))')
best=0
for _ in 1 2 3; do
    from=$(date +%s%N)
    ft-tokenize -m "$MODEL" --raw --json --level 1 --threads 2 -o tokens.ft texts.ft 2>said
    took=$(($(date +%s%N) - from))
    now=$((bytes * 10000 / took))
    [ "$now" -le "$best" ] || best=$now
done
tokens=$(sed -n 's/.*"tokens":\([0-9]*\).*/\1/p' said)
echo "ft-tokenize  $((best / 10)).$((best % 10)) MB/s  (goal: 5 times the peer; ideal 100)"
if [ -x "$PEER_PYTHON" ]; then
    "$PEER_PYTHON" "$FT_ROOT/tests/bench/tokenize_peer.py" "$MODEL" texts.jsonl >peer
    read -r speed peer_tokens <peer
    echo "tokenizers   $speed MB/s  (encode_batch, 2 threads)"
    [ "$tokens" = "$peer_tokens" ] || { echo "token counts differ: $tokens, $peer_tokens"; exit 1; }
fi

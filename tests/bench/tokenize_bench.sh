#!/bin/sh
# ft-tokenize as a whole program (decompress, encode, compress) on two threads, beside Hugging
# Face's encode_batch and tiktoken's encode_ordinary_batch, on the licence texts of this machine in
# pieces of about 4 KiB; then the pipe from JSON lines to packed rows.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
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
# best COMMAND...: megabytes of text a second, the best of three runs; sets best.
best() {
    best=0
    for _ in 1 2 3; do
        from=$(date +%s%N)
        "$@"
        took=$(($(date +%s%N) - from))
        now=$((bytes * 10000 / took))
        [ "$now" -le "$best" ] || best=$now
    done
    best=$((best / 10)).$((best % 10))
}

tokenize() { ft-tokenize -q -m "$MODEL" --raw --level 1 --threads "$1" -o tokens.ft texts.ft; }
pack() { ft-pack -q -l 2048 --long split --level 1 --threads 2 -o packed.ft tokens.ft; }
from_json() {
    ft-import -q --level 1 <texts.jsonl | ft-tokenize -q -m "$MODEL" --raw --level 1 |
        ft-pack -q -l 2048 --long split --level 1 -o packed.ft
}

best tokenize 1
echo "ft-tokenize  $best MB/s  (1 thread)"
best tokenize 2
echo "ft-tokenize  $best MB/s  (2 threads; goal: 100, and 5 times tiktoken)"
mine=$best
if [ -x "$PEER_PYTHON" ]; then
    ft-cat -q tokens.ft >tokens.jsonl
    "$PEER_PYTHON" "$FT_ROOT/tests/bench/tokenize_peer.py" "$MODEL" texts.jsonl tokens.jsonl >peers
    while read -r name speed equal; do
        echo "$name   $speed MB/s  (2 threads; $mine is $(calc "$mine / $speed" %.1f) times that)"
        [ "$equal" = 1.0 ] || { echo "$equal of the texts have $name's ids"; exit 1; }
    done <peers
fi
best pack
echo "ft-pack      $best MB/s of text  (2 threads)"
best from_json
echo "ft-import | ft-tokenize | ft-pack  $best MB/s of text"

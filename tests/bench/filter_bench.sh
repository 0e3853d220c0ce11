#!/bin/sh
# ft-filter as a whole program (decompress, all rules of the web profile, compress) on two threads,
# beside datatrove's filters in one process, on the licence texts of this machine in pages of about
# 4 KiB. The peer gets the first 400 pages; both must pass the same number of these.
set -eu
python3 - >texts.jsonl <<'END'
import glob, json
text, size = "", 0
folders = "/usr/share/common-licenses/*", "/usr/share/doc/*/copyright"
for name in sorted(glob.glob(folders[0]) + glob.glob(folders[1])):
    text += open(name, errors="ignore").read()
for _ in range(40):
    for at in range(0, len(text), 4096):
        print(json.dumps({"text": text[at:at + 4096]}))
        size += 4096
        if size >= 64 << 20:
            raise SystemExit
END
ft-import -q --level 1 <texts.jsonl >texts.ft
bytes=$(python3 -c '
import json
print(sum(len(json.loads(line)["text"].encode()) for line in open("texts.jsonl")))')
for threads in 1 2; do
    best=0
    for _ in 1 2 3; do
        from=$(date +%s%N)
        ft-filter -q -p web --level 1 --threads $threads -o kept.ft texts.ft 2>/dev/null
        took=$(($(date +%s%N) - from))
        now=$((bytes * 10000 / took))
        [ "$now" -le "$best" ] || best=$now
    done
    echo "ft-filter    $((best / 10)).$((best % 10)) MB/s  ($threads threads; goal: 100 on two)"
done
if [ -x "$PEER_PYTHON" ]; then
    "$PEER_PYTHON" "$FT_ROOT/tests/bench/filter_peer.py" texts.jsonl 400 >peer
    read -r speed peer_kept <peer
    echo "datatrove    $speed MB/s  (one process)"
    kept=$(head -n 400 texts.jsonl | ft-import -q |
        ft-filter --json -p web --off text -o kept.ft 2>&1 |
        sed -n 's/.*"written":\([0-9]*\).*/\1/p')
    [ "$kept" = "$peer_kept" ] || { echo "pages that pass differ: $kept, $peer_kept"; exit 1; }
fi

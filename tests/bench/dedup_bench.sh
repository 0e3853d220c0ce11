#!/bin/sh
# ft-dedup as a whole program (decompress, work, compress) on two threads: equal examples beside a
# Python set of SHA-256 digests and datatrove's sentence filter form, evaluation items, and
# repeated passages, on the licence texts of this machine in pieces of 300 to 3000 bytes.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
python3 - >texts.jsonl <<'END'
import glob, json, random
rng, text, size = random.Random(1), "", 0
folders = "/usr/share/common-licenses/*", "/usr/share/doc/*/copyright"
for name in sorted(glob.glob(folders[0]) + glob.glob(folders[1])):
    text += open(name, errors="replace").read()
last = "x"
while size < 64 << 20:
    at = rng.randrange(len(text) - 3000)
    if rng.random() > .2:
        last = text[at:at + rng.randint(300, 3000)]
    size += len(last)
    print(json.dumps({"text": last}))
END
ft-import -q --level 1 <texts.jsonl >texts.ft
head -n 300 texts.jsonl | tail -n 100 | ft-import -q >items.ft
head -n 10000 texts.jsonl | ft-import -q --level 1 >some.ft
bytes=$(ft-check texts.ft | cut -f 4)
some=$(ft-check some.ft | cut -f 4)

# rate NAME BYTES COMMAND...: megabytes of records a second, the best of three.
rate() {
    name=$1 size=$2
    shift 2
    rm -f "$name.runs"
    for _ in 1 2 3; do timed "$name" "$@"; done
    best=$(sort -n "$name.runs" | head -n 1 | cut -d ' ' -f 1)
    calc "$size / 1e6 / $best" "%.0f"
}
t="--level 1 --threads 2 -o out.ft"
# shellcheck disable=SC2086  # words
{
    echo "ft-dedup                $(rate equal "$bytes" ft-dedup $t texts.ft) MB/s  (goal: 300)"
    echo "ft-dedup --memory 128K  $(rate bound "$bytes" ft-dedup --memory 128K $t texts.ft) MB/s"
    echo "ft-dedup --against      $(rate leaks "$bytes" ft-dedup --against items.ft $t texts.ft) MB/s"
    echo "ft-dedup --substring    $(rate parts "$some" ft-dedup --substring $t some.ft) MB/s"
}
python3 "$FT_ROOT/tests/bench/dedup_peer.py" plain texts.jsonl
if has_peer && "$PEER_PYTHON" -c 'import datatrove' 2>/dev/null; then
    "$PEER_PYTHON" "$FT_ROOT/tests/bench/dedup_peer.py" datatrove texts.jsonl
fi

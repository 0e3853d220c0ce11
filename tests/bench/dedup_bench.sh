#!/bin/sh
# ft-dedup as a whole program (decompress, work, compress) on two threads: equal examples beside a
# Python set of SHA-256 digests, also of datatrove's simplified form; evaluation items; repeated
# passages, in memory and on disk; on the licence texts of this machine in pieces of 300 to 3000
# bytes, FT_DEDUP_MB MiB of them (64).
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
mebibytes=${FT_DEDUP_MB:-64}
python3 - "$mebibytes" >texts.jsonl <<'END'
import glob, json, random, sys
rng, size = random.Random(1), 0
folders = "/usr/share/common-licenses/*", "/usr/share/doc/*/copyright"
names = sorted(glob.glob(folders[0]) + glob.glob(folders[1]))
text = "".join(open(name, errors="replace").read() for name in names)
last = "x"
while size < int(sys.argv[1]) << 20:
    at = rng.randrange(len(text) - 3000)
    if rng.random() > .2:
        last = text[at:at + rng.randint(300, 3000)]
    size += len(last)
    print(json.dumps({"text": last}))
END
ft-import -q --level 1 <texts.jsonl >texts.ft
head -n 700 texts.jsonl | tail -n 500 | ft-import -q >items.ft
head -n 10000 texts.jsonl | ft-import -q --level 1 >some.ft
bytes=$(ft-check texts.ft | cut -f 4)
some=$(ft-check some.ft | cut -f 4)

# rate NAME BYTES COMMAND...: megabytes of records a second, the best of three, and of the
# processor's time of all threads in the program itself.
rate() {
    name=$1 size=$2
    shift 2
    rm -f "$name.runs"
    for _ in 1 2 3; do
        if ! /usr/bin/time -f '%e %U' -o time "$@" 2>said; then
            tail -n 5 said >&2
            return 1
        fi
        tail -n 1 time >>"$name.runs"
        [ "${FT_BENCH_RUNS:-3}" != 1 ] || break
    done
    echo "$(best 1) MB/s by the clock, $(best 2) by the processor's time"
}
best() {
    least=$(sort -n -k "$1,$1" "$name.runs" | head -n 1 | cut -d ' ' -f "$1")
    calc "$size / 1e6 / ($least + 1e-3)" "%.0f"
}
t="--level 1 --threads 2 -o out.ft"
# shellcheck disable=SC2086  # words
{
    now=$(rate equal "$bytes" ft-dedup $t texts.ft)
    echo "ft-dedup                $now  (goal: 300)"
    now=$(rate bound "$bytes" ft-dedup --memory 128K $t texts.ft)
    echo "ft-dedup --memory 128K  $now"
    now=$(rate leaks "$bytes" ft-dedup --against items.ft $t texts.ft)
    echo "ft-dedup --against      $now  (goal: 100)"
    now=$(rate parts "$some" ft-dedup --substring $t some.ft)
    echo "ft-dedup --substring    $now, in memory"
    now=$(rate disk "$some" ft-dedup --substring --memory 32M $t some.ft)
    echo "             of 32 MiB  $now, on disk"
}
python3 "$FT_ROOT/tests/bench/dedup_peer.py" plain texts.jsonl
if has_peer && "$PEER_PYTHON" -c 'import datatrove' 2>/dev/null; then
    "$PEER_PYTHON" "$FT_ROOT/tests/bench/dedup_peer.py" datatrove texts.jsonl
fi

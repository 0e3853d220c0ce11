#!/bin/sh
# ft-check of a whole stream (decompress, verify checksums, digests, each record) beside zstd -dc.
set -eu
/usr/bin/python3 - >texts.jsonl <<'END'
import glob, json
names = sorted(glob.glob("/usr/share/doc/*/copyright"))
text = "".join(open(name, errors="replace").read() for name in names)
size = at = n = 0
while size < 256 << 20:
    n += 1
    piece = text[at:at + 3000 + n * 7919 % 2000]
    at = at + len(piece) if len(piece) > 2000 else n * 104729 % len(text)
    print(json.dumps({"text": f"{n} {piece}"}))
    size += len(piece)
END
ft-import -q -i texts.jsonl -o texts.ft
seconds() { # COMMAND...
    from=$(date +%s%N)
    "$@" >/dev/null
    echo $((($(date +%s%N) - from) / 1000000))
}
ours='' theirs='' one=''
for _ in 1 2 3 4 5; do
    theirs="$theirs $(seconds zstd -dcq texts.ft)"
    ours="$ours $(seconds ft-check texts.ft)"
    one="$one $(seconds ft-check --threads 1 texts.ft)"
done
median() {
    printf '%s\n' "$@" | sort -n | sed -n 3p
}
# shellcheck disable=SC2086
z=$(median $theirs) o=$(median $ours) s=$(median $one)
awk -v z="$z" -v o="$o" -v s="$s" 'BEGIN {
    printf "zstd -dc     %5d ms\n", z
    printf "ft-check     %5d ms  %.2f of zstd (goal: 1.2)\n", o, o / z
    printf "on 1 thread  %5d ms  %.2f of zstd\n", s, s / z }'

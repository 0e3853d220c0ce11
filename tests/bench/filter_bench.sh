#!/bin/sh
# ft-filter as a whole program (decompress, judge, compress) beside datatrove's filters in one
# process. Pages: the licence texts of this machine in pieces of about 4 KiB, by the rules of the
# web profile, up to the first that drops and (--tag-only) all of them; chats: those made of package
# lists, by the rules of the instruct profile. The peer gets the first 300 pages, with all rules
# asked; both must pass the same number of these. MB are of text or JSON lines; "a core" counts
# processor time, which says more than wall time on a busy machine.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
/usr/bin/python3 - >texts.jsonl <<'END_OF_PROGRAM'
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
END_OF_PROGRAM
ft-import -q --level 1 <texts.jsonl >texts.ft
bytes=$(/usr/bin/python3 -c '
import json
print(sum(len(json.loads(line)["text"].encode()) for line in open("texts.jsonl")))')

# rates NAME BYTES ROWS COMMAND...: best of three by wall time, and by processor time.
rates() {
    name=$1
    size=$2
    rows=$3
    shift 3
    rm -f all.times
    for _ in 1 2 3; do
        /usr/bin/time -f '%e %U %S' -o one.time "$@" 2>/dev/null
        tail -n 1 one.time >>all.times
    done
    awk -v name="$name" -v mb="$((size / 10000))" -v rows="$rows" '
        NR == 1 || $1 < wall { wall = $1 }
        NR == 1 || $2 + $3 < cpu { cpu = $2 + $3 }
        END {
            printf "%-28s %6.1f MB/s  %8d rows/s  (%.1f MB/s a core)\n", name, mb / 100 / wall,
                rows / wall, mb / 100 / cpu
        }' all.times
}

pages=$(wc -l <texts.jsonl)
for threads in 1 2; do
    rates "web, $threads threads" "$bytes" "$pages" \
        ft-filter -q -p web --level 1 --threads $threads -o kept.ft texts.ft
done
rates "web, all rules, 2 threads" "$bytes" "$pages" \
    ft-filter -q -p web --tag-only --level 1 --threads 2 -o kept.ft texts.ft
chats=$FT_ROOT/build/data/apt.jsonl
if [ -e "$chats" ]; then
    ft-import -q --level 1 <"$chats" >chats.ft
    rates "instruct, 2 threads" "$(wc -c <"$chats")" "$(wc -l <"$chats")" \
        ft-filter -q --level 1 --threads 2 -o kept.ft chats.ft
fi
if has_peer; then
    peer_pages=300
    "$PEER_PYTHON" "$FT_ROOT/tests/bench/filter_peer.py" texts.jsonl $peer_pages >peer
    read -r speed rows peer_kept <peer
    printf '%-28s %6.2f MB/s  %8d rows/s\n' "datatrove, one process" "$speed" "$rows"
    kept=$(head -n $peer_pages texts.jsonl | ft-import -q |
        ft-filter --json -p web --off text -o kept.ft 2>&1 |
        sed -n 's/.*"written":\([0-9]*\).*/\1/p')
    [ "$kept" = "$peer_kept" ] || { echo "pages that pass differ: $kept, $peer_kept"; exit 1; }
fi
uptime | sed 's/.*load/load/'

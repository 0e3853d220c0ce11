#!/bin/sh
# ft-import and ft-export as whole programs (parse, compress; decompress, print) on two threads, on
# the chats of build/data/apt.jsonl, or ones made from the licence texts, repeated to 256 MB; beside
# Python's json (load and dump each line) and jq. Packed input too.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
data=$FT_ROOT/build/data/apt.jsonl
if [ ! -e "$data" ]; then
    licence_text 60000 | python3 -c '
import json, sys
text = sys.stdin.read()
for at in range(0, len(text) - 600, 7):
    print(json.dumps({"messages": [{"role": "user", "content": text[at:at + 400]},
                                   {"role": "assistant", "content": text[at + 400:at + 600]}]}))' \
        >made.jsonl
    data=made.jsonl
fi
while [ "$(cat chat.jsonl 2>/dev/null | wc -c)" -lt 256000000 ]; do cat "$data" >>chat.jsonl; done
bytes=$(wc -c <chat.jsonl)
rate() { calc "$bytes / 1e6 / $(median "$1.runs")" %.0f; }

for _ in 1 2 3; do
    [ -z "${FT_BENCH_RUNS:-}" ] || [ ! -e import.runs ] || break
    timed import ft-import -q --threads 2 -o chat.ft chat.jsonl
    timed export ft-export -q --threads 2 -o out.jsonl chat.ft
done
cmp -s chat.jsonl out.jsonl && same=", the same bytes" || same=
gzip -1 -k chat.jsonl
zstd -q -1 chat.jsonl
timed gzip ft-import -q --threads 2 -o gzip.ft chat.jsonl.gz
timed zstd ft-import -q --threads 2 -o zstd.ft chat.jsonl.zst
timed python python3 -c '
import json
out = open("python.jsonl", "w")
for line in open("chat.jsonl"):
    out.write(json.dumps(json.loads(line)) + "\n")'
head -c $((bytes / 8)) chat.jsonl | sed '$d' >eighth.jsonl
timed jq jq -c . eighth.jsonl
echo "ft-import    $(rate import) MB/s, peak $(median import.runs 2) KiB  (goal: 100)"
echo "ft-import    $(rate gzip) MB/s from gzip, $(rate zstd) MB/s from zstd"
echo "ft-export    $(rate export) MB/s$same"
echo "Python json  $(rate python) MB/s, load and dump, one thread"
echo "jq -c .      $(calc "$(wc -c <eighth.jsonl) / 1e6 / $(median jq.runs)" %.0f) MB/s"
echo "ft-import / Python json: $(calc "$(rate import) / $(rate python)" %.1f)"
rm -f chat.* out.jsonl python.jsonl eighth.jsonl ./*.ft

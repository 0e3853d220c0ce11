#!/bin/sh
# ft-mix on about 128 MB of examples of 100 to 3000 bytes: mixing by exact shares, a random order in
# bounded memory, class balance; ft-augment with typing noise. Beside them, on the same rows as
# JSON lines, what people use: shuf, and a script that mixes by weighted chance.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
python3 - <<'END2'
import json, random
r = random.Random(1)
words = [("w%x" % r.randrange(1 << 20)) for _ in range(5000)]
for name, rows in (("domain", 60000), ("general", 30000)):
    with open(name + ".jsonl", "w") as out:
        for i in range(rows):
            text = " ".join(r.choices(words, k=r.randrange(15, 430)))
            out.write(json.dumps({"id": i, "prompt": text, "completion": "ok",
                                  "label": "l%d" % int(r.random() ** 3 * 20)}) + "\n")
END2
for f in domain general; do ft-import -q --level 1 <$f.jsonl >$f.ft; done
bytes=$(cat domain.jsonl general.jsonl | wc -c)

# rate NAME BYTES COMMAND...: best of three, MB/s of JSON lines and peak memory.
rate() {
    name=$1 of=$2
    shift 2
    for _ in 1 2 3; do timed "$name" "$@"; done
    seconds=$(sort -n "$name.runs" | head -n 1 | cut -d ' ' -f 1)
    memory=$(median "$name.runs" 2)
    printf '%-28s %7.1f MB/s  %5d MiB\n' "$name" "$(calc "$of / 1e6 / ($seconds + 0.001)")" \
        $((memory / 1024))
}
domain=$(wc -c <domain.jsonl)
rate ft-mix-2:1 "$bytes" ft-mix -q --level 1 --ratio 2,1 domain.ft general.ft -o mixed.ft
rate ft-mix-shuffle "$domain" ft-mix -q --level 1 -s domain.ft -o shuffled.ft
rate ft-mix-shuffle-16M "$domain" ft-mix -q --level 1 -s --memory 16M domain.ft -o shuffled.ft
rate ft-mix-oversample "$domain" \
    ft-mix -q --level 1 --balance label --oversample domain.ft -o balanced.ft
rate ft-augment-noise "$domain" ft-augment -q --level 1 --noise 0.02 domain.ft -o more.ft
rate shuf "$domain" shuf -o shuffled.jsonl domain.jsonl
rate python-by-chance "$bytes" python3 "$FT_ROOT/tests/bench/mix_peer.py" domain.jsonl 2 \
    general.jsonl 1

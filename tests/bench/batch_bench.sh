#!/bin/sh
# ft-generate over 500 prompts that begin alike (a system prompt and eight examples): a batch of 16
# with sharing beside one at a time without. The second takes the first FT_BATCH_ALONE records (50)
# and is compared by the time a record; both give these the same answers.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"

python3 - >questions.jsonl <<'END'
import json
things = ["linker", "compiler", "kernel", "shell", "pipe", "socket", "thread", "cache", "library",
          "checksum", "mutex", "signal", "page", "inode", "daemon", "token", "parser", "heap",
          "stack", "queue"]
system = {"role": "system", "content": "You write the one-line summaries of a package archive. A "
          "summary has at most ten words, no article at its beginning and no full stop."}
shots = []
for a, b in (("A tool that finds duplicate lines in large files.", "duplicate line finder"),
             ("Fonts for setting formulas of mathematics.", "fonts for mathematics"),
             ("A game in which worms eat apples.", "game with hungry worms"),
             ("Reads the sensors of a mainboard and shows them.", "viewer of mainboard sensors"),
             ("Headers for programs that speak to printers.", "printer access, development files"),
             ("Turns scanned pages into text.", "text recognition for scanned pages"),
             ("A small server that hands out the time.", "small time server"),
             ("Keeps several folders alike over a network.", "folder synchronisation")):
    shots += [{"role": "user", "content": a}, {"role": "assistant", "content": b}]
for i in range(500):
    a, b = things[i % 20], things[(i // 20 + i + 1) % 20]
    text = "This package has number %d and holds a %s for people who like a %s." % (i, a, b)
    print(json.dumps({"id": i, "messages": [system] + shots + [{"role": "user", "content": text}]}))
END
alone=${FT_BATCH_ALONE:-50}
ft-import -q <questions.jsonl >all.ft
head -n "$alone" questions.jsonl | ft-import -q >some.ft
generate() { ft-generate --json -m "$MODEL" -n 16 --threads 2 "$@" 2>summary; }

for way in one many; do
    from=$(date +%s%N)
    case $way in
        one) generate --batch 1 --no-share -o one.ft some.ft ;;
        many) generate --batch 16 -o many.ft all.ft ;;
    esac
    records=$(jq .answers summary)
    eval "$way=$(calc "($(date +%s%N) - $from) / 1e9 / $records" %.4f)"
    cat summary >&2
done
ft-cat -q one.ft >one.jsonl
ft-cat -q many.ft | head -n "$alone" >many.jsonl
cmp many.jsonl one.jsonl || { echo "other answers"; exit 1; }
# shellcheck disable=SC2154  # one and many are set by eval
{
    echo "one at a time         $one s a prompt"
    echo "16 at a time, shared  $many s a prompt" \
        " ($(calc "$one / $many" %.1f) times as fast; goal: 5)"
}

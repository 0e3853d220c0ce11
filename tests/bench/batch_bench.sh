#!/bin/sh
# ft-generate over prompts that begin alike (a system prompt and eight examples): a batch of 16 with
# sharing beside one at a time without, for each way to compute. The first takes FT_BATCH_MANY
# records (160), the second the first FT_BATCH_ALONE (10); they are compared by the time a record,
# and give these the same answers. By the clock, and by the processor time of all threads.
set -eu
# shellcheck disable=SC1091
. "$FT_ROOT/tests/bench/bench_lib.sh"
many=${FT_BATCH_MANY:-160} alone=${FT_BATCH_ALONE:-10}

python3 - "$many" >questions.jsonl <<'END'
import json
import sys
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
for i in range(int(sys.argv[1])):
    a, b = things[i % 20], things[(i // 20 + i + 1) % 20]
    text = "This package has number %d and holds a %s for people who like a %s." % (i, a, b)
    print(json.dumps({"id": i, "messages": [system] + shots + [{"role": "user", "content": text}]}))
END
ft-import -q <questions.jsonl >all.ft
head -n "$alone" questions.jsonl | ft-import -q >some.ft

# generate NAME OPTION...: answers in NAME.jsonl; seconds by the clock and of processors in
# NAME.time
generate() {
    name=$1
    shift
    /usr/bin/time -f '%e %U' -o "$name.time" ft-generate -q -m "$MODEL" -n 16 "$@" -o "$name.ft"
    ft-cat -q "$name.ft" >"$name.jsonl"
}
a_record() { # NAME RECORDS FIELD
    calc "$(awk -v f="$3" '{ print $f }' "$1.time") / $2" %.4f
}
for compute in f32 auto; do
    generate one --compute $compute --batch 1 --no-share some.ft
    generate many --compute $compute --batch 16 all.ft
    head -n "$alone" many.jsonl >first.jsonl
    cmp first.jsonl one.jsonl || { echo "other answers"; exit 1; }
    for field in 1 2; do
        [ $field = 1 ] && unit="wall" || unit="busy"
        one=$(a_record one "$alone" $field) all=$(a_record many "$many" $field)
        echo "$compute, $unit: one at a time $one s a prompt, 16 at a time and shared $all s:" \
            "$(calc "$one / $all" %.1f) times as fast (goal 5)"
    done
done

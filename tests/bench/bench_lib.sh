# bench_lib.sh: what the benches share; they read it with `.` and run in a folder of their own.
# shellcheck shell=sh

# takes PROGRAM OPTION...: whether the program knows these options (and values).
takes() {
    program=$1
    shift
    "$program" "$@" --help >/dev/null 2>&1
}

has_peer() { [ -x "$PEER_PYTHON" ]; }

# timed NAME COMMAND...: runs it, standard output to NAME.out, errors to NAME.err; adds a line
# "seconds KiB" (wall clock of the whole program, peak resident memory) to NAME.runs.
timed() {
    name=$1
    shift
    if ! /usr/bin/time -f '%e %M' -o "$name.time" "$@" >"$name.out" 2>"$name.err"; then
        tail -n 5 "$name.err" >&2
        return 1
    fi
    tail -n 1 "$name.time" >>"$name.runs"
}

# median FILE [FIELD]: the middle one of the numbers in that field; the lower of two.
median() {
    sort -n -k "${2:-1},${2:-1}" "$1" | awk -v f="${2:-1}" '{ v[NR] = $f }
        END { if (NR) print v[int((NR + 1) / 2)] }'
}

# steps_rate LOG: tokens a second of the second and third step of an ft-train --log.
steps_rate() {
    jq -s '[(if length > 1 then .[1:3] else . end)[].tokens_per_s] | add / length' "$1"
}

# calc EXPRESSION [FORMAT]: arithmetic in floating point.
calc() { awk "BEGIN { printf \"${2:-%.2f}\", $1 }"; }

# processor_limit NAME [THREADS]: GFLOP/s or GB/s that the processor reaches at most (limit.c);
# nothing where it has not got the instruction.
processor_limit() {
    "$FT_BIN/../tests/bench/limit" "$1" "${2:-$(nproc)}" | awk '{ print $3 }'
}

# licence_text BYTES: English to train on, on one line so that no blank line cuts it.
licence_text() {
    (cd /usr/share/common-licenses && cat GPL-3 GFDL-1.3 GPL-2 Apache-2.0 LGPL-2.1) |
        tr -s '\n ' ' ' | head -c "$1"
}

# rows_of TOKENS BYTES: packed rows of so many tokens on standard output; the last one is shorter.
rows_of() {
    licence_text "$2" | ft-import -q --shape plain | ft-tokenize -q -m "$MODEL" --raw |
        ft-pack -q --no-pack -l "$1" --long split
}

# full_rows TOKENS FILE: the rows of this length as JSON lines, for the peer.
full_rows() {
    ft-cat "$2" | jq -c "select(([.segments[].ids | length] | add) == $1)"
}

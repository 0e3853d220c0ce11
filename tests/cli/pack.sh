# ft-pack by the command line: rows and counts against pack_oracle.py; every target once; the same
# bytes for any threads; examples that do not fit.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/pack_oracle.py" "$@"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }

# What was written and its counts, as the oracle prints them.
rows_and_counts() { # FILE
    decode "$1" >records.json
    decode --trailer "$1" >trailer.json
    /usr/bin/python3 - <<'END'
import json
for line in open("records.json"):
    print(json.dumps(json.loads(line), sort_keys=True))
c = json.load(open("trailer.json"))["counts"]
c.update(c.pop("dropped"))
print(json.dumps(c, sort_keys=True))
END
}

oracle make 1 400 1 90 >data.ft
decode data.ft >data.json

compare() { # WHAT OPTIONS...
    what=$1
    shift
    oracle rows "$@" <data.json >want
    ft-pack -q "$@" data.ft >got.ft
    rows_and_counts got.ft >got
    check_same "$what" want got
}

compare "rows of the longest example" -l 90
compare "rows of 300" -l 300
compare "one example in a row" --no-pack
compare "one example in a row, none too long" --no-pack -l 90
compare "long ones cut" -l 40 --long cut
compare "long ones cut to a word of a mask" -l 8 --long cut --no-pack
compare "long ones dropped" -l 64 --long drop
for c in 0 1 7 16 31; do
    compare "windows with a context of $c" -l 32 --long split --context $c
    compare "windows side by side with a context of $c" -l 32 --long split --context $c --no-overlap
done
compare "windows as rows" -l 17 --long split --context 5 --no-pack
compare "windows of two" -l 2 --long split --context 1

ft-pack -q -l 300 --threads 1 data.ft >one.ft
ft-pack -q -l 300 --threads 4 data.ft >four.ft
check_same "the same bytes with 1 and 4 threads" one.ft four.ft
check_status 0 "what it writes is a sound stream" ft-check -q one.ft
decode --header data.ft >header-in
decode --header one.ft >header-out
check "tokenizer and template are kept" /usr/bin/python3 -c 'import json
a, b = (json.load(open(f)) for f in ("header-in", "header-out"))
assert b["kind"] == "packed" and all(a[k] == b[k] for k in ("tokenizer", "template"))'

# Each target of the input once, and no row too long: from the streams alone.
every_target() { # PACKED CONTEXT-LESS-TARGETS-FROM
    /usr/bin/python3 - "$1" "$2" <<'END'
import collections, json, subprocess, sys
packed, first = sys.argv[1], int(sys.argv[2])
def targets(s, start):
    ids, mask = s["ids"]["$bin"], bytes.fromhex(s["mask"]["$bin"])
    return [(s["id"], ids[8 * k:8 * k + 8]) for k in range(start, len(ids) // 8)
            if mask[k // 8] >> k % 8 & 1]
want, got = collections.Counter(), collections.Counter()
for line in open("data.json"):
    s = json.loads(line)
    n = len(s["ids"]["$bin"]) // 8
    want.update(targets(s, first if n > 32 else 0))
for line in open(packed):
    row = json.loads(line)["segments"]
    assert sum(s["length"] for s in row) <= 32 and row
    for s in row:
        got.update(targets(s, 0))
sys.exit(want != got)
END
}
for c in 1 5 24; do
    ft-pack -q -l 32 --long split --context $c data.ft >windows.ft
    decode windows.ft >windows.json
    check "with a context of $c each target behind the first $c is there once" \
        every_target windows.json $c
done

# More examples than one batch holds.
oracle make 2 70000 2 9 >many.ft
decode many.ft >many.json
oracle rows -l 16 <many.json >want
ft-pack -l 16 many.ft 2>said >got.ft
rows_and_counts got.ft >got
check_same "70000 examples" want got
/usr/bin/python3 - <<'END' >fill
import json
rows = [[s["length"] for s in json.loads(line)["segments"]] for line in open("records.json")]
tokens = sum(map(sum, rows))
print(f"rows {len(rows)}, tokens {tokens}, fill {tokens / (16 * len(rows)):.6g}"
      if len(rows) < 24000 else "too many rows")
END
check "the rows are few, and the last line says how full" \
    grep -q "$(sed 's/, fill/, targets [0-9]*, fill/' fill);" said
check "it has the counts" grep -q \
    'read 70000, written [0-9]*, dropped [0-9]* (no target), rows' said

check_status 65 "a long example is refused" ft-pack -l 64 -o no.ft data.ft
/usr/bin/python3 - <<'END' >first-long
import json
for i, line in enumerate(open("data.json"), 1):
    n = len(json.loads(line)["ids"]["$bin"]) // 8
    if n > 64:
        print(f"record {i} of data.ft: {n} tokens, over the 64 of -l")
        break
END
check "with its number, its length and the way out" \
    grep -q "$(cat first-long).*cut, drop or split" stderr
check "and nothing is left" test ! -e no.ft

misuse() { # WHAT MESSAGE OPTIONS...
    what=$1 message=$2
    shift 2
    check_status 64 "$what is misuse" ft-pack "$@" data.ft
    check "$what: said so" grep -q -e "$message" stderr
}
misuse "no length" "give -l N, or --no-pack"
misuse "a row of one token" "length" -l 1
misuse "--long without a length" "--long needs a length" --no-pack --long cut
misuse "a context without windows" "windows of --long split" -l 9 --context 2
misuse "--no-overlap without windows" "windows of --long split" -l 9 --long cut --no-overlap
misuse "a context that fills the window" "leaves no target" -l 9 --long split --context 9
misuse "an unknown word" "error|cut|drop|split" -l 9 --long wrap
check_status 65 "examples that are no tokens are refused" \
    ft-pack -l 9 "$FT_ROOT/tests/golden/stream.ft"
head -c 9000 data.ft >cut.ft
check_status 65 "a truncated input is refused" ft-pack -l 90 -o no.ft cut.ft
check "and nothing is left of it" test ! -e no.ft
oracle make 3 0 2 2 >empty.ft
check_status 0 "an empty stream stays one" ft-pack -q -l 9 -o still.ft empty.ft
decode still.ft >nothing
check "without rows" test ! -s nothing
finish

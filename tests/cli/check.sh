# ft-check: good files are found good, and whatever was altered and sealed again with valid
# checksums (check_forge.py) is refused by the field that does not agree.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

make_inputs

# A line for a good file says what the independent decoder reads.
agrees() { # STREAM
    ft-check "$1" >line 2>/dev/null || return 1
    /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" --trailer "$1" >trailer
    /usr/bin/python3 - "$1" <<'END'
import json, sys
name, kind, records, size, digest, word = open("line").read().rstrip("\n").split("\t")
t = json.load(open("trailer"))
assert (name, word) == (sys.argv[1], "ok") and kind == sys.argv[1].removesuffix(".ft")
assert (int(records), int(size), digest) == (t["records"], t["bytes"], t["digest"]["$bin"])
END
}
for kind in text tokens packed adapter; do
    check "$kind: what is said of a good stream" agrees $kind.ft
done

# Those named "-" are good; the others must be refused with 65 and the word.
judge() { # FOLDER
    while read -r name word; do
        status=0
        ft-check "$1/$name.ft" >stdout 2>stderr || status=$?
        what="$1: $name"
        if [ "$word" = - ]; then
            check "$what is accepted" test "$status" = 0
        elif [ "$status" != 65 ] || ! grep -q "$word" stderr || ! grep -q 'bad$' stdout; then
            not_ok "$what (status $status, not refused for \"$word\": $(cat stderr))"
        else
            ok "$what is refused"
        fi
    done <"$1.list"
}
for kind in text tokens packed adapter; do
    mkdir "lies-$kind" "content-$kind"
    for way in lies content; do
        /usr/bin/python3 "$FT_ROOT/tests/cli/check_forge.py" $way $kind.ft $way-$kind \
            >$way-$kind.list
        judge $way-$kind
    done
done
# What ft-check refuses no tool takes for whole.
check_status 65 "the next tool refuses it too" ft-tokenize -m toy.gguf lies-text/written_more.ft

# Model files have no checksums: a byte that changed shows in the digest.
/usr/bin/python3 "$FT_ROOT/tests/gguf_read.py" --digest toy.gguf >digest
check_status 0 "a model" ft-check toy.gguf
check "its digest is the other reader's" grep -q "$(cat digest)" stdout
/usr/bin/python3 -c '
b = bytearray(open("toy.gguf", "rb").read())
open("short.gguf", "wb").write(b[:-1])
b[-7] ^= 1
open("altered.gguf", "wb").write(b)
b[0] ^= 1
open("none.gguf", "wb").write(b)'
check_status 0 "a model with an altered weight" ft-check altered.gguf
check "has another digest" sh -c '! grep -q "$(cat digest)" stdout'
check_status 65 "a model that was cut" ft-check short.gguf
check_status 65 "neither a model nor a stream" ft-check none.gguf
check_status 65 "good files do not make up for a bad one" ft-check text.ft short.gguf tokens.ft
check "all three are reported" test "$(wc -l <stdout)" = 3
check_status 65 "an empty input" ft-check - </dev/null
check_status 66 "the worst status counts" ft-check short.gguf missing.ft text.ft
# ---- counts of the tool that wrote a stream ----
printf '{"text":"a"}\n{"text":"b"}\n{"text":"a"}\n' | ft-import -q | ft-dedup -q >counted.ft
check "--json has the counts of the tool that wrote the stream" test "$(ft-check --json counted.ft |
    jq -c .counts)" = '{"read":3,"created":0,"written":2,"dropped":{"duplicate":1}}'

finish

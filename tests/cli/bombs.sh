# Small inputs that ask for much are refused with status 65 in less than a second of CPU time and
# less than 64 MiB over what the program takes for a small stream.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"
python=/usr/bin/python3
bombs=$FT_ROOT/tests/cli/bombs.py

if [ -n "${FT_ASAN:-}" ]; then
    skip "the sanitizers take memory of their own"
    finish
fi

measure() { # FILE PROGRAM...: sets status, seconds, peak
    measured=$("$python" "$bombs" run "$@" 2>stderr)
    read -r status seconds peak <<END
$measured
END
}

refused() { # WHAT FILE PROGRAM...
    what=$1
    shift
    measure "$@"
    if [ "$status" != 65 ]; then
        not_ok "$what: status $status: $(head -n 1 stderr)"
    elif [ "$((peak - idle))" -ge 64 ] || [ "${seconds%.*}" != 0 ]; then
        not_ok "$what: $peak MiB (idle $idle MiB), $seconds s"
    else
        ok "$what is refused ($peak MiB, $seconds s)"
    fi
}

mkdir made
"$python" "$bombs" make made
measure "$FT_ROOT/tests/golden/stream.ft" "$FT_BIN/ft-check"
idle=$peak
check "a good stream is no bomb (idle: $peak MiB)" [ "$status" = 0 ]
refused "a stream cut after one record" made/sound "$FT_BIN/ft-check"
check "it is read up to there" grep -q 'truncated after 1 record' stderr
rm made/sound
for f in made/*; do refused "ft-check: ${f#made/}" "$f" "$FT_BIN/ft-check"; done
for t in cat dedup export; do
    for f in nils empty_maps gib_of_zeros_0 deep_counts window_31; do
        refused "ft-$t: $f" "made/$f" "$FT_BIN/ft-$t"
    done
done

# JSON: deep and endless values.
"$python" -c 'print("{\"text\":" + "[" * 10000000)' >deep.jsonl
tr '\0' x </dev/zero | head -c 200000000 >endless.jsonl
for f in deep endless; do refused "ft-import: $f" $f.jsonl "$FT_BIN/ft-import" -; done

# The measure itself sees a program that takes memory and time.
measure /dev/null "$python" -c 'x = bytes(200 << 20).replace(b"\0", b"1")'
check "taken memory is seen ($peak MiB)" [ "$((peak - idle))" -ge 64 ]
measure /dev/null "$python" -c 'import time
while time.process_time() < 1.1: pass'
check "spent time is seen ($seconds s)" [ "${seconds%.*}" != 0 ]
finish

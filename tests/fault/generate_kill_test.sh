# ft-generate --resume is killed at its system calls, and they fail: the next run with the same
# journal writes what an undisturbed run writes.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

generate() { # PREFIX
    status=0
    # shellcheck disable=SC2086  # words
    timeout -s KILL 20 $1 ft-generate -q -m toy.gguf -n 4 --batch 3 --resume journal \
        -o answers.ft text.ft >stdout 2>stderr || status=$?
}

# Disturbs a run at each of the points, then lets one go on.
disturb() { # HOW
    : >problems
    runs=0
    while read -r call n; do
        rm -f journal answers.ft
        generate "$(injected "$call" "$1" "$n")"
        if [ "$status" = 0 ]; then
            cmp -s answers.ft want.ft || echo "$call $n: status 0 and other bytes" >>problems
        else
            runs=$((runs + 1))
            [ ! -e answers.ft ] || cmp -s answers.ft want.ft ||
                echo "$call $n: left something half written" >>problems
        fi
        generate ''
        [ "$status" = 0 ] || echo "$call $n: then status $status: $(cat stderr)" >>problems
        cmp -s answers.ft want.ft || echo "$call $n: then other bytes" >>problems
        cmp -s journal whole || echo "$call $n: then another journal" >>problems
    done <points
    report "a journal, $1" $runs problems
}

if ! can_trace; then
    skip "system calls cannot be traced here"
    finish
fi
make_inputs
generate ''
mv answers.ft want.ft
mv journal whole
generate 'strace -f -o trace'
points_of_trace trace | grep -E '^(openat|p?write(64)?|fsync|ftruncate|rename|close) ' |
    choose_points 6 >points
disturb signal=KILL
grep -v '^close' points >some
mv some points
disturb error=EIO
finish

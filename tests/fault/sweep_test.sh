# Each system call of each tool fails once, with EIO, ENOSPC and EINTR: the run ends well with the
# right output, or says so with its exit status and leaves nothing that looks whole.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

sweep() { # NAME INPUT COMMAND...
    make_reference "$@" || return 0
    fresh_out
    run_case "strace -f -o trace" "$@"
    points_of_trace trace | choose_points 6 >points
    : >problems
    runs=0 turn=0
    while read -r call n; do
        for errno in EIO ENOSPC EINTR; do
            # At reduced count each point takes one of the three in turn.
            turn=$((turn + 1))
            [ -n "${FT_SOAK:-}" ] || [ $((turn % 4)) = 0 ] || continue
            fresh_out
            run_case "$(injected "$call" "error=$errno" "$n")" "$@"
            verdict | sed "s/^/$call number $n, $errno: /" >>problems
            runs=$((runs + 1))
        done
    done <points
    report "$1: each system call failing" $runs problems
}

if ! can_trace; then
    skip "system calls cannot be traced here"
    finish
fi
make_inputs
mkdir old

# The sweep itself must find a program that tears its output and one that hides an error.
mkdir planted
printf '#!/bin/sh\nexec dd if=raw.jsonl of=out/x bs=100\n' >planted/tears
printf '#!/bin/sh\ndd if=raw.jsonl of=out/x bs=100\nexit 0\n' >planted/hides
chmod +x planted/*
for p in tears hides; do
    (
        PATH=planted:$PATH
        make_reference $p /dev/null $p
        fresh_out
        run_case "$(injected write error=ENOSPC 3)" $p /dev/null $p
        verdict >found
    )
    check "the sweep finds a planted program that $p" test -s found
done

cases >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    sweep $line </dev/null
done <list
finish

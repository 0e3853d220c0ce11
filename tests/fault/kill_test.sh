# Each tool that replaces a file is killed at its system calls: the file is then the old one or the
# new one, and the next run clears up what the killed one left.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

old_out() {
    fresh_out
    cp old/* out/
}

# What a killed run may leave, and what must be after the next run.
judge_kill() { # NAME INPUT COMMAND...
    torn_files
    run_case '' "$@"
    [ "$status" = 0 ] || echo "the next run ends with status $status: $(head -n 1 stderr)"
    diff -r ref out || echo "the next run leaves other files than an undisturbed one"
}

kill_at_each_call() { # NAME INPUT COMMAND...
    make_reference "$@" || return 0
    rm -rf old
    mkdir old
    for f in ref/*; do echo "what stood here before" >"old/${f#ref/}"; done
    rm -f old/stdout
    old_out
    run_case "strace -f -o trace" "$@"
    points_of_trace trace |
        grep -E '^(openat|p?write(64)?|fsync|rename|fchmod|ftruncate|flock|close|unlink) ' |
        choose_points 4 >points
    : >problems
    runs=0
    while read -r call n; do
        old_out
        run_case "$(injected "$call" signal=KILL "$n")" "$@"
        [ "$status" != 137 ] || runs=$((runs + 1))
        judge_kill "$@" | sed "s/^/killed in $call number $n: /" >>problems
    done <points
    report "$1: killed at each call" $runs problems
}

if ! can_trace; then
    skip "system calls cannot be traced here"
    finish
fi
make_inputs
cases files >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    kill_at_each_call $line </dev/null
done <list
finish

# A tool that SIGINT or SIGTERM ends while it writes a named file dies of that signal (ft-train may
# have saved a checkpoint and exit with 75), leaves what stood there before and no temporary file.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

# Ends the case's program at points of its work.
end_by_signal() { # NAME INPUT COMMAND...
    make_reference "$@" || return 0
    rm -rf old
    mkdir old
    for f in ref/*; do echo "what stood here before" >"old/${f#ref/}"; done
    rm -f old/stdout
    fresh_out
    run_case "strace -f -o trace" "$@"
    points_of_trace trace | grep -E '^(openat|p?write(64)?|fsync|close|read|mmap) ' |
        choose_points 3 >points
    : >problems
    runs=0
    while read -r call n; do
        for sig in INT TERM; do
            fresh_out
            cp old/* out/
            run_case "$(injected "$call" signal=$sig "$n")" "$@"
            case $status in
                130 | 143) runs=$((runs + 1)) ;;
                75) case $* in *--checkpoint*) runs=$((runs + 1)) ;; *) false ;; esac ||
                    echo "$sig in $call number $n: status 75" >>problems ;;
                0) ;;
                *) echo "$sig in $call number $n: status $status" >>problems ;;
            esac
            torn_files | sed "s/^/$sig in $call number $n: /" >>problems
            find . -name '*.ft-tmp' | sed "s/^/$sig in $call number $n left /" >>problems
            find . -name '*.ft-tmp' -exec rm {} +
        done
    done <points
    report "$1: ended by a signal" $runs problems
}

if ! can_trace; then
    skip "system calls cannot be traced here"
    finish
fi
make_inputs
cases files >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    end_by_signal $line </dev/null
done <list
finish

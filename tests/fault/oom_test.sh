# Each allocation of each tool fails, once and for good from there on: the run ends with status 71
# and a message, or well with the right output; never by a signal.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

fail_allocations() { # NAME INPUT COMMAND...
    make_reference "$@" || return 0
    fresh_out
    run_case "env FT_OOM_COUNT=count LD_PRELOAD=$FT_SHIMS/oom.so" "$@"
    echo "allocation 1 $(cat count)" | choose_points 36 >points
    : >problems
    runs=0
    while read -r call n; do
        for all in 0 1; do
            [ -n "${FT_SOAK:-}" ] || [ $(((runs + all) % 2)) = 0 ] || continue
            fresh_out
            run_case "env FT_OOM_AT=$n FT_OOM_ALL=$all LD_PRELOAD=$FT_SHIMS/oom.so" "$@"
            {
                verdict
                case $status in 0 | 71) ;; *) echo "status $status: $(head -n 1 stderr)" ;; esac
            } | sed "s/^/$call $n (later ones too: $all): /" >>problems
            runs=$((runs + 1))
        done
    done <points
    report "$1: allocations failing" $runs problems
}

make_inputs
mkdir old
cases >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    fail_allocations $line </dev/null
done <list
finish

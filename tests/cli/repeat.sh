# The same input and seed give the same bytes: again, with 1, 2 and 5 threads, in another folder's
# TMPDIR, time zone and locale, with symbols bound at the start, and with another heap.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

repeat() { # NAME INPUT COMMAND...
    make_reference "$@" || return 0
    : >problems
    runs=0
    for how in '' TZ=Asia/Kathmandu LC_ALL=tr_TR.UTF-8 LC_ALL=C "TMPDIR=$PWD/elsewhere" \
               LD_BIND_NOW=1 MALLOC_PERTURB_=165 OPENBLAS_NUM_THREADS=2; do
        for threads in '' 1 2 5; do
            fresh_out
            # shellcheck disable=SC2086  # words
            run_case "env $how" "$@" ${threads:+--threads $threads}
            [ "$status" = 0 ] && diff -r ref out >/dev/null ||
                echo "with '$how' and '$threads' threads: status $status or other bytes" >>problems
            runs=$((runs + 1))
        done
    done
    report "$1 repeats" $runs problems
}

make_inputs
mkdir elsewhere
cases >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    repeat $line </dev/null
done <list
finish

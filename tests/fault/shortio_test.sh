# Reads and writes that transfer 1 byte, a prime number or a random number of bytes, and pipes that
# say EAGAIN, change no byte of any output.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

# As run_case, with pipes on both ends instead of files.
run_piped() { # PREFIX NAME INPUT COMMAND...
    prefix=$1 input=$3
    shift 3
    # shellcheck disable=SC2086  # words
    { cat "$input"; } | {
        piped=0
        timeout -s KILL 20 $prefix "$@" 2>stderr || piped=$?
        echo $piped >status
    } | cat >out/stdout
    status=$(cat status)
}

short() { # NAME INPUT COMMAND...
    make_reference "$@" || return 0
    : >problems
    runs=0
    for how in FT_SHORT=1 FT_SHORT=7 FT_SHORT=4093 FT_SHORT=random \
               'FT_SHORT=random FT_SHORT_EAGAIN=1'; do
        fresh_out
        run_piped "env $how LD_PRELOAD=$FT_SHIMS/shortio.so" "$@"
        {
            verdict
            [ "$status" = 0 ] || echo "status $status: $(head -n 1 stderr)"
        } | sed "s/^/$how: /" >>problems
        runs=$((runs + 1))
    done
    report "$1: short reads and writes" $runs problems
}

make_inputs
mkdir old
cases >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    short $line </dev/null
done <list
finish

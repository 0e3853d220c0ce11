# The power is cut at every point of a training run with checkpoints: whatever the disk may hold
# then, the run goes on to the same bytes, and no checkpoint that was saved is lost.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

if ! can_trace; then
    skip "system calls cannot be traced here"
    finish
fi
make_inputs
if [ -w /dev/shm ]; then
    work=$(mktemp -d -p /dev/shm)
    trap 'rm -rf "$work"' EXIT
    cp toy.gguf packed.ft "$work"
    cd "$work"
fi
command='ft-train -m toy.gguf --threads 1 --lora-rank 1 --lora-targets q --epochs 8 --batch 12
         --checkpoint run --every 2 --resume --log run/log -o run/adapter.ft packed.ft'
trace_run() { # leaves the trace
    # shellcheck disable=SC2086  # words
    strace -xx -s 10000000 -o trace \
        -e trace=openat,close,write,fsync,ftruncate,rename,unlink,unlinkat $command 2>stderr
}
lose() { # [--no-fsync] MOST START; leaves what is wrong in problems, and states
    # shellcheck disable=SC2086  # words
    /usr/bin/python3 "$FT_ROOT/tests/fault/power_loss.py" "$@" trace run $command >found || :
    states=$(sed -n '$s/ states$//p' found)
    sed '$d' found >problems
}
most=450
[ -z "${FT_SOAK:-}" ] || most=1000000

mkdir run start
trace_run
check "the run saved, renamed and removed" sh -c '
    test "$(grep -c ^rename trace)" -ge 4 && grep -q ^unlinkat trace'
lose --no-fsync 100 start
check "files that are not synced are found" grep -q 'saved, but is gone' found
lose $most start
report "power cut at each point" "${states:-0}" problems
sum=${states:-0}

# A second time, while the run goes on: the last checkpoint is damaged, the log runs ahead, and a
# killed run left its temporary file.
cp run/log run/checkpoint-* start
for last in start/checkpoint-*; do :; done
head -c 500 "$last" >torn.ft && mv torn.ft "$last"
cp "$last" start/checkpoint-0000000009.ft.ft-tmp
rm -r run
cp -r start run
trace_run
check "the run went on" grep -q 'going on after step' stderr
lose 80 start
report "power cut at each point of going on" "${states:-0}" problems
sum=$((sum + ${states:-0}))
check "in 500 states or more ($sum)" test "$sum" -ge 500
finish

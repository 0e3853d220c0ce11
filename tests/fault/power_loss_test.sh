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
mkdir run
# shellcheck disable=SC2086  # words
strace -xx -s 10000000 -o trace -e trace=openat,close,write,fsync,ftruncate,rename,unlink,unlinkat \
    $command 2>stderr
check "the run saved, renamed and removed" sh -c '
    test "$(grep -c ^rename trace)" -ge 4 && grep -q ^unlinkat trace'
most=520
[ -z "${FT_SOAK:-}" ] || most=1000000

# shellcheck disable=SC2086  # words
/usr/bin/python3 "$FT_ROOT/tests/fault/power_loss.py" --no-fsync 100 trace run $command >found || :
check "files that are not synced are found" grep -q 'saved, but is gone' found
# shellcheck disable=SC2086  # words
/usr/bin/python3 "$FT_ROOT/tests/fault/power_loss.py" $most trace run $command >found || :
states=$(sed -n '$s/ states$//p' found)
sed '$d' found >problems
report "power cut at each point" "${states:-0}" problems
check "in 500 states or more ($states)" test "${states:-0}" -ge 500
finish

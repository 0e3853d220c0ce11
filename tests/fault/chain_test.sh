# A stage of a pipeline is killed somewhere in its work: the last stage says so with its exit
# status and its output does not appear. (Shells look at the last stage only.)
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

stages=5
# shellcheck disable=SC2086  # words
stage() { # NUMBER PREFIX
    case $1 in
        1) exec $2 ft-import <big.jsonl ;;
        2) exec $2 ft-dedup ;;
        3) exec $2 ft-tokenize -m toy.gguf ;;
        4) exec $2 ft-pack -l 256 --long cut ;;
        5) exec $2 ft-train -m toy.gguf --lora-rank 2 --epochs 1 -o out/adapter.ft ;;
    esac
}

# Runs the pipeline with stage VICTIM under PREFIX; leaves the status of each stage in N.rc.
run_chain() { # VICTIM PREFIX
    rm -f ./*.rc
    rm -rf out
    mkdir out
    for k in $(seq 1 $stages); do
        prefix=
        [ "$k" != "$1" ] || prefix=$2
        # What a stage reads and writes: a named pipe on each side.
        from=pipe$((k - 1)) to=pipe$k
        [ "$k" != 1 ] || from=/dev/null
        [ "$k" != $stages ] || to=/dev/null
        (
            exec 2>/dev/null    # the shell's own word about a killed stage
            rc=0
            (stage "$k" "$prefix") <$from >"$to" 2>"$k.err" || rc=$?
            echo $rc >"$k.rc"
        ) &
    done
    wait
}

make_inputs
if ! can_trace; then
    skip "stages cannot be killed at a system call here"
    finish
fi
for t in import dedup tokenize pack train; do
    command -v "ft-$t" >/dev/null || { skip "no ft-$t"; finish; }
done
for k in 1 2 3 4 5 6 7 8; do sed "s/say /say $k /" raw.jsonl; done >big.jsonl
for k in $(seq 1 $((stages - 1))); do mkfifo "pipe$k"; done

run_chain 0 ''
check "undisturbed, the pipeline ends well" test -s out/adapter.ft
cp out/adapter.ft whole.ft

trials=50
[ -z "${FT_SOAK:-}" ] || trials=500
: >problems
runs=0 killed=0
while [ $runs -lt $trials ]; do
    # Victim, call and number from the trial's number: the same trials each time.
    victim=$((runs % stages + 1))
    n=$((runs / stages / 2 + 1))
    call='read'
    [ $((runs / stages % 2)) = 0 ] || call='write'
    run_chain $victim "$(injected $call signal=KILL $n)"
    runs=$((runs + 1))
    if [ "$(cat $victim.rc)" != 137 ]; then
        # The stage made fewer such calls: nothing was disturbed.
        cmp -s whole.ft out/adapter.ft || echo "trial $runs: undisturbed, another output" >>problems
        continue
    fi
    killed=$((killed + 1))
    # A stage may die after its trailer went out (in its last line): then all is there.
    if [ -e out/adapter.ft ]; then
        cmp -s whole.ft out/adapter.ft ||
            echo "stage $victim killed in $call $n: an output that is not the whole" >>problems
    elif [ "$(cat $stages.rc)" = 0 ]; then
        echo "stage $victim killed in $call $n: status 0 without an output" >>problems
    fi
done
report "a stage killed" $killed problems
check "most trials killed a stage" test $((killed * 2)) -ge $((runs < 50 ? runs : 50))
finish

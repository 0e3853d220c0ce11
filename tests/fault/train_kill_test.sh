# Training runs are killed at random points (60 times, 20 of them once more while they go on; with
# FT_SOAK 1,000 and 200), ended by SIGTERM, and run out of space: gone on with, they end with the
# bytes of a run that nobody disturbed.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
cp packed.ft val.ft
args='-q -m toy.gguf --threads 1 --lora-rank 2 --lora-dropout 0.1 --epochs 12 --batch 6 --lr 0.01
      --val val.ft --val-every 5 -i packed.ft'

# Nothing here needs a disk: a kill loses no write. In memory fsync costs nothing.
if [ -w /dev/shm ]; then
    work=$(mktemp -d -p /dev/shm)
    trap 'rm -rf "$work"' EXIT
    cp toy.gguf packed.ft val.ft "$work"
    cd "$work"
fi
seed=$(date +%s)
echo "# seed $seed"
campaign() { # KILLS COMPOUND TERMS PROGRAM
    # shellcheck disable=SC2086  # words
    /usr/bin/python3 "$FT_ROOT/tests/fault/train_kill.py" "$1" "$2" "$3" "$seed" "$4" $args \
        --checkpoint DIR --every 4 --resume --log DIR/log -o DIR/adapter.ft
}

# The campaign itself finds a program that goes on with something else than it saved.
cat >forgets <<'END'
#!/bin/sh
dir=$(echo "$*" | sed 's/.*--checkpoint \([^ ]*\).*/\1/')
case $(echo "$dir"/checkpoint-*) in
    *'*') exec ft-train "$@" ;;
    *) rm "$dir"/checkpoint-* && exec ft-train "$@" --seed 1 ;;
esac
END
chmod +x forgets
mkdir planted
(cd planted && cp ../toy.gguf ../*.ft . && campaign 4 0 0 ../forgets >../found) || :
check "a program that forgets is found" grep -q '^not ok.*the same bytes' found

counts='60 20 10'
[ -z "${FT_SOAK:-}" ] || counts='1000 200 100'
# shellcheck disable=SC2086  # words
check "all of them" campaign $counts ft-train

# Files may have so many blocks of 512 bytes at most. Checkpoints grow as B fills, so the limit is
# hit at the first one, at a later one, or never.
limited() { # BLOCKS; leaves the status
    status=$(
        (
            ulimit -f "$1"
            rc=0
            # shellcheck disable=SC2086  # words
            ft-train $args --checkpoint full --every 4 --resume -o full.ft 2>&1 || rc=$?
            echo "status $rc"
        ) | tee message | sed -n 's/^status //p'
    )
}
largest=$(wc -c reference/checkpoint-* | sort -n | tail -n 2 | awk 'NR == 1 { print $1 }')
: >problems
runs=0 later=0
step=6
[ -z "${FT_SOAK:-}" ] || step=1
for blocks in $(seq 2 "$step" $((largest / 512 + 2))); do
    rm -rf full full.ft
    limited "$blocks"
    case $status in 0 | 73 | 74) ;; *) echo "$blocks blocks: status $status" >>problems ;; esac
    for f in full/checkpoint-*; do
        [ -e "$f" ] || continue
        [ "$status" = 0 ] || later=1
        ft-check -q "$f" >/dev/null 2>&1 || echo "$blocks blocks: $f is torn" >>problems
    done
    find full full.ft -name '*.ft-tmp' 2>/dev/null | sed "s/^/$blocks blocks: left /" >>problems
    limited unlimited
    [ "$status" = 0 ] || echo "$blocks blocks: going on ends with $status" >>problems
    cmp -s full.ft reference/adapter.ft || echo "$blocks blocks: other bytes" >>problems
    runs=$((runs + 1))
done
report "space runs out" $runs problems
check "space ran out behind a first checkpoint, too" test $later = 1

# A checkpoint that cannot be brought to the disk ends the run with 74, at once; those before it
# stand.
if ! can_trace; then
    skip "system calls cannot be traced here"
    finish
fi
: >problems
runs=0
# The first save syncs the log, its folder, the file and the folder; later ones all but the second.
# When the folder's sync fails, the file is in place already.
for point in 'fsync 1 0' 'fsync 2 0' 'fsync 3 0' 'fsync 4 1' 'fsync 5 1' 'fsync 6 1' 'fsync 7 2' \
             'fsync 8 2' 'fsync 9 2' 'rename 1 0' 'rename 2 1' 'rename 3 2' 'rename 4 2'; do
    # shellcheck disable=SC2086  # words
    set -- $point
    rm -rf full full.ft
    mkdir full
    rc=0
    # shellcheck disable=SC2046,SC2086  # words
    $(injected "$1" error=EIO "$2") ft-train $args --checkpoint full --every 8 --resume \
        --log full/log -o full.ft 2>message || rc=$?
    [ $rc = 74 ] || echo "$1 $2 fails: status $rc" >>problems
    found=0
    for f in full/checkpoint-*; do
        [ -e "$f" ] || continue
        found=$((found + 1))
        ft-check -q "$f" >/dev/null 2>&1 || echo "$1 $2 fails: $f is torn" >>problems
    done
    [ $found = "$3" ] || echo "$1 $2 fails: $found checkpoints, not $3" >>problems
    runs=$((runs + 1))
done
report "a checkpoint that does not reach the disk" $runs problems
finish

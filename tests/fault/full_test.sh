# Space runs out at every size: a limit on the size of files (RLIMIT_FSIZE) and, where it may be
# mounted, a small tmpfs. No output looks whole, what stood there before still stands.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

# Block counts for `ulimit -f` (512 bytes each) from nothing to more than the tool writes.
limits() {
    largest=$(du -b ref/* | sort -n | tail -n 1 | cut -f 1)
    step=$((largest / 512 / 6))
    [ -z "${FT_SOAK:-}" ] || step=8
    [ "$step" -gt 0 ] || step=1
    seq 0 "$step" $((largest / 512 + 1))
}

limited() { # NAME INPUT COMMAND...
    make_reference "$@" || return 0
    rm -rf old
    mkdir old
    for f in ref/*; do echo "what stood here before" >"old/${f#ref/}"; done
    rm -f old/stdout
    : >problems
    runs=0
    for blocks in $(limits); do
        fresh_out
        cp old/* out/ 2>/dev/null || :
        : >out/stdout
        # The message goes to a pipe, which the limit does not touch.
        status=$(
            input=$2
            shift 2
            (
                ulimit -f "$blocks"
                rc=0
                timeout -s KILL 20 "$@" <"$input" 2>&1 >out/stdout || rc=$?
                echo "status $rc"
            ) | tee message | sed -n 's/^status //p'
        )
        grep -v '^status ' message >stderr || :
        {
            verdict
            case $status in 0 | 73 | 74) ;; *) echo "status $status: $(head -n 1 stderr)" ;; esac
        } | sed "s/^/files of $blocks blocks at most: /" >>problems
        runs=$((runs + 1))
    done
    report "$1: file size limited" $runs problems
}

make_inputs
cases >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    limited $line </dev/null
done <list

# A full disk: the same, once per tool that writes files.
mkdir -p small
if mount -t tmpfs -o size=4k none small 2>/dev/null; then
    echo "what stood here before" >small/x
    dd if=/dev/zero of=small/fill bs=4k count=4 2>/dev/null || :
    for t in import:raw.jsonl dedup:text.ft; do
        rc=0
        "ft-${t%%:*}" -i "${t#*:}" -o small/x 2>stderr || rc=$?
        case $rc in
            73 | 74) check "${t%%:*}: a full disk keeps the old file" \
                grep -q "what stood here before" small/x ;;
            *) not_ok "${t%%:*}: status $rc on a full disk" ;;
        esac
        check "${t%%:*}: and no temporary file" test ! -e small/x.ft-tmp
    done
    umount small
    mount -t tmpfs -o size=64k none small
    for mode in "--substring --memory 4M" "--against items.ft --run 1" "--near"; do
        # shellcheck disable=SC2086  # words
        TMPDIR=$PWD/small check_status 74 "dedup $mode: a full folder for temporary files" \
            ft-dedup $mode --key all -i wide.ft -o out/no.ft
        check "dedup $mode: and nothing written" test ! -e out/no.ft -a ! -e out/no.ft.ft-tmp
    done
    umount small
else
    skip "a full disk (no tmpfs may be mounted here)"
fi
finish

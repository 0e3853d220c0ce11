# What happens at the ends of a pipe, for every tool: a reader that leaves, descriptors that are
# closed, a device that is full.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"
timeout_s=10

# Ends with the status of COMMAND in a pipeline whose reader is READER.
status_into() { # READER INPUT COMMAND...
    reader=$1 input=$2
    shift 2
    {
        rc=0
        timeout -s KILL $timeout_s "$@" <"$input" 2>stderr || rc=$?
        echo $rc >status
    } | sh -c "$reader" >/dev/null
    status=$(cat status)
}

want() { # WHAT STATUS...
    what=$1
    shift
    for s; do
        [ "$status" != "$s" ] || { ok "$what"; return; }
    done
    not_ok "$what: status $status, expected $*: $(head -n 1 stderr)"
}

ends() { # NAME INPUT COMMAND...
    name=$1 input=$2
    shift 2
    # Only what writes to standard output can tell that nobody reads it.
    case " $* $(head -c 1 ref/stdout | wc -c)" in
        *' out/'* | *0) ;;
        *)
            # All may be written before the reader leaves, so 0 is as right as 141 here.
            status_into true "$input" "$@"
            # ft-train does not die of SIGPIPE: it saves the adapter, says where, and ends with 74.
            case $name in train*) gone=74 ;; *) gone=141 ;; esac
            want "$name | true" 0 $gone
            status_into 'head -c 1' "$input" "$@"
            want "$name | head -c 1" 0 $gone
            # With SIGPIPE ignored it is a write error; a pipe that nobody reads from the start.
            status=0
            python3_ignoring_sigpipe "$input" "$@" 2>stderr || status=$?
            want "$name with SIGPIPE ignored" 74
            status=0
            timeout -s KILL $timeout_s "$@" <"$input" >/dev/full 2>stderr || status=$?
            want "$name >/dev/full" 74
            check "$name >/dev/full says why" test -s stderr
            status=0
            timeout -s KILL $timeout_s "$@" <"$input" 2>stderr >&- || status=$?
            want "$name >&-" 74
            check "$name >&- says why" test -s stderr
            ;;
    esac
    # Closed standard error: nobody can be told, the work is done all the same or given up.
    fresh_out
    status=0
    timeout -s KILL $timeout_s "$@" <"$input" >out/stdout 2>&- || status=$?
    case $status in
        0) check "$name 2>&- ends with the right output" diff -r ref out ;;
        *) want "$name 2>&-" 74 ;;
    esac
}

# Runs COMMAND with SIGPIPE ignored and standard output a pipe without a reader.
python3_ignoring_sigpipe() { # INPUT COMMAND...
    /usr/bin/python3 - "$@" <<'END'
import os, signal, subprocess, sys
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
r, w = os.pipe()
os.close(r)
with open(sys.argv[1], "rb") as stdin:
    sys.exit(subprocess.run(sys.argv[2:], stdin=stdin, stdout=w, restore_signals=False,
                            timeout=10).returncode)
END
}

make_inputs
cases >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    set -- $line
    make_reference "$@" </dev/null || continue
    ends "$@" </dev/null
    case $2 in
        /dev/null) ;;
        *)
            shift 2
            fresh_out
            status=0
            timeout -s KILL $timeout_s "$@" <&- >out/stdout 2>stderr || status=$?
            want "$(echo "$line" | cut -d ' ' -f 1) <&-" 66
            ;;
    esac
done <list
finish

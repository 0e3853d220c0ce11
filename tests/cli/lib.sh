# lib.sh: what the scripts here share. A script begins with
#     set -eu
#     . "$FT_ROOT/tests/cli/lib.sh"
# and ends with `finish`.

cases_failed=0

ok() { # WHAT
    echo "ok - $1"
}

not_ok() { # WHAT
    echo "not ok - $1"
    cases_failed=$((cases_failed + 1))
}

skip() { # WHAT
    echo "skip - $1"
}

# The case WHAT holds when COMMAND succeeds.
check() { # WHAT COMMAND...
    check_what=$1
    shift
    if "$@"; then ok "$check_what"; else not_ok "$check_what"; fi
}

# The case WHAT holds when COMMAND ends with STATUS; its output goes to ./stdout and ./stderr.
check_status() { # STATUS WHAT COMMAND...
    want_status=$1
    check_what=$2
    shift 2
    got_status=0
    "$@" >stdout 2>stderr || got_status=$?
    if [ "$got_status" = "$want_status" ]; then
        ok "$check_what"
    else
        not_ok "$check_what (status $got_status, expected $want_status)"
        sed 's/^/# /' stderr
    fi
}

# The case WHAT holds when the two files have the same bytes.
check_same() { # WHAT FILE FILE
    check "$1" cmp -- "$2" "$3"
}

finish() {
    [ "$cases_failed" = 0 ] || exit 1
    exit 0
}

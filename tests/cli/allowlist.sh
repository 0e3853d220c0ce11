# No tool opens a socket or starts a program (`ft NAME` becomes one), and none opens a file that it
# was not given, its spool and what the libraries read aside.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

if [ -n "${FT_ASAN:-}" ]; then
    skip "the leak checker starts a process of its own"
    finish
fi
if ! can_trace; then
    skip "system calls cannot be traced here"
    finish
fi

# Prints calls and opens that are not allowed.
strangers() { # TRACE ALLOWED_PATHS_PATTERN
    # The first execve is the tool's own.
    grep -E '(^|[ ])(execve|execveat|fork|vfork)\(' "$1" | sed 1d || :
    grep -E '(^|[ ])(socket|connect|bind|listen|accept|sendto|ptrace)\(' "$1" || :
    grep -E '(^|[ ])clone3?\(' "$1" | grep -v CLONE_THREAD || :
    # Files that were opened with success.
    sed -n 's/.*openat(AT_FDCWD[^,]*, "\([^"]*\)".*) = [0-9].*/\1/p' "$1" |
        grep -Ev '^(/lib/|/usr/lib/|/lib64/|/etc/ld\.so|/proc/|/sys/|/dev/null$)' |
        grep -Ev "$2" || :
}

make_inputs
cases >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    set -- $line
    make_reference "$@" </dev/null || continue
    fresh_out
    run_case "strace -f -o trace -e trace=%process,%network,ptrace,openat" "$@" </dev/null
    given='(raw|scores|scores2|reviewed)\.jsonl|lora/adapter_[a-z]*\.[a-z]*|ask\.txt|toy\.gguf'
    given="$given|[a-z]*\.ft|out|out/.*|\."
    strangers trace "^($given|/usr/share/libexttextcat/.*|$TMPDIR)\$" >found
    if [ -s found ]; then
        not_ok "$1 does more than its arguments say"
        head -n 5 found | sed 's/^/# /'
    else
        ok "$1 opens and starts nothing else"
    fi
done <list

# The check itself sees a program that does.
strace -f -o trace -e trace=%process,%network,ptrace,openat sh -c 'cat /etc/hostname; true' \
    >/dev/null 2>&1 || :
strangers trace '^nothing$' >found
check "a program that starts another is seen" grep -q execve found
check "a file that was not named is seen" grep -q /etc/hostname found
finish

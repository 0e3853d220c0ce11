#!/bin/sh
# run.sh BUILD [WORD...]: runs the tests, or those whose path contains one of the words.
#
# A test is a program BUILD/tests/{unit,kernels}/* or a script tests/{cli,fault}/*.sh. It
# prints a line for each case, "ok ..." or "not ok ..." (TAP, which cmocka also prints), "skip ..."
# or "ok N # SKIP ..." for one that cannot run here, and exits with a status other than 0 when a
# case failed. It has failed too when it dies, prints no case, or prints fewer than its "1..N".
# Scripts start in an empty folder of their own with FT_BIN, TOY, MODEL and FT_ROOT set; programs
# start in the root of the tree. FT_JOBS tests run at a time (2).
set -eu

# Counts the cases of a log. In: the log, rc = exit status. Out: "passed failed skipped reason".
# shellcheck disable=SC2016  # the dollars are awk's
count_cases='
/^1\.\.[0-9]+/ { plan = substr($0, 4) + 0; have_plan = 1 }
/^(not )?ok( [0-9]+)? # SKIP/ || /^skip/ { skipped++; next }
/^ok( |$)/ { passed++ }
/^not ok( |$)/ { failed++ }
END {
    seen = passed + failed + skipped
    if (rc == 124 || rc == 137) why = "ran out of time, or was killed"
    else if (rc > 128) why = "died of signal " (rc - 128)
    else if (rc != 0 && failed == 0) why = "exit status " rc
    else if (seen == 0) why = "printed no case"
    else if (have_plan && seen < plan) why = "printed " seen " of " plan " cases"
    if (why != "") failed++
    print passed + 0, failed + 0, skipped + 0, why
}'

# Runs one test. Leaves its output in LOG.log and its counts in LOG.res.
run_one() { # TEST LOG LIMIT_S
    work=$2.tmp
    rm -rf "$work" && mkdir -p "$work"
    rc=0
    (
        TMPDIR=$work
        export TMPDIR
        case $1 in
            *.sh) cd "$work" && exec timeout -k 5 "$3" sh "$1" ;;
            *) cd "$FT_ROOT" && exec timeout -k 5 "$3" "$1" ;;
        esac
    ) >"$2.log" 2>&1 </dev/null || rc=$?
    awk -v rc="$rc" "$count_cases" "$2.log" >"$2.res"
    rm -rf "$work"
}

name_of() {
    echo "$1" | sed -e "s|^$FT_ROOT/||" -e "s|^.*/tests/|tests/|" -e 's|^tests/||'
}

# One job of the parallel run: runs the test and reports it with a single write.
report_one() { # OUT TEST
    name=$(name_of "$2")
    log=$1/$(echo "$name" | tr / -)
    case $2 in */fault/*) limit=400 ;; *) limit=180 ;; esac
    [ -z "${FT_SOAK:-}" ] || limit=100000
    from=$(date +%s%N)
    exec 3>&2 2>/dev/null    # the shell's own word about a killed test
    run_one "$2" "$log" "$limit"
    exec 2>&3
    ms=$((($(date +%s%N) - from) / 1000000))
    read -r passed failed skipped why <"$log.res"
    {
        word=ok
        [ "$failed" = 0 ] || word=FAILED
        printf '%-6s %-32s %4d passed' "$word" "$name" "$passed"
        [ "$failed" = 0 ] || printf ', %d failed' "$failed"
        [ "$skipped" = 0 ] || printf ', %d skipped' "$skipped"
        printf '  %d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$why"
        if [ "$failed" != 0 ]; then
            grep '^not ok' "$log.log" | grep -v '# SKIP' | head -n 20 | sed 's/^/       /' || :
            echo "       the end of $log.log:"
            tail -n 15 "$log.log" | sed 's/^/       | /'
        elif [ "$skipped" != 0 ]; then
            grep -E '^(skip|(not )?ok.*# SKIP)' "$log.log" | head -n 5 | sed 's/^/       /' || :
        fi
    } >"$log.txt"
    cat "$log.txt"
}

# Programs that fail in every known way must be seen to fail, or the rest proves nothing.
canary() { # OUT BUILD
    blind=0 seen=0
    exec 3>&2 2>/dev/null
    for t in "$FT_ROOT"/tests/canary/*.sh "$2"/tests/canary/*; do
        case $t in *.d) continue ;; esac
        run_one "$t" "$1/canary" 2
        read -r passed failed skipped why <"$1/canary.res"
        if [ "$failed" -gt 0 ]; then
            seen=$((seen + 1))
        else
            echo "the runner does not see that $(name_of "$t") fails"
            blind=1
        fi
    done
    exec 2>&3
    rm -f "$1"/canary.*
    if [ "$blind" = 1 ] || [ "$seen" -lt 7 ]; then
        echo "canary: $seen failing programs seen: the test runner cannot be trusted"
        exit 2
    fi
    printf '%-6s %-32s %4d seen to fail\n' ok canary "$seen"
}

# Prints the tests, the slow ones first.
list_tests() { # BUILD
    [ -n "${FT_ASAN:-}" ] || ls "$FT_ROOT"/tests/fault/*_test.sh 2>/dev/null || :
    for t in "$FT_ROOT"/tests/cli/*.sh "$1"/tests/kernels/* \
             "$1"/tests/unit/*; do
        case $t in */lib.sh | *.d | *.o) continue ;; esac
        [ ! -f "$t" ] || echo "$t"
    done
}

if [ "$1" = --one ]; then
    report_one "$2" "$3"
    exit 0
fi

FT_ROOT=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$1" && pwd)
shift
FT_BIN=$build/bin
FT_SHIMS=$build/tests/fault
TOY=$FT_ROOT/tests/golden/toy.gguf
MODEL=${FT_MODEL:-build/data/SmolLM2-135M-Instruct.Q4_1.gguf}
case $MODEL in /*) ;; *) MODEL=$FT_ROOT/$MODEL ;; esac
CMOCKA_MESSAGE_OUTPUT=TAP
[ -z "${FT_ASAN:-}" ] || export ASAN_OPTIONS=detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1
PATH=$FT_BIN:$PATH
export FT_ROOT FT_BIN FT_SHIMS TOY MODEL CMOCKA_MESSAGE_OUTPUT PATH
unset MAKEFLAGS MFLAGS MAKELEVEL FT_CPU

out=$build/check
rm -rf "$out" && mkdir -p "$out"
canary "$out" "$build"
list_tests "$build" >"$out/list"
for word; do
    grep -F -- "$word" "$out/list" >>"$out/chosen" || :
done
[ $# = 0 ] || sort -u "$out/chosen" >"$out/list"
xargs -r -P "${FT_JOBS:-2}" -n 1 sh "$0" --one "$out" <"$out/list"

find "$out" -name '*.res' -exec cat {} + |
    awk '{ passed += $1; failed += $2; skipped += $3; tests++ }
         END {
             if (skipped) printf "%d skipped\n", skipped
             printf "%d passed, %d failed\n", passed, failed
             exit tests == 0 || passed == 0 || failed > 0
         }'

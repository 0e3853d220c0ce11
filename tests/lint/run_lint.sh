#!/bin/sh
# run_lint.sh "COMPILER FLAGS": all static checks; the exit status says whether one found something.
set -eu
cd "$(dirname "$0")/../.."
flags=$1
failed=0

step() { # NAME COMMAND...
    name=$1
    shift
    if "$@"; then
        echo "ok      $name"
    else
        echo "FAILED  $name"
        failed=1
    fi
}

have() {
    command -v "$1" >/dev/null && return
    echo "FAILED  $1 is not installed (sh pipelines/deps.sh lint)"
    failed=1
    return 1
}

sources() {
    find lib kernels tools -name '*.c' | sort
}

# One process a file, as many as processors; what each file's ISA needs comes from its name.
tidy() {
    # shellcheck disable=SC2016  # the inner shell's
    sources | xargs -P "$(nproc)" -n 1 sh -c '
        case $2 in
            *_avx2.c) isa="-mavx2 -mfma -mf16c" ;;
            *_avx512.c) isa="-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512bf16
                             -mfma -mf16c" ;;
            *) isa= ;;
        esac
        clang-tidy-14 --quiet "$2" -- $1 $isa 2>/dev/null' tidy "$flags"
}

check_with_cppcheck() {
    cppcheck --quiet -j "$(nproc)" --std=c11 --language=c --error-exitcode=1 --inline-suppr \
        --enable=warning,portability --suppressions-list=tests/lint/cppcheck.txt \
        --library=tests/lint/cppcheck.cfg \
        -Ilib -I. lib kernels tools
}

scripts() {
    git ls-files '*.sh' .ci/run | xargs shellcheck -s sh -S warning
}

flags=$(echo "$flags" | tr ' ' '\n' |
    grep -Ev -- '^-(fcf-protection=full|ftrivial-auto-var-init=zero|D_FORTIFY_SOURCE=3|O2|g)$' |
    tr '\n' ' ')
step layers sh tests/lint/layers.sh
step lengths sh tests/lint/lengths.sh
if have shellcheck; then step shellcheck scripts; fi
if have cppcheck; then step cppcheck check_with_cppcheck; fi
if have clang-tidy-14; then step clang-tidy tidy; fi
exit $failed

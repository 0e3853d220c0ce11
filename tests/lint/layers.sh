#!/bin/sh
# layers.sh: the rules of the tree that a compiler does not check. Prints each breach; the exit
# status says whether there was one.
set -eu
cd "$(dirname "$0")/../.."

breaches=$(
    # Who may include whom: a module, then the modules it may look into (itself always).
    while read -r from to; do
        case $from in
            kernels | tools) folder=$from ;;
            *) folder=lib/$from ;;
        esac
        [ -d "$folder" ] || continue
        find "$folder" -name '*.[ch]' | sort | while read -r file; do
            sed -n 's/^#include "\(.*\)".*/\1/p' "$file" | while read -r path; do
                path=${path#lib/}
                case " $from $to " in
                    *" all "* | *" ${path%%/*} "*) ;;
                    *) echo "$file includes $path: $from may include only $from $to" ;;
                esac
            done
        done
    done <<'END'
kernels
base
stream base
text base kernels
data base text kernels
model base kernels
nn model kernels base
train nn stream model base kernels
infer nn model base kernels
eval base text
tools all
END

    # A module's folder that the list above does not know.
    for folder in lib/*/; do
        case $(basename "$folder") in
            base | stream | text | data | model | nn | train | infer | eval) ;;
            *) echo "$folder has no place in the layers" ;;
        esac
    done

    # libft neither prints nor ends the program; kernels also do not allocate or start threads.
    grep -nE '(^|[^a-z_])(printf|fprintf|puts|perror|exit|_exit|abort)\(' lib/*/*.c kernels/*.c |
        sed 's/$/   <- libft never prints or exits/'
    grep -nE '(^|[^a-z_])(malloc|calloc|realloc|free|pthread_[a-z]+|fopen|read|write)\(' \
        kernels/*.c | grep -v pthread_once | sed 's/$/   <- kernels are leaves/'
    # Allocation has one place; so have descriptors.
    grep -nE '(^|[^a-z_])(malloc|calloc|realloc|aligned_alloc|strdup)\(' lib/*/*.c tools/*.c |
        grep -v '^lib/base/mem.c:' | sed 's/$/   <- allocate by base\/mem.h/'
    grep -nE '(^|[^a-z_])(fopen|open|openat|mkstemp|rename|fsync)\(' lib/*/*.c tools/*.c |
        grep -v '^lib/base/io.c:' | sed 's/$/   <- files are opened by base\/io.h/'

    # Programs are started by `ft` alone, sockets by nobody.
    grep -nE '(^|[^a-z_])(system|popen|fork|exec[lv]p?e?|posix_spawnp?|socket|connect)\(' \
        lib/*/*.c kernels/*.c tools/*.c tools/cli/*.c | grep -v '^tools/ft\.c:' |
        sed 's/$/   <- no programs, no sockets/'

    grep -nE -- '-march=native|-ffast-math|-Ofast' Makefile pipelines/* |
        sed 's/$/   <- forbidden flag/'
    # cmocka's comparison of floats takes NaN for equal: say fabs(got - want) <= tolerance.
    grep -rn 'assert_float_equal\|assert_double_equal' tests --include='*.[ch]' |
        grep -v '^tests/canary/' | sed 's/$/   <- passes NaN/'

    # One name, one file: `grep -r name.c` must have one answer.
    git ls-files 2>/dev/null | grep -E '\.(c|h|sh|py|awk|mk)$' | sed 's|.*/||' | sort | uniq -d |
        sed 's/$/ is the name of two files/'

    git ls-files '*.[ch]' '*.sh' '*.awk' | while read -r file; do
        awk -v f="$file" '
            /\t/ && f ~ /\.[ch]$/ { print f ":" FNR ": a tab" }
            /[ \t]$/ { print f ":" FNR ": white space at the end" }
            # A line of JSON data cannot be broken.
            length($0) > 100 && f !~ /^tests\/golden\// && !/^\{"/ {
                print f ":" FNR ": over 100 columns"
            }
            /TODO|FIXME|XXX[^X]/ && !/-XXXXXX/ && f != "tests/lint/layers.sh" {
                print f ":" FNR ": unfinished"
            }' "$file"
    done
)
[ -n "$breaches" ] || exit 0
echo "$breaches"
exit 1

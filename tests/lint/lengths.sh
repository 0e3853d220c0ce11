#!/bin/sh
# lengths.sh: how long files and functions are. Prints what is over the hard limits (files 700
# lines, tools 300, functions 100, a tool's main 60) and a summary; kernels and tests are exempt.
set -eu
cd "$(dirname "$0")/../.."

# shellcheck disable=SC2046  # no name here holds white space
awk '
    function end_file() {
        if (file == "") return
        files++
        limit = file ~ /^tools\/ft/ ? 300 : 700
        if (lines > limit) { print file ": " lines " lines, at most " limit; over = 1 }
    }
    FNR == 1 { end_file(); file = FILENAME; in_function = 0 }
    { lines = FNR }
    /^\{/ && !in_function { in_function = 1; begin = FNR; head = previous }
    /^\}/ && in_function {
        n = FNR - begin + 1
        in_function = 0
        sizes[++functions] = n
        limit = file ~ /^tools\/ft/ && head ~ /^int main\(/ ? 60 : 100
        if (n > limit && file !~ /^kernels\//) {
            print file ":" begin ": " n " lines, at most " limit ": " head
            over = 1
        }
    }
    { previous = $0 }
    END {
        end_file()
        for (i = 2; i <= functions; i++) {
            v = sizes[i]
            for (j = i - 1; j > 0 && sizes[j] > v; j--) sizes[j + 1] = sizes[j]
            sizes[j + 1] = v
        }
        printf "%d files, %d functions: median %d lines, 9 of 10 under %d\n", files, functions,
            sizes[int((functions + 1) / 2)], sizes[int(functions * 0.9)]
        exit over
    }' $(find lib kernels tools -name '*.c' | sort)

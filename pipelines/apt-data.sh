#!/bin/sh
# apt-data.sh FOLDER: prints the package descriptions of this machine's Debian archive as JSON
# lines: a long description to be summarised, its one-line summary as the answer, the section as
# label, the source package as group. The lists are fetched into FOLDER (needs no root); where it
# already holds them, nothing is fetched.
set -eu
[ $# = 1 ] || { echo "usage: apt-data.sh FOLDER" >&2; exit 64; }
here=$(dirname "$0")
mkdir -p "$1/partial"
lists=$(cd "$1" && pwd)

if [ ! -f "$lists/.fetched" ]; then
    apt-get update -q -o Acquire::Languages=en -o Acquire::GzipIndexes=false \
        -o Dir::State::lists="$lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
        -o APT::Sandbox::User= >&2
    touch "$lists/.fetched"
fi
LC_ALL=C
export LC_ALL
set -- "$lists"/*_Translation-en
[ -f "$1" ] || { echo "apt-data.sh: apt gave no descriptions (no $1)" >&2; exit 1; }
awk -f "$here/apt-data.awk" "$lists"/*_Translation-en "$lists"/*_Packages |
    sort -s -t "$(printf '\t')" -k 1,1 | cut -f 2-

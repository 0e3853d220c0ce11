#!/bin/sh
# deps.sh [build|lint|bench]: installs the Debian packages that building and testing ft needs, where
# they are missing; lint and bench name the larger ones that only `make lint` and `make bench` use.
set -eu
build="gcc make libc6-dev libzstd-dev libmsgpack-dev libopenblas-dev libxxhash-dev libutf8proc-dev
libpcre2-dev zlib1g-dev libdivsufsort-dev libexttextcat-data libcmocka-dev zstd xxhash
python3 python3-pip python3-zstandard python3-msgpack python3-xxhash ca-certificates binutils strace
mandoc jq parallel gnuplot-nox time"
lint="clang-tidy-14 cppcheck shellcheck"
bench="g++ cmake python3-dev python3-venv"
case ${1:-build} in
    build) packages=$build ;;
    lint) packages="$build $lint" ;;
    bench) packages="$build $bench" ;;
    *) echo "usage: deps.sh [build|lint|bench]" >&2; exit 64 ;;
esac
missing=
for p in $packages; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' ||
        missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "installing$missing" >&2
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
        echo "ft needs packages that are not installed. As root, type:" >&2
        echo "    apt-get update && apt-get install -y$missing" >&2
        exit 1
    fi
    as_root="sudo -n"
fi
$as_root apt-get update -q >/dev/null
# shellcheck disable=SC2086  # both are lists of words
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    $missing >/dev/null

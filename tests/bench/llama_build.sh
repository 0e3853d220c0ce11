#!/bin/sh
# Builds llama.cpp from the source package of PyPI llama-cpp-python into build/peers, for this
# processor: its llama-perplexity, llama-bench and llama-batched-bench, and llama_logits, which asks
# its library for the logits of the files that ft writes. Prints the folder. Needs cmake and g++.
set -eu
version=${LLAMA_VERSION:-0.3.36}
root=$(cd "$(dirname "$0")/../.." && pwd)
peers=${FT_PEERS:-$root/build/peers}
source=$peers/llama_cpp_python-$version/vendor/llama.cpp
made=$peers/llama-$version

if [ ! -f "$made/complete" ]; then
    mkdir -p "$peers"
    if [ ! -d "$source" ]; then
        python3 -m pip download -q --no-binary :all: --no-deps -d "$peers" \
            "llama-cpp-python==$version" >&2
        tar -C "$peers" -xf "$peers/llama_cpp_python-$version.tar.gz"
    fi
    cmake -S "$source" -B "$made" -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF \
        -DLLAMA_BUILD_COMMON=ON -DLLAMA_BUILD_TOOLS=ON -DLLAMA_BUILD_TESTS=OFF \
        -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF \
        -DLLAMA_OPENSSL=OFF -DGGML_NATIVE=ON -DGGML_OPENMP=OFF >&2
    cmake --build "$made" -j "${LLAMA_JOBS:-2}" \
        --target llama llama-perplexity llama-bench llama-batched-bench >&2
    ${CXX:-g++} -x c "$root/tests/bench/llama_logits.c" -x none -O2 \
        -I"$source/include" -I"$source/ggml/include" \
        "$made/src/libllama.a" "$made"/ggml/src/libggml.a "$made"/ggml/src/libggml-cpu.a \
        "$made"/ggml/src/libggml-base.a -lpthread -lm -lstdc++ -o "$made/bin/llama_logits" >&2
    touch "$made/complete"
fi
echo "$made"

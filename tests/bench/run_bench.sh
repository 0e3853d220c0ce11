#!/bin/sh
# run_bench.sh BUILD [WORD...]: measures, and compares with other programs where they are installed.
# Each tests/bench/*_bench.sh prints lines "name  value unit  (bound or peer)"; those whose name
# contains one of the words are run. A number on a shared machine is noise: close what else runs.
# FT_BENCH_RUNS=1 runs each program once where benches take the median of three.
set -eu
FT_ROOT=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
shift
FT_BIN=$build/bin
TOY=$FT_ROOT/tests/golden/toy.gguf
MODEL=${FT_MODEL:-build/data/SmolLM2-135M-Instruct.Q4_1.gguf}
case $MODEL in /*) ;; *) MODEL=$FT_ROOT/$MODEL ;; esac
FT_PEERS=${FT_PEERS:-$FT_ROOT/build/peers}
PEER_PYTHON=$FT_PEERS/python/bin/python
PATH=$FT_BIN:$PATH
export FT_ROOT FT_BIN TOY MODEL FT_PEERS PEER_PYTHON PATH
unset MAKEFLAGS MFLAGS MAKELEVEL FT_CPU OPENBLAS_CORETYPE

chosen() { # FILE WORD...
    file=$1
    shift
    [ $# -gt 0 ] || return 0
    for word; do
        case $file in *"$word"*) return 0 ;; esac
    done
    return 1
}

echo "$(nproc) processors: $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"
sh "$FT_ROOT/tests/bench/peers.sh" ||
    echo "the other programs could not be built: their columns are missing" >&2
failed=0
for bench in "$FT_ROOT"/tests/bench/*_bench.sh; do
    [ "${bench##*/}" != run_bench.sh ] || continue
    chosen "${bench##*/}" "$@" || continue
    work=$build/bench/$(basename "$bench" .sh)
    rm -rf "$work"
    mkdir -p "$work"
    echo "== $(basename "$bench" _bench.sh)"
    (cd "$work" && sh "$bench") || failed=1
    rm -rf "$work"
done
exit $failed

#!/bin/sh
# The same epoch as epoch_bench.sh over NF4 weights with double quantisation, beside peft and
# bitsandbytes. The peer's own loss does not fall on a processor, so ft's is judged by its f32 run
# over the same dequantised weights.
set -eu
sh "$FT_ROOT/tests/bench/epoch_run.sh" nf4

#!/bin/sh
# What the processor can do at most (limit.c), on one thread and on all: packed products in three
# types, and reading memory.
set -eu
"$FT_BIN/../tests/bench/limit"

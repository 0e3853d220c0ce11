#!/bin/sh
# A whole epoch over real chats: see epoch_run.sh.
set -eu
sh "$FT_ROOT/tests/bench/epoch_run.sh"

# The engine's promises hold on each family of kernels that this processor has.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

# From the root of the tree, as the runner starts it; the programs print TAP.
on_family() { # FAMILY TEST
    (cd "$FT_ROOT" && FT_CPU=$1 "$FT_BIN/../tests/unit/$2") >said 2>&1 && return
    grep -v '^ok' said | sed 's/^/# /'
    return 1
}

for family in ref avx2 avx512; do
    if FT_CPU=$family ft-train --version -v | grep -q "kernels $family"; then
        for test in nn_engine_test nn_naive_test nn_golden_test; do
            check "$test on $family" on_family $family $test
        done
    else
        skip "$family: this processor lacks it"
    fi
done
finish

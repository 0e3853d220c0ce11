# The training engine by the command line, on each family of kernels and for each type of products:
# what must change no byte, what may change rounding only, and the memory that was planned.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
args='-q -m toy.gguf --lora-rank 3 --epochs 4 --batch 6 --lr 0.01 --seed 7 --val val.ft
      --val-every 4'
cp packed.ft val.ft
# shellcheck disable=SC2086  # words
train() { ft-train $args "$@" packed.ft; }
last_loss() { sed -n 's/.*"loss":\([0-9.]*\).*/\1/p' "$1" | tail -n 1; }
near() { # A B TOLERANCE
    awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { d = a > b ? a - b : b - a
        exit !(a > 0 && d <= most * a) }'
}

shared=$(ft-train -m toy.gguf --plan --json --batch 6 packed.ft |
    sed -n 's/.*"shared":\([0-9]*\).*/\1/p')
check "these examples begin alike" test "${shared:-0}" -gt 100

for family in ref avx2 avx512; do
    if ! FT_CPU=$family ft-train --version -v | grep -q "kernels $family"; then
        skip "$family: this processor lacks it"
        continue
    fi
    export FT_CPU=$family
    for compute in f32 bf16 int8; do
        what="$family $compute"
        train --compute $compute --checkpoint run --every 4 --log log -o reference.ft
        while read -r name options; do
            # shellcheck disable=SC2086  # words
            train --compute $compute $options -o other.ft
            check_same "$what: same bytes with $name" reference.ft other.ft
        done <<'END'
one-thread --threads 1
small-micro-batches --micro 1
five-threads --micro 2 --threads 5
attention-again --recompute attention
all-again --recompute full --micro 4 --threads 3
a-bound --memory 40M
END
        # Gone on with from the last checkpoint but one.
        rm "$(find run -name 'checkpoint-*' | sort | tail -n 1)"
        train --compute $compute --checkpoint run --every 4 --resume --log log -o other.ft
        check_same "$what: same bytes after a resume" reference.ft other.ft
        rm -r run
        # The same up to rounding.
        for option in --no-share --whole-last-layer; do
            train --compute $compute $option --log other.log -o other.ft
            check "$what: $option gives the same loss" near "$(last_loss log)" \
                "$(last_loss other.log)" "$([ $compute = f32 ] && echo 1e-4 || echo 0.02)"
        done
        [ $compute = f32 ] && last_loss log >f32.loss
        check "$what: the loss is that of f32" near "$(cat f32.loss)" "$(last_loss log)" 0.02
    done
    unset FT_CPU
done

# The plan and what a run really takes, on the real model.
if [ -n "${FT_ASAN:-}" ]; then
    skip "the plan on the real model: the sanitizer takes memory of its own"
elif [ -f "$MODEL" ]; then
    # shellcheck disable=SC2002
    for i in 1 2 3 4 5 6; do
        ft-export -q text.ft | sed "s/\"}/ once again, for the ${i}th time\"}/"
    done | ft-import -q | ft-tokenize -q -m "$MODEL" | ft-pack -q -l 512 -o real.ft
    for options in "--batch 16" "--batch 16 --recompute full" "--base nf4 --batch 16" \
                   "--batch 16 --memory 330M" "--method prefix --prefix-tokens 50"; do
        check "planned within a tenth: $options" /usr/bin/python3 - real.ft "$options" <<'END'
import json, os, resource, subprocess, sys
command = ["ft-train", "-q", "-m", os.environ["MODEL"], "--no-shuffle"] + sys.argv[2].split()
plan = json.loads(subprocess.run(command + ["--plan", "--json", sys.argv[1]], check=True,
                                 capture_output=True, text=True).stdout)
child = subprocess.Popen(command + ["-o", "real-adapter.ft", sys.argv[1]])
_, status, usage = os.wait4(child.pid, 0)
peak = usage.ru_maxrss * 1024
print(f"# planned {plan['peak'] >> 20} MiB, measured {peak >> 20} MiB")
assert status == 0 and abs(plan["peak"] / peak - 1) <= 0.1, (plan, peak)
if "--memory" in sys.argv[2]:
    assert peak <= 330 << 20 and plan["peak"] <= 330 << 20
END
    done
else
    skip "the plan on the real model: no model"
fi
finish

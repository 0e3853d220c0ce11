# ft-train --method adapter: what must change no byte, the stream, and what the other tools make of
# it. That gradients are right is shown by tests/unit/nn_bottleneck_test.c and nn_naive_test.c.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
cp packed.ft val.ft
args='-q -m toy.gguf --method adapter --adapter-width 5 --epochs 6 --batch 5 --lr 0.03 --seed 7
      --val val.ft --val-every 5'
# shellcheck disable=SC2086  # words
train() { ft-train $args "$@" packed.ft; }
loss_of() { # OPTION... of ft-eval
    ft-eval -q --json --compute f32 "$@" packed.ft | sed 's/.*"loss":\([0-9.]*\).*/\1/'
}
less() { # A B
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && a < b) }'
}

for kind in pfeiffer houlsby; do
    [ $kind = houlsby ] && computes='f32 bf16 int8' || computes=f32
    for compute in $computes; do
        what="$kind $compute"
        train --adapter-kind $kind --compute $compute --checkpoint run --every 4 --log log \
            -o $kind.$compute
        while read -r name options; do
            # shellcheck disable=SC2086  # words
            train --adapter-kind $kind --compute $compute $options -o other.ft
            check_same "$what: same bytes with $name" $kind.$compute other.ft
        done <<'END'
one-thread --threads 1 --micro 3
small-micro-batches --micro 1 --threads 4
attention-again --recompute attention
all-again --recompute full --micro 4 --threads 3
END
        rm "$(find run -name 'checkpoint-*' | sort | tail -n 1)"
        train --adapter-kind $kind --compute $compute --checkpoint run --every 4 --resume \
            --log log -o other.ft
        check_same "$what: same bytes after a resume" $kind.$compute other.ft
        rm -r run
    done
    check "$kind: it learns" less "$(loss_of -m toy.gguf -a $kind.f32)" \
        "$(loss_of -m toy.gguf | awk '{ print $1 * 0.8 }')"
done
ft-train -q -m toy.gguf --method adapter --adapter-width 5 --epochs 6 --batch 5 --lr 0 \
    --adapter-kind houlsby packed.ft >base.ft
check "it begins as the base" test "$(loss_of -m toy.gguf -a base.ft)" = "$(loss_of -m toy.gguf)"

# A run that is killed goes on.
# shellcheck disable=SC2086  # words
check_status 75 "TERM: status 75" /usr/bin/python3 "$FT_ROOT/tests/cli/signal_at.py" s.log \
    '"step":7,' TERM ft-train $args --compute f32 --checkpoint term --every 3 --log s.log -o s.ft \
    packed.ft
train --compute f32 --checkpoint term --every 3 --resume --log s.log -o s.ft
check_same "and gone on with, the same bytes" pfeiffer.f32 s.ft

# The stream, read by the independent decoder.
check "names and shapes are as documented" /usr/bin/python3 - houlsby.f32 <<'END'
import json, os, subprocess, sys
decode = ["/usr/bin/python3", os.environ["FT_ROOT"] + "/tests/ft_decode.py"]
run = lambda *args: subprocess.run(decode + list(args), check=True, capture_output=True,
                                   text=True).stdout.splitlines()
want = []
for layer in range(2):
    for block in "self_attn", "mlp":
        name = f"base_model.model.model.layers.{layer}.{block}.adapter_"
        want += [(name + "down.weight", [5, 32]), (name + "down.bias", [5]),
                 (name + "up.weight", [32, 5]), (name + "up.bias", [32])]
rows = [json.loads(line) for line in run(sys.argv[1])]
assert [(r["name"], r["shape"]) for r in rows] == want
for r in rows:
    assert len(r["data"]["$bin"]) == 8 * r["shape"][0] * (r["shape"] + [1])[1]
head = json.loads(run("--header", sys.argv[1])[0])
extra = head["extra"]
assert extra["method"] == "adapter" and extra["kind"] == "houlsby" and extra["width"] == 5, extra
assert extra["activation"] == "silu" and extra["layers"] == 2 and "rank" not in extra, extra
assert head["entry"]["options"]["adapter-width"] == 5, head
END
check_status 0 "ft-check accepts it" ft-check -q houlsby.f32

# Quantised bases, and nf4.
for type in q8_0 q4_0; do
    ft-quant -q -m toy.gguf -t $type -o $type.gguf
    ft-train -q -m $type.gguf --method adapter --adapter-width 4 --lr 0.03 --epochs 4 packed.ft \
        >$type.ft
    check "$type: it learns" less "$(loss_of -m $type.gguf -a $type.ft)" "$(loss_of -m $type.gguf)"
done
train --base nf4 -o nf4.ft
train --base nf4 --threads 1 --micro 2 -o other.ft
check_same "--base nf4: same bytes with other threads and --micro" nf4.ft other.ft
check "--base nf4: it learns" less "$(loss_of -m toy.gguf -a nf4.ft)" "$(loss_of -m toy.gguf)"

# Generation: the same text for any batch, threads and mixture; beside LoRA.
ft-generate -q -m toy.gguf -a houlsby.f32 -n 12 --text <text.ft >alone
ft-generate -q -m toy.gguf -n 12 --text <text.ft >plain
check "it changes what is generated" sh -c '! cmp -s alone plain'
for options in "--batch 1" "--batch 7 --threads 3" "--threads 1"; do
    # shellcheck disable=SC2086  # words
    ft-generate -q -m toy.gguf -a houlsby.f32 -n 12 --text $options <text.ft >other
    check_same "the same text with $options" alone other
done
ft-export -q text.ft | awk '{ sub(/^{/, "{\"adapter\":\"" (NR % 2 ? "h" : "l") "\","); print }' |
    ft-import -q >mixed.ft
ft-generate -q -m toy.gguf -a adapter.ft -n 12 --text <text.ft >lora.text
ft-generate -q -m toy.gguf --adapters h=houlsby.f32,l=adapter.ft -n 12 --text <mixed.ft >together
awk 'NR == FNR { a[FNR] = $0; next } { print FNR % 2 ? a[FNR] : $0 }' alone lora.text >expected
check_same "row by row beside a LoRA" expected together

# Refusals.
check_status 65 "ft-merge refuses it" ft-merge -m toy.gguf -a houlsby.f32 -o no.gguf
check "with the reason" grep -q 'cannot be merged: its layers are not linear' stderr
check "and leaves nothing" sh -c '! ls no.gguf* 2>/dev/null'
check_status 65 "another base refuses it" ft-eval -m q8_0.gguf -a houlsby.f32 packed.ft
check_status 64 "a width over the model's is refused" train --adapter-width 33
check "with what is possible" grep -q '32 channels: 1 to 32' stderr
check_status 64 "width 0 is refused" train --adapter-width 0
check_status 64 "an unknown kind is refused" train --adapter-kind parallel
check "with the choices" grep -q 'houlsby' stderr
for option in "--lora-rank 4" "--lora-alpha 4" "--lora-dropout 0.1" "--lora-targets q"; do
    # shellcheck disable=SC2086  # words
    check_status 64 "$option is refused" train $option
done
for option in "--adapter-width 4" "--adapter-kind houlsby"; do
    # shellcheck disable=SC2086  # words
    check_status 64 "$option without the method is refused" ft-train -m toy.gguf $option packed.ft
    check "saying so" grep -q 'goes with --method adapter, not with lora' stderr
done

# The plan counts it.
check_status 0 "--plan" ft-train --plan --json -m toy.gguf --method adapter --adapter-width 6 \
    --adapter-kind houlsby packed.ft
check "the plan adds up" /usr/bin/python3 - stdout <<'END'
import json, sys
p = json.load(open(sys.argv[1]))
params = 2 * 2 * (2 * 6 * 32 + 6 + 32)
assert p["adapter"] == 4 * params and p["optimiser"] == 12 * params, (p, params)
END
if [ -n "${FT_ASAN:-}" ]; then
    skip "the plan on the real model: the sanitizer takes memory of its own"
elif [ -f "$MODEL" ]; then
    ft-tokenize -q -m "$MODEL" <text.ft | ft-pack -q -l 512 -o real.ft
    check "planned within a tenth on the real model" /usr/bin/python3 - real.ft <<'END'
import json, os, resource, subprocess, sys
command = ["ft-train", "-q", "-m", os.environ["MODEL"], "--method", "adapter", "--no-shuffle",
           "--recompute", "full", "--adapter-kind", "houlsby", "--batch", "24"]
plan = json.loads(subprocess.run(command + ["--plan", "--json", sys.argv[1]], check=True,
                                 capture_output=True, text=True).stdout)
child = subprocess.Popen(command + ["-o", "real-adapter.ft", sys.argv[1]])
_, status, usage = os.wait4(child.pid, 0)
peak = usage.ru_maxrss * 1024
print(f"# planned {plan['peak'] >> 20} MiB, measured {peak >> 20} MiB")
assert status == 0 and abs(plan["peak"] / peak - 1) <= 0.1, (plan, peak)
END
else
    skip "the plan on the real model: no model"
fi
finish

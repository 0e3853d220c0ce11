# ft-train by the command line: what must change no byte, the log, the plan, the bounds, and where
# the adapter goes when nobody takes it.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
cp packed.ft val.ft
args='-q -m toy.gguf --lora-rank 4 --lora-dropout 0.1 --epochs 2 --batch 5 --lr 0.01 --seed 7'
# shellcheck disable=SC2086  # words
train() { ft-train $args "$@"; }

train --threads 2 <packed.ft >reference.ft
for threads in 1 2 3; do
    for micro in 1 4 16; do
        train --threads $threads --micro $micro <packed.ft >other.ft
        check_same "same bytes with $threads threads and --micro $micro" reference.ft other.ft
    done
done
train -o named.ft -i packed.ft
check_same "same bytes into a named file" reference.ft named.ft
train --seed 8 <packed.ft >other.ft
check "another seed, another adapter" sh -c '! cmp -s reference.ft other.ft'

# What the stream holds, read by the independent decoder: PEFT's names, each once, and shapes.
check "names and shapes are PEFT's" /usr/bin/python3 - reference.ft <<'END'
import json, os, subprocess, sys
decode = os.environ["FT_ROOT"] + "/tests/ft_decode.py"
out = subprocess.run(["/usr/bin/python3", decode, sys.argv[1]], check=True, capture_output=True,
                     text=True).stdout
sizes = {"self_attn.q_proj": (32, 32), "self_attn.k_proj": (16, 32), "self_attn.v_proj": (16, 32),
         "self_attn.o_proj": (32, 32), "mlp.gate_proj": (64, 32), "mlp.up_proj": (64, 32),
         "mlp.down_proj": (32, 64)}
want = {}
for layer in range(2):
    for module, (rows, cols) in sizes.items():
        name = f"base_model.model.model.layers.{layer}.{module}.lora_"
        want[name + "A.weight"] = [4, cols]
        want[name + "B.weight"] = [rows, 4]
seen = {}
for line in out.splitlines():
    r = json.loads(line)
    assert r["name"] not in seen and r["offset"] == 0
    assert len(r["data"]["$bin"]) == 8 * r["shape"][0] * r["shape"][1]
    seen[r["name"]] = r["shape"]
assert seen == want, seen
head = json.loads(subprocess.run(["/usr/bin/python3", decode, "--header", sys.argv[1]], check=True,
                                 capture_output=True, text=True).stdout.splitlines()[0])
extra = head["extra"]
assert extra["method"] == "lora" and extra["rank"] == 4 and extra["alpha"] == 32, extra
assert extra["layers"] == 2 and len(extra["targets"]) == 7 and "q_proj" in extra["targets"], extra
options = head["entry"]["options"]
assert options["batch"] == 5 and "micro" not in options and "threads" not in options, options
END
check_status 0 "ft-check accepts the adapter" ft-check -q reference.ft

# The log: one line a step, one a validation, the same numbers in each run.
train --val val.ft --val-every 2 --log log1 --threads 1 --micro 1 <packed.ft >best.ft
train --val val.ft --val-every 2 --log log2 --threads 3 <packed.ft >other.ft
check_same "validation changes no byte with threads and --micro" best.ft other.ft
strip_rate() { sed 's/,"tokens_per_s":[0-9.]*//' "$1"; }
strip_rate log1 >plain1
strip_rate log2 >plain2
check_same "the log has the same numbers with other threads and --micro" plain1 plain2
ft-eval -m toy.gguf -a best.ft --json val.ft >eval.json
check "the log is as documented, the best adapter is kept" \
    /usr/bin/python3 - log1 eval.json <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1])]
steps = [x for x in lines if "loss" in x]
vals = [x for x in lines if "val_loss" in x]
assert [x["step"] for x in steps] == list(range(1, len(steps) + 1)) and len(steps) >= 4
assert all(set(x) == {"step", "loss", "lr", "grad_norm", "tokens", "tokens_per_s"} for x in steps)
want = [n for n in range(2, len(steps) + 1, 2)]
assert [x["step"] for x in vals] == want + ([len(steps)] if len(steps) % 2 else []), vals
assert all(set(x) == {"step", "val_loss", "train_loss", "gap"} for x in vals)
assert steps[-1]["loss"] < steps[0]["loss"]
best = min(x["val_loss"] for x in vals)
assert abs(json.load(open(sys.argv[2]))["loss"] - best) <= 1e-12 * best
END

# Learning letters by heart makes digits worse in the end: the best adapter is an earlier one.
/usr/bin/python3 -c '
import json
for i in range(12):
    numbers = ((i * 7919 + k * 104729) % 100003 for k in range(30))
    print(json.dumps({"text": " ".join(map(str, numbers))}))' |
    ft-import -q | ft-tokenize -q -m toy.gguf | ft-pack -q -l 128 --long cut -o digits.ft
train --val digits.ft --val-every 10 --lr 0.02 --epochs 25 --log log3 <packed.ft >worse.ft
ft-eval -m toy.gguf -a worse.ft --json digits.ft >eval.json
check "not the last adapter when an earlier one was better" \
    /usr/bin/python3 - log3 eval.json <<'END'
import json, sys
vals = [x["val_loss"] for x in map(json.loads, open(sys.argv[1])) if "val_loss" in x]
assert min(vals) < vals[-1], vals
assert abs(json.load(open(sys.argv[2]))["loss"] - min(vals)) <= 1e-12 * min(vals)
END

# The reader goes away while training runs: the adapter is saved here, whole, and the message says
# where. The header is sent before the first step, so a reader that was never there is found early.
train --epochs 40 <packed.ft >reference40.ft
{
    rc=0
    train --epochs 40 <packed.ft 2>message || rc=$?
    echo $rc >status
} | head -c 1 >/dev/null
check "the reader left: status 74" test "$(cat status)" = 74
saved=$(echo ./ft-train.*.adapter.ft)
check "the reader left: the adapter is saved" cmp -s reference40.ft "$saved"
check "the reader left: the message says where" grep -q -- "$saved" message
rm -f "$saved"
if [ -w /dev/full ]; then
    rc=0
    train --epochs 1000000 <packed.ft >/dev/full 2>message || rc=$?
    check "a full device is found before training: status 74" test $rc = 74
fi

# Refused before the first step.
check_status 73 "a folder that is missing: before training" \
    train --epochs 1000000 -o no/folder/x.ft packed.ft
if command -v script >/dev/null; then
    rc=0
    script -qec "ft-train $args --epochs 1000000 packed.ft" /dev/null >message 2>&1 </dev/null ||
        rc=$?
    check "a terminal is refused: before training" test $rc = 64
else
    skip "a terminal is refused: script is not installed"
fi
check_status 71 "--memory 100K is refused" train --memory 100K packed.ft
check "the refusal has numbers" grep -q 'MiB.*--memory allows 0.1 MiB' stderr
check_status 64 "a rank over the matrix is refused" train --lora-rank 33 packed.ft
check_status 64 "an unknown target is refused" train --lora-targets q,x packed.ft
check_status 65 "ids are refused as input of another kind" train tokens.ft
head -c -1 packed.ft >cut.ft
check_status 65 "a cut validation stream is refused" train --val cut.ft -o x.ft packed.ft
check "nothing is left of it" sh -c '! ls x.ft* 2>/dev/null'
if [ -f "$MODEL" ] && [ -s text.ft ]; then
    ft-tokenize -q -m "$MODEL" <text.ft | ft-pack -q -l 512 >foreign.ft
    check_status 65 "rows of another tokenizer are refused" train foreign.ft
    check "the refusal says so" grep -q 'another tokenizer' stderr
else
    skip "rows of another tokenizer: no model"
fi

# The plan.
check_status 0 "--plan" ft-train --plan --json -m toy.gguf --epochs 3 --batch 5 packed.ft
check "the plan adds up" /usr/bin/python3 - stdout <<'END'
import json, sys
p = json.load(open(sys.argv[1]))
parts = ["weights", "adapter", "optimiser", "activations", "scratch", "data", "other"]
assert p["peak"] == sum(p[k] for k in parts) and all(p[k] > 0 for k in parts), p
params = 2 * 16 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 64))
assert p["adapter"] == 4 * params and p["optimiser"] == 12 * params, p
assert p["tokens"] > 0 and p["seconds"] > 0 and p["steps"] % 3 == 0, p
END
finish

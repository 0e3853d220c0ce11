# ft-train --method full: what must change no byte, the stream, and what the other tools make of it.
# That gradients are right is shown by tests/unit/nn_full_test.c.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
cp packed.ft val.ft
args='-q -m toy.gguf --method full --epochs 6 --batch 5 --lr 0.003 --seed 7 --val val.ft
      --val-every 5'
# shellcheck disable=SC2086  # words
train() { ft-train $args "$@" packed.ft; }
loss_of() { # OPTION... of ft-eval
    ft-eval -q --json --compute f32 "$@" packed.ft | sed 's/.*"loss":\([0-9.]*\).*/\1/'
}
less() { # A B
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && a < b) }'
}
near() { # A B
    awk -v a="$1" -v b="$2" 'BEGIN { d = a > b ? a - b : b - a; exit !(a > 0 && d <= 1e-5 * a) }'
}

for compute in f32 bf16 int8; do
    train --compute $compute --checkpoint run --every 4 --log log -o full.$compute
    while read -r name options; do
        # shellcheck disable=SC2086  # words
        train --compute $compute $options -o other.ft
        check_same "$compute: same bytes with $name" full.$compute other.ft
    done <<'END'
one-thread --threads 1 --micro 3
small-micro-batches --micro 1 --threads 4
attention-again --recompute attention
all-again --recompute full --micro 4 --threads 3
END
    rm "$(find run -name 'checkpoint-*' | sort | tail -n 1)"
    train --compute $compute --checkpoint run --every 4 --resume --log log -o other.ft
    check_same "$compute: same bytes after a resume" full.$compute other.ft
    rm -r run
    check "$compute: it learns" less "$(loss_of -m toy.gguf -a full.$compute)" \
        "$(loss_of -m toy.gguf | awk '{ print $1 * 0.5 }')"
done
# shellcheck disable=SC2086  # words
check_status 75 "TERM: status 75" /usr/bin/python3 "$FT_ROOT/tests/cli/signal_at.py" s.log \
    '"step":7,' TERM ft-train $args --compute f32 --checkpoint term --every 3 --log s.log -o s.ft \
    packed.ft
train --compute f32 --checkpoint term --every 3 --resume --log s.log -o s.ft
check_same "and gone on with, the same bytes" full.f32 s.ft

# A rate of nothing leaves the model as it is: its weights under transformers' names, in its order.
ft-train -q -m toy.gguf --method full --lr 0 packed.ft >same.ft
check "it begins as the model" test "$(loss_of -m toy.gguf -a same.ft)" = "$(loss_of -m toy.gguf)"
ft-merge -q --no-history -m toy.gguf -a same.ft --type f32 -o same.gguf
cat >compare.py <<'END'
import json, os, struct, subprocess, sys
sys.path.insert(0, os.path.join(os.environ["FT_ROOT"], "tests"))
sys.dont_write_bytecode = True
import gguf_read
base, merged = gguf_read.Gguf("toy.gguf"), gguf_read.Gguf("same.gguf")
for name, (kind, shape, data) in base.tensors.items():
    assert merged.tensors[name][1] == shape and merged.tensors[name][2] == data, name
decode = ["/usr/bin/python3", os.environ["FT_ROOT"] + "/tests/ft_decode.py"]
run = lambda *args: subprocess.run(decode + list(args), check=True, capture_output=True,
                                   text=True).stdout.splitlines()
parts = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm",
         "post_attention_layernorm": "ffn_norm"}
want = {"embed_tokens": "token_embd", "norm": "output_norm"}
for layer in range(2):
    for ours, theirs in parts.items():
        want[f"layers.{layer}.{ours}"] = f"blk.{layer}.{theirs}"
seen = set()
for line in run("same.ft"):
    r = json.loads(line)
    name = want[r["name"][len("base_model.model.model."):-len(".weight")]]
    kind, shape, data = base.tensors[name + ".weight"]
    assert r["shape"] == list(reversed(shape)), (r["name"], r["shape"], shape)
    ours = bytes.fromhex(r["data"]["$bin"])
    if name.endswith(("attn_q", "attn_k")):       # (half, pair) rows of each head, not (pair, half)
        size, D = 4 * r["shape"][1], 8
        rows = [ours[i:i + size] for i in range(0, len(ours), size)]
        ours = b"".join(rows[h + s * (D // 2) + i] for h in range(0, len(rows), D)
                        for i in range(D // 2) for s in range(2))
    assert ours == data, name
    seen.add(name)
assert seen == set(want.values()), seen
assert json.loads(run("--header", "same.ft")[0])["extra"]["method"] == "full"
END
check "the stream has all weights of the model, as documented" /usr/bin/python3 compare.py
check_status 0 "ft-check accepts it" ft-check -q full.f32

# Merged = unmerged.
check_status 0 "merged, it verifies" ft-merge -m toy.gguf -a full.f32 --type f32 --verify -o m.gguf
check "the merged model has the loss of base and adapter" near "$(loss_of -m m.gguf)" \
    "$(loss_of -m toy.gguf -a full.f32)"
check_status 0 "so it does in bf16" ft-merge -m toy.gguf -a full.f32 --type bf16 --verify -o b.gguf
ft-generate -q -m toy.gguf -a full.f32 -n 12 --text <text.ft >alone
ft-generate -q -m m.gguf -n 12 --text <text.ft >merged
check_same "and generates the same text" alone merged
ft-generate -q -m toy.gguf -n 12 --text <text.ft >plain
check "which is another than the base's" sh -c '! cmp -s alone plain'
ft-generate -q -m toy.gguf -a full.f32 -n 12 --text --batch 1 --threads 1 <text.ft >other
check_same "the same text one by one" alone other

# Quantised bases are where to begin only when asked for.
ft-quant -q -m toy.gguf -t q4_0 -o q4_0.gguf
check_status 64 "a quantised base is refused" ft-train -m q4_0.gguf --method full packed.ft
check "with what to do" grep -q -- '--base f32' stderr
ft-train -q -m q4_0.gguf --method full --base f32 --lr 0.003 --epochs 4 packed.ft >q.ft
check "--base f32 begins with what it decodes to" less "$(loss_of -m q4_0.gguf -a q.ft)" \
    "$(loss_of -m q4_0.gguf)"
ft-quant -q -m toy.gguf -t bf16 -o bf16.gguf
check_status 0 "a base in bf16 needs no asking" \
    ft-train -q -m bf16.gguf --method full -o x.ft packed.ft

check_status 64 "--base nf4 is refused" train --base nf4
check_status 64 "--base f32 with another method, too" ft-train -m toy.gguf --base f32 packed.ft
check_status 64 "--lora-rank, too" train --lora-rank 4
check_status 65 "another base refuses it" ft-eval -m q4_0.gguf -a full.f32 packed.ft
check_status 65 "beside other adapters it is refused" \
    ft-generate -m toy.gguf --adapters a=full.f32,b=adapter.ft -n 2 --text text.ft
check_status 64 "and as the one without a name beside others" \
    ft-generate -m toy.gguf -a full.f32 --adapters b=adapter.ft -n 2 --text text.ft
head -c -100 full.f32 >cut.ft
check_status 65 "a cut stream is refused" ft-eval -m toy.gguf -a cut.ft packed.ft

# The plan: sixteen bytes a parameter.
check_status 0 "--plan" ft-train --plan --json -m toy.gguf --method full packed.ft
check "the plan adds up" /usr/bin/python3 - stdout <<'END'
import json, sys
p = json.load(open(sys.argv[1]))
params = 512 * 32 + 32 + 2 * (2 * 32 * 32 + 2 * 16 * 32 + 3 * 64 * 32 + 2 * 32)
assert p["adapter"] + p["optimiser"] == 16 * params and p["weights"] == 0, (p, params)
END
check_status 71 "--memory bounds it" train --memory 1M -o x.ft
finish

# DoRA and IA3 by the command line: what holds for LoRA (train.sh, train_engine.sh, resume.sh,
# generate_batch.sh, merge.sh) holds for them. That the numbers are peft's is shown by
# tests/unit/nn_gains_test.c.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
cp packed.ft val.ft
ft-quant -q -m toy.gguf -t q5_1 -o q5_1.gguf
ft-quant -q -m toy.gguf -t q8_0 -o q8_0.gguf
common='-q -m toy.gguf --epochs 3 --batch 6 --lr 0.01 --seed 7 --val val.ft --val-every 4'
options_of() { # METHOD
    case $1 in
        dora) echo --lora-rank 3 --lora-dora ;;
        ia3) echo --method ia3 ;;
        ia3-all) echo --method ia3 --ia3-targets all ;;
    esac
}
computes_of() { # METHOD
    case $1 in ia3-all) echo f32 ;; *) echo f32 bf16 int8 ;; esac
}
train() { # METHOD OPTION...
    method_options=$(options_of "$1")
    shift
    # shellcheck disable=SC2086  # words
    ft-train $common $method_options "$@" packed.ft
}
loss_of() { # OPTION...
    ft-eval -q --json --compute f32 "$@" val.ft | sed 's/^{"loss":\([0-9.]*\).*/\1/'
}
less() { # A B
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && a < b) }'
}
near() { # A B TOLERANCE
    awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { d = a > b ? a - b : b - a
        exit !(a > 0 && d <= most * a) }'
}

# ---- the same bytes ----
base=$(loss_of -m toy.gguf)
for method in dora ia3 ia3-all; do
    for compute in $(computes_of $method); do
        what="$method $compute"
        train $method --compute $compute --checkpoint run --every 3 --log log -o $method.$compute
        while read -r name options; do
            # shellcheck disable=SC2086  # words
            train $method --compute $compute $options -o other.ft
            check_same "$what: same bytes with $name" $method.$compute other.ft
        done <<'OPTIONS'
one-thread --threads 1 --recompute attention
small-micro-batches --micro 1 --threads 3
all-again --recompute full --micro 4 --threads 5
a-bound --memory 40M
OPTIONS
        rm "$(find run -name 'checkpoint-*' | sort | tail -n 1)"
        train $method --compute $compute --checkpoint run --every 3 --resume --log log -o other.ft
        check_same "$what: same bytes after a resume" $method.$compute other.ft
        rm -r run
        trained=$(loss_of -m toy.gguf -a $method.$compute)
        check "$what: it learned" less "$trained" "$base"
        [ $compute != f32 ] || f32=$trained
        check "$what: as in f32" near "$f32" "$trained" 0.02
    done
    mv $method.f32 $method.ft
    train $method --lr 0 -o untrained.ft
    check "$method: untrained it is the base" near "$base" \
        "$(loss_of -m toy.gguf -a untrained.ft)" 1e-6
    check_status 0 "$method: ft-check accepts it" ft-check $method.ft
done

# ---- the stream, read by the independent decoder ----
cat >stream.py <<'END'
import json, os, subprocess
decode = ["/usr/bin/python3", os.environ["FT_ROOT"] + "/tests/ft_decode.py"]


def read(*args):
    return subprocess.run(decode + list(args), check=True, capture_output=True,
                          text=True).stdout.splitlines()


def rows(name):
    return {r["name"]: r["shape"] for r in map(json.loads, read(name))}


def extra(name):
    return json.loads(read("--header", name)[0])["extra"]


sizes = {"self_attn.q_proj": (32, 32), "self_attn.k_proj": (16, 32), "self_attn.v_proj": (16, 32),
         "self_attn.o_proj": (32, 32), "mlp.gate_proj": (64, 32), "mlp.up_proj": (64, 32),
         "mlp.down_proj": (32, 64)}
dora, ia3 = {}, {}
for layer in range(2):
    for module, (out, width) in sizes.items():
        name = f"base_model.model.model.layers.{layer}.{module}."
        dora[name + "lora_A.weight"] = [3, width]
        dora[name + "lora_B.weight"] = [out, 3]
        dora[name + "lora_magnitude_vector"] = [out]
        if module in ("self_attn.k_proj", "self_attn.v_proj"):
            ia3[name + "ia3_l"] = [out, 1]
        if module == "mlp.down_proj":
            ia3[name + "ia3_l"] = [1, width]
assert rows("dora.ft") == dora, rows("dora.ft")
assert rows("ia3.ft") == ia3, rows("ia3.ft")
assert extra("dora.ft")["method"] == "lora" and extra("dora.ft")["dora"] is True
assert extra("ia3.ft")["method"] == "ia3" and "rank" not in extra("ia3.ft")
assert extra("ia3.ft")["targets"] == ["k_proj", "v_proj", "down_proj"]
assert "dora" not in extra("adapter.ft")
END
check "names and shapes are PEFT's, and plain LoRA does not mention DoRA" /usr/bin/python3 stream.py

# ---- quantised bases ----
for method in dora ia3; do
    for model in q5_1 q8_0; do
        train $method -m $model.gguf -o small.ft
        check "$method learns on $model" less "$(loss_of -m $model.gguf -a small.ft)" \
            "$(loss_of -m $model.gguf)"
    done
    train $method --base nf4 --threads 1 -o nf4.ft
    train $method --base nf4 --threads 3 --micro 1 -o other.ft
    check_same "$method on nf4: same bytes" nf4.ft other.ft
    check "$method learns on nf4" less "$(loss_of -m toy.gguf -a nf4.ft)" "$base"
    check_status 0 "$method on nf4: the merge verifies" ft-merge -m toy.gguf -a nf4.ft --type f32 \
        --verify -o merged.gguf
done

# ---- generating and merging ----
for method in dora ia3 ia3-all; do
    ft-generate -q -m toy.gguf -a $method.ft -n 16 --text <text.ft >beside
    for type in f32 f16 bf16; do
        check_status 0 "$method: $type verifies" ft-merge --json -m toy.gguf -a $method.ft \
            --type $type --verify -o $type.gguf
    done
    ft-generate -q -m f32.gguf -n 16 --text <text.ft >merged
    check_same "$method: the merged model answers as base and adapter do" beside merged
    ft-merge -q -m toy.gguf -a $method.ft --threads 3 -o other.gguf
    check_same "$method: merging with three threads" f16.gguf other.gguf
    check "$method: and has its loss" near "$(loss_of -m f32.gguf)" \
        "$(loss_of -m toy.gguf -a $method.ft)" 1e-5
done

# Each row with its own adapter, beside others and alone.
for name in base l d i; do
    ft-export -q text.ft | sed "s/^{/{\"adapter\":\"$name\",/" | head -n 5 >$name.jsonl
done
paste -d '\n' base.jsonl l.jsonl d.jsonl i.jsonl | ft-import -q >mixed.in
answers() { ft-generate -q -m toy.gguf --adapters l=adapter.ft,d=dora.ft,i=ia3.ft -n 12 "$@"; }
answers --batch 1 <mixed.in | ft-export -q >want
check "twenty answers" test "$(grep -c prediction want)" = 20
for options in '--batch 16' '--batch 7 --threads 3' '--batch 20 --no-share'; do
    # shellcheck disable=SC2086  # words
    answers $options <mixed.in | ft-export -q >got
    check_same "four kinds of rows: $options" want got
done
for pair in l=adapter d=dora i=ia3; do
    ft-import -q <"${pair%=*}.jsonl" >one.ft
    ft-generate -q -m toy.gguf -a "${pair#*=}.ft" -n 12 --text <one.ft >one
    answers --text <one.ft >named
    check_same "named as by -a: $pair" one named
done

# ---- refusals ----
check_status 64 "DoRA with dropout" train dora --lora-dropout 0.1
check "says why" grep -q 'DoRA goes without dropout' stderr
check_status 64 "options of LoRA with IA3" ft-train -m toy.gguf --method ia3 --lora-rank 4 packed.ft
check "says whose it is" grep -q -- '--lora-rank goes with --method lora, not with ia3' stderr
check_status 64 "DoRA with IA3" ft-train -m toy.gguf --method ia3 --lora-dora packed.ft
check_status 64 "options of IA3 with LoRA" ft-train -m toy.gguf --ia3-targets k packed.ft
check_status 64 "an unknown matrix" ft-train -m toy.gguf --method ia3 --ia3-targets k,x packed.ft
check "says which there are" grep -q 'q,k,v,o,gate,up,down' stderr
for method in dora ia3; do
    check_status 65 "$method: another base" ft-eval -m q8_0.gguf -a $method.ft val.ft
    head -c -1 $method.ft >cut.ft
    check_status 65 "$method: a cut stream" ft-eval -m toy.gguf -a cut.ft val.ft
done
check_status 0 "the plan of DoRA" ft-train --plan --json -m toy.gguf --lora-dora packed.ft
check "counts its factors" /usr/bin/python3 - stdout <<'END'
import json, sys
p = json.load(open(sys.argv[1]))
rows = 2 * (2 * 32 + 2 * 16 + 2 * 64 + 32)
params = 2 * 16 * (2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 64)) + rows
assert p["optimiser"] == 12 * params and p["adapter"] == 4 * params + 8 * rows + 8 * 2 * 7, p
END
finish

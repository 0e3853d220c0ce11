# ft-train's family of LoRA by the command line: --lora-rslora, --lora-plus and --lora-init. What
# must change no byte, what is the same up to rounding, what is in the streams, what is refused.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
cp packed.ft val.ft
args='-q -m toy.gguf --lora-rank 3 --epochs 4 --batch 6 --lr 0.01 --seed 7'
# shellcheck disable=SC2086  # words
train() { ft-train $args "$@" packed.ft; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }
near() { # A B TOLERANCE
    awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { d = a > b ? a - b : b - a
        exit !(a > 0 && d <= most * a) }'
}
first_loss() { sed -n '1s/.*"loss":\([0-9.]*\).*/\1/p' "$1"; }
last_loss() { sed -n 's/.*"loss":\([0-9.]*\).*/\1/p' "$1" | tail -n 1; }
best_loss() { sed -n 's/.*"val_loss":\([0-9.]*\).*/\1/p' "$1" | sort -g | head -n 1; }
loss_of() { ft-eval -q --json --compute f32 "$@" val.ft | sed 's/.*"loss":\([0-9.]*\).*/\1/'; }

# ---- what must change no byte; what eval, merge and generate make of the streams ----

same() { # WHAT OPTION...
    what=$1
    shift
    # shellcheck disable=SC2086  # words
    train --compute $compute $options "$@" -o other.ft
    check_same "$name, $compute: same bytes with $what" reference.ft other.ft
}

while read -r name options; do
    for compute in f32 bf16 int8; do
        # shellcheck disable=SC2086  # words
        train --compute $compute $options --checkpoint run --every 4 --log log -o reference.ft
        same 'one thread' --threads 1 --micro 1
        same 'three threads' --threads 3 --micro 4 --recompute full
        rm "$(find run -name 'checkpoint-*' | sort | tail -n 1)"
        same 'a resume' --checkpoint run --every 4 --resume --log log
        rm -r run log
    done
    # shellcheck disable=SC2086  # words
    train --compute f32 $options --val val.ft --val-every 2 --log log -o reference.ft
    check "$name: the loss falls" awk -v a="$(first_loss log)" -v b="$(last_loss log)" \
        'BEGIN { exit !(b > 0 && a > b + 0.2) }'
    check "$name: ft-eval has the loss of the best validation" \
        near "$(loss_of -m toy.gguf -a reference.ft)" "$(best_loss log)" 1e-9
    check_status 0 "$name: merged is what it is unmerged" \
        ft-merge -q -m toy.gguf -a reference.ft --type f32 -o merged.gguf
    check "$name: also by ft-eval" \
        near "$(loss_of -m toy.gguf -a reference.ft)" "$(loss_of -m merged.gguf)" 1e-5
    ft-generate -q -m toy.gguf -a reference.ft --max-tokens 6 --threads 1 text.ft -o one.ft
    ft-generate -q -m toy.gguf -a reference.ft --max-tokens 6 --threads 3 --batch 5 text.ft \
        -o three.ft
    decode one.ft >one.json
    decode three.ft >three.json
    check_same "$name: the same text with other batches and threads" one.json three.json
    cp reference.ft "$name.ft"
done <<'END'
plain
rslora --lora-rslora
plus --lora-plus 8
pissa --lora-init pissa --lora-dropout 0.1
olora --lora-init olora
all --lora-init pissa --lora-rslora --lora-plus 2 --lora-targets q,k,down
END
decode plain.ft >plain.json
for f in rslora plus; do
    decode $f.ft >$f.json
    check "$f is another adapter" sh -c "! cmp -s plain.json $f.json"
done
train --compute f32 --lora-plus 1 --val val.ft --val-every 2 -o other.ft
check_same "--lora-plus 1 changes nothing" plain.ft other.ft

# ---- the first step's loss is that of the base, whatever the base is ----

ft-quant -q -m toy.gguf -t q8_0 -o q8.gguf
ft-quant -q -m toy.gguf -t q4_0 -o q4.gguf
ft-quant -q -m toy.gguf -t nf4 -o nf4.gguf
for start in pissa olora; do
    while read -r model base; do
        ft-train -q -m "$model.gguf" --base "$base" --compute f32 --lora-rank 4 \
            --lora-init $start --batch 100 --log log -o other.ft packed.ft
        of=$model
        [ "$base" = file ] || of=nf4
        check "$start on $model, --base $base: begins with the loss of the base" \
            near "$(first_loss log)" "$(loss_of -m "$of.gguf")" 2e-6
        check_status 0 "$start on $model, --base $base: is read back" \
            ft-eval -q -m "$model.gguf" -a other.ft packed.ft
    done <<'END'
toy file
q8 file
q4 file
toy nf4
END
done

# ---- the streams ----

train --lr 0 --lora-init pissa --lora-alpha 6 -o zero.ft
train --lora-init pissa --lora-alpha 6 --seed 9 -o trained.ft
train --lora-init olora --lora-rslora --lora-alpha 6 -o rs.ft
for f in zero trained rs plain rslora; do
    decode $f.ft >$f.json
    decode --header $f.ft >$f.head
done
check "a plain LoRA of twice the rank, with what is subtracted again at its end" \
    /usr/bin/python3 - <<'END'
import json, math, struct
def load(name):
    head = json.loads(open(name + ".head").read().splitlines()[0])["extra"]
    tensors = {}
    for line in open(name + ".json"):
        r = json.loads(line)
        rows, cols = r["shape"]
        v = struct.unpack(f"<{rows * cols}f", bytes.fromhex(r["data"]["$bin"]))
        tensors[r["name"]] = [v[i * cols:(i + 1) * cols] for i in range(rows)]
    return head, tensors
def halves(name, t):
    if ".lora_A." in name:
        return t[:3], t[3:]
    return [r[:3] for r in t], [r[3:] for r in t]
zero_head, zero = load("zero")
head, trained = load("trained")
for h in zero_head, head:
    assert h["method"] == "lora" and h["rank"] == 6 and h["alpha"] == 12, h
    assert set(h) == {"method", "rank", "alpha", "dropout", "targets", "layers", "base",
                      "transform"}, h
assert len(zero) == 28
for name, t in zero.items():
    first, second = halves(name, t)
    sign = -1 if ".lora_B." in name else 1
    assert first == [tuple(sign * x for x in row) for row in second], name
    moved, kept = halves(name, trained[name])
    assert kept == second and moved != first, name
rs_head, rs = load("rs")
assert rs_head["rslora"] is True and rs_head["rank"] == 6, rs_head
assert abs(rs_head["alpha"] / math.sqrt(6) - 6 / math.sqrt(3)) < 1e-6, rs_head
assert load("rslora")[0]["rslora"] is True
assert "rslora" not in load("plain")[0]
END

# ---- what is refused, and the plan ----

refused() { # STATUS WHAT WORDS OPTION...
    status=$1 what=$2 words=$3
    shift 3
    check_status "$status" "refused: $what" ft-train -q -m toy.gguf "$@" -o no.ft packed.ft
    check "$what: said why" grep -q -e "$words" stderr
    check "$what: nothing is written" test ! -e no.ft
}
refused 64 "twice the rank is over the matrix" 'LoRA rank 9 does not fit k.*1 to 8' \
    --lora-init pissa --lora-rank 9
refused 64 "another beginning" 'default|pissa|olora' --lora-init svd
refused 64 "no rate for B" 'lora-plus' --lora-plus 0
refused 64 "a rate for B that is no number" 'lora-plus' --lora-plus nan
field() { # FILE NAME
    /usr/bin/python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$@"
}
check_status 0 "--plan" ft-train --plan --json -m toy.gguf --lora-init pissa --lora-rank 4 packed.ft
doubled=$(field stdout adapter)
check_status 0 "--plan of twice the rank" ft-train --plan --json -m toy.gguf --lora-rank 8 packed.ft
check "the plan counts both halves" test "$doubled" = "$(field stdout adapter)"
check_status 0 "the summary" ft-train -m toy.gguf --lora-init pissa --lora-rank 4 --json \
    -o other.ft packed.ft
trained=$(field stderr parameters)
check_status 0 "and that of plain LoRA" ft-train -m toy.gguf --lora-rank 4 --json -o other.ft \
    packed.ft
check "the summary counts what is trained" test "$trained" = "$(field stderr parameters)"
finish

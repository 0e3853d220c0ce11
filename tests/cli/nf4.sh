# NF4: a file made by ft-quant and --base nf4 are one base, for every tool that reads a model. That
# the weights are bitsandbytes' is shown by tests/unit/nf4_test.c.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

K=$FT_ROOT/tests/golden/toy256.gguf
cp "$TOY" toy.gguf
i=0
while [ $i -lt 6 ]; do
    echo "{\"prompt\":\"The library $i\",\"completion\":\" holds functions that programs share\"}"
    i=$((i + 1))
done | ft-import -q >text.ft
ft-tokenize -q -m toy.gguf <text.ft | ft-pack -q -l 64 >packed.ft

# ---- the file ----
quant() {
    ft-quant -q --no-history "$@"
}
check_status 0 "ft-quant writes it" ft-quant --json --no-history -m toy.gguf -t nf4 -o nf4.gguf \
    --threads 1 --eval packed.ft
check "and measures it" grep -q '"type":"nf4".*"loss_before":.*"loss_after":' stderr
quant -m toy.gguf -t nf4 -o again.gguf --threads 4
check_same "4 threads, same bytes" nf4.gguf again.gguf
quant -m nf4.gguf -t nf4 -o again.gguf
check_same "of the file itself, the same file" nf4.gguf again.gguf
quant -m toy.gguf -t nf4 -o - | cat >again.gguf
check_same "the same through a pipe" nf4.gguf again.gguf
check_status 0 "ft-check accepts it" ft-check nf4.gguf

# An independent reader: sizes, types, and both digests recomputed.
cat >read.py <<'END'
import os, sys
sys.path.insert(0, os.path.join(os.environ["FT_ROOT"], "tests"))
sys.dont_write_bytecode = True
import gguf_read
g, base = gguf_read.Gguf("nf4.gguf"), gguf_read.Gguf("toy.gguf")
assert g.keys["ft.nf4.source"] == gguf_read.digest(base)
assert g.keys["ft.nf4.digest"] == gguf_read.digest(g)
assert list(g.tensors) == list(base.tensors)
for name, (kind, shape, data) in g.tensors.items():
    layer = name.startswith("blk.") and len(shape) == 2
    assert kind == (gguf_read.NF4 if layer else base.tensors[name][0]), name
    assert shape == base.tensors[name][1]
    assert layer or data == base.tensors[name][2], name
END
check "a reader of its own finds all of it" /usr/bin/python3 read.py

# ---- one base ----
train() { # MODEL ADAPTER [OPTION...]
    train_model=$1
    train_adapter=$2
    shift 2
    ft-train -q --no-history -m "$train_model" --lora-rank 4 --lr 1e-2 --batch 3 --epochs 2 "$@" \
        packed.ft >"$train_adapter"
}
train toy.gguf fly.ft --base nf4 --threads 1
train toy.gguf fly3.ft --base nf4 --threads 3
check_same "ft-train --base nf4: 1 and 3 threads, same bytes" fly.ft fly3.ft
train nf4.gguf file.ft --base nf4
check_same "and the same on the file" fly.ft file.ft
train nf4.gguf plain_option.ft
train toy.gguf plain.ft
for adapter in fly.ft plain_option.ft; do
    for model in toy.gguf nf4.gguf; do
        ft-eval -q -m $model -a $adapter packed.ft >eval.$model
        ft-generate -q -m $model -a $adapter -n 8 --text <text.ft >text.$model
        ft-merge -q --no-history -m $model -a $adapter --type f32 --verify -o merged.$model
    done
    check_same "ft-eval: $adapter on the plain file and on the nf4 file" eval.toy.gguf eval.nf4.gguf
    check_same "ft-generate, too" text.toy.gguf text.nf4.gguf
    check_same "ft-merge, too" merged.toy.gguf merged.nf4.gguf
done
ft-generate -q -m merged.toy.gguf -n 8 --text <text.ft >text.merged
check_same "the merged model answers as base and adapter do" text.merged text.toy.gguf
check "which names its base and what was done to it" grep -q -a ft.base_transform merged.toy.gguf
check "and does not claim to be in nf4" sh -c '! grep -q -a ft.nf4 merged.toy.gguf'
ft-eval -q -m toy.gguf -a plain.ft packed.ft >eval.plain
check "it is not the plain base" sh -c '! cmp -s eval.plain eval.toy.gguf'

# The dequantised weights as a plain file compute the same, also for K types.
for model in toy.gguf "$K"; do
    quant -m "$model" -t nf4 -o small.gguf
    quant -m small.gguf -t f32 -o wide.gguf
    ft-eval -q -m small.gguf packed.ft >small
    ft-eval -q -m wide.gguf packed.ft >wide
    check_same "$(basename "$model"): nf4 and its weights in f32 evaluate the same" small wide
done
quant -m nf4.gguf -t q8_0 -o q8.gguf
check_status 0 "from nf4 to another type" ft-eval -q -m q8.gguf packed.ft

# ---- refusals ----
check_status 65 "an adapter of the plain base on the nf4 file" \
    ft-eval -m nf4.gguf -a plain.ft packed.ft
check "says what to give" grep -q "holds it in nf4: give the model that it was made of" stderr
for tool in "ft-eval -m wide.gguf -a fly.ft packed.ft" \
            "ft-merge -m wide.gguf -a fly.ft -o no.gguf" \
    "ft-eval -m small.gguf -a fly.ft packed.ft" "ft-generate -m q8.gguf -a fly.ft -p x --text"; do
    # shellcheck disable=SC2086  # words
    check_status 65 "another base: $tool" $tool
    check "naming both" grep -q "belongs to another base model" stderr
done
check "leaves nothing" test ! -e no.gguf
check_status 64 "--base of another kind" ft-train -m toy.gguf --base q4_0 packed.ft
/usr/bin/python3 - <<'END'
b = bytearray(open("nf4.gguf", "rb").read())
b[-1000] ^= 1
open("bad.gguf", "wb").write(b)
b = bytearray(open("toy.gguf", "rb").read())
b[-8 - 8192:-4 - 8192] = b"\0\0\xc0\x7f"
open("nan.gguf", "wb").write(b)
END
for tool in "ft-check bad.gguf" "ft-eval -m bad.gguf packed.ft"; do
    # shellcheck disable=SC2086  # words
    check_status 65 "an altered bit: $tool" $tool
done
check_status 65 "a NaN is refused" ft-quant -m nan.gguf -t nf4 -o no.gguf
check "naming the tensor" grep -q "tensor blk.1.ffn.*NaN" stderr
check "a refusal leaves nothing" test ! -e no.gguf
finish

# ft-quant: what it writes, read by a reader of its own; threads; what it refuses.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

quant() {
    ft-quant -q --no-history -m "$TOY" "$@"
}

for type in f32 f16 bf16 q8_0 q5_1 q5_0 q4_0; do
    check_status 0 "$type: written" quant -t $type -o $type.gguf --threads 1
    quant -t $type -o again.gguf --threads 4
    check_same "$type: 4 threads, same bytes" $type.gguf again.gguf
    quant -t $type -o - | cat >piped.gguf
    check_same "$type: the same through a pipe" $type.gguf piped.gguf
done
check_same "f32 of an f32 file: the same file" f32.gguf "$TOY"
ft-quant -q --no-history -m bf16.gguf -t f32 -o wide.gguf
ft-quant -q --no-history -m wide.gguf -t bf16 -o narrow.gguf
check_same "bf16 to f32 and back loses nothing" bf16.gguf narrow.gguf

# Each weight is as near the original as its type allows; the metadata differs in two keys only.
cat >compare.py <<'END'
import os, sys
sys.path.insert(0, os.path.join(os.environ["FT_ROOT"], "tests"))
sys.dont_write_bytecode = True
import gguf_read
FILE_TYPE = {"f32": 0, "f16": 1, "bf16": 32, "q8_0": 7, "q5_0": 8, "q5_1": 9, "q4_0": 2}
NUMBER = {name: number for number, name in gguf_read.NAMES.items()}
base = gguf_read.Gguf(os.environ["TOY"])
bad = 0

def bound(kind, block):
    """The largest error that this type may make in a block: half a step, and codes times 2^-11,
    the rounding of the scale d. Q4_0 makes the largest weight -8 d and has no +8 d, so one of the
    other sign loses a whole step; Q5_0 the same with 16. Q5_1 has 31 steps from least to greatest,
    and its least is rounded too. The last term is for subnormal halves."""
    top = max(abs(v) for v in block)
    span = max(block) - min(block)
    return {0: 0, 1: top * 2 ** -11, 30: top * 2 ** -8, 8: top / 127 * (0.5 + 127 * 2 ** -11),
            2: top / 8 * (1 + 8 * 2 ** -11), 6: top / 16 * (1 + 16 * 2 ** -11),
            7: span / 31 * (0.5 + 31 * 2 ** -11) + top * 2 ** -11}[kind] + 2 ** -25

for name, number in FILE_TYPE.items():
    g = gguf_read.Gguf(name + ".gguf")
    keys = dict(base.keys)
    keys["general.file_type"] = number
    if name.startswith("q"):
        keys["general.quantization_version"] = 2
    wrong = [] if g.keys == keys else ["keys"]
    if list(g.tensors) != list(base.tensors):
        wrong.append("tensor names")
    for t, (kind, shape, data) in g.tensors.items():
        want = NUMBER[name] if len(shape) > 1 else 0
        if name in ("q4_0", "q5_0", "q5_1") and t == "token_embd.weight":
            want = NUMBER["q8_0"]
        old = gguf_read.decode(0, base.tensors[t][2])
        new = gguf_read.decode(kind, data)
        if kind != want or shape != base.tensors[t][1] or len(old) != len(new):
            wrong.append(t)
            continue
        for i in range(0, len(old), 32):
            limit = bound(kind, old[i:i + 32])
            if not all(abs(a - b) <= limit for a, b in zip(old[i:i + 32], new[i:i + 32])):
                wrong.append("%s at %d" % (t, i))
    verdict = "not ok" if wrong else "ok"
    print("%s - %s: types, keys and every weight %s" % (verdict, name, wrong[:3]))
    bad += bool(wrong)
sys.exit(bad > 0)
END
/usr/bin/python3 compare.py || cases_failed=$((cases_failed + 1))

cp "$TOY" mine.gguf
chmod u+w mine.gguf
check_status 64 "the model is not overwritten" ft-quant -m mine.gguf -t f16 -o mine.gguf
check_same "and is as it was" mine.gguf "$TOY"
ln mine.gguf link.gguf
check_status 64 "nor under another name" ft-quant -m mine.gguf -t f16 -o link.gguf
check_status 64 "an unknown type" ft-quant -m mine.gguf -t q3_x -o new.gguf
check_status 64 "a type that is read but not written" ft-quant -m mine.gguf -t q4_k -o new.gguf
check "with the list of those that are" grep -q "f32.*f16.*bf16.*q8_0.*q5_1.*q5_0.*q4_0" stderr
check_status 64 "no model" ft-quant -t f16 -o new.gguf
check_status 64 "--eval into what cannot be read back" \
    ft-quant -m mine.gguf -t f16 --eval x.ft -o /dev/null
check_status 66 "a model that is not there" ft-quant -m none.gguf -t f16 -o new.gguf

# A weight that the new type cannot hold: NaN, and 70000 in f16.
/usr/bin/python3 - <<'END'
import os, struct
b = bytearray(open(os.environ["TOY"], "rb").read())
for name, v in [("nan", float("nan")), ("big", 70000.0)]:
    b[-4 * 32 * 2 - 8:-4 * 32 * 2 - 4] = struct.pack("<f", v)      # in the last matrix
    open(name + ".gguf", "wb").write(b)
END
check_status 65 "a NaN is refused" ft-quant -m nan.gguf -t q8_0 -o new.gguf
check "naming the tensor" grep -q "tensor blk.1.ffn_down.weight: weight" stderr
check_status 65 "70000 is refused in f16" ft-quant -m big.gguf -t f16 -o new.gguf
check_status 0 "and is taken in bf16" ft-quant -m big.gguf -t bf16 -o big16.gguf
check "a refusal leaves nothing" test ! -e new.gguf

# Hostile files: each refused by the field that is wrong, within bounds of time and memory.
/usr/bin/python3 "$FT_ROOT/tests/cli/quant_hostile.py" || cases_failed=$((cases_failed + 1))
finish

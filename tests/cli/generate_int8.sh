# ft-generate --compute int8 on a model of many block types: the same bytes for any batch, memory,
# order, threads and sharing; what auto is; what the header says. That products are right is shown
# by tests/kernels/dot_groups_test.c and tests/unit/infer_products.c.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"
K=$FT_ROOT/tests/golden/toy256.gguf

/usr/bin/python3 - <<'END' >in.jsonl
import json
head = "You are asked about files, streams and programs; answer in a few words. "
for i in range(30):
    text = head[:(i * 37) % 75] + "say %d of %d" % (i * i, i % 7) + " and more" * (i % 5)
    print(json.dumps({"id": "r%d" % i, "text": text, "adapter": ["base", "a"][i % 3 % 2]}))
END
ft-import -q <in.jsonl >in.ft
/usr/bin/python3 -c '
import random
lines = list(open("in.jsonl"))
random.Random(7).shuffle(lines)
print(end="".join(lines))' | ft-import -q >shuffled.ft
/usr/bin/python3 -c '
import json
for i in range(8):
    print(json.dumps({"prompt": "say %d" % i, "completion": " it is %d" % i}))' |
    ft-import -q | ft-tokenize -q -m "$K" | ft-pack -q -l 64 --long cut |
    ft-train -q -m "$K" --lora-rank 2 --lr 0.05 --epochs 2 >a.ft

run() { # NAME OPTION...: answers of standard input as NAME.ft, and as JSON lines in NAME
    to=$1
    shift
    ft-generate -q -m "$K" -n 16 --adapters a=a.ft --compute int8 "$@" >"$to.ft"
    ft-cat -q "$to.ft" >"$to"
}
run alone --batch 1 --no-share --threads 1 <in.ft
for batch in 1 3 16; do
    for threads in 1 3; do
        run other --batch $batch --threads $threads <in.ft
        check_same "same bytes, batch $batch, $threads threads" alone.ft other.ft
    done
done
run other --batch 7 --no-share <in.ft
check_same "same bytes without sharing" alone.ft other.ft
run other --batch 8 --memory 6M <in.ft
check_same "same bytes in little memory" alone.ft other.ft
run other <shuffled.ft
sort alone >alone.sorted
sort other >other.sorted
check_same "same answers in another order" alone.sorted other.sorted
check_status 71 "too little memory for the copy of the weights is refused" \
    ft-generate -m "$K" --compute int8 --batch 1 --memory 500K in.ft

run other --compute auto <in.ft
if [ "${FT_CPU:-}" != ref ] && grep -q avx2 /proc/cpuinfo; then
    check_same "auto is int8 here, in the header, too" alone.ft other.ft
fi
run other --compute f32 <in.ft
check "f32 gives other bytes" sh -c '! cmp -s alone.ft other.ft'

# Weights that are not in blocks are multiplied in bf16.
grep -v '"a"' in.jsonl | ft-import -q >base.ft
for kind in bf16 int8; do
    ft-generate -q -m "$TOY" -n 16 --compute $kind <base.ft | ft-cat -q >$kind.jsonl
done
check_same "int8 with weights in floats is bf16" bf16.jsonl int8.jsonl
finish

# Files with K types and Q5 wherever a model is read. What they decode to is shown by
# tests/unit/quant_test.c and nn_toy256_test.c.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

K=$FT_ROOT/tests/golden/toy256.gguf
i=0
while [ $i -lt 6 ]; do
    echo "{\"prompt\":\"The library $i\",\"completion\":\" holds functions that programs share\"}"
    i=$((i + 1))
done | ft-import -q >text.ft
ft-tokenize -q -m "$K" <text.ft | ft-pack -q -l 64 >packed.ft
check_status 0 "ft-check reads it" ft-check "$K"
for threads in 1 3; do
    ft-train -q -m "$K" --threads $threads --lora-rank 4 --lr 1e-2 --batch 3 --epochs 2 \
        --no-history packed.ft >adapter$threads.ft
done
check_same "ft-train: the same adapter with 1 and 3 threads" adapter1.ft adapter3.ft
ft-eval -q -m "$K" packed.ft >before
ft-eval -q -m "$K" -a adapter1.ft packed.ft >after
check "which learned" awk 'NR == FNR && /^loss/ { b = $2 } NR > FNR && /^loss/ { exit !($2 < b) }' \
    before after
check_status 0 "ft-merge: merged = unmerged" \
    ft-merge -q -m "$K" -a adapter1.ft --type f32 --verify -o merged.gguf
ft-generate -q -m "$K" -a adapter1.ft -n 8 --text <text.ft >beside
ft-generate -q -m merged.gguf -n 8 --text <text.ft >merged
check_same "ft-generate: the merged model answers as base and adapter do" beside merged

check_status 0 "ft-quant: from K types to f32" ft-quant -q -m "$K" -t f32 -o plain.gguf
ft-eval -q -m plain.gguf packed.ft >plain
check_same "which evaluates the same" before plain
for type in q5_0 q5_1; do
    check_status 0 "$type is read back" \
        ft-quant --json -m plain.gguf -t $type --eval packed.ft -o $type.gguf
    check "and costs little" /usr/bin/python3 -c "
import json; r = json.loads(open('stderr').read().splitlines()[-1])
assert abs(r['loss_change_percent']) < 10, r"
done

# Rows that do not fill a super-block, and one block too few, in a file of K types.
/usr/bin/python3 - <<'END'
import os, struct
b = bytearray(open(os.environ["FT_ROOT"] + "/tests/golden/toy256.gguf", "rb").read())
at = b.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight")
assert struct.unpack_from("<IQQI", b, at) == (2, 256, 256, 12)
struct.pack_into("<Q", b, at + 4, 288)
open("rows.gguf", "wb").write(b)
struct.pack_into("<QQ", b, at + 4, 256, 257)
open("size.gguf", "wb").write(b)
struct.pack_into("<QQ", b, at + 4, 256, 2 ** 60)
open("wrap.gguf", "wb").write(b)
END
check_status 65 "rows that are no whole super-blocks are refused" ft-eval -m rows.gguf packed.ft
check "naming tensor and type" grep -q "attn_q.weight.*no multiple of q4_k's block of 256" stderr
check_status 65 "a row too many is refused" ft-eval -m size.gguf packed.ft
check_status 65 "a size beyond 2^64 is refused" ft-eval -m wrap.gguf packed.ft
check "naming the tensor" grep -q "attn_q.weight.*overflows" stderr
finish

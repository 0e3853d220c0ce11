# ft-merge by the command line: same bytes, what the file carries, verification, refusals. That the
# merged weights are right is shown by tests/unit/infer_merge.c.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
ft-merge -q -m toy.gguf -a adapter.ft --type f32 -o f32.gguf --verify
check "a verified merge is published" test -s f32.gguf
check_status 0 "ft-check accepts it" ft-check f32.gguf
for type in f16 bf16; do
    check_status 0 "$type verifies" ft-merge --json -m toy.gguf -a adapter.ft --type $type \
        -o $type.gguf --verify
    check "and says the figure" grep -q '"mean_kl_nats":[0-9]' stderr
done
for threads in 1 2 3; do
    ft-merge -q -m toy.gguf -a adapter.ft --threads $threads -o other.gguf
    check_same "same bytes with $threads threads" f16.gguf other.gguf
done
ft-merge -q -m toy.gguf -o - <adapter.ft >other.gguf
check_same "the adapter from a pipe, the model into one" f16.gguf other.gguf

ft-generate -q -m toy.gguf -a adapter.ft -n 16 --text <text.ft >beside
ft-generate -q -m f32.gguf -n 16 --text <text.ft >merged
check_same "the merged model answers as base and adapter do" beside merged

# The ids in the metadata, recomputed by msgpack and xxhash of Python.
cat >history.py <<'EOF'
import sys, struct, msgpack, xxhash
data = open(sys.argv[1], "rb").read()
at = data.index(b"ft.history") + len(b"ft.history")
kind, item, count = struct.unpack_from("<IIQ", data, at)
assert (kind, item) == (9, 0)
nodes = msgpack.unpackb(data[at + 16:at + 16 + count])
seen = set()
for name, node in nodes:
    assert xxhash.xxh3_128_digest(msgpack.packb(node, use_bin_type=True)) == name
    assert all(i in seen for i in node["inputs"])
    seen.add(name)
print(" ".join(node["tool"] for _, node in nodes))
EOF
check_status 0 "the history in the metadata recomputes" /usr/bin/python3 history.py f16.gguf
check "and ends with this merge" grep -q 'ft-merge$' stdout
ft-quant -q -m f16.gguf -t q8_0 -o q8.gguf
check_status 0 "so does that of a quantised model" /usr/bin/python3 history.py q8.gguf
check "which goes on from it" grep -q 'ft-merge ft-quant$' stdout
check_status 0 "ft-check prints it" ft-check --history q8.gguf
check "a line a node" grep -q 'ft-quant .* model' stdout
cp f16.gguf bad.gguf
/usr/bin/python3 -c "
b = bytearray(open('bad.gguf', 'rb').read()); i = b.index(b'ft-merge'); b[i + 4] ^= 1
open('bad.gguf', 'wb').write(b)"
check_status 65 "an altered history is refused" ft-check bad.gguf
ft-merge -q -m toy.gguf -a adapter.ft --no-history -o other.gguf
check "--no-history leaves it out" sh -c '! grep -q -a ft.history other.gguf'

check_status 65 "another base is refused" ft-merge -m f32.gguf -a adapter.ft -o no.gguf
check_status 64 "merging over the base is refused" ft-merge -m toy.gguf -a adapter.ft -o toy.gguf
check_status 64 "--verify into a pipe is refused" ft-merge -m toy.gguf -a adapter.ft --verify
check_status 64 "a block type is refused" ft-merge -m toy.gguf -a adapter.ft --type q8_0 -o no.gguf
check_status 65 "a stream of another kind is refused" ft-merge -m toy.gguf -a text.ft -o no.gguf
head -c 3000 adapter.ft >cut.ft
check_status 65 "a cut adapter is refused" ft-merge -m toy.gguf -a cut.ft -o no.gguf
check "and nothing is left behind" sh -c '! ls no.gguf* 2>/dev/null'
finish

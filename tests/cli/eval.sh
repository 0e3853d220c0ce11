# ft-eval by the command line: its numbers against those of its own examples, and what must not
# change them. The losses themselves are held to transformers' in tests/unit.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
i=0
while [ $i -lt 30 ]; do
    printf '{"id":"e%d","prompt":"the %d","completion":" answer is %d","weight":%d}\n' \
        $i $i $((i * i * i)) $((i % 3 + 1))
    i=$((i + 1))
done >weighted.jsonl
ft-import -q <weighted.jsonl | ft-tokenize -q -m toy.gguf >w.ft
ft-pack -q -l 128 <w.ft >packed-w.ft
ft-pack -q --no-pack <w.ft >alone-w.ft

evaluate() { ft-eval -q -m toy.gguf --json "$@"; }
evaluate --scores scores1 packed-w.ft >result1
for threads in 1 2 3; do
    evaluate --scores scores2 --threads $threads packed-w.ft >result2
    check_same "same result with $threads threads" result1 result2
    check_same "same scores with $threads threads" scores1 scores2
done
evaluate --scores scores-alone alone-w.ft >result-alone
ft-eval -q -m toy.gguf packed-w.ft >result-text

check "result, scores, weights and bytes agree; packing changes nothing" \
    /usr/bin/python3 - weighted.jsonl scores1 result1 result-text scores-alone result-alone <<'END'
import json, math, sys
examples = {x["id"]: x for x in map(json.loads, open(sys.argv[1]))}
scores = [json.loads(line) for line in open(sys.argv[2])]
result = json.load(open(sys.argv[3]))
text = dict(line.rstrip("\n").split("\t") for line in open(sys.argv[4]))
alone = {x["id"]: x for x in map(json.loads, open(sys.argv[5]))}
result_alone = json.load(open(sys.argv[6]))

def near(a, b, tolerance):
    assert abs(a - b) <= tolerance * abs(b), (a, b)

assert {x["id"] for x in scores} == set(examples) and len(scores) == len(examples) == 30
assert list(alone) == list(examples)
assert set(result) == {"loss", "perplexity", "bits_per_byte", "byte_perplexity", "word_perplexity",
                       "tokens", "examples"}
assert {k: float(v) for k, v in text.items()} == {k: float(v) for k, v in result.items()}
weight = {x["id"]: examples[x["id"]]["weight"] * x["targets"] for x in scores}
near(result["loss"], sum(x["loss"] * weight[x["id"]] for x in scores) / sum(weight.values()), 1e-12)
near(result["perplexity"], math.exp(result["loss"]), 1e-12)
nll = sum(x["loss"] * x["targets"] for x in scores)
# The targets are the completion and a special token, which has no bytes.
size = sum(len(x["completion"].encode()) for x in examples.values())
near(result["bits_per_byte"], nll / size / math.log(2), 1e-12)
near(result["byte_perplexity"], math.exp(nll / size), 1e-12)
words = sum(len(x["completion"].split()) for x in examples.values())
near(result["word_perplexity"], math.exp(nll / words), 1e-9)
assert result["tokens"] == sum(x["targets"] for x in scores) and result["examples"] == 30
for x in scores:
    near(x["loss"], alone[x["id"]]["loss"], 1e-6)
for key in result:
    near(result[key], result_alone[key], 1e-6)
END

# Longer than a chunk, and several streams behind each other.
cat packed-w.ft packed-w.ft packed-w.ft packed-w.ft >four.ft
cat four.ft four.ft >eight.ft
evaluate eight.ft >result8
check "eight times the same stream, the same loss" /usr/bin/python3 - result1 result8 <<'END'
import json, sys
one, eight = (json.load(open(f)) for f in sys.argv[1:])
assert abs(one["loss"] - eight["loss"]) <= 1e-12 * one["loss"]
assert eight["tokens"] == 8 * one["tokens"] and eight["examples"] == 240
END

# An adapter that was not trained changes nothing; a trained one does.
ft-train -q -m toy.gguf --lr 0 packed-w.ft >untrained.ft
evaluate -a untrained.ft packed-w.ft >result2
check_same "an untrained adapter changes no digit" result1 result2
ft-train -q -m toy.gguf --lr 0.01 --epochs 3 packed-w.ft >trained.ft
evaluate -a trained.ft packed-w.ft >result2
check "a trained one lowers the loss" /usr/bin/python3 - result1 result2 <<'END'
import json, sys
base, tuned = (json.load(open(f))["loss"] for f in sys.argv[1:])
assert tuned < 0.9 * base, (base, tuned)
END

check_status 65 "tokens that are not packed are refused" evaluate w.ft
check_status 65 "an adapter is refused as input" evaluate trained.ft
check_status 65 "rows are refused as an adapter" evaluate -a packed-w.ft packed-w.ft
head -c -1 trained.ft >cut.ft
check_status 65 "a cut adapter is refused" evaluate -a cut.ft packed-w.ft
check_status 73 "scores into a missing folder" evaluate --scores no/folder/x packed-w.ft
if [ -x "$FT_BIN/ft-quant" ]; then
    ft-quant -q -m toy.gguf -t q8_0 -o other.gguf
    check_status 65 "an adapter of another base is refused" \
        ft-eval -q -m other.gguf -a trained.ft packed-w.ft
    check "the refusal names both" grep -Eq '[0-9a-f]{32}.*other.gguf.*[0-9a-f]{32}' stderr
else
    skip "an adapter of another base: ft-quant is not built"
fi
if ft-train -q -m toy.gguf packed.ft >chat.ft 2>/dev/null; then
    check_status 65 "rows of another chat template are refused" \
        sh -c 'ft-tokenize -q -m toy.gguf --chat-template chatml <text.ft |
               ft-pack -q -l 256 --long cut | ft-eval -q -m toy.gguf -a chat.ft'
    check "the refusal says so" grep -q 'another chat template' stderr
fi
finish

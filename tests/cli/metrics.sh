# ft-eval --metrics by the command line: scores of 12,000 pairs equal to those of sacrebleu,
# rouge-score and SQuAD's definitions, pair by pair (tests/golden/metrics_*.txt); the same bytes
# with any threads; references of another stream; what is refused and warned of.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
golden=$FT_ROOT/tests/golden
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
score() { ft-eval -q --metrics "$@"; }
texts=bleu,chrf,chrfpp,rouge1,rouge2,rougeL,rougeLsum,em,f1,accuracy

/usr/bin/python3 "$golden/metric_pairs.py" >pairs.jsonl
to_stream <pairs.jsonl >pairs.ft
/usr/bin/python3 "$golden/metric_pairs.py" labels | to_stream >labels.ft

cat >compare.py <<'END_PYTHON'
import json
import sys
name, golden, result, scores = sys.argv[1:5]
expected = int(sys.argv[5]) if len(sys.argv) > 5 else 20
result = json.load(open(result))
rows = [json.loads(line) for line in open(scores)] if scores != "-" else []
checked = 0
for line in open(golden):
    kind, _, rest = line.rstrip("\n").partition(" ")
    if kind == "OPTIONS" or not rest.startswith(name + "|"):
        continue
    _, metric, value = rest.split("|")
    if kind == "A":
        assert abs(result[metric] - float(value)) <= 1e-9, (metric, result[metric], value)
        checked += 1
        continue
    values = [row[metric] for row in rows]
    blocks = [float(x) for x in value.split()]
    assert len(values) == 20 * len(blocks) == 12000
    for i, want in enumerate(blocks):
        got = sum((k + 1) * v for k, v in enumerate(values[20 * i:20 * i + 20]))
        assert abs(got - want) <= 1e-8, (metric, 20 * i, got, want)
    checked += 1
assert checked == (expected if rows else 6), checked
assert not rows or [row["id"] for row in rows] == ["p%d" % i for i in range(12000)]
END_PYTHON
equal() { /usr/bin/python3 compare.py "$1" "$golden/metrics_$1.txt" "$2" "$3"; }
equal_chrf() { # NAME: 2 metrics, of all and of each pair
    /usr/bin/python3 compare.py "$1" "$golden/metrics_chrf.txt" "result-$1" "scores-$1" 4
}

grep -h '^OPTIONS' "$golden"/metrics_chrf.txt | cut -c9- | while IFS='|' read -r name options; do
    # shellcheck disable=SC2086  # words
    score chrf,chrfpp $options --json --bootstrap 0 --scores "scores-$name" pairs.ft \
        >"result-$name" 2>"said-$name" || echo "status $?" >"said-$name"
done
for name in orders long epsilon; do
    check "chrf with $name: as sacrebleu" equal_chrf $name
done
check "their signatures are sacrebleu's, and beta" test \
    "$(jq -r .signatures.chrf result-orders)" = \
    "nrefs:var|case:lc|eff:yes|nc:4|nw:3|space:yes|beta:3|version:2.6.0"
check "that of epsilon" test "$(jq -r .signatures.chrfpp result-epsilon)" = \
    "nrefs:var|case:mixed|eff:no|nc:6|nw:2|space:no|version:2.6.0"

for name in usual intl char none; do
    grep '^OPTIONS' "$golden/metrics_$name.txt"
done | cut -c9- | while IFS='|' read -r name options; do
    # shellcheck disable=SC2086  # words
    score $texts $options --json --bootstrap 0 --scores "scores-$name" pairs.ft >"result-$name" \
        2>"said-$name" || echo "status $?" >"said-$name"
done
for name in usual intl char none; do
    check "$name: each pair and all of them score what the reference programs say" \
        equal $name result-$name scores-$name
done
score accuracy,macro_f1,micro_f1,mcc,ece,brier --json labels.ft >result-labels
check "labels: scikit-learn's numbers" equal labels result-labels -

for threads in 1 4; do
    score $texts,micro_f1 --json --threads $threads labels.ft >"labels-$threads" 2>/dev/null
    score $texts --json --stem --threads $threads --scores scores-$threads pairs.ft \
        >result-$threads 2>/dev/null
done
check_same "the same result with 1 and 4 threads, intervals included" result-1 result-4
check_same "the same scores with 1 and 4 threads" scores-1 scores-4
check_same "the same labels with 1 and 4 threads" labels-1 labels-4

# Intervals, signatures, and the text form.
ft-import -q <pairs.jsonl | score bleu,rougeL,em --seed 7 --json >json 2>/dev/null
score bleu,rougeL,em --seed 7 pairs.ft >text 2>/dev/null
score bleu,rougeL,em --seed 7 --cluster none --json pairs.ft >single 2>/dev/null
score bleu,rougeL,em --seed 8 --json pairs.ft >other 2>/dev/null
check "intervals hold the score, follow the seed, and stand in both forms" \
    /usr/bin/python3 - json text single other <<'END_PYTHON'
import json, sys
a, single, other = (json.load(open(sys.argv[i])) for i in (1, 3, 4))
text = [line.split("\t") for line in open(sys.argv[2]).read().splitlines()]
assert [t[0] for t in text] == ["bleu", "rougeL", "em", "examples"]
for name, *numbers in text[:3]:
    low, high = a["intervals"][name]["low"], a["intervals"][name]["high"]
    assert [float(x) for x in numbers] == [a[name], low, high]
    assert low < a[name] < high and a[name] == single[name] == other[name]
    assert other["intervals"][name] != a["intervals"][name] != single["intervals"][name]
    # Percentiles of 1,000 draws: the ends are known to a tenth of the width.
    assert abs(other["intervals"][name]["low"] - low) < 0.15 * (high - low)
s = a["signatures"]
assert s["bleu"] == "nrefs:var|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0", s
assert s["bootstrap"] == "n:1000|seed:7|level:95|units:1715|by:cluster" and s["cluster"] == "group"
assert "by:example" in single["signatures"]["bootstrap"]
# The width of em's interval by the formula of a proportion, examples being independent here.
p, n = a["em"] / 100, a["examples"]
width = 2 * 1.96 * 100 * (p * (1 - p) / n) ** 0.5
got = single["intervals"]["em"]
assert abs(got["high"] - got["low"] - width) < 0.12 * width, (got, width)
END_PYTHON
digest=$(/usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" --trailer pairs.ft |
    grep -o '[0-9a-f]\{32\}')
check "the signature has the digest of the data" sh -c '
    for d in $1; do grep -q "\"data\":\"$d\"" json && exit 0; done; exit 1' - "$digest"

# --by: the scores of a value are those of its examples alone, and so are the intervals.
/usr/bin/python3 - <<'END_PYTHON'
import json
kinds = ["b", "a", "c\u00e9", 7, "7", None, True]
rows = [json.loads(line) for line in open("pairs.jsonl")][:2100]
files = {}
with open("kinds.jsonl", "w") as f:
    for i, r in enumerate(rows):
        kind = kinds[(i * i + i // 7) % 7]
        if kind is not None or i % 2:
            r["kind"] = kind
        print(json.dumps(r), file=f)
        files.setdefault(json.dumps(kind, ensure_ascii=False), []).append(r)
for n, kind in enumerate(sorted(files, key=lambda s: s.encode())):
    with open("kind%d.jsonl" % n, "w") as f:
        for r in files[kind]:
            print(json.dumps(r), file=f)
    print(kind, file=open("kind%d.name" % n, "w"))
END_PYTHON
to_stream <kinds.jsonl >kinds.ft
for threads in 1 4; do
    score bleu,chrf,em --by kind --json --threads $threads kinds.ft >by-$threads 2>/dev/null
    score bleu,chrf,em --by kind --threads $threads kinds.ft >by-text-$threads 2>/dev/null
done
check_same "--by: the same with 1 and 4 threads" by-1 by-4
score bleu,chrf,em --json kinds.ft 2>/dev/null >want
jq -c 'del(.by)' by-1 >got
check_same "the total is as without" want got
check "all values are there, in order" test "$(jq -c '[.by.values[].value]' by-1)" = \
    '["7","a","b","cé",7,null,true]'
for n in 0 1 2 3 4 5 6; do
    to_stream <kind$n.jsonl | score bleu,chrf,em --json 2>/dev/null | jq -c 'del(.signatures)' >want
    jq -c ".by.values[$n] | del(.value)" by-1 >got
    check_same "$(cat kind$n.name): as its examples alone" want got
done
jq -r '.by.values[] | .value as $v | (to_entries[] |
    select(.key != "value" and (.value | type == "number"))) |
    ["by", "\"kind\"", ($v | tojson), .key, .value] | @tsv' by-1 | sed 's/\\"/"/g' >want
grep '^by' by-text-1 | cut -f 1-5 >got
/usr/bin/python3 - <<'END_PYTHON' >same
def read(f):
    return [(*r[:4], float(r[4])) for r in (line.rstrip("\n").split("\t") for line in open(f))]
print(read("want") == read("got") and len(read("got")) == 28)
END_PYTHON
check "as text, too" grep -q True same
score accuracy,macro_f1,mcc --by reference --bootstrap 0 --json labels.ft >by-label
/usr/bin/python3 "$golden/metric_pairs.py" labels >labels.jsonl
v=$(jq -c '.by.values[2].value' by-label)
jq -c --argjson v "$v" 'select(.reference == $v)' labels.jsonl | to_stream |
    score accuracy,macro_f1,mcc --bootstrap 0 --json | jq -c 'del(.signatures)' >want
jq -c '.by.values[2] | del(.value)' by-label >got
check_same "labels by value" want got
seq 70 | sed 's/.*/{"prediction":"&","reference":"1","n":&}/' | to_stream >seventy.ft
ft-eval --metrics em --by n --json seventy.ft >got 2>said
check "many values have scores but no intervals" test \
    "$(jq -c '[(.by.values | length), .by.values[0].em, .by.values[9].intervals]' got)" = \
    '[70,100,{}]'
check "which is said" grep -q '70 values of n are too many' said
seq 1100 | sed 's/.*/{"prediction":"&","reference":"1","n":&}/' | to_stream >thousand.ft
check_status 65 "over 1024 values are refused" score em --by n thousand.ft
check_status 64 "--by without --metrics" ft-eval --by n seventy.ft
to_stream </dev/null | score em --by n --json >got 2>/dev/null
check "no examples, no values" test "$(jq -c .by.values got)" = '[]'

# Labels whose 128th and 129th come with one example: the last that is drawn has its room.
seq 0 150 | awk '{ print "{\"prediction\":\"p" ($1 == 0 ? 0 : 2 * $1) "\",\"reference\":\"" \
    ($1 == 0 ? "p0" : "r" $1) "\"}" }' | to_stream >many.ft
score micro_f1,accuracy --json many.ft >got 2>/dev/null
check "more labels than are drawn" test "$(jq -c '[.micro_f1 == .accuracy,
    (.intervals | has("micro_f1"))]' got)" = '[true,false]'

# Lower case is Python's, of every character it knows.
/usr/bin/python3 - >lower.jsonl <<'END_PYTHON'
import json, unicodedata
known = [chr(c) for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
for i in range(0, len(known), 100):
    s = "".join(known[i:i + 100])
    print(json.dumps({"prediction": s.lower().strip(), "reference": s}))
# What decides about the capital sigma beside it; lines do not see each other.
beside = [c for c in known if not c.isspace() and ord(c) < 0x20000 and
          not 0x3400 <= ord(c) < 0xd7b0]
for i in range(0, len(beside), 200):
    s = "\n".join("a" + c + "\u03a3 " + c + "\u03a3 a\u03a3" + c + "b" for c in beside[i:i + 200])
    print(json.dumps({"prediction": s.lower(), "reference": s}))
END_PYTHON
to_stream <lower.jsonl | score accuracy --lowercase --bootstrap 0 --json --scores lower >result
check "lower case is Python's for every character" grep -q '"accuracy":1.0,' result

# References in another stream.
/usr/bin/python3 - pairs.jsonl <<'END_PYTHON'
import json, sys
rows = [json.loads(line) for line in open(sys.argv[1])][:500]
with open("answers.jsonl", "w") as a, open("gold.jsonl", "w") as g, open("both.jsonl", "w") as b:
    for r in rows:
        print(json.dumps({"id": r["id"], "group": r["group"], "prompt": "?",
                          "completion": r["prediction"]}), file=a)
        print(json.dumps(r), file=b)
    for r in sorted(rows, key=lambda r: r["prediction"]):
        gold = {"id": r["id"], "prediction": "other", "reference": r["reference"]}
        print(json.dumps(gold), file=g)
END_PYTHON
for f in answers gold both; do to_stream <$f.jsonl >$f.ft; done
score $texts --json both.ft --scores both >want 2>/dev/null
for threads in 1 4; do
    score $texts --json --references gold.ft --threads $threads --scores joined answers.ft \
        >got 2>/dev/null
    check "references by id in any order, $threads threads: the same scores" cmp both joined
done
for f in got want; do sed 's/"signatures.*//' $f >$f.cut; done
check_same "and the same result" got.cut want.cut
head -n 499 gold.jsonl | to_stream >fewer.ft
check_status 65 "a prediction without a reference is refused" \
    score em --references fewer.ft --scores none answers.ft
check "by its id" \
    grep -q 'record [0-9]* of answers.ft: id "p[0-9]*" has no reference in fewer.ft' stderr
check "and leaves no scores" test ! -e none
head -n 499 answers.jsonl | to_stream >fewer.ft
check_status 65 "a reference without a prediction is refused" score em --references gold.ft fewer.ft
check "by its id" grep -q 'gold.ft: id "p499" has no prediction' stderr
(head -n 1 gold.jsonl; cat gold.jsonl) | to_stream >twice.ft
check_status 65 "ids that are there twice are refused" score em --references twice.ft answers.ft
(head -n 1 answers.jsonl; cat answers.jsonl) | to_stream >twice.ft
check_status 65 "in the predictions too" score em --references gold.ft twice.ft
check "by the id" grep -q 'id "p0" has two predictions' stderr

# What is refused.
one() { printf '%s\n' "$1" | to_stream >one.ft; }
one '{"prompt":"a","completion":"b"}'
check_status 65 "a record without prediction is refused" score em one.ft
check "with its number and what to do" \
    grep -q 'record 1 of one.ft: .*shape prompt has no prediction.*ft-generate' stderr
one '{"id":1,"prediction":"b"}'
check_status 65 "a record without reference is refused" score em one.ft
check "with what to do" grep -q 'field reference is missing beside prediction.*--references' stderr
one '{"prediction":"b","reference":["a","b"]}'
check_status 65 "several references are no label" score mcc one.ft
check_status 0 "but may be answers" score em,accuracy one.ft
one '{"prediction":"b","reference":"b","scores":{"a":0.5,"b":0.2}}'
check_status 65 "probabilities that do not add up" score brier one.ft
one '{"prediction":"b","reference":"b","scores":{"a":1.5,"b":-0.5}}'
check_status 65 "and none at all" score ece one.ft
one '{"prediction":"b","reference":"b","aug":"typo"}'
check_status 65 "an augmented example is refused" score em one.ft
check_status 0 "unless that is wanted" score em --allow-leak one.ft
check_status 64 "text without --metrics is misuse" ft-eval -m "$TOY" one.ft
check "with what to do" grep -q 'give --metrics' stderr
check_status 64 "a metric that there is not" score bleu,meteor one.ft
check "named" grep -q '"meteor" is not one of' stderr
check_status 64 "an option of another metric" score em --stem one.ft
check_status 64 "a tokenizer of another metric" score rougeL --tok char one.ft
check_status 64 "a tokenizer that there is not" score bleu --tok zh one.ft
check_status 64 "chrf's option for others" score em --chrf-beta 3 one.ft
check_status 64 "an order that there is not" score chrf --chrf-char-order 17 one.ft
check_status 64 "words for chrfpp, which has its own" score chrfpp --chrf-word-order 1 one.ft
check_status 64 "an option without --metrics" ft-eval --tok char one.ft
check_status 64 "a model for scores" score em -m x.gguf one.ft
check_status 64 "too few draws" score em --bootstrap 39 one.ft
check_status 64 "a value for a smoothing without one" score bleu --smooth-value 1 one.ft
head -c 3000 pairs.ft >cut.ft
check_status 65 "a cut stream is refused" score em --scores no cut.ft
check "and leaves nothing" test ! -e no
TMPDIR=$PWD/missing check_status 73 "no folder for spools" score em --references gold.ft answers.ft

# Warnings, and nothing to score.
one '{"prediction":"a b","reference":"a b"}'
ft-eval --metrics bleu one.ft >out 2>said
check "few examples are warned of" grep -q 'bleu of 1 examples' said
check "short ones too" grep -q 'under 4 tokens' said
printf '{"prediction":"\\u4f60\\u597d","reference":"\\u4f60\\u597d"}\n' | to_stream >han.ft
ft-eval --metrics rougeL han.ft >out 2>said
check "letters that ROUGE drops are warned of" grep -q 'leaves out 100 %.*--tok unicode' said
check "they score nothing" grep -q '^rougeL.0.0' out
ft-eval --metrics rougeL --tok unicode han.ft >out 2>said
check "but with the option that was suggested" grep -q '^rougeL.1.0' out
check "which warns no more" sh -c '! grep -q "leaves out" said'
to_stream </dev/null >empty.ft
check_status 0 "an empty stream has no scores" score bleu,mcc --json empty.ft
check "but null" grep -q '"bleu":null,"mcc":null,"examples":0' stdout
one '{"prediction":"\u001b[31m","reference":"a","id":"\u001b[31m"}'
ft-eval -q --metrics mcc,em --scores esc one.ft >out 2>said
check "escapes of terminals stay out of the scores" \
    sh -c '! grep -q "$(printf "\033")" esc out said'
finish

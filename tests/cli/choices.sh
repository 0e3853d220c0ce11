# ft-eval --choices: likelihoods equal to those that the same answers get through ft-tokenize,
# ft-pack and the loss; what is made of them, by Python; the same bytes with any threads; what is
# refused.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
choose() { ft-eval -q -m "$TOY" --choices options "$@"; }

/usr/bin/python3 - <<'END_PYTHON'
import json, random
r = random.Random(3)
words = ["red", "green", "blue", "a longer one", "42", "\u00e9t\u00e9", "no"]
with open("ask.jsonl", "w") as ask, open("each.jsonl", "w") as each:
    for i in range(40):
        options = r.sample(words, 2 + r.randrange(4))
        answer = r.choice(options)
        x = {"id": "q%d" % i, "group": "g%d" % (i // 3), "options": options}
        if i % 2:
            make = lambda a: {"prompt": "item %d is " % i, "completion": a}
        else:
            turns = [{"role": "user", "content": "what is %d?" % i}]
            make = lambda a: {"messages": turns + [{"role": "assistant", "content": a}]}
        print(json.dumps(dict(x, **make(answer))), file=ask)
        for k, option in enumerate(options):
            print(json.dumps(dict(make(option), id="q%d.%d" % (i, k))), file=each)
END_PYTHON
to_stream <ask.jsonl >ask.ft
to_stream <each.jsonl | ft-tokenize -q -m "$TOY" | ft-pack -q --no-pack >each.ft
ft-eval -q -m "$TOY" --scores each each.ft >out
choose --json --scores scores ask.ft >result

cat >check.py <<'END_PYTHON'
import json, math
ask = [json.loads(line) for line in open("ask.jsonl")]
each = {x["id"]: x["loss"] * x["targets"] for x in map(json.loads, open("each"))}
scores = [json.loads(line) for line in open("scores")]
result = json.load(open("result"))
right = per_byte = brier = 0
bins = {}
assert [s["id"] for s in scores] == [x["id"] for x in ask]
for x, s in zip(ask, scores):
    for k, nll in enumerate(s["nll"]):
        want = each["%s.%d" % (x["id"], k)]
        assert abs(nll - want) <= 1e-5 * want, (x["id"], k, nll, want)
    answer = x["completion"] if "completion" in x else x["messages"][-1]["content"]
    assert s["answer"] == x["options"].index(answer)
    assert s["choice"] == min(range(len(s["nll"])), key=s["nll"].__getitem__)
    right += s["choice"] == s["answer"]
    sizes = [len(o.encode()) for o in x["options"]]
    per_byte += min(range(len(sizes)), key=lambda k: s["nll"][k] / sizes[k]) == s["answer"]
    p = [math.exp(-n) for n in s["nll"]]
    p = [v / sum(p) for v in p]
    brier += sum((v - (k == s["answer"])) ** 2 for k, v in enumerate(p))
    b = bins.setdefault(min(int(max(p) * 15), 14), [0, 0])
    b[0] += max(p)
    b[1] += s["choice"] == s["answer"]
want = {"accuracy": right / 40, "accuracy_per_byte": per_byte / 40, "brier": brier / 40,
        "ece": sum(abs(a - b) for a, b in bins.values()) / 40, "examples": 40}
for name, v in want.items():
    assert abs(result[name] - v) < 1e-9, (name, result[name], v)
assert 0 < right < 40
for name in ("accuracy", "ece", "brier"):
    i = result["intervals"][name]
    assert i["low"] <= i["high"], name
assert result["intervals"]["accuracy"]["low"] < right / 40 < result["intervals"]["accuracy"]["high"]
END_PYTHON
check "likelihoods are those of the loss, and the scores follow from them" /usr/bin/python3 check.py
digest=$(/usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" --trailer ask.ft | grep -o '[0-9a-f]\{32\}')
check "signatures say how, by what, and on what data" test "$(jq -c '.signatures |
    [.choices, .accuracy, .accuracy_per_byte, .ece, .cluster]' result)" = \
    '["options","likelihood:answer+end|by:sum","likelihood:answer+end|by:byte",'\
'"likelihood:answer+end|of:choices|bins:15","group"]'
check "the draws" test "$(jq -r .signatures.bootstrap result)" = \
    "n:1000|seed:0|level:95|units:14|by:cluster"
check "and the digest" sh -c 'for d in $1; do [ "$d" != "$2" ] || exit 0; done; exit 1' - \
    "$digest" "$(jq -r .signatures.data result)"
choose --bootstrap 0 --json --compute f32 ask.ft >plain
check "without draws there are none; products are named" test \
    "$(jq -c '.signatures | [.compute, has("bootstrap")]' plain)" = '["f32",false]'
for threads in 1 4; do
    choose --json --threads $threads --scores scores-$threads ask.ft >result-$threads
done
check_same "the same result with 1 and 4 threads" result-1 result-4
check_same "the same scores with 1 and 4 threads" scores-1 scores-4

# In a chat of several turns only the last one counts.
printf '%s%s%s\n' '{"messages":[{"role":"user","content":"a"},' \
    '{"role":"assistant","content":"bbbb"},' \
    '{"role":"user","content":"c"},{"role":"assistant","content":"d"}],"options":["d","e"]}' |
    to_stream >turns.ft
choose --scores turns turns.ft >out
printf '%s%s\n' '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"bbbb",' \
    '"weight":0},{"role":"user","content":"c"},{"role":"assistant","content":"d"}]}' | to_stream |
    ft-tokenize -q -m "$TOY" | ft-pack -q --no-pack | ft-eval -q -m "$TOY" --scores last >out
check "of a longer chat the last turn" /usr/bin/python3 -c '
import json
a, b = json.load(open("turns")), json.load(open("last"))
assert abs(a["nll"][0] - b["loss"] * b["targets"]) < 1e-5 * a["nll"][0]'

refused() { # WHAT MESSAGE RECORD
    printf '%s\n' "$3" | to_stream >bad.ft
    check_status 65 "$1" choose bad.ft
    check "and said why" grep -q "record 1 of bad.ft: .*$2" stderr
}
refused "an answer that is no choice" 'none of the choices' \
    '{"prompt":"a","completion":"b","options":["c"," b"]}'
refused "an answer that is two" 'two of the choices' \
    '{"prompt":"a","completion":"b","options":["b","b"]}'
refused "no choices" 'field options is no list' '{"prompt":"a","completion":"b"}'
refused "one choice" 'field options is no list' '{"prompt":"a","completion":"b","options":["b"]}'
refused "a choice that is a number" 'options\[1\] is no text' \
    '{"prompt":"a","completion":"b","options":["b",2]}'
refused "a choice without text" 'options\[1\] is no text' \
    '{"prompt":"a","completion":"b","options":["b",""]}'
refused "a text" 'no answer to choose' '{"text":"a","options":["b","c"]}'
check_status 64 "packed rows are misuse" choose each.ft
check_status 64 "without a model too" ft-eval --choices options ask.ft
check_status 64 "with metrics too" choose --metrics em ask.ft
check_status 64 "and with their options" choose --stem ask.ft
to_stream </dev/null >empty.ft
check_status 0 "an empty stream has no scores" choose --json empty.ft
check "but null" grep -q '"accuracy":null.*"examples":0' stdout
finish

# ft-stats by the command line: every figure against stats_oracle.py, which counts by brute force;
# text and page; spilling, threads and several inputs change nothing; spread and coverage where they
# are known; tokens against ft-tokenize; hostile input.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/stats_oracle.py" "$@"; }
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py"; }

holds() { jq -e "$@" >jq.out; }

# All shapes and fields, duplicates, other scripts, texts without a word, values that hurt.
/usr/bin/python3 - >data.jsonl <<'END'
import json, random
r = random.Random(7)
words = ("the a of and ship wave harbour sail anchor tide fish salt cloud wing star wind plane "
         "moon bird sun tree road hill field stone river fox house \u00fcn\u00ef \u65e5\u672c "
         "don't x1 Stra\u00dfe e\u0301t\u00e9 \u041c\u043e\u0441\u043a\u0432\u0430").split()
def text(n):
    return " ".join(r.choice(words) if r.random() < 0.8 else r.choice(words).upper()
                    for _ in range(n)) + r.choice([".", " \n", "!", "", "  ? "])
for i in range(600):
    kind, d = r.random(), {"id": f"i{i}"}
    if kind < 0.5:
        m = [{"role": "system", "content": "Be brief."}] if r.random() < 0.3 else []
        for _ in range(r.randrange(1, 4)):
            ask = "tell me " * (r.random() < 0.9) + text(r.randrange(9))
            m += [{"role": "user", "content": ask},
                  {"role": "assistant", "content": text(r.randrange(60))}]
        d["messages"] = m
    elif kind < 0.8:
        d.update(prompt="What is " + text(r.randrange(12)) + "?", completion=text(r.randrange(40)))
    elif kind < 0.95:
        d["text"] = text(r.randrange(90))
    else:
        d.update(prediction=text(3), reference=[text(3), text(2)])
        if r.random() < 0.5:
            d["prompt"] = text(5)
    for key, share, values in (
            ("label", 0.8, ["a", "b", "b", "b", 3, 1.5, True, "<b>\x07&\u202e\"'", None]),
            ("group", 0.5, range(60)), ("source", 0.5, ["web", "wiki", ""]),
            ("cluster", 0.2, [f"{x:016x}" for x in range(30)]), ("aug", 0.1, ["noise", "eda"]),
            ("dirty", 0.05, [{"item": 3}])):
        if r.random() < share:
            d[key] = r.choice(list(values))
    if r.random() < 0.1:
        d["tags"] = {"short": r.randrange(5), "x": 1}
    for _ in range(1 + (r.random() < 0.05)):
        print(json.dumps(d))
END
to_stream <data.jsonl >data.ft

ft-stats --threads 1 --sample 90 --json data.ft >got.json 2>said
oracle data.jsonl got.json >wrong 2>compared || sed 's/^/# /' wrong
check "every figure is what brute force says" test ! -s wrong
check "many figures were compared" test "$(cut -d' ' -f1 compared)" -ge 140
check "the last line counts the rows" grep -q '"rows":6[0-9][0-9]' said
for threads in 2 4; do
    ft-stats -q --threads $threads --sample 90 --json data.ft >more.json 2>said
    check_same "the same bytes with 1 and $threads threads" got.json more.json
done
ft-stats -q --sample 0 --json --memory 1M data.ft >small.json 2>said
jq 'del(.prompts, .answers, .spread)' got.json >a
jq 'del(.prompts, .answers)' small.json >b
check_same "little memory changes no count" a b
for part in prompts answers; do
    jq ".$part | del(.notes, .compression, .compression_sorted)" got.json >a
    jq ".$part | del(.notes, .compression, .compression_sorted)" small.json >b
    check_same "nor the wording of the $part" a b
done
check "what was compressed in part is said" holds '.answers.notes | any(test("first"))' small.json
head -n 250 data.jsonl | to_stream >one.ft
tail -n +251 data.jsonl | to_stream >two.ft
ft-stats -q --sample 90 --json one.ft two.ft >more.json 2>said
check_same "two files are read as one" got.json more.json
cat one.ft two.ft | ft-stats -q --sample 90 --json >more.json 2>said
check_same "so are two streams on standard input" got.json more.json

# Text and page.
ft-stats -q --sample 20 data.ft >text
ft-stats -q --sample 20 --threads 4 data.ft --html page.html >text4
check_same "the text with 1 and 4 threads" text text4
check "the text has the rows" grep -q "^  rows  *$(jq .data.rows got.json)\$" text
check "no control character reaches a terminal" sh -c '! LC_ALL=C grep -q "[[:cntrl:]]" text'
check "no line of it ends in a space" sh -c '! grep -q " \$" text'
check "the page is well formed and needs nothing else" oracle --page page.html
check "the page says what the text says" grep -q '<td>rows</td><td class="n">6[0-9][0-9]</td>' \
    page.html
ft-stats -q --sample 20 data.ft --html page2.html --title 'a <b> & "c"' >text4
check "the title is escaped" grep -q '<title>a &lt;b&gt; &amp; &quot;c&quot;</title>' page2.html
printf '' | to_stream >empty.ft
check_status 0 "no rows" ft-stats empty.ft --html page.html
check_status 0 "no rows, JSON" ft-stats --json empty.ft
check "are valid JSON" holds '.data.rows == 0 and .data.duplicate_share == null' stdout

# Spread: where it is known without measuring.
/usr/bin/python3 - <<'END'
import json
a, b = "alpha beta gamma delta", "one two three four five six"
for name, texts in (("same", [a] * 50), ("half", [a, b] * 40), ("one", [a])):
    with open(name + ".jsonl", "w") as f:
        for i, t in enumerate(texts):
            print(json.dumps({"id": i, "text": t}), file=f)
END
for name in same half one; do
    to_stream <$name.jsonl >$name.ft
    ft-stats -q --json $name.ft 2>said | jq .spread >$name.json
done
check "50 times one text is 1 by the Vendi score" holds '.vendi | . > 0.9999 and . < 1.0001' \
    same.json
check "and in one of 8 cells" holds '.cells == 8 and .cells_filled == 0.125 and .gini == 0.875' \
    same.json
check "two texts without a common n-gram are 2" holds '.vendi | . > 1.98 and . < 2.0001' half.json
check "in two cells of 9" holds '.cells_filled == 2/9 and .inertia < 1e-6' half.json
check "one text is 1" holds '.vendi == 1 and .cells == 1 and .evenness == 1' one.json
ft-stats -q --no-languages --json --seed 1 --sample 100 data.ft 2>said | jq .spread >a
ft-stats -q --no-languages --json --seed 2 --sample 100 --threads 4 data.ft 2>said | jq .spread >b
check "another seed takes another sample" sh -c '! cmp -s a b'
check "of as many rows" holds -s 'all(.sample == 100)' a b

# Coverage: prompts that are there are covered, one in other words is not.
jq -c 'select(.prompt and .completion) | {id: ("e" + .id), prompt, completion: "x"}' data.jsonl |
    head -n 20 >eval.jsonl
echo '{"id":"far","prompt":"<i>quantum chromodynamics of gluons</i>","completion":"x"}' >>eval.jsonl
echo '{"id":9,"prediction":"p","reference":"r"}' >>eval.jsonl
to_stream <eval.jsonl >eval.ft
ft-stats -q --no-languages --json --against eval.ft --uncovered list data.ft 2>said |
    jq .coverage >got.json
check "prompts that are in the data are covered" holds '.items == 21 and .uncovered == 1 and
    .covered_share == 20/21 and .without_prompt == 1' got.json
check "the other is listed" holds '.uncovered_items[0].item | test("^far  <i>quantum")' got.json
check "and written, with the nearest" holds -s 'length == 1 and .[0].id == "far" and
    (.[0].nearest | type == "string") and .[0].distance > 0.7' list
ft-stats -q --no-languages --json --threads 4 --against eval.ft data.ft 2>said |
    jq .coverage >more.json
check_same "coverage with 1 and 4 threads" got.json more.json

# Tokens and points by a model.
jq -c 'select((.completion // .messages[1].content // .messages[2].content // "") | length > 9)' \
    data.jsonl | head -n 60 | to_stream >some.ft
ft-tokenize -q -m "$TOY" some.ft 2>said | decode >tokens.jsonl
ft-stats -q -m "$TOY" -l 60 --json some.ft --against eval.ft >got.json 2>said
/usr/bin/python3 - <<'END' >want
import json
rows = [json.loads(line) for line in open("tokens.jsonl")]
n = sorted(len(r["ids"]["$bin"]) // 8 for r in rows)
t = sum(bin(int(r["mask"]["$bin"] or "0", 16)).count("1") for r in rows)
print(sum(n), t, sum(x > 60 for x in n), n[0], n[-1], n[(len(n) + 1) // 2 - 1])
END
jq -r '[.lengths.tokens, .lengths.target_tokens, .lengths.over_length, (.lengths.percentiles[] |
    select(.what == "row tokens") | .min, .max, .p50)] | join(" ")' got.json >got
check_same "tokens, targets and --length are those of ft-tokenize" want got
check "points are the model's" holds '.spread.points == "hidden states" and .spread.vendi >= 1 and
    .spread.vendi <= .spread.vendi_most and .coverage.items == 21' got.json
ft-stats -q -m "$TOY" -l 60 --json --threads 1 some.ft --against eval.ft >more.json 2>said
check_same "with 1 thread, too" got.json more.json
ft-stats -q --no-languages -m "$TOY" --json data.ft >more.json 2>said
check "rows that cannot be trained on are counted" holds \
    '.lengths.untokenised > 0 and (.lengths.notes | any(test("prediction")))' more.json

# Misuse and bad input.
check_status 64 "--length without a model" ft-stats --length 3 data.ft
check_status 64 "--uncovered without --against" ft-stats --uncovered x data.ft
check_status 64 "--against without a sample" ft-stats --sample 0 --against eval.ft data.ft
check_status 64 "-i and a file" ft-stats -i data.ft data.ft
check_status 66 "a file that is not there" ft-stats nowhere.ft
check_status 73 "a page that cannot be made" ft-stats data.ft --html nowhere/page.html
head -c 2000 data.ft >cut.ft
rm -f page.html list
check_status 65 "a truncated stream" ft-stats cut.ft --html page.html --against eval.ft \
    --uncovered list
check "leaves no page and no list" test ! -e page.html -a ! -e list -a ! -s stdout
echo '{"id":1,"prompt":"x"}' | to_stream >bad.ft
check_status 65 "a record that is no example" ft-stats bad.ft
check "is named" grep -q 'record 1 of bad.ft: .*completion' stderr
check_status 65 "so is one of the evaluation set" ft-stats data.ft --against bad.ft
check_status 71 "a sample over the bound" ft-stats --memory 1M --sample 600 data.ft
finish

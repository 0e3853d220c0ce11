# ft-shots against BM25 in Python and against transformers' hidden states
# (tests/golden/make_shots.py); what is never shown: the question's own answer, and the part of a
# split that the questions are of.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

/usr/bin/python3 - <<'PY'
import json
import random
rng = random.Random(5)
stems = [a + b for a in ("ka", "lo", "mi", "ne", "su") for b in ("r", "nt", "st", "l", "p", "x")]


def text():
    return " ".join(rng.choice(stems[:rng.randint(3, 30)]) for _ in range(rng.randint(2, 40)))


def chat(i, system):
    head = [{"role": "system", "content": "be kind"}] if system else []
    return {"id": f"c{i}", "messages": head + [{"role": "user", "content": text()},
                                               {"role": "assistant", "content": f"answer {i}"}]}


with open("pool.jsonl", "w") as f:
    rows = [chat(i, i % 3 == 0) for i in range(150)]
    rows += [{"id": f"p{i}", "prompt": text(), "completion": f" is {i}"} for i in range(50)]
    for r in rows:
        print(json.dumps(r), file=f)
with open("ask.jsonl", "w") as f:
    for i in range(60):
        r = chat(f"q{i}", i % 4 == 0)
        if i % 5 == 0:
            r["messages"][-2]["content"] = rows[i]["messages"][-2]["content"].upper()
        print(json.dumps(r), file=f)
with open("prompts.jsonl", "w") as f, open("prompt_pool.jsonl", "w") as g:
    for i in range(40):
        print(json.dumps({"id": i, "prompt": text(), "completion": " so"}), file=g if i else f)
PY
for i in pool ask prompts prompt_pool; do ft-import -q -i $i.jsonl -o $i.ft; done
plain() { ft-cat | jq -cS .; }

compare() { # WHAT POOL K QUESTIONS
    /usr/bin/python3 "$FT_ROOT/tests/cli/shots_oracle.py" "$2.jsonl" "$3" <"$4.jsonl" |
        jq -cS . >want
    ft-shots -q --from "$2.ft" -k "$3" <"$4.ft" | plain >got
    check_same "$1" want got
}
compare "four shots, nearest last, as BM25 says" pool 4 ask
compare "one shot" pool 1 ask
compare "prompts and completions" prompt_pool 3 prompts
check "a question that is in the pool is not shown its answer" test \
    "$(jq -r '.shots | length' got)" = 3

for threads in 1 4; do
    ft-shots -q --threads $threads --from pool.ft ask.ft -o t$threads.ft
    ft-shots -q --threads $threads --from pool.ft --by fixed --seed 3 ask.ft -o f$threads.ft
done
check_same "the same bytes with 1 and 4 threads" t1.ft t4.ft
check_same "fixed ones too" f1.ft f4.ft
ft-cat f1.ft | jq -c .shots | sort | uniq -c | sort -rn | awk 'NR == 1 { print ($1 > 50) }' >most
check "fixed ones are the same for all" test "$(cat most)" = 1
ft-shots -q --from pool.ft --by fixed --seed 4 ask.ft -o other.ft
shots_of() { ft-cat "$1" | jq -c .shots | sort -u | head -n 1; }
check "another seed, other shots" test "$(shots_of other.ft)" != "$(shots_of f1.ft)"
ft-shots -q --from pool.ft -k 0 ask.ft | ft-cat | jq -cS 'del(.shots)' >none
check "no shots: the questions as they were" sh -c 'jq -cS . ask.jsonl | cmp - none'

# ---- by the model ----
golden=$FT_ROOT/tests/golden/shots.jsonl
grep '"pool"' "$golden" | ft-import -q -o near_pool.ft
grep '"near"' "$golden" | ft-import -q -o near_ask.ft
by_model() { ft-shots -q --by embedding -m "$TOY" "$@" 2>/dev/null; }
by_model --compute f32 -k 9 --from near_pool.ft near_ask.ft -o near.ft
ft-cat near_ask.ft | jq -c '[.id, .near]' >want
ft-cat near.ft | jq -c '[.id, (.shots | reverse)]' >got
check "28 questions have the nine nearest that transformers finds" test "$(wc -l <want)" = 28
check_same "in the same order" want got
for threads in 1 3; do
    by_model --threads $threads --from pool.ft ask.ft -o m$threads.ft
done
check_same "the same bytes with 1 and 3 threads" m1.ft m3.ft
ft-cat ask.ft | head -n 7 | ft-import -q -o few.ft
by_model --from pool.ft few.ft | ft-cat >few
ft-cat m1.ft | head -n 7 >want
check_same "and with fewer questions beside" want few
grep '"near"' "$golden" | ft-import -q -o ask_again.ft
by_model --allow-leak --from near_ask.ft ask_again.ft | ft-cat |
    jq -c 'select(.id as $id | .shots | index($id))' >own
check "a question is not shown its own answer" test ! -s own
printf '%s\n' '{"id":1,"prompt":"","completion":"x"}' | ft-import -q -o nothing.ft
check "a question without words gets none" test \
    "$(by_model --from near_pool.ft nothing.ft | ft-cat | jq -c .shots)" = "[]"
check_status 64 "--by embedding without a model" ft-shots --by embedding --from pool.ft ask.ft
check_status 64 "a model for another way" ft-shots -m "$TOY" --from pool.ft ask.ft
check_status 66 "a model that is not there" \
    ft-shots --by embedding -m nix.gguf --from pool.ft ask.ft
check_status 71 "a bound on memory holds here, too" \
    ft-shots --by embedding -m "$TOY" --memory 2K --from pool.ft ask.ft -o x.ft
echo '{"prompt":"a","completion":"b"}
{"prediction":"a","reference":"b"}' | ft-import -q -o none.ft
check_status 65 "a question that is none" \
    ft-shots --by embedding -m "$TOY" --from near_pool.ft none.ft -o x.ft
check "is named" grep -q "record 2 of none.ft" stderr
check "and nothing stays" test ! -e x.ft

# ---- refusals ----
check_status 64 "no pool" ft-shots ask.ft -o x.ft
check_status 64 "both from standard input" ft-shots --from - -o x.ft <ask.ft
check_status 66 "a pool that is not there" ft-shots --from nix.ft ask.ft -o x.ft
check_status 65 "a conversation cannot stand before a plain prompt" \
    ft-shots --from pool.ft -k 32 prompts.ft -o x.ft
check "it says what to do" grep -q "make conversations of both" stderr
echo '{"text":"a"}' | ft-import -q -o text.ft
check_status 65 "a text asks nothing" ft-shots --from pool.ft text.ft -o x.ft
check_status 71 "a bound on memory" ft-shots --memory 1K --from pool.ft ask.ft -o x.ft
head -c 700 pool.ft >cut.ft
check_status 65 "a pool that was cut" ft-shots --from cut.ft ask.ft -o x.ft
check "nothing is left behind" test ! -e x.ft
ft-import -q </dev/null -o empty.ft
check_status 0 "an empty pool is warned of" ft-shots --from empty.ft ask.ft -o x.ft
check "in words" grep -q "holds no example" stderr
check_status 0 "no questions" ft-shots --from pool.ft empty.ft -o x.ft

# ---- parts of a split ----
ft-split -q --to a.ft,b.ft --ratio 1,1 ask.ft 2>/dev/null
check_status 0 "shots of one part before questions of another" ft-shots --from a.ft b.ft -o x.ft
check "the result is of the questions' part alone" test \
    "$(ft-check --json x.ft | jq -c '[.certificates[].part]')" = "[1]"
check_status 65 "of the same part: refused" ft-shots --from b.ft b.ft -o y.ft
check_status 0 "unless it is allowed" ft-shots --allow-leak --from b.ft b.ft -o y.ft
finish

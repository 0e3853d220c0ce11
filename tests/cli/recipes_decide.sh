# The recipes decide.mk and forgetting-report.mk in their smallest form: they run, a second make
# does nothing, and what they say follows from the figures: also when these are made up.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

/usr/bin/python3 - <<'PY'
import json
import random
rng = random.Random(2)
words = [a + b for a in ("ka", "lo", "mi", "ne", "su") for b in ("ra", "ni", "ste", "lo", "pu")]
with open("raw.jsonl", "w") as raw:
    for i in range(240):
        t = [rng.choice(words) for _ in range(4)]
        turns = [{"role": "user", "content": " ".join(t)},
                 {"role": "assistant", "content": f"{t[i % 4]} {i}"}]
        print(json.dumps({"id": i, "group": f"g{i // 2}", "messages": turns}), file=raw)
with open("general.jsonl", "w") as general, open("quiz.jsonl", "w") as quiz:
    for i in range(12):
        text = " ".join(rng.choice(words) for _ in range(60 + 10 * i))
        print(json.dumps({"id": f"t{i}", "text": text}), file=general)
    for i in range(20):
        o = rng.sample(words, 3)
        print(json.dumps({"id": i, "prompt": f"item {i} is ", "completion": o[i % 3],
                          "choices": o}), file=quiz)
PY
decide() {
    make -s -C "$FT_ROOT" -f pipelines/decide.mk FT="$FT_BIN" RAW="$PWD/raw.jsonl" W="$PWD/out" \
        MODEL="$TOY" SHOTS=1 TOKENS=4 ALONE=2 LENGTH=200 METRICS=chrf,em \
        TRAIN_OPTIONS='--lora-rank 2 --lr 1e-2 --epochs 1' "$@"
}
check_status 0 "decide.mk runs" decide
check "it recommends something" grep -q '^Recommendation: ' stdout
check "and names its reasons" grep -q '^- Best by chrf: ' stdout
check "what it printed is kept" cmp stdout out/decide.txt
jq -r '"\(.chrf)"' out/quality-zero.json out/quality-fixed.json out/quality-near.json \
    out/quality-lora.json >want
sed 1d out/decide.tsv | cut -f 3 >got
check_same "its scores are those of ft-eval" want got
for way in zero fixed near lora; do
    jq -r '[.prompt_tokens / .answers, .answer_tokens / .answers] | map(. * 1e6 | round) | @tsv' \
        out/generate-$way.json
done >want
awk -F '\t' 'NR > 1 { printf "%.0f\t%.0f\n", $7 * 1e6, $9 * 1e6 }' out/decide.tsv >got
check_same "its tokens are those of ft-generate" want got
check "all ways answered the same questions" test "$(for way in zero fixed near lora; do
    jq -c '[.id, .group]' out/scores-$way.jsonl | md5sum; done | sort -u | wc -l)" = 1
check "the page with pictures stands" grep -q '</html>' out/compare.html
touch marker
check_status 0 "again" decide
check "and nothing is made again" test -z "$(find out -newer marker -type f)"
check_status 0 "by the model's own view" decide NEAR=embedding W="$PWD/out2" \
    "$PWD/out2/questions-near.ft"
check "the nearest are others" sh -c '! cmp -s out/questions-near.ft out2/questions-near.ft'

# ---- made-up figures ----

# judge SCORES SECONDS PS TRAINING: figures of zero, fixed, near, lora; p of the pairs zero-fixed,
# zero-near, zero-lora, fixed-near, fixed-lora, near-lora.
judge() {
    awk -v scores="$1" -v seconds="$2" -v ps="$3" -v training="$4" 'BEGIN {
        OFS = "\t"
        n = split("zero fixed near lora", way, " ")
        split(scores, s, " "); split(seconds, t, " "); split(ps, p, " ")
        for (i = 1; i <= n; i++)
            print "way", way[i], "em", s[i], s[i] - 1, s[i] + 1, 100, 10, 0, 5, t[i], t[i],
                i == n ? training : 0, 9000, 1e9
        for (i = 1; i <= n; i++) for (k = i + 1; k <= n; k++)
            print "pair", "em", way[i], way[k], s[k] - s[i], 0, 1, p[++m], 2.5
    }' | awk -F '\t' -v shots=2 -v answers="${5:-1000}" -v metric=em \
        -f "$FT_ROOT/pipelines/holm.awk" -f "$FT_ROOT/pipelines/decide.awk" >said
}
says() { grep -q "$1" said; }
judge "10 20 30 40" "1 1 2 1" "1e-4 1e-4 1e-4 1e-4 1e-4 1e-4" 500
check "best and shown to be: fine-tune" says '^Recommendation: fine-tune'
check "at a price that is named" says 'only if the gain is worth 25 minutes for 1000 answers; zero'
check "paid off against the longer prompts" says '^  against near .*: after 501 answers (1 s each'
check "never against what costs the same" says '^  against zero .*: never (1 s an answer, not 1)'
judge "10 20 39 40" "1 1 2 1" "1e-4 1e-4 1e-4 1e-4 1e-4 0.6" 500
check "not told from near, but cheaper for so many" says '^Recommendation: fine-tune'
check "which it says" says 'near .*the data cannot tell them apart'
judge "10 20 39 40" "1 1 2 1" "1e-4 1e-4 1e-4 1e-4 1e-4 0.6" 500 100
check "for a few answers training does not pay" \
    says '^Recommendation: do not fine-tune; put the 2 nearest training examples'
check "since it costs more" says 'for 100 answers lora takes 10 minutes, near 3 minutes'
judge "10 20 39 40" "1 1 0.8 1" "1e-4 1e-4 1e-4 1e-4 1e-4 0.6" 100 10000
check "a faster one that cannot be told from it" says 'put the 2 nearest training examples'
judge "10 39 20 40" "1 1 2 0.95" "1e-4 1e-4 1e-4 1e-4 0.6 1e-4" 100 10000
check "seconds that are about the same: what is simpler" says 'put the same 2 examples'
check "it says so" says 'where it is about the same, what is simpler: for 10000 answers lora takes'
judge "38 39 40 41" "1 1 2 1" "0.5 0.5 0.02 0.5 0.5 0.5" 500
check "0.02 is nothing among six pairs: as it is" \
    says '^Recommendation: do not fine-tune; use the model as it is'
check "and it says what it cannot see" says 'A difference below 2.5 may well exist; 100 questions'
judge "38 39 40 41" "1 1 2 1" "0.5 0.5 0.008 0.5 0.5 0.5" 500
check "0.008 is something: the cheapest of the rest" \
    says 'do not fine-tune; put the same 2 examples before each question'
judge "50 20 30 40" "1 1 2 1" "1e-4 1e-4 1e-4 1e-4 1e-4 1e-4" 500
check "worse by training: as it is" says 'do not fine-tune; use the model as it is'

# ---- what was forgotten ----

forget() {
    make -s -C "$FT_ROOT" -f pipelines/forgetting-report.mk FT="$FT_BIN" MODEL="$TOY" \
        GENERAL="$PWD/general.jsonl" METRICS=chrf LENGTH=100 TOKENS=4 "$@"
}
check_status 0 "forgetting-report.mk runs" forget ADAPTER="$PWD/out/adapter.ft" W="$PWD/forgot" \
    TASKS="$PWD/raw.jsonl" CHOICES="$PWD/quiz.jsonl"
ft-import -q -i general.jsonl | ft-tokenize -q -m "$TOY" |
    ft-pack -q -l 100 --long split -o g.packed
ft-eval -q -m "$TOY" --json g.packed 2>/dev/null >base.json
ft-eval -q -m "$TOY" -a out/adapter.ft --json g.packed 2>/dev/null >tuned.json
near() { # COLUMN FILE: the loss in the report is that of ft-eval
    awk -F '\t' -v column="$1" -v loss="$(jq .loss "$2")" '$1 == "general" {
        d = $column - loss; exit !(d * d < 1e-18) }' forgot/report.tsv
}
check "its loss is that of ft-eval" near 4 base.json
check "of the adapter, too" near 5 tuned.json
check "a line for each thing" test "$(cut -f 1 forgot/report.tsv | paste -s -d' ')" = \
    "what general task-raw choice-quiz"
jq -s 'map(.accuracy) | add / length' forgot/choice-quiz-base.jsonl >want
jq .accuracy forgot/quality-quiz-base.json >got
check_same "accuracy of choices is that of ft-eval" want got
touch marker
check_status 0 "again" forget ADAPTER="$PWD/out/adapter.ft" W="$PWD/forgot" \
    TASKS="$PWD/raw.jsonl" CHOICES="$PWD/quiz.jsonl"
check "and nothing is made again" test -z "$(find forgot -newer marker -type f)"
ft-tokenize -q -m "$TOY" out/train.ft | ft-pack -q -l 200 |
    ft-train -q -m "$TOY" --lr 0 --epochs 1 -o still.ft
check_status 0 "an adapter that changes nothing" forget ADAPTER="$PWD/still.ft" W="$PWD/still"
check "has forgotten nothing" grep -q '^No forgetting worth the name is seen' stdout
# A model that knows the general text, and an adapter that learned something else.
ft-train -q -m "$TOY" --lr 0.01 --epochs 12 -i g.packed -o knows.ft
ft-merge -q -m "$TOY" -a knows.ft -o knows.gguf
seq 200 | sed 's/.*/{"text":"& & &"}/' | ft-import -q | ft-tokenize -q -m "$TOY" |
    ft-pack -q -l 200 >numbers.packed
ft-train -q -m knows.gguf --lr 0.02 --epochs 2 -i numbers.packed -o astray.ft
check_status 0 "an adapter that went astray" forget MODEL="$PWD/knows.gguf" \
    ADAPTER="$PWD/astray.ft" W="$PWD/astray"
check "has cost the model" grep -q '^The adapter has cost the model: general (loss' stdout
check_status 2 "no adapter" forget
check "it says what to name" grep -q "name the adapter and general text" stderr
finish

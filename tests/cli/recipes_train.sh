# The training recipes in their smallest form, with the toy model: they run, say what they should,
# and a second make does nothing.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

/usr/bin/python3 - >raw.jsonl <<'PY'
import json
import random
rng = random.Random(3)
things = ["fox", "owl", "cup", "map", "pen", "key", "jar", "hat"]
for i in range(240):
    a, b = rng.choice(things), rng.choice(things)
    print(json.dumps({"id": i, "group": f"g{i // 2}", "label": a,
                      "messages": [{"role": "user", "content": f"Say:\n\n{a} {i} {b}"},
                                   {"role": "assistant", "content": f"{b} {i}"}]}))
PY
recipe() { # NAME OPTION...
    recipe_name=$1
    shift
    make -s -C "$FT_ROOT" -f "pipelines/$recipe_name.mk" FT="$FT_BIN" MODEL="$TOY" LENGTH=2048 \
        RAW="$PWD/raw.jsonl" W="$PWD/$recipe_name" TOKENS=6 "$@"
}
again() { # NAME OPTION...: a second make leaves every file as it is
    touch marker
    sleep 0.01
    check_status 0 "$1.mk again" recipe "$@"
    check "makes nothing again" test -z "$(find "$1" -newer marker -type f \
        ! -name '*-summary.jsonl' ! -name '*-section.jsonl')"
}
small='--lora-rank 2 --batch 16 --seed 1'

check_status 0 "sft.mk" recipe sft TRAIN_OPTIONS="$small"
check "shows the loss of base and adapter" test "$(grep -c -E '^  (base|adapter) ' stdout)" = 2
check "and a verdict" grep -q '^rougeL: ' stdout
check "the merged model is one" ft-check -q sft/merged.gguf
again sft TRAIN_OPTIONS="$small"

check_status 0 "qlora.mk" recipe qlora TRAIN_OPTIONS="--base nf4 $small" METRICS=em
check "shows the loss of the base in NF4" grep -q '^  nf4 ' stdout
check "and memory both ways" \
    test "$(sed -n '/^Memory/,$p' stdout | grep -c -E '^  (file|nf4) ')" = 2
check "the weights in NF4 take less" jq -n -e --slurpfile a qlora/plan-file.json \
    --slurpfile b qlora/plan-nf4.json '$b[0].weights < $a[0].weights' >/dev/null

rates='1e-3 3e-2 10'
check_status 0 "lr-search.mk" recipe lr-search RATES="$rates" SHORT=64 SEARCH_OPTIONS="$small"
check "recommends the best of three" grep -q '^Take 3e-2: ' stdout
check "and says what became of the others" test "$(wc -l <lr-search/rates.tsv)" = 3
check "with a picture" grep -q '</svg>' lr-search/rates.svg
again lr-search RATES="$rates" SHORT=64 SEARCH_OPTIONS="$small"
rm lr-search/runs.done lr-search/runs/3e-2.json
sed -i '/3e-2/d' lr-search/jobs.log
cp lr-search/recommendation.txt before
check_status 0 "a run that is not in the job log is made up for" recipe lr-search RATES="$rates" \
    SHORT=64 SEARCH_OPTIONS="$small"
check_same "and the advice is the same" before lr-search/recommendation.txt

check_status 0 "forgetting.mk" recipe forgetting QUESTIONS=16 REPLY=4 SHARES='0 25' \
    TRAIN_OPTIONS="$small"
check "shows base and both shares" test "$(cut -f 1 forgetting/forgetting.tsv | tr '\n' ' ')" \
    = "base 0 25 "
ft-check --json forgetting/mixed-25.packed >check.json
check "all of the domain is trained on, a quarter of the tokens is general" \
    /usr/bin/python3 - forgetting/mixed-25.packed forgetting/tokens-train.ft <<'PY'
import json
import subprocess
import sys
rows, domain = ([json.loads(line) for line in subprocess.run(["ft-cat", f], check=True,
                 capture_output=True).stdout.splitlines()] for f in sys.argv[1:])
segments = [s for r in rows for s in r["segments"]]
general = sum(len(s["ids"]) for s in segments if str(s["id"]).startswith("general"))
mine = [s for s in segments if not str(s["id"]).startswith("general")]
total = sum(len(s["ids"]) for s in segments)
assert {s["id"] for s in mine} == {r["id"] for r in domain} and len(mine) <= len(domain) + 1
assert abs(general / total - 0.25) < 0.05, general / total
PY

check_status 0 "multi-task.mk" recipe multi-task TRAIN_OPTIONS="$small"
check "compares each task with its adapter" \
    test "$(grep -c -E '^  (rougeL|em): ' stdout)" = 4
check_status 0 "continual.mk" recipe continual TRAIN_OPTIONS="$small"
check "shows both losses at four stages" test "$(awk -F '\t' 'NF == 3' continual/continual.tsv |
    wc -l)" = 4
check_status 0 "prefix.mk" recipe prefix METRICS=em \
    TRAIN_OPTIONS='--method prefix --prefix-tokens 4 --batch 16 --seed 1'
check "shows the size of the adapter" grep -q '^The adapter: [0-9]* bytes' stdout

methods='lora qlora prefix full'
check_status 0 "methods.mk" recipe methods QUESTIONS=16 REPLY=4 METHODS="$methods" \
    TRAIN_OPTIONS='--batch 16 --seed 1'
check "has a row for each method" test "$(cut -f 1 methods/methods.tsv | tr '\n' ' ')" \
    = "method base $methods "
check "and seven columns" test "$(awk -F '\t' 'NF == 7' methods/methods.tsv | wc -l)" = 6
check "with a picture" grep -q '</svg>' methods/methods.svg
finish

# The recipes in pipelines/ in their smallest form: they run, say what they should, and a second
# make does nothing.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

/usr/bin/python3 - >raw.jsonl <<'PY'
import json
import random
rng = random.Random(2)
words = [a + b for a in ("ka", "lo", "mi", "ne", "su") for b in ("ra", "ni", "ste", "lo", "pu")]
for i in range(240):
    text = " ".join(rng.choice(words) for _ in range(30)) + "."
    r = {"id": i, "group": f"g{i // 2}", "label": "abc"[i % 3],
         "messages": [{"role": "user", "content": "Tell it: " + text},
                      {"role": "assistant", "content": f"It is {text.split()[i % 30]} {i}."}]}
    print(json.dumps(r))
    if i % 40 == 0:
        print(json.dumps(dict(r, id=f"{i}again")))                        # an equal one
    if i % 40 == 1:
        r["messages"][0]["content"] += " Indeed."
        print(json.dumps(dict(r, id=f"{i}alike")))                       # a nearly equal one
PY
prepare() {
    make -s -C "$FT_ROOT" -f pipelines/prepare.mk FT="$FT_BIN" RAW="$PWD/raw.jsonl" W="$PWD/out" \
        FILTER='--off chat_language' MODEL= "$@"
}
check_status 0 "prepare.mk runs" prepare
check "it counts what each step dropped" grep -q '^exact *252 *246 *6 duplicate' out/report.txt
check "near-duplicates too" grep -q '^near *246 *240 *6 near-duplicate' out/report.txt
check "all examples are in one part" test \
    "$(for i in train val test; do ft-cat out/$i.ft; done | jq -c .id | sort -u | wc -l)" = 240
ft-check --json out/train.ft out/val.ft out/test.ft |
    jq -c '[.certificates[] | .part, .parts] + .certificates[0].relations' >parts
printf '%s\n' 0 1 2 | sed 's/.*/[&,3,"cluster","prompt","response","group:group"]/' >want
check_same "each part is certified as itself alone" want parts
check "no group is in two parts" test -z "$(for i in train val test; do
    ft-cat out/$i.ft | jq -r .group | sort -u; done | sort | uniq -d)"
check "the page stands" grep -q '</html>' out/report.html
for i in near.jsonl filter.txt leaks.jsonl suggestions.jsonl; do
    check "$i is there" test -e out/$i
done
touch marker
check_status 0 "again" prepare
check "and nothing is made again" test -z "$(find out -newer marker -type f)"
check_status 64 "rows for training need a model" sh -c 'make -s -C "$FT_ROOT" \
    -f pipelines/prepare.mk FT="$FT_BIN" RAW="$PWD/raw.jsonl" W="$PWD/out" MODEL= packed; s=$?
    [ $s != 2 ] || exit 64'
check_status 0 "rows for training" prepare packed MODEL="$TOY" LENGTH=2048
check "keep the certificate" test \
    "$(ft-check --json out/test.packed | jq -c '.certificates[0].part')" = 2
finish

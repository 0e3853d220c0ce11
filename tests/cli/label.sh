# ft-label by the command line: planted errors are found; neighbours, conflicts and outliers against
# label_oracle.py; own probabilities against what cleanlab found; review and its application; the
# same bytes for any threads; hostile input.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/label_oracle.py" "$@"; }
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }

# Three topics with words of their own and common ones; each 20th row has a wrong label.
/usr/bin/python3 - >data.jsonl 2>planted <<'END'
import json, random, sys
r = random.Random(5)
topics = {"sea": "ship wave harbour sail anchor tide fish salt", "sky": "cloud wing star wind "
          "plane moon bird sun", "land": "tree road hill field stone river fox house"}
common = "the a of and with over under near old new small big one two".split()
for i in range(400):
    true = r.choice(list(topics))
    text = [r.choice(topics[true].split() if r.random() < 0.5 else common) for _ in range(14)]
    label = true
    if i % 20 == 7:
        label = r.choice([x for x in topics if x != true])
        print(i + 1, label, true, file=sys.stderr)
    print(json.dumps({"id": f"n{i}", "text": " ".join(text), "label": label, "group": f"g{i % 57}",
                      "odd": [1, {"x": None}]}))
END
to_stream <data.jsonl >data.ft
decode data.ft >all.json

ft-label --knn --suggest s.jsonl --threads 1 data.ft >out.ft 2>said
cp said said.first
decode out.ft >out.json
check_same "the examples pass through" all.json out.json
ft-label -q --knn --suggest s4.jsonl --threads 4 data.ft >out4.ft
check_same "the same suggestions with 1 and 4 threads" s.jsonl s4.jsonl
check_same "and the same stream" out.ft out4.ft
ft-label -q --knn --suggest - data.ft >s5.jsonl
check_same "--suggest - has them on standard output" s.jsonl s5.jsonl
jq -r 'select(.method == "confident") | "\(.row) \(.given) \(.suggested)"' s.jsonl | sort >found
sort planted >want
check "nearly all planted errors are found" test "$(comm -12 found want | wc -l)" -ge 18
check "and little else" test "$(wc -l <found)" -le 26
check "in rank order" jq -se 'map(select(.method == "confident").score) | . == sort' s.jsonl
check "each with its id" jq -se 'all(.id == "n\(.row - 1)" and .field == "label")' s.jsonl
check "the last line has the counts" grep -q \
    "read 400, written 400, labels 3, accuracy 0.9[0-9]*, confident $(wc -l <found), knn " said
oracle knn <all.json | sort >want
jq -r 'select(.method == "knn") | "\(.row) \(.suggested)"' s.jsonl | sort >got
check_same "the neighbours say what brute force says" want got
check "and say something" test "$(wc -l <got)" -ge 15
check_status 0 "another ranking" ft-label -q --rank self --folds 3 --epochs 2 --suggest x data.ft

# Probabilities of their own: the first set of the golden file, made again.
/usr/bin/python3 - "$FT_ROOT/tests/golden" <<'END'
import json, sys
mask = (1 << 64) - 1
def mix(seed, i):
    z = (seed + (i + 1) * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)
number = 0
for line in open(sys.argv[1] + "/label.txt"):
    w = line.split()
    if w[0] == "set":
        number += 1
        seed, n, K, present, skew, noise, boost = map(int, w[1:])
        shares = [max(1, 1000 // skew ** k) for k in range(present)]
        with open(f"golden{number}.jsonl", "w") as out:
            for i in range(n):
                at = i * (K + 8)
                pick, true = mix(seed, at) % sum(shares), 0
                while pick >= shares[true]:
                    pick, true = pick - shares[true], true + 1
                given = true if mix(seed, at + 1) % 1000 >= noise else mix(seed, at + 2) % present
                ws = [mix(seed, at + 8 + k) % (1 << 20) + 1 for k in range(K)]
                ws[true] += mix(seed, at + 3) % (boost << 20)
                p = [x / sum(ws) for x in ws]
                print(json.dumps({"text": "t", "label": given, "p": p,
                                  "m": {str(k): x for k, x in enumerate(p)}}), file=out)
    elif w[0] in ("margin", "self"):
        with open(f"{w[0]}{number}", "w") as out:
            print(*[int(x) + 1 for x in w[2:]], sep="\n", file=out)
END
for set in 1 3 6; do
    to_stream <golden$set.jsonl >golden.ft
    for rank in margin self; do
        ft-label -q --probs p --rank $rank --suggest s golden.ft >/dev/null
        jq .row s >got
        check_same "--probs, set $set by $rank: cleanlab's rows in its order" $rank$set got
    done
    ft-label -q --probs m --suggest s golden.ft >/dev/null
    jq .row s >got
    check_same "--probs with maps, set $set" margin$set got
done

# Review: accept two, change one, drop one, reject one; the rest is not looked at.
jq -c 'select(.method == "confident")' s4.jsonl | awk '
    NR == 1 || NR == 2 { sub(/}$/, ",\"accept\":true}") }
    NR == 3 { sub(/"suggested":"[a-z]*"/, "\"suggested\":\"new\""); sub(/}$/, ",\"accept\":true}") }
    NR == 4 { sub(/}$/, ",\"accept\":true,\"action\":\"drop\"}") }
    NR == 5 { sub(/}$/, ",\"accept\":false}") }
    { print }' >reviewed
ft-label --threads 1 --apply reviewed data.ft >new.ft 2>said
ft-label -q --threads 4 --apply reviewed data.ft >new4.ft
check_same "--apply: the same bytes with 1 and 4 threads" new.ft new4.ft
check "--apply: the counts" grep -q "read 400, written 399, dropped 1 (reviewed), corrected 3, \
rejected 1, unreviewed $(($(wc -l <reviewed) - 5))" said
/usr/bin/python3 - >want <<'END'
import json
changes = [json.loads(line) for line in open("reviewed")]
changes = {c["row"]: c for c in changes if c.get("accept")}
for i, line in enumerate(open("all.json")):
    c = changes.get(i + 1)
    if c is None:
        print(line, end="")
    elif c.get("action") != "drop":
        r = json.loads(line)
        before = r["label"]
        r["label"] = c["suggested"]
        r["label_before"] = before
        print(json.dumps(r, ensure_ascii=False))
END
decode new.ft >got
jq -c . <want >want.c
jq -c . <got >got.c
check_same "--apply: exactly the accepted rows are changed" want.c got.c
grep -v accept reviewed >none
ft-label -q --apply none data.ft | decode >got
check_same "--apply without an accepted line changes nothing" all.json got

refused() { # WHAT MESSAGE SED
    sed "1{$3;q}" reviewed | head -n 1 >bad
    check_status 65 "--apply: $1 is refused" ft-label --apply bad -o no.ft data.ft
    check "$1: said so" grep -q -e "line 1 of bad: .*$2" stderr
    check "$1: nothing is written" test ! -e no.ft
}
refused "another id" "another id" 's/"id":"n[0-9]*"/"id":"x"/'
refused "another given value" "another value" 's/"given":"[a-z]*"/"given":"x"/'
refused "a row that is not there" "no such row" 's/"row":[0-9]*/"row":401/'
refused "row 0" "is no suggestion" 's/"row":[0-9]*/"row":0/'
refused "accept that is no boolean" "neither true nor false" 's/"accept":true/"accept":"yes"/'
refused "an unknown action" "neither" 's/"accept":true/"accept":true,"action":"burn"/'
refused "nothing suggested" "nothing suggested" 's/"suggested":"[a-z]*"/"suggested":null/'
refused "a line that is no JSON" "column" 's/^{/[/'
head -n 1 reviewed >bad
head -n 1 reviewed | sed 's/"suggested":"[a-z]*"/"suggested":"other"/' >>bad
check_status 65 "two different changes of a row" ft-label --apply bad -o no.ft data.ft
check "are refused with both lines" grep -q 'line 2 of bad: another change .* than line 1' stderr
for what in id given; do
    head -n 1 reviewed >bad
    head -n 1 reviewed | sed "s/\"$what\":\"[a-z0-9]*\"/\"$what\":\"x\"/" >>bad
    check_status 65 "a second line with another $what" ft-label --apply bad -o no.ft data.ft
    check "is refused ($what)" grep -q 'line 2 of bad: the record in this row has another' stderr
done
head -n 1 reviewed >twice
head -n 1 reviewed >>twice
ft-label -q --apply twice -o twice.ft data.ft
head -n 1 reviewed >once
ft-label -q --apply once -o once.ft data.ft
decode twice.ft >want
decode once.ft >got
check_same "the same line twice is that line" want got
check_status 66 "a review that is not there" ft-label --apply nowhere -o no.ft data.ft

# Answers to one prompt.
/usr/bin/python3 - >answers.jsonl <<'END'
import json, random
r = random.Random(3)
for i in range(300):
    n = r.randrange(0, 6)
    print(json.dumps({"id": i, "prompt": f"Ask {r.randrange(90)}  please" if i % 2 else
                      f"ask {r.randrange(90)} Please",
                      "completion": " ".join(r.choice("yes no maybe the, of it".split())
                                             for _ in range(n))}))
END
to_stream <answers.jsonl >answers.ft
decode answers.ft | oracle f1 | sort >want
ft-label -q --conflicts --suggest s answers.ft | decode >got
decode answers.ft >all2.json
check_same "--conflicts passes the examples" all2.json got
jq -r '"\(.row) \(.with.row) \(.score)"' s | /usr/bin/python3 -c '
import sys
for line in sys.stdin:
    a, b, c = line.split()
    print(a, b, repr(float(c)))' | sort >got
check_same "--conflicts lists what the oracle lists" want got
check "which is something" test "$(wc -l <got)" -gt 20
check_status 65 "an accepted answer without an action" sh -c \
    'head -n 1 s | jq -c ".accept = true" >r; ft-label --apply r -o no.ft answers.ft'
check "is refused with advice" grep -q 'can only be dropped' stderr
head -n 1 s | jq -c '.accept = true | .action = "drop"' >r
ft-label -q --apply r answers.ft | decode | wc -l >got
check "a conflicting answer can be dropped" test "$(cat got)" = 299

# Scores.
/usr/bin/python3 - <<'END'
import json, random
r = random.Random(9)
with open("with", "w") as a, open("without", "w") as b:
    for i in range(300):
        loss = None if i == 5 else round(r.gauss(2, 0.3) * (3 if i % 50 == 9 else 1), 6)
        print(json.dumps({"id": i, "loss": loss, "targets": 3}), file=a)
        print(json.dumps({"id": i, "loss": round(r.gauss(2.6, 0.3), 6), "targets": 3}), file=b)
END
oracle z with 3.5 >want
ft-label --json --scores with --suggest s answers.ft 2>said >/dev/null
jq .row s | sort -n >got
check_same "--scores suggests what the oracle finds outlying" want got
check "which is something" test "$(wc -l <got)" -ge 3
check "an example without a score is counted" grep -q '"unscored":1' said
ft-label -q --with-prompt with --without-prompt without --suggest s answers.ft >/dev/null
jq -s -r '[.[0:300], .[300:600]] | transpose | map(select(.[0].loss != null and
    .[0].loss > .[1].loss)) | sort_by(.[1].loss - .[0].loss) | .[][0].id + 1' with without >want
jq .row s >got
check_same "IFD: the answers that are likelier alone, the worst first" want got
check "which is something" test "$(wc -l <got)" -ge 3
ft-label -q --with-prompt with --without-prompt without --ifd loss --suggest s answers.ft >/dev/null
jq .row s | sort -n >got
sort -n want >want.n
check_same "of losses: the same ones" want.n got
head -n 1 s | jq -c '.accept = true' >r
check "and acceptance drops" test "$(ft-label -q --apply r answers.ft | decode | wc -l)" = 299

printf '{"id":"x","loss":1}\n' >other
check_status 65 "scores of other data are refused" ft-label --scores other --suggest s answers.ft
check "with the reason" grep -q 'none of its 1 ids' stderr
cat with with >twice
check_status 65 "an id twice" ft-label --scores twice --suggest s answers.ft
check "is named" grep -q 'line 301 of twice: id 0 is there twice' stderr
printf '{"id":1}\n' >other
check_status 65 "a line without a loss" ft-label --scores other --suggest s answers.ft
check "is refused" grep -q 'line 1 of other' stderr

# Hostile and odd input.
bad() { # STATUS WHAT MESSAGE JSONL OPTIONS...
    status=$1 what=$2 message=$3
    printf '%b' "$4" | to_stream >bad.ft
    shift 4
    check_status "$status" "$what" ft-label "$@" --suggest no.jsonl -o no.ft bad.ft
    check "$what: said" grep -q -e "$message" stderr
    if [ "$status" != 0 ]; then check "$what: nothing is left" test ! -e no.jsonl -a ! -e no.ft; fi
    rm -f no.jsonl no.ft
}
two='{"text":"a b","label":"x","p":[0.5,0.5]}\n{"text":"c d","label":"y","p":[0.1,0.9]}\n'
bad 65 "no label at all" 'none of 1 records has the field label' '{"text":"a"}\n'
bad 65 "one label only" 'the same label' '{"text":"a","label":"x"}\n{"text":"b","label":"x"}\n'
bad 65 "a label that is a list" 'record 1.*field label' '{"text":"a","label":[1]}\n'
bad 65 "one group for all" 'in one fold' "$(printf '%s' "$two" | sed 's/"p":[^}]*/"group":1/g')"
bad 65 "no probabilities" 'record 1: field q' "$two" --probs q
bad 65 "too many probabilities" 'arrays of 3 .* for 2 different labels' \
    '{"text":"a","label":"x","p":[1,0,0]}\n{"text":"b","label":"y","p":[1,0,0]}\n' --probs p
bad 65 "lengths that differ" 'record 3: field p' "$two"'{"text":"","label":"x","p":[1]}\n' --probs p
bad 65 "a probability over 1" 'record 3: field p: 1.5' \
    "$two"'{"text":"","label":"x","p":[1.5,0]}\n' --probs p
bad 65 "a probability that is not a number" 'record 3: field p: nan is no probability' \
    "$two"'{"text":"","label":"x","p":[NaN,0]}\n' --probs p
bad 65 "a probability that is text" 'record 3: field p' \
    "$two"'{"text":"","label":"x","p":["1",0]}\n' --probs p
bad 0 "unlabelled rows among others" 'unlabelled 1' "$two"'{"text":"e"}\n' --probs p
bad 0 "numbers as labels" 'labels 2' "$(printf '%s' "$two" | sed 's/"x"/1/;s/"y"/2/')" \
    --group text
bad 0 "a rare label" 'fewer rows than the 5 folds: "x" (1), "y" (1)' "$two" --group text
/usr/bin/python3 -c '
import random
r = random.Random(2)
for i in range(200):
    print("{\"text\": \"word%d\", \"label\": \"%s\"}" % (r.randrange(40), "yyyn"[i % 4]))' |
    to_stream >noise.ft
check_status 0 "labels that have nothing to do with the texts" ft-label --suggest s noise.ft
check "are told" grep -q 'warning: the classifier names the label .* has learnt nothing' stderr
check "but not where something is learnt" sh -c '! grep -q "learnt nothing" said.first'
check_status 71 "more than --memory" ft-label --memory 64K --suggest no.jsonl -o no.ft data.ft
check "is refused with numbers" grep -q 'over the bound of' stderr
check_status 64 "nothing to do is misuse" ft-label data.ft
check_status 64 "both at once too" ft-label --apply reviewed --suggest s data.ft
check_status 64 "one half of IFD too" ft-label --with-prompt with --suggest s data.ft
check_status 64 "a stream beside --suggest -" ft-label --suggest - -o x data.ft
check_status 64 "--knn with --apply" ft-label --knn --apply reviewed data.ft
head -c 3000 data.ft >cut.ft
check_status 65 "a truncated input" ft-label --suggest no.jsonl -o no.ft cut.ft
check "leaves nothing" test ! -e no.ft -a ! -e no.jsonl
to_stream </dev/null >empty.ft
check_status 0 "an empty stream" ft-label -q --knn --conflicts --suggest none -o still.ft empty.ft
check "has no suggestions" test -e none -a ! -s none
finish

# ft-filter by the command line: the published rules against datatrove's verdicts, tags
# and thresholds, a user's own rules, masks, reports, the same bytes for any threads.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }
golden=$FT_ROOT/tests/golden/filter.golden
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/filter_oracle.py" "$golden"; }

# ---- the published rules ----
/usr/bin/python3 "$FT_ROOT/tests/golden/filter_docs.py" | to_stream >pages.ft
ft-filter -q -p web --tag-only pages.ft 2>/dev/null >tagged.ft
decode tagged.ft >tagged
check "2000 pages: verdicts and values as datatrove's" oracle <tagged
sed 's/"rep_dup_5": 0\.[1-9]/"rep_dup_5": 0.0/' tagged >wrong
check "and the comparison notices one that differs" test "$(oracle <wrong | wc -l)" -gt 50
ft-filter -q -p web pages.ft 2>/dev/null >kept.ft
decode kept.ft >kept
/usr/bin/python3 - <<'END' >want
import json
rows = {r["id"]: r for r in map(json.loads, open("tagged"))}
for line in open("kept"):
    r = json.loads(line)
    t = rows.pop(r["id"])
    assert "tags" not in r and r["text"] == t["text"]
print("kept", 2000 - len(rows))
END
check "some stay, untouched, some go" test "$(wc -l <kept)" -gt 50 -a "$(wc -l <kept)" -lt 1000
ft-filter -q -p web --from-tags tagged.ft 2>/dev/null | decode |
    /usr/bin/python3 -c 'import json, sys
for l in sys.stdin: print(json.loads(l)["id"])' >again
/usr/bin/python3 -c 'import json
for l in open("kept"): print(json.loads(l)["id"])' >ids
check_same "--from-tags drops what computing drops" ids again
counts() {
    ft-filter --json -p web "$@" pages.ft 2>&1 >counted.ft | sed 's/.*"dropped"//; s/"sec.*//'
}
counts >lazy
mv counted.ft lazy.ft
counts --report all.json >all
check_same "measuring up to the first rule that drops gives the same reasons" all lazy
check_same "and the same stream" counted.ft lazy.ft
for threads in 1 4; do
    ft-filter -q -t $threads -p web --tag --pii mask --language all --report r$threads pages.ft \
        2>/dev/null >t$threads.ft
done
check_same "the same bytes with 1 and 4 threads" t1.ft t4.ft
check_same "and the same report" r1 r4

# ---- conversations, rule by rule: id is the reason that is expected, or ok ----
cat >chats.jsonl <<'END'
{"id":"ok","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello there."}]}
{"id":"ok","prompt":"Name a city","completion":"Oslo"}
{"id":"ok","messages":[{"role":"user","content":"Weather?"},{"role":"assistant","content":"","tool_calls":[{"id":"1"}]},{"role":"tool","content":"rain"},{"role":"assistant","content":"It rains."}]}
{"id":"ok","prompt":"Code?","completion":"```\nprint((\n```\nThat is (not) all."}
{"id":"ok","prompt":"Smile","completion":"Sure :( and a 19\" screen."}
{"id":"text_empty","prompt":"Name a city","completion":" \n "}
{"id":"text_garbled","prompt":"caf\u00c3\u00a9","completion":"Oslo"}
{"id":"text_garbled","prompt":"x","completion":"bad \ufffd sign"}
{"id":"chat_copy","prompt":"Name a big city in Norway","completion":"Name a big city in Norway and more"}
{"id":"chat_truncated","prompt":"Go on","completion":"```\nprint(1)"}
{"id":"chat_truncated","prompt":"Go on","completion":"A list (of things"}
{"id":"chat_truncated","prompt":"Go on","completion":"He said \"no and left."}
{"id":"chat_truncated","prompt":"Go on","completion":"There once was a town by the sea where all of the people knew each other and nobody ever had to lock the"}
{"id":"ok","prompt":"Go on","completion":"There once was a town by the sea where all of the people knew each other and nobody ever had to lock the door."}
{"id":"chat_refusal","prompt":"Help","completion":"As an AI language model, I have no opinion."}
{"id":"chat_refusal","prompt":"Help","completion":"I\u2019m sorry, but I can't do that."}
{"id":"chat_roles","messages":[{"role":"user","content":"a"},{"role":"user","content":"b"},{"role":"assistant","content":"c"}]}
{"id":"chat_roles","messages":[{"role":"user","content":"a"}]}
{"id":"chat_residue","prompt":"x","completion":"### Response: yes"}
{"id":"chat_residue","prompt":"x","completion":"Dear {{name}}, hello."}
{"id":"ok","prompt":"Greet {{name}}","completion":"Dear {{name}}, hello."}
{"id":"chat_residue","prompt":"x","completion":"undefined"}
{"id":"ok","prompt":"Is it null or a number?","completion":"null"}
{"id":"chat_residue","prompt":"### Response: x","completion":"yes"}
{"id":"chat_url_only","prompt":"Where?","completion":"https://example.org/a?b=c"}
{"id":"rep_dup_5","prompt":"Count","completion":"one two three four five six. one two three four five six. one two three four five six."}
{"id":"chat_length_max","prompt":"x","completion":"LONG"}
END
long=$(printf 'word%d ' $(seq 1 200))
sed "s/LONG/$long./" chats.jsonl | to_stream >chats.ft
ft-filter -q --off chat_language --tag-only chats.ft 2>/dev/null | decode >verdicts
check "each rule fires where it should and nowhere else" /usr/bin/python3 - <<'END'
import json
bad = 0
LIMITS = {"chat_length_max": 1000, "chat_length_min": -1, "rep_dup_5": .15, "rep_dup_6": .14,
          "rep_dup_7": .13, "rep_dup_8": .12, "rep_dup_9": .11, "rep_dup_10": .1}
for line in open("verdicts"):
    r = json.loads(line)
    fires = [k for k, v in r["tags"].items() if v > LIMITS.get(k, 0) and k != "chat_length_min"]
    want = [] if r["id"] == "ok" else [r["id"]]
    if fires[:1] != want:
        print("#", r, fires)
        bad += 1
assert bad == 0
END
if [ -e /usr/share/libexttextcat/fpdb.conf ]; then
    cat >tongues.jsonl <<'END'
{"id":"en","text":"The quick brown fox jumps over the lazy dog, and then it goes home to sleep for a while."}
{"id":"de","text":"Der schnelle braune Fuchs springt über den faulen Hund und geht dann nach Hause schlafen."}
{"id":"fr","text":"Bonjour tout le monde, je voudrais savoir comment faire une bonne soupe de poisson ce soir."}
{"id":"short","text":"ja"}
END
    to_stream <tongues.jsonl >tongues.ft
    ft-filter -q --tag --language en,de tongues.ft 2>/dev/null | decode |
        /usr/bin/python3 -c 'import json, sys
for l in sys.stdin:
    r = json.loads(l)
    print(r["id"], r["tags"].get("language", "-"))' >got
    printf '%s\n' 'en en' 'de de' 'short -' >want
    check_same "--language keeps two languages and what is too short" want got
    fish='"Bonjour tout le monde, je voudrais savoir comment faire une bonne soupe de poisson'
    for prompt in "$fish\"" "$fish; answer in English\""; do
        printf '{"prompt":%s,"completion":%s}\n' "$prompt" \
            '"You should buy fresh fish at the market and cook it slowly with the vegetables."'
    done | to_stream >mixed.ft
    ft-filter mixed.ft 2>said >/dev/null
    check "an answer in another language goes, unless the prompt names one" \
        grep -q 'written 1, dropped 1 (chat_language)' said
    # Runs of blanks and bytes of the text before: neither may change a guess.
    for threads in 1 4; do
        ft-filter -q -t $threads --only text_empty --tag --language all pages.ft >l$threads.ft
    done
    check_same "languages are the same with 1 and 4 threads" l1.ft l4.ft
else
    skip "languages: libexttextcat-data is not installed"
fi

# ---- a user's own rules ----
cat >own.jsonl <<'END'
{"id":"a","text":"one two","scores":{"quality":0.4},"source":"web"}
{"id":"b","text":"one two three","scores":{"quality":0.5},"source":"book"}
{"id":"c","text":"caf\u00e9"}
END
to_stream <own.jsonl >own.ft
keeps() { # WANT OPTION...
    want_ids=$1
    shift
    got_ids=$(ft-filter -q --only text_empty "$@" own.ft 2>/dev/null | decode |
        sed 's/.*"id": "\(.\)".*/\1/' | tr -d '\n')
    check "$* keeps '$want_ids'" test "$got_ids" = "$want_ids"
}
keeps bc -r 'q: scores.quality < 0.5'
keeps c -r 'q: scores.quality <= 0.5'
keeps ac -r 'q: scores.quality == 0.5'
keeps bc -r 's: source == web'
keeps bc -r 's: source == "web"'
keeps ac -r 's: source != web'
keeps b -r 'w: words(text) < 3'
keeps ab -r 'l: length(@response) == 4'
keeps bc -r 'p: text ~ two$'
keeps ab -r 'p: @all !~ "^one"'
keeps b -r 'q: scores.quality < 0.45' -r 'w: words(text) < 2'
ft-filter -r 'low: scores.quality < 0.5' --only text_empty own.ft 2>said >/dev/null
check "drops go by the rule's name" grep -q 'dropped 1 (low)' said
for rule in 'low scores < 1' 'low: < 1' 'low: a <' 'low: a < x' 'low: a ~ (b' 'low: length(a < 1' \
        'low: a = 1' 'low: @nix == 1' 'low: length(a) == x' 'text_empty: a < 1'; do
    check_status 64 "--rule '$rule' is misuse" ft-filter -r "$rule" own.ft
done
check_status 64 "with the place" ft-filter -r 'low: a ? 1' own.ft
check "of what is wrong" grep -q "character 8: one of <" stderr
/usr/bin/python3 -c 'print("{\"text\":\"%s!\"}" % ("a" * 40))' | to_stream >aaa.ft
check_status 65 "a pattern that backtracks without end is refused" \
    ft-filter --only text_empty -r 'x: text ~ (a+a+)+[bc]' aaa.ft
check "by its name" grep -q 'record 1 of aaa.ft: rule x: ' stderr

# ---- personal data ----
cat >pii.jsonl <<'END'
{"messages":[{"role":"user","content":"I am joe.doe+x@mail.example.co.uk"},{"role":"assistant","content":"Call +49 (30) 1234-5678."}],"source":"me@example.org"}
{"prompt":"ping 192.168.1.20 and fe80::1ff:fe23:4567:890a","completion":"212-555-0123, (212) 555-0123, 01 23 45 67 89"}
{"text":"4111 1111 1111 1111 but not 4111 1111 1111 1112"}
{"text":"version 1.2.3.4, v10.0.0.1, 1.2.3.4.5, 2024-01-02 10:20:30, std::abs, 3.14159, 300.1.1.1, a@b, 1234567890, 10/12/2020"}
END
to_stream <pii.jsonl >pii.ft
ft-filter -q --only text_empty --pii mask pii.ft | decode >masked
check "contents are masked, other fields are not" grep -q \
    '"I am <EMAIL>".*"Call <PHONE>.".*"source": "me@example.org"' masked
check "addresses and telephone numbers" grep -q \
    'ping <IPV4> and <IPV6>".*"<PHONE>, <PHONE>, <PHONE>"' masked
check "cards only with a right check digit" grep -q '"<CARD> but not 4111 1111 1111 1112"' masked
check "versions, dates, names and numbers stay" \
    grep -qF "$(sed -n 's/{"text":\("version.*"\)}/\1/p' \
    pii.jsonl)" masked
ft-filter --only text_empty --pii drop --json pii.ft 2>said >/dev/null
check "--pii drop drops the three, counted by kind" grep -q \
    '"pii":3.*"rows_with_email":1,"rows_with_ipv4":1,"rows_with_ipv6":1,"rows_with_phone":2' said

# ---- reports ----
ft-filter -q -p web --explain why --report why.json pages.ft 2>warned >/dev/null
check "a rule that drops over a fifth is an alarm" \
    grep -q 'warning: rule c4_sentences dropped' warned
check "the report counts what was dropped" /usr/bin/python3 - <<'END'
import json
r = json.load(open("why.json"))
rules = {x["rule"]: x for x in r["rules"]}
tags = [json.loads(l)["tags"] for l in open("tagged")]
kept = sum(1 for _ in open("kept"))
assert r["rows"] == 2000 and sum(x["dropped"] for x in rules.values()) == 2000 - kept
for name, x in rules.items():
    v = sorted(t[name] for t in tags)
    over = sum(a < x["threshold"] if x["drops"] == "<" else a > x["threshold"] for a in v)
    assert x["over"] == over and x["alone"] <= x["dropped"] <= over, name
    assert abs(x["percentiles"]["50"] - v[999]) < 1e-6 * max(1, v[999]), name
    assert abs(x["percentiles"]["99.5"] - v[1989]) < 1e-6 * max(1, v[1989]), name
    assert len(x["examples"]) == min(5, over)
END
check "and so does the text" grep -q '^c4_sentences  *< 5 ' why
ft-filter -q --only text_empty --pii mask -r 'all: length(text) > 0' --explain why pii.ft >/dev/null
check "examples in reports are masked when the stream is" grep -q '<CARD>' why
check_status 73 "a report that cannot be created" ft-filter --explain no/why -o out.ft own.ft
check "leaves no output" test ! -e out.ft

# ---- options ----
ft-filter --list >list
check "--list shows the rules" test "$(wc -l <list)" = 49
ft-filter --list --off c4 -s gopher_words_min=7 | grep -c -e '^c4_.*	off	' -e 'min	< 7	' >count
check "as the options change them" grep -q '^4$' count
for bad in '--set nix=1' '--set rep_top_2' '--set rep_top_2=x' '--off nix' '--only rep_' \
        '--off rep_top'; do
    # shellcheck disable=SC2086  # two words
    check_status 64 "$bad is misuse" ft-filter $bad own.ft
done
check_status 65 "--from-tags without tags is refused" ft-filter --from-tags own.ft
check "with what to do" grep -q 'record 1 of own.ft: no field tags .*--tag-only' stderr
head -c 3000 pages.ft >cut.ft
check_status 65 "a truncated input is refused" ft-filter -o no.ft --explain no.txt cut.ft
check "and leaves nothing" test ! -e no.ft -a ! -e no.txt
to_stream </dev/null >empty.ft
check_status 0 "an empty stream stays one" ft-filter -q --explain none -o still.ft empty.ft
decode still.ft >nothing
check "without records" test ! -s nothing
finish

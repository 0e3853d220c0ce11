# ft-compare by the command line: its figures against compare_oracle.py, which works them out from
# the score files by definitions; what it refuses, and that it names what is wrong.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/compare_oracle.py" "$@"; }
has() { grep -qF -- "$1" "$2"; }

# agree WHAT WORDS FILE...: WORDS are options as the oracle has them, "alpha=0.1,unweighted".
agree() {
    what=$1 words=$2
    shift 2
    # shellcheck disable=SC2046  # words
    ft-compare --json $(echo "$words" | tr , '\n' | sed '/./s/^/--/') "$@" >said 2>stderr || :
    oracle check "$words" "$@" <said >verdict 2>&1 || :
    if has agree verdict; then
        ok "$what: as the oracle has it"
    else
        not_ok "$what: as the oracle has it"
        tail -n 3 verdict | sed 's/^/# /'
    fi
}

oracle make .
agree "the usual" "" base.jsonl tuned.jsonl other.jsonl
check "with a system that is better and one that is not" has "better not seen" verdict
agree "a worse system" "" tuned.jsonl base.jsonl
check "is told as worse" has worse verdict
agree "no groups" group=id base.jsonl tuned.jsonl
agree "other errors" alpha=0.1,unweighted base.jsonl tuned.jsonl other.jsonl
agree "the t test" test=t base.jsonl other.jsonl
agree "the bootstrap" test=bootstrap base.jsonl tuned.jsonl
agree "lower is better" lower=bleu base.jsonl tuned.jsonl
head -n 9 base.jsonl >few.jsonl
/usr/bin/python3 -c 'import json
ids = [json.loads(l)["id"] for l in open("few.jsonl")]
rows = {json.loads(l)["id"]: l for l in open("tuned.jsonl")}
print(*(rows[i] for i in ids), sep="", end="")' >few_tuned.jsonl
ft-compare --json --metrics em,bleu few.jsonl few_tuned.jsonl >said
check "few clusters: all swaps are tried" jq -e '.comparisons[1].randomisation |
    .exact and .swaps <= 512 and .swaps >= 128 and (.p * .swaps | . - floor == 0)' said

for threads in 1 4; do
    ft-compare -q -t $threads --html page$threads base.jsonl tuned.jsonl other.jsonl >text$threads
    ft-compare -q -t $threads --json base.jsonl tuned.jsonl other.jsonl >json$threads
done
check_same "1 and 4 threads: the same text" text1 text4
check_same "1 and 4 threads: the same JSON" json1 json4
check_same "1 and 4 threads: the same page" page1 page4
ft-compare --json --seed 1 base.jsonl tuned.jsonl other.jsonl >json_seed
check "another seed: other draws" test "$(jq -c '[.comparisons[].bootstrap]' json1)" != \
    "$(jq -c '[.comparisons[].bootstrap]' json_seed)"
check "but the same difference" test "$(jq -c '[.comparisons[].interval]' json1)" = \
    "$(jq -c '[.comparisons[].interval]' json_seed)"
sort other.jsonl >sorted.jsonl
ft-compare --json --names base,tuned,other base.jsonl tuned.jsonl sorted.jsonl >json_sorted
check_same "the order of the others' lines does not matter" json1 json_sorted
gzip <tuned.jsonl >tuned.gz
ft-compare --json --names base,tuned,other base.jsonl - other.jsonl <tuned.gz >json_gzip
check_same "standard input, packed" json1 json_gzip
number='0\.[0-9]+'
check "the verdict is a sentence" grep -qE \
    "^em: tuned is better than base by $number \[$number, $number\]; p = $number \(Holm over 8\)$" \
    text1
check "or says what would have been seen" \
    grep -qE '^bleu: no difference between .*; it sees >= [0-9.]+$' text1
check "single scores of BLEU are told apart from a corpus's" has "is not their mean" text1

# The page: well-formed, nothing from outside, and nothing that a name can break.
/usr/bin/python3 - >verdict 2>&1 <<'END' || :
import xml.dom.minidom
page = open("page1").read()
assert page.startswith("<!DOCTYPE html>\n")
tree = xml.dom.minidom.parseString(page.split("\n", 1)[1])
pictures = tree.getElementsByTagName("svg")
assert len(pictures) == 4 * (2 + 2), len(pictures)      # of a metric: two, and one for each system
assert not tree.getElementsByTagName("script") and len(page) < 300000
assert "http" not in page.replace("http://www.w3.org/2000/svg", "")
bars = [t.firstChild.data for s in pictures for t in s.getElementsByTagName("title")]
assert "40 better" in bars and "104 equal" in bars and "6 worse" in bars, bars
text = [l for l in open("text1") if l.startswith(("em: ", "loss: ")) and "than" in l]
assert len(text) == 2 and all(l.strip() in page for l in text)
print("right")
END
check "the page is well-formed and has the pictures and verdicts" has right verdict
/usr/bin/python3 - <<'END'
import json
bad = "<script>alert(1)</script>\x1b[31m\u202e&\"'"
for name, x in (("evil", 0), ("evil2", 1)):
    with open(name, "w") as f:
        for i in range(8):
            row = {"id": bad + str(i), "group": bad, bad: x + i % 2, "é" * 90: 1}
            f.write(json.dumps(row) + "\n")
END
ft-compare --names '<b>,a"&b' --html evil.html evil evil2 >evil.txt
check "names from data are no markup" sh -c '! grep -qE "<script|<b>" evil.html'
check "nor escape sequences, in the page" sh -c '! grep -q "$(printf "\033")" evil.html'
check "or on the terminal" sh -c '! grep -q "$(printf "\033")" evil.txt'
check "the page stays well-formed" /usr/bin/python3 -c 'import xml.dom.minidom as m
m.parseString(open("evil.html").read().split("\n", 1)[1])'

# What does not fit together is refused, and named.
refuse() { # STATUS WHAT WORDS ARGUMENT...
    want=$1 what=$2 words=$3
    shift 3
    rm -f page.html
    check_status "$want" "$what" ft-compare --html page.html "$@"
    if has "$words" stderr; then ok "and says: $words"; else
        not_ok "and says: $words"
        sed 's/^/# /' stderr
    fi
    check "and writes nothing" test ! -e page.html -a ! -s stdout
}
scores() { printf '{"id":%s,"em":%s}\n' "$@"; }
scores '"a"' 1 '"b"' 0 '"c"' 1 >abc
scores '"a"' 1 '"b"' 0 '"d"' 1 >abd
scores '"a"' 1 '"b"' 0 >ab
scores '"a"' 1 '"b"' 0 '"a"' 1 >aba
scores '"a"' 1 '"b"' null '"c"' 1 >hole
scores 1 1 2 0 >numbers
scores '"1"' 1 '"2"' 0 >texts
refuse 65 "another id" 'abc: line 3: id "c" is not in abd' abc abd
refuse 65 "an id less" 'abc: line 3: id "c" is not in ab:' abc ab
refuse 65 "an id more" 'abc: line 3: id "c" is not in ab:' ab abc
refuse 65 "an id twice" 'aba: line 3: id "a" stands already in line 1' abc aba
refuse 65 "1 is not \"1\"" 'id 1 is not in texts' numbers texts
refuse 65 "a score that one system lacks" 'id "b" has em in abc and none in hole' abc hole
scores '"a"' NaN >nan
refuse 65 "NaN" 'nan: line 1: NaN is no JSON' ab nan
scores '"a"' 1e999 >inf
refuse 65 "1e999" 'inf: line 1: ' ab inf
scores '"a"' 1e300 >huge
refuse 65 "1e300" 'huge: line 1: "em": 1e+300 is no usable score' ab huge
echo '{"em":1}' >no_id
refuse 65 "no id" 'no_id: line 1: no field id' ab no_id
scores '[1]' 1 >odd_id
refuse 65 "a list for an id" 'odd_id: line 1: id: not a string or a whole number' ab odd_id
scores 1.5 1 >odd_id
refuse 65 "a fraction for an id" 'odd_id: line 1: id: not a string' ab odd_id
echo '[1]' >list
refuse 65 "a line that is no object" 'list: line 1: not a JSON object' ab list
printf '{"id":"a","em":1}\n{"id":"b","em":\n' >ends
refuse 65 "a line that was cut" 'ends: line 2: ' ab ends
echo '{"id":"a","em":1,"em":0}' >twice
refuse 65 "a field twice" 'twice: line 1: ' ab twice
printf '{"id":"a","em":1,"x":"\377"}\n' >bytes
refuse 65 "bytes that are no UTF-8" 'bytes: line 1: ' ab bytes
/usr/bin/python3 -c 'print("{\"id\":1," + ",".join("\"m%d\":1" % i for i in range(65)) + "}")' >many
refuse 65 "65 metrics" 'many: line 1: more than 64 fields' ab many
: >empty
refuse 65 "an empty file" 'empty: there are no scores in it' ab empty
refuse 65 "an empty baseline" 'empty: there are no scores in it' empty ab
cp abc abc2
refuse 65 "a metric that is not there" 'abc: no line has a number as f1' --metrics em,f1 abc abc2
scores '"a"' '"x"' '"b"' '"y"' >words
refuse 65 "no numbers at all" 'no score that all files have' words ab
refuse 65 "a group that is not there" 'has a field topic' --group topic abc abc2
printf '{"id":1,"group":"x","em":1}\n{"id":2,"group":"x","em":1}\n' >xx
printf '{"id":1,"group":"x","em":1}\n{"id":2,"group":"y","em":1}\n' >xy
refuse 65 "another group" 'xy: line 2: id 2 is in another group than in xx' xx xy
printf '{"id":1,"group":["x"],"em":1}\n' >list_group
refuse 65 "a list for a group" 'list_group: line 1: the group is not' xx list_group
printf '{"id":1,"loss":1.5,"targets":3}\n' >l3
printf '{"id":1,"loss":1.5,"targets":4}\n' >l4
printf '{"id":1,"loss":1.5,"targets":-4}\n' >l_4
refuse 65 "losses over other tokens" 'id 1 has 3 targets in l3 and 4 in l4' l3 l4
refuse 65 "fewer than no targets" 'l_4: line 1: -4 is no number of targets' l_4 l_4 --names a,b
refuse 66 "no such file" missing abc missing
refuse 64 "one file" "two to 16 files" abc
refuse 64 "a file twice" "a file is given twice" abc abc
refuse 64 "standard input twice" "once only" - - --names a,b
refuse 64 "a name too many" "3 names for 2 files" --names a,b,c abc abc2
refuse 64 "a name twice" "the same name" --names a,a abc abc2
refuse 64 "a metric twice" "em is there twice" --metrics em,em abc abc2
check_status 73 "a page that cannot be written" ft-compare --html missing/page.html abc abc2
check_status 74 "a full disk" sh -c 'ft-compare --html page.html abc abc2 >/dev/full'
check "leaves no page either" test ! -e page.html

# Small and odd cases that are none of these.
ft-compare --names a,b abc abc >text
check "the same scores" grep -q '^em: b and a have the same score on every example$' text
scores 1 0 >one
scores 1 1 >one2
ft-compare one one2 >text
check "one example tells nothing" grep -q '^em: 1 example is too few to tell one2 from one;' text
ft-compare --json one one2 >said
check "its errors are null" jq -e '.comparisons[0] | .se == null and .interval == [null, null] and
    .detectable == null and .p == 1 and .verdict == "too few"' said
scores 1 0 2 0 3 0 4 0 5 0 >five
scores 1 1 2 1 3 1 4 1 5 1 >five2
ft-compare --json five five2 >said
check "five gains of five are no proof: 2 of 32" jq -e '.comparisons[0] |
    .p == 0.0625 and .mcnemar_p == 0.0625 and .verdict == "too few"' said
check "six are enough, and said to be" jq -e '.comparisons[0].says | test("it takes 6")' said
printf '{"id":%d,"group":7,"em":%d}\n' 1 0 2 1 >grouped
ft-compare --names a,b --group id --json grouped grouped >said
check "a group that is a number is no score" jq -e '.tests == 1 and .groups == 0' said
printf '\357\273\277{"id":1,"em":true}\r\n\r\n{"id":2,"em":false}\r\n{"id":3,"em":null}' >marks
printf '{"id":3,"x":2}\n{"em":1,"id":2}\n{"em":1,"id":1}' >marks2
ft-compare --json marks marks2 >said 2>stderr
check "true and false are 1 and 0; null in all files leaves an example out" jq -e '
    .examples == 3 and (.comparisons[0] | .metric == "em" and .examples == 2 and .wins == 1 and
    .ties == 1 and .base.mean == 0.5)' said
check "what only one has is said" has "x is not compared: marks has none" stderr
scores 1 0.1 2 0.2 3 0.3 | sed 's/em/odd \\u001b name/' >odd
sed 's/0\./0.1/' odd >odd2
ft-compare --json --metrics "$(printf 'odd \033 name')" odd odd2 >said
check "any name is a name" jq -e '.comparisons[0].metric == "odd \u001b name"' said
finish

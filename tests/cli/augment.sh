# ft-augment by the command line: copies are what augment_oracle.py allows; they do not depend on
# place, threads or company; originals stay; splits keep families together.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/augment_oracle.py" "$@"; }
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }

oracle make 400 >data.jsonl
to_stream <data.jsonl >data.ft
decode data.ft >all.json
printf 'Please: {prompt}\n\nQ:\\n{prompt}\\nA:\n{prompt}, {prompt}\nDo this. {prompt}\n' >ask.txt
echo '{"path":["/etc","/usr/bin","~/a b","."],"host":["alpha","10.0.0.1"],"unused":["x"]}' \
    >values.json
printf 'great\tsuperb\tgrand\ngood\tfine\nMovie\tpicture\nlist\tenumerate\ncopy\tduplicate\n' |
    sed 's/Movie/movie/' >words.txt

copies_of() { # WHAT MODE FILE OPTIONS...: augments, asks the oracle; its word is in ./found
    what=$1 mode=$2 file=$3
    shift 3
    ft-augment "$@" --threads 1 data.ft -o one.ft 2>said
    ft-augment -q "$@" --threads 4 data.ft -o four.ft
    check_same "$what: the same bytes with 1 and 4 threads" one.ft four.ft
    decode one.ft >got
    if oracle check "$mode" all.json got "$file" >found 2>stderr; then
        ok "$what: copies are sound"
    else
        not_ok "$what: copies are sound ($(head -c 900 stderr))"
    fi
    n=$(cut -d ' ' -f 1 found)
    check "$what: the last line counts" grep -q "read 400, created $n, written $((400 + n))," said
}
copies_of "templates" templates ask.txt --templates ask.txt --times 3
copies_of "slots" slots values.json --slots values.json --times 5
check "what has no values is counted" grep -q 'unfilled [1-9]' said
copies_of "noise" noise - --noise 0.05 --times 2
# A slip is one edit (swapped neighbours are two); 5 % of letters, a bit more for points.
check "noise: is as strong as asked" \
    awk '{ exit !($2 > 0.045 && $2 < 0.085) }' found
copies_of "noise without end" noise - --noise 1
copies_of "eda" eda - --eda
copies_of "eda with synonyms" eda words.txt --eda --synonyms words.txt
check "eda: all four operations" test "$(sed -n 's/.*"aug": "\(eda:[a-z]*\)".*/\1/p' got |
    sort -u | wc -l)" = 4
copies_of "all at once" all values.json --noise 0.02 --templates ask.txt --slots values.json -n 3
check "all at once: the mark says so" grep -q '"aug": "noise+template:[1-4]+slots"' got
ft-augment -q --slots values.json --times 4 data.ft | decode >got
check "each value of a slot once in as many copies" /usr/bin/python3 -c "
import collections, json
seen = collections.defaultdict(list)
for line in open('got'):
    r = json.loads(line)
    if r.get('aug') == 'slots':
        seen[r['origin']].append(r)
rows = {str(json.loads(l)['id']): json.loads(l) for l in open('all.json')}
full = 0
for origin, copies in seen.items():
    was = rows[str(origin)]
    if 'text' in was and '{{path}}' in was['text'] and '<host>' not in was['text']:
        assert len(copies) == 4, copies
        full += 1
assert full > 3, full"

# EDA by the number of examples: 16 copies up to 500, 8 up to 2000, then 4.
eda_copies() { # ROWS: the number of the last copy
    /usr/bin/python3 -c "
for i in range($1):
    print('{\"text\":\"' + ' '.join('w%d' % (i * k) for k in range(40)) + '\",\"label\":1}')" |
        to_stream | ft-augment -q --eda | decode |
        sed -n 's/.*+aug\([0-9]*\)".*/\1/p' | sort -n | tail -n 1
}
check "eda: 16 copies of 500" test "$(eda_copies 500)" = 16
check "eda: 8 copies of 501" test "$(eda_copies 501)" = 8
check "eda: 4 copies of 2001" test "$(eda_copies 2001)" = 4
ft-augment -q --eda --times 4 --alpha 0.05 data.ft | decode >one
ft-augment -q --eda --times 4 data.ft | decode >two
check_same "eda: alpha is 0.05 for few, by either way" one two

# Copies depend on nothing but their example.
ft-augment -q --noise 0.1 --templates ask.txt data.ft | decode | grep '+aug' | sort >one
tac data.jsonl | to_stream | ft-augment -q --noise 0.1 --templates ask.txt | decode |
    grep '+aug' | sort >two
check_same "the order of the rows has no say in it" one two
ft-augment -q --noise 0.1 --templates ask.txt --seed 1 data.ft | decode | grep '+aug' | sort >two
check "the seed has" sh -c '! cmp -s one two'

# --replace, --again, groups.
ft-augment --templates ask.txt --replace data.ft -o got.ft 2>said
decode got.ft >got
check "--replace drops originals of which there are copies" test \
    "$(grep -c '+aug' got)" = "$(sed -n 's/.*dropped \([0-9]*\) (replaced).*/\1/p' said)"
check "and no others" test "$(wc -l <got)" = 400
ft-augment -q --templates ask.txt data.ft | ft-augment -q --noise 0.5 -o got.ft
decode got.ft >got
check "copies are not copied" test "$(grep -c 'aug1+aug1' got)" = 0
ft-augment -q --templates ask.txt data.ft | ft-augment -q --noise 0.5 --again -o got.ft
decode got.ft >got
check "but with --again" grep -q 'aug1+aug1", .*"aug": "template:[1-4]+noise"' got
ft-augment -q --templates ask.txt --times 4 data.ft |
    ft-split -q --group group --to x.ft,y.ft --ratio 60,40
decode x.ft >x
decode y.ft >y
check "a split keeps copies with their originals" /usr/bin/python3 -c "
import json
side = {}
for f in 'xy':
    for line in open(f):
        r = json.loads(line)
        if r.get('aug') != 'by hand':
            assert side.setdefault(str(r.get('origin', r['id'])), f) == f, r
assert len(set(side.values())) == 2"

# Texts that are no UTF-8, and what is left of very short ones.
/usr/bin/python3 - >odd.ft <<'PY'
import os, sys
sys.path.insert(0, os.path.join(os.environ["FT_ROOT"], "tests/golden"))
import make_stream, msgpack
odd = msgpack.packb({"id": 1, "prompt": 0, "completion": "x"})
bad = b"ab\xff\xc3 caf\xc3\xa9\xe4\xb8"
odd = odd.replace(b"prompt\x00", b"prompt" + bytes([0xa0 + len(bad)]) + bad)
pack = make_stream.pack
make_stream.pack = lambda v: odd if v == "odd" else pack(v)
sys.stdout.buffer.write(make_stream.stream(["odd", {"prompt": "", "completion": ""}], [0]))
PY
check_status 0 "bytes that are no UTF-8 pass" ft-augment --noise 0.5 --times 9 odd.ft -o got.ft
decode got.ft >got
check "and stay" test "$(grep -c 'udcff' got)" = "$(grep -c 'caf\|udcc3' got)"
printf '{"prompt":"%s","completion":"y"}\n' a é . 5 '{{q}}' | to_stream >short.ft
ft-augment -q --noise 1 --times 30 short.ft | decode >got
check "no prompt is emptied" test "$(grep -c '"prompt": ""' got)" = 0
check "digits and placeholders stay" test "$(grep -c '"5"\|"{{q}}"' got)" = 2

to_stream </dev/null >empty.ft
for how in '--eda' '--noise 1' '--templates ask.txt'; do
    # shellcheck disable=SC2086  # words
    check_status 0 "an empty stream stays one ($how)" ft-augment $how empty.ft -o got.ft
    decode got.ft >got
    check "without records" test ! -s got
done
head -c 3000 data.ft >cut.ft
for how in '--eda' '--noise 1'; do
    # shellcheck disable=SC2086  # words
    check_status 65 "a truncated input is refused ($how)" ft-augment $how cut.ft -o no.ft
    check "and leaves nothing" test ! -e no.ft
done
echo '{"id":1,"x":2}' | to_stream >bad.ft
for how in '--eda' '--noise 1'; do
    # shellcheck disable=SC2086  # words
    check_status 65 "what is no example is refused ($how)" ft-augment $how bad.ft
    check "with its number" grep -q 'record 1 of bad.ft: .*not an example' stderr
done
/usr/bin/python3 -c "print('{\"prompt\":\"' + 'long ' * 600000 + '\",\"completion\":\"\"}')" |
    to_stream >long.ft
echo '{prompt} {prompt} {prompt}' >thrice.txt
check_status 65 "a copy that is too long is refused" ft-augment --templates thrice.txt long.ft
check "with its size" grep -q 'record 1 of long.ft: it would have 90.* bytes' stderr

bad_file() { # WHAT OPTION CONTENT OPTION_BESIDE MESSAGE
    printf '%b' "$3" >bad.txt
    check_status 65 "$1 is refused" ft-augment ${4:+"$4"} "$2" bad.txt data.ft -o no.ft
    check "$1: said so" grep -q -e "bad.txt: $5" stderr
}
bad_file "a template without a place" --templates '{prompt}\n\nnothing\n' '' 'line 3: no {prompt}'
bad_file "a file without templates" --templates '\n \n' '' 'there is nothing in it'
bad_file "slots that are no JSON" --slots '{"a":["x"]\n,}' '' 'column'
bad_file "slots that are no lists" --slots '{"a":["x"],"b":"y"}' '' 'slot 2: not a list'
bad_file "a slot without values" --slots '{"a":[]}' '' 'slot 1: not a list'
bad_file "a value that is a number" --slots '{"a":["x",1]}' '' 'slot 1: value 2 is not a string'
bad_file "a slot without a name" --slots '{"":["x"]}' '' 'a slot without a name'
bad_file "slots in a list" --slots '["x"]' '' 'not a JSON object'
bad_file "a word without synonyms" --synonyms 'a\tb\nalone\n' --eda 'line 2: no synonym'
bad_file "an empty synonym" --synonyms 'a\t\tb\n' --eda 'line 1: an empty word'
bad_file "a word in two lines" --synonyms 'a\tb\nA\tc\n' --eda 'the same word stands first'
check_status 66 "a file that is not there" ft-augment --templates nowhere data.ft -o no.ft
check "no output is left" test ! -e no.ft
ft-augment -q --templates ask.txt data.ft >got.ft
decode --nodes got.ft >nodes
check "the history has the file's digest" grep -q "\"role\": \"templates\".*$(/usr/bin/python3 -c "
import xxhash
print(xxhash.xxh3_128_hexdigest(open('ask.txt', 'rb').read()))")" nodes

misuse() { # WHAT MESSAGE OPTIONS...
    what=$1 message=$2
    shift 2
    check_status 64 "$what is misuse" ft-augment "$@" data.ft
    check "$what: said so" grep -q -e "$message" stderr
}
misuse "nothing to do" "how?"
misuse "eda and noise" "goes alone" --eda --noise 0.1
misuse "synonyms alone" "need --eda" --synonyms words.txt --noise 0.1
misuse "noise over 1" "noise" --noise 1.5
finish

# ft-mix by the command line: every prefix of a mix has its shares, by mix_oracle.py; where it ends;
# random orders; class balance; the same bytes for any threads and any memory.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/mix_oracle.py" "$@"; }
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }

make() { # SEED NAME ROWS BYTES: NAME.ft and what it decodes to
    oracle make "$@" | to_stream >"$2.ft"
    decode "$2.ft" >"$2.json"
}
make 1 a 700 400
make 2 b 300 3000
make 3 c 40 20
make 4 d 900 60
make 5 e 1 100

# ---- shares ----

mixed() { # WHAT BY RATIO END OPTIONS... FILE...: mixes, and asks the oracle
    what=$1 unit=$2 shares=$3 end=$4
    shift 4
    sources=
    [ "$end" != all ] || set -- --until all "$@"
    for word; do case $word in *.ft) sources="$sources ${word%.ft}.json" ;; esac done
    ft-mix --ratio "$shares" --by "$unit" "$@" --json -o got.ft 2>said
    decode got.ft >got
    # shellcheck disable=SC2086  # words
    check "$what: every prefix has its shares" oracle shares "$unit" "$shares" "$end" got $sources
}
mixed "two, by bytes" bytes 90,10 first a.ft b.ft
mixed "two, by examples" examples 90,10 first a.ft b.ft
mixed "two of the same share" examples 1,1 first d.ft a.ft
mixed "five of all sizes" bytes 50,30.5,0.25,12,0.1 all a.ft b.ft c.ft d.ft e.ft --max-epochs 99999
mixed "a share that is next to nothing" bytes 1000,0.001 first b.ft e.ft
mixed "all, by bytes" bytes 10,20,0.1 all a.ft b.ft c.ft --max-epochs 1000
mixed "all, by examples" examples 3,5,7,11 all a.ft b.ft c.ft d.ft --max-epochs 1000
mixed "a number of bytes" bytes 2,1,1 30000 a.ft b.ft d.ft --until 30000
mixed "a number of examples" examples 2,1 1234 a.ft c.ft --until 1234 --max-epochs 50
for s in 1 2 3 4; do
    ratio=$(/usr/bin/python3 -c "
import random
r = random.Random($s)
print(','.join('%.*f' % (r.randrange(10), 10 ** r.uniform(-1, 2) + 1) for _ in range(3)))")
    mixed "shares $ratio" bytes "$ratio" 60000 a.ft b.ft d.ft --until 60000 --max-epochs 99
done

ft-mix -q a.ft:90 b.ft:10 --by bytes >one.ft
ft-mix -q --ratio 90,10 a.ft b.ft >two.ft
check_same "FILE:SHARE and --ratio are the same" one.ft two.ft
cp a.ft 'with:colon:3'
ft-mix -q --ratio 90,10 with:colon:3 b.ft >two.ft
check_same "and a name may have colons" one.ft two.ft
ft-mix -q --ratio 90,10 - b.ft <a.ft >two.ft
check_same "one may be standard input" one.ft two.ft
ft-mix -q a.ft >two.ft
decode two.ft >two
check_same "one file alone passes" a.json two

# ---- epochs and counts ----

mixed "a cap on epochs" examples 1,10 cap:3 d.ft c.ft --until all --max-epochs 3
check "ends the mix" grep -q '"warnings":..the mix ends early: c.ft was used 3 times' said
ft-mix --ratio 1,1 --by examples --until all --max-epochs 99 a.ft c.ft -o got.ft 2>said
check "the last line has records, shares and epochs" grep -q \
    'records 700,699, ratio 50.04,49.96, by examples, epochs 1.00,17.48' said
check "repeated records count as created" grep -q 'read 740, created 659, written 1399' said
ft-mix --ratio 1,1 --by examples a.ft c.ft --json -o got.ft 2>said
check "what is not needed counts as left over" grep -q \
    '"read":740,"created":0,"written":80,"dropped":{"left over":660}' said
decode --trailer got.ft >trailer
check "and is in the trailer" grep -q '"written": 80, "dropped": {"left over": 660}' trailer
ft-mix -q --until all --ratio 1,1 --by examples --max-epochs 99 a.ft c.ft --json -o got.ft 2>said
check "as JSON" grep -q '"epochs":"1.00,17.48"' said

ratio=$(oracle temperature 3.3 bytes a.json b.json c.json d.json)
ft-mix -q --no-history --temperature 3.3 --until all --max-epochs 999 a.ft b.ft c.ft d.ft -o one.ft
ft-mix -q --no-history --ratio "$ratio" --until all --max-epochs 999 a.ft b.ft c.ft d.ft -o two.ft
decode one.ft >one
decode two.ft >two
check_same "--temperature is size^(1/T)" one two
check "and not the sizes themselves" test "$(echo "$ratio" | cut -c 1-4)" != 0.00

# ---- ids and masks ----

i=0
while [ $i -lt 60 ]; do
    answer=$(head -c $((i % 13 * 5 + 1)) /dev/zero | tr '\0' x)
    echo "{\"prompt\":\"say $i\",\"completion\":\"$answer\"}"
    i=$((i + 1))
done >say.jsonl
ft-import -q <say.jsonl | ft-tokenize -q -m "$TOY" >x.ft
sed 's/say/tell me/' say.jsonl | awk '{ sub(/^{/, "{\"id\":\"y" NR "\","); print }' |
    head -n 25 | ft-import -q | ft-tokenize -q -m "$TOY" >y.ft
decode x.ft >x.json
decode y.ft >y.json
mixed "tokens by tokens" tokens 3,1 first x.ft y.ft
mixed "tokens by targets" targets 3,1 first x.ft y.ft
mixed "tokens by examples" examples 3,1 all x.ft y.ft
ft-mix -q x.ft:3 y.ft:1 >one.ft
ft-mix -q x.ft:3 y.ft:1 --by tokens >two.ft
check_same "tokens are what counts unless --by says otherwise" one.ft two.ft
for f in x y; do
    ft-pack -q -l 96 --long cut $f.ft >p$f.ft
    decode p$f.ft >p$f.json
done
mixed "rows by tokens" tokens 3,1 all px.ft py.ft
mixed "rows by targets" targets 1,1 first px.ft py.ft
mixed "rows by examples" examples 2,1 first px.ft py.ft
check "examples of rows are counted, not rows" grep -q '"read":85,' said

# ---- random orders ----

for seed in 0 7 18446744073709549568; do
    oracle order $seed 0 a.json >want
    ft-mix -q --shuffle --seed $seed --by examples --until 1400 a.ft >got.ft
    decode got.ft >got
    check_same "seed $seed: the random orders of two epochs are the oracle's" want got
done
ft-mix -q -s --seed 3 --ratio 2,1 a.ft b.ft --memory 64K >small.ft
ft-mix -q -s --seed 3 --ratio 2,1 a.ft b.ft >large.ft
check_same "memory has no say in it" small.ft large.ft
ft-mix -q -s --seed 4 --ratio 2,1 a.ft b.ft >other.ft
check "the seed has" sh -c '! cmp -s large.ft other.ft'
ft-mix -q -s a.ft | decode | sort >got
sort a.json >want
check_same "nothing is lost or made up" want got
/usr/bin/python3 -c "
for i in range(3000): print('{\"text\":\"%s\",\"id\":%d}' % ('x' * (i * 7919 % 900), i))" |
    to_stream >many.ft
for m in 64K 1M 64M; do
    ft-mix -q -s --seed 9 --memory $m many.ft >many.$m
    check_same "a megabyte with --memory $m" many.64K many.$m
done
decode many.64K | sort >sorted
decode many.ft | sort >want
check_same "has all of its rows" want sorted

# ---- balance ----

balanced() { # KIND ARG OPTIONS...
    kind=$1 arg=$2
    shift 2
    ft-mix -q --balance label "$@" a.ft -o got.ft
    decode got.ft >got
    check "--balance $*" oracle balance label "$kind" "$arg" got a.json
}
balanced cap 5 --cap 5
balanced cap 5 --cap 5 --shuffle
balanced even 1000 --oversample --max-epochs 1000
balanced even 4 --oversample
balanced even 1000 --oversample --max-epochs 1000 --shuffle
balanced both 60 --oversample --cap 60 --max-epochs 1000
balanced inverse-sqrt 0 --weights inverse-sqrt
balanced effective 0.999 --weights effective
balanced effective 0.9999 --weights effective:0.9999
balanced effective 0.9 --weights effective:0.9
ft-mix -q --balance label --weights effective a.ft | ft-mix -q --balance label \
    --weights inverse-sqrt -o got.ft
ft-mix -q --balance label --weights effective a.ft | decode >first
decode got.ft >got
check "a weight that is there is multiplied" oracle balance label inverse-sqrt 0 got first
# 5 rows, classes of 4 and 1: 1/sqrt(4) : 1/sqrt(1) = 1 : 2, mean (4 * 1 + 2) / 5
printf '{"text":"%s","label":%s}\n' a true b true c true d true e false | to_stream |
    ft-mix -q --balance label --weights inverse-sqrt | decode | sed 's/.*weight": //' >got
/usr/bin/python3 -c "
for w in 5/6, 5/6, 5/6, 5/6, 10/6: print(w)" >want
check "weights of four and one, by hand" /usr/bin/python3 -c "
got, want = ([float(l.strip('}\n')) for l in open(f)] for f in ('got', 'want'))
assert len(got) == 5 and all(abs(g - w) < 1e-14 for g, w in zip(got, want)), got"
ft-mix --balance label --oversample a.ft b.ft 2>said | decode >got
check "several files are taken one after the other" grep -q 'read 1000, created [0-9]*,' said
{ yes '{"text":"x","label":"many"}' | head -n 300; echo '{"text":"y","label":"few"}'; } |
    to_stream >rare.ft
ft-mix --balance label --oversample rare.ft -o got.ft 2>said
check "a rare value is warned of" grep -q 'rarest of 2 values has 1 of 301' said
check "and one that stays below" grep -q '1 values stay below .* more than 4 times' said
decode got.ft >got
check "it is there four times" test "$(grep -c few got)" = 4

# ---- source ----

ft-mix -q a.ft:1 d.ft:1 --mark-source alpha,delta | decode >got
check "records get a source" test "$(grep -c '"source": "delta"' got)" -gt 20
check "unless they have one" /usr/bin/python3 -c "
import json
for line in open('got'):
    r = json.loads(line)
    want = 'known' if 'messages' in r else {'a': 'alpha', 'd': 'delta'}[r['id'][0]]
    assert r['source'] == want, r"

# ---- the same bytes, and what must not be ----

for options in '--ratio 5,3,1' '--ratio 5,3,1 --shuffle --until all --max-epochs 99' \
    '--temperature 2 --until 50000' '--balance label --oversample --shuffle'; do
    # shellcheck disable=SC2086  # words
    ft-mix -q $options --threads 1 a.ft b.ft c.ft >one.ft
    # shellcheck disable=SC2086  # words
    ft-mix -q $options --threads 4 a.ft b.ft c.ft >four.ft
    check_same "$options: the same bytes with 1 and 4 threads" one.ft four.ft
done
ft-mix -q a.ft:1 b.ft:2 >got.ft
check "the history names both files" test "$(decode --nodes got.ft | grep -c '"golden"')" = 2

to_stream </dev/null >empty.ft
check_status 0 "an empty file ends the mix at once" ft-mix --ratio 1,1 a.ft empty.ft -o got.ft
decode got.ft >got
check "with nothing" test ! -s got
check "said so" grep -q 'empty.ft is empty' stderr
check_status 0 "empty files make an empty stream" ft-mix --ratio 1,1 --until all empty.ft empty.ft
check_status 0 "shuffled, too" ft-mix --shuffle empty.ft
check_status 0 "and balanced" ft-mix --balance label --oversample empty.ft
check_status 65 "an empty file cannot be repeated" ft-mix --ratio 1,1 --until all a.ft empty.ft
check_status 0 "but has no part in --temperature" \
    ft-mix --temperature 2 --until all a.ft empty.ft -o got.ft
decode got.ft >got
check_same "where the others make the mix" a.json got
echo '{"text":""}' | to_stream >blank.ft
check_status 65 "texts without a byte cannot fill a share" \
    ft-mix --ratio 1,1 --until all blank.ft a.ft
check "said so" grep -q 'blank.ft has no bytes' stderr
check_status 0 "counted as examples they can" \
    ft-mix -q --ratio 1,1 --by examples --until 8 blank.ft a.ft
check_status 0 "one record alone" ft-mix -q --shuffle --until all e.ft -o got.ft
decode got.ft >got
check_same "is itself" e.json got

head -c 3000 b.ft >cut.ft
for order in 'a.ft cut.ft' 'cut.ft a.ft'; do
    # shellcheck disable=SC2086  # words
    check_status 65 "a truncated input is refused ($order)" ft-mix --ratio 1,1 $order -o no.ft
done
check_status 65 "also where the mix ended before" ft-mix --ratio 1,1 c.ft cut.ft -o no.ft
check "and leaves nothing" test ! -e no.ft
check_status 65 "kinds do not mix" ft-mix --ratio 1,1 a.ft x.ft
echo '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}' |
    ft-import -q >chat.ft
for t in smollm2 chatml; do ft-tokenize -q -m "$TOY" --chat-template $t <chat.ft >$t.ft; done
check_status 65 "nor do chat templates" ft-mix --ratio 1,1 smollm2.ft chatml.ft
check "said so" grep -q 'smollm2.ft and chatml.ft are of different chat templates' stderr
check_status 65 "a label that is missing" ft-mix --balance nothing --cap 1 a.ft
check "is named with its record" grep -q 'record 1 of a.ft: no field nothing' stderr
check_status 71 "rows over --memory" ft-mix --balance id --cap 1 --memory 4K a.ft
check_status 66 "no such file" ft-mix --ratio 1,1 a.ft nowhere.ft

misuse() { # WHAT MESSAGE OPTIONS...
    what=$1 message=$2
    shift 2
    check_status 64 "$what is misuse" ft-mix "$@"
    check "$what: said so" grep -q -e "$message" stderr
}
misuse "no share" "which share has b.ft" a.ft:1 b.ft
misuse "a share too few" "not one share for each of the 2" --ratio 1 a.ft b.ft
misuse "a share too many" "not one share for each of the 2" --ratio 1,1,1 a.ft b.ft
for bad in 0 -1 x '' nan inf 1e3 1000000001 0.0000000001; do
    misuse "--ratio 1,$bad" "is no number" --ratio "1,$bad" a.ft b.ft
done
for bad in some 0 -1 12x ''; do
    misuse "--until '$bad'" "first, all, or a number" --until "$bad" a.ft
done
misuse "ratio and temperature" "exclude each other" --ratio 1,1 --temperature 2 a.ft b.ft
misuse "text by tokens" "put ft-tokenize before" --by tokens a.ft
misuse "tokens by bytes" "count tokens, targets or examples" --by bytes x.ft
misuse "balance without a rule" "how?" --balance label a.ft
misuse "a rule without balance" "need --balance" --cap 3 a.ft
misuse "balance and ratio" "another ft-mix" --balance label --cap 3 --ratio 1,1 a.ft b.ft
misuse "weights and cap" "goes without" --balance label --cap 3 --weights effective a.ft
misuse "packed rows" "balance before ft-pack" --balance label --cap 3 px.ft
for bad in effective:1 effective:0 effective:x linear effectively; do
    misuse "--weights $bad" "--weights $bad" --balance label --weights $bad a.ft
done
misuse "a name too few" "not one name" --mark-source x --ratio 1,1 a.ft b.ft
misuse "a name too many" "not one name" --mark-source x,y,z --ratio 1,1 a.ft b.ft
misuse "--input and files" "--input is for" -i a.ft b.ft
misuse "17 files" "at most 16" --temperature 2 a.ft a.ft a.ft a.ft a.ft a.ft a.ft a.ft a.ft a.ft \
    a.ft a.ft a.ft a.ft a.ft a.ft a.ft
check_status 0 "16 are not" ft-mix -q --temperature 2 a.ft a.ft a.ft a.ft a.ft a.ft a.ft a.ft a.ft \
    a.ft a.ft a.ft a.ft a.ft a.ft a.ft
finish

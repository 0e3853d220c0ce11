# ft-split by the command line: what goes where, against split_oracle.py; nothing shared between
# parts, nothing lost; sides that stay when examples are added; the same bytes for any threads.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/split_oracle.py" "$@"; }
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }

oracle make 1 1500 >data.jsonl
to_stream <data.jsonl >data.ft
decode data.ft >all.json

compare() { # WHAT FIELD SEED RATIO OPTIONS...
    what=$1 field=$2 seed=$3 shares=$4
    shift 4
    rm -f want? got? part?
    oracle parts "$field" "$seed" "$shares" want <all.json
    to=part0,part1,part2
    [ -e want2 ] || to=part0,part1
    ft-split -q "$@" --seed "$seed" --ratio "$shares" --to $to data.ft
    for i in 0 1 2; do
        [ -e part$i ] || continue
        decode part$i >got$i
        check_same "$what: part $i is the oracle's" want$i got$i
        check "$what: part $i is not empty" test -s got$i
    done
    check "$what: the parts share nothing" oracle apart "$field" got?
    check "$what: the parts are the whole" oracle whole all.json got?
}

compare "by prompt" - 0 80,15,5
compare "by group" site 0 80,10,10 --group site
compare "another seed and ratio" site 12345678901234567890 0.5,1.25 --group site
compare "a group field that nobody has" - 3 1,1 -g nowhere

split_in() { # THREADS: splits standard input into x, y, z
    ft-split --threads "$1" --group site --to x,y,z --ratio 80,10,10
}
split_in 1 <data.ft 2>one.said
for i in x y z; do mv $i $i.1; done
split_in 4 <data.ft 2>four.said
for i in x y z; do
    check_same "part $i has the same bytes with 1 and 4 threads" $i $i.1
    decode $i >$i.json
    decode --trailer $i >$i.trailer
    n=$(wc -l <$i.json)
    counts="\"read\": 1500, \"created\": 0, \"written\": $n"
    check "the trailer of $i counts all, its own and the rest" grep -q \
        "$counts, \"dropped\": {\"other part\": $((1500 - n))}" $i.trailer
done
sizes=$(wc -l <x.json),$(wc -l <y.json),$(wc -l <z.json)
check "the last line has the counts" \
    grep -q "read 1500, written 1500, parts $sizes, ratio" four.said

# Later examples: of new groups and prompts, and new prompts for groups that are there.
oracle make 2 700 5000 >new.jsonl
/usr/bin/python3 - >>new.jsonl <<'END'
import json
for i in range(6):
    site = f"s{100 + i}"
    print(json.dumps({"id": 9000 + i, "prompt": f"later {i}", "completion": "", "site": site}))
END
cat data.jsonl new.jsonl | to_stream >more.ft
for i in x y z; do mv $i.json $i.old; done
ft-split -q --group site --to x,y,z --ratio 80,10,10 more.ft
for i in x y z; do decode $i >$i.json; done
check "examples that are added leave the others where they were" \
    oracle stay x.old y.old z.old : x.json y.json z.json

# One prompt for many: too large for any part but the first.
/usr/bin/python3 - >tied.jsonl <<'END'
import json
for i in range(100):
    tied = i % 3 == 0
    text = "Say\x1b[2J something " + "\u00e9" * 90 if tied else f"say {i}"
    print(json.dumps({"id": i, "prompt": text, "completion": str(i), "n": i % 25}))
END
to_stream <tied.jsonl >tied.ft
check_status 0 "a prompt that ties a third" ft-split --seed 4 --to x,y --ratio 10,90 tied.ft
check "is warned of" grep -q \
    'warning: 34 of 100 examples hang together and go to x; most of them, 34, by the prompt' stderr
check "escaped and shortened" \
    env LC_ALL=C grep -q 'prompt "Say\\u001b\[2J something [^"]*" …' stderr
decode x >x.json
check "and goes to the first part" test "$(grep -c something x.json)" = 34
check_status 0 "groups that a prompt ties" ft-split --group n --to x,y --ratio 10,90 tied.ft
check "are named too" \
    grep -q 'warning: 100 of 100 .* go to x; most of them, 34, by the prompt' stderr
check "as is the part that stays empty" grep -q 'warning: y got no example' stderr
decode y >y.json
check "which is a sound stream without records" test ! -s y.json
/usr/bin/python3 -c 'for i in range(40): print("{\"text\":\"%d\",\"n\":%d}" % (i, [7, i][i % 2]))' |
    to_stream >group.ft
ft-split --group n --to x,y --ratio 1,1 group.ft 2>said
check "a group that ties most is named" grep -q \
    'warning: 21 of 40 examples hang together and go to x; most of them, 21, by the group 7' said

misuse() { # WHAT MESSAGE OPTIONS...
    what=$1 message=$2
    shift 2
    check_status 64 "$what is misuse" ft-split "$@" data.ft
    check "$what: said so" grep -q -e "$message" stderr
}
misuse "no --to" "--to A,B" --ratio 1,1
misuse "no --ratio" "--ratio X,Y" --to n1,n2
misuse "one part" "names 1 files" --to n1 --ratio 1
misuse "nine parts" "names 9 files" --to n1,n2,n3,n4,n5,n6,n7,n8,n9 --ratio 1,1,1,1,1,1,1,1,1
misuse "a part twice" "n1 is there twice" --to n1,n2,n1 --ratio 1,1,1
misuse "standard output" "each part needs a file" --to n1,- --ratio 1,1
misuse "a part without a name" "each part needs a file" --to n1,,n2 --ratio 1,1,1
misuse "a share too few" "2 shares for the 3 files" --to n1,n2,n3 --ratio 1,1
for bad in 1,0 1,-1 1,x '1,' 1,nan 1,inf 1,1e10 1,1x; do
    misuse "--ratio $bad" "is no number" --to n1,n2 --ratio "$bad"
done
check_status 73 "the same file by two names is refused" ft-split --to n1,./n1 --ratio 1,1 data.ft

echo kept >n2
head -c 20000 data.ft >cut.ft
check_status 65 "a truncated input is refused" ft-split --to n1,n2 --ratio 1,1 cut.ft
check "no part is made" test ! -e n1 -a "$(cat n2)" = kept
echo '{"text":"a","site":[1]}' | to_stream >list.ft
check_status 65 "a group that is a list is refused" ft-split -g site --to n1,n2 --ratio 1,1 list.ft
check "with record and field" grep -q 'record 1 of list.ft: field site: .*plain value' stderr
echo '{"prediction":"a","reference":"b"}' | to_stream >bad.ft
check_status 0 "a record without a prompt is taken" ft-split --to p1,p2 --ratio 1,1 bad.ft
echo '{"prompt":"a"}' | to_stream >bad.ft
check_status 65 "a record that is no example is refused" ft-split --to n1,n2 --ratio 1,1 bad.ft
check "with its number" grep -q 'record 1 of bad.ft: .*completion' stderr
check_status 73 "a folder that is not there" ft-split --to n1,no/n2 --ratio 1,1 data.ft
check "leaves nothing behind" test ! -e n1 -a ! -e n1.ft-tmp
finish

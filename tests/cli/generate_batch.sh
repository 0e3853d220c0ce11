# ft-generate with many records at a time: the same bytes for any batch, memory, order, threads and
# sharing; adapters by record; stop texts; sampling; what is dropped, printed and refused.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

/usr/bin/python3 - <<'END' >in.jsonl
import json
head = "You are asked about files, streams and programs; answer in a few words. "
for i in range(45):
    text = head[:(i * 37) % 75] + "say %d of %d" % (i * i, i % 7) + " and more" * (i % 5)
    if i % 3 == 0:
        r = {"id": "r%d" % i, "text": text}
    elif i % 3 == 1:
        r = {"id": "r%d" % i, "messages": [{"role": "user", "content": text}]}
    else:
        r = {"id": "r%d" % i, "messages": [{"role": "system", "content": head},
                                           {"role": "user", "content": "say %d" % i}]}
    r["adapter"] = ["base", "a", "b"][i % 5 % 3]
    print(json.dumps(r))
END
ft-import -q <in.jsonl >in.ft
/usr/bin/python3 -c '
import random
lines = list(open("in.jsonl"))
random.Random(7).shuffle(lines)
print(end="".join(lines))' >shuffled.jsonl
ft-import -q <shuffled.jsonl >shuffled.ft
for i in 1 2; do
    /usr/bin/python3 -c '
import json
for i in range(16):
    print(json.dumps({"prompt": "say %d" % i, "completion": " it is %d" % (i * '$i')}))' |
        ft-import -q | ft-tokenize -q -m "$TOY" | ft-pack -q -l 256 --long cut |
        ft-train -q -m "$TOY" --lora-rank $((i * 2)) --lr 0.05 --epochs 4 --seed $i >adapter$i.ft
done
both="a=adapter1.ft,b=adapter2.ft"

run() { # FILE OPTION...: answers of standard input as FILE.ft, and as JSON lines in FILE
    to=$1
    shift
    ft-generate -q -m "$TOY" -n 24 --adapters $both "$@" >"$to.ft"
    ft-cat -q "$to.ft" >"$to"
}

same_for_all() { # KIND OPTION...
    kind=$1
    shift
    run alone --batch 1 --no-share --threads 1 "$@" <in.ft
    for batch in 1 3 16 64; do
        for threads in 1 4; do
            run other --batch $batch --threads $threads "$@" <in.ft
            check_same "$kind: same bytes, batch $batch, $threads threads" alone.ft other.ft
        done
    done
    run other --batch 7 --no-share "$@" <in.ft
    check_same "$kind: same bytes without sharing" alone.ft other.ft
    run other --batch 8 --memory 3M "$@" <in.ft
    check_same "$kind: same bytes in little memory" alone.ft other.ft
    run other "$@" <shuffled.ft
    sort alone >alone.sorted
    sort other >other.sorted
    check_same "$kind: same answers in another order" alone.sorted other.sorted
    cp alone "$kind"
}

same_for_all greedy
same_for_all drawn --temperature 1.3 --top-k 60 --top-p 0.97 --seed 5
ft-cat -q shuffled.ft | sed 's/.*"id":"\([^"]*\)".*/\1/' >order.in
sed 's/.*"id":"\([^"]*\)".*/\1/' other >order.out
check_same "answers come in the order of their records" order.in order.out
run other --temperature 1.3 --top-k 60 --top-p 0.97 --seed 6 <in.ft
check "another seed draws otherwise" sh -c '! cmp -s drawn other'
check "drawing is not greedy" sh -c '! cmp -s drawn greedy'
run other --temperature 1 --top-k 1 <in.ft
check_same "the likeliest one alone is greedy" greedy other
ft-generate -m "$TOY" -n 24 --adapters $both --json <in.ft 2>summary >other.ft
check "tokens are shared" grep -q '"shared_tokens":[1-9]' summary

# An adapter by name answers as the same adapter for all does.
for name in base a b; do
    case $name in a) one='-a adapter1.ft' ;; b) one='-a adapter2.ft' ;; base) one='' ;; esac
    # shellcheck disable=SC2086  # words
    ft-generate -q -m "$TOY" -n 24 $one --batch 1 <in.ft | ft-cat -q |
        grep "\"adapter\":\"$name\"" >want
    grep "\"adapter\":\"$name\"" greedy >got
    check_same "records of $name are answered by it" want got
done
check "and the adapters say something else" /usr/bin/python3 - <<'END'
import json
said = {}
for line in open("greedy"):
    r = json.loads(line)
    said.setdefault(r["adapter"], set()).add(r["prediction"])
assert len(said) == 3 and all(len(said[x] - said[y] - {""}) > 5 for x, y in ("ab", "ba")), said
END
grep -v '"adapter": "b"' in.jsonl | ft-import -q >some.ft
ft-generate -q -m "$TOY" -n 24 -a adapter2.ft --adapters a=adapter1.ft <some.ft | ft-cat -q >got
grep -v '"adapter":"b"' greedy >want
check_same "a record that names an adapter does not get that of -a" want got
check_status 65 "an unknown adapter is refused" ft-generate -m "$TOY" --adapters a=adapter1.ft in.ft
check "and its record named" grep -q "record 3: .*'b'" stderr
check_status 64 "a name given twice is refused" ft-generate -m "$TOY" \
    --adapters a=adapter1.ft,a=adapter2.ft in.ft
check_status 64 "base is no name" ft-generate -m "$TOY" --adapters base=adapter1.ft in.ft
check_status 64 "an adapter without a name is refused" ft-generate -m "$TOY" \
    --adapters adapter1.ft in.ft

# Stop texts: an answer ends before the first of them, wherever tokens end.
/usr/bin/python3 - <<'END'
import collections
import json
n = collections.Counter()
for line in open("greedy"):
    p = json.loads(line)["prediction"]
    n.update({p[i:i + k] for k in (2, 3) for i in range(3, len(p) - k)
              if p[i:i + k].isalnum() and p[i:i + k].isascii()})
print("\n".join(s for s, _ in n.most_common(2)), file=open("stops", "w"))
END
first=$(sed -n 1p stops)
second=$(sed -n 2p stops)
run got --stop "$first" --stop "$second" <in.ft
check "stop texts end answers and are no part of them" /usr/bin/python3 - <<'END'
import json
stops = open("stops").read().split("\n")[:2]
ended = 0
for a, b in zip(open("greedy"), open("got")):
    a, b = json.loads(a), json.loads(b)
    ends = [a["prediction"].find(s) for s in stops]
    ends = [e for e in ends if e >= 0]
    want = a["prediction"][:min(ends)] if ends else a["prediction"]
    assert b["prediction"] == want, (a, b, stops)
    ended += bool(ends)
assert 0 < ended, ended
END
ft-generate -q -m "$TOY" -n 60 --text --stop '\n' <in.ft >lines
check "--stop '\\n' leaves one line of each answer" [ "$(wc -l <lines)" = 45 ]

# Printing as it grows is printing, with control characters shown.
ft-generate -q -m "$TOY" -n 60 <in.ft | ft-cat -q >long
ft-generate -q -m "$TOY" -n 60 --stream <in.ft >streamed
check "--stream prints the same answers, no control character" /usr/bin/python3 - <<'END'
import json
import re
want = b"".join((re.sub("[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda m: "\\u%04x" % ord(m[0]),
                        json.loads(x)["prediction"]) + "\n").encode() for x in open("long"))
got = open("streamed", "rb").read()
assert got == want, (got[:200], want[:200])
END

# A prompt over the context, and other refusals.
/usr/bin/python3 -c '
import json
print(json.dumps({"id": 1, "text": "word " * 400}))
print(json.dumps({"id": 2, "text": "ok"}))' | ft-import -q >long.ft
check_status 65 "a long prompt is an error" ft-generate -q -m "$TOY" -n 4 long.ft
ft-generate -m "$TOY" -n 4 --long drop --json long.ft 2>counts | ft-cat -q >got
check "--long drop keeps the others" [ "$(grep -c '"id":2' got)" = 1 ]
check "and counts" grep -q '"too long":1' counts
check_status 71 "too little memory is refused" ft-generate -m "$TOY" --memory 100K in.ft
check "with a number" grep -q 'take [0-9]* MB.*--memory' stderr
check_status 64 "top-k without a temperature is refused" ft-generate -m "$TOY" --top-k 4 in.ft
check_status 64 "an empty stop text is refused" ft-generate -m "$TOY" --stop '' in.ft
check_status 64 "--stream has no file" ft-generate -m "$TOY" --stream -o x in.ft
PYTHONPATH=$FT_ROOT/tests PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 - "$TOY" <<'END'
import struct
import sys
import gguf_read
g = gguf_read.Gguf(sys.argv[1])
weights = g.tensors["output_norm.weight"][2]
assert g.b.count(weights) == 1
at = g.b.index(weights) + 20
open("nan.gguf", "wb").write(g.b[:at] + struct.pack("<f", float("nan")) + g.b[at + 4:])
END
check_status 70 "a logit that is no number ends the run" ft-generate -m nan.gguf in.ft
check "naming its record" grep -q 'record 1: the logit of token 0 after .* is not a number' stderr
ft-import -q </dev/null | ft-generate -q -m "$TOY" | ft-cat -q >got
check "an empty stream stays empty" [ ! -s got ]
finish

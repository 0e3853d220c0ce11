# What stands around training: the gap between both losses, forgetting and its bound, the divergence
# from the base, noise on embeddings, the log of examples; each of them through a kill and a resume.
# The other side of each number is ft-eval's, or is computed anew from the log.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
/usr/bin/python3 -c '
import json
signs = "QZXJVKW#%&*+<>[]{}|~^"         # none of them occurs in what is trained on
for i in range(9):
    text = "".join(signs[(i * i + k * k * 7 + k) % len(signs)] for k in range(60))
    print(json.dumps({"text": text, "weight": 1 + i % 2}))' |
    ft-import -q | ft-tokenize -q -m toy.gguf --train-on all |
    ft-pack -q -l 128 --long cut -o general.ft
cp packed.ft val.ft
args='-q -m toy.gguf --compute f32 --lora-rank 4 --epochs 6 --batch 5 --lr 0.02 --seed 7'
# shellcheck disable=SC2086  # words
train() { ft-train $args "$@" packed.ft; }
plain() { sed 's/,"tokens_per_s":[0-9.]*//' "$1"; }
loss() { # STREAM [ADAPTER]
    ft-eval -q -m toy.gguf --compute f32 --json ${2:+-a "$2"} "$1"
}

# ---- the gap, and what was forgotten ----

train --val val.ft --forget general.ft --val-every 4 --log gap.log --example-log gap.ex -o gap.ft
loss general.ft >base.json
train --forget general.ft --val-every 4 --log last.log -o last.ft
loss general.ft last.ft >last.json
check "the log's evaluations are right" /usr/bin/python3 - gap.log gap.ex last.log base.json \
    last.json <<'END'
import json, sys
gap, examples, last = ([json.loads(x) for x in open(f)] for f in sys.argv[1:4])
base, tuned = (json.load(open(f))["loss"] for f in sys.argv[4:])
near = lambda a, b: abs(a - b) <= 1e-12 * abs(b) + 1e-15
sums = {}                                       # the losses of steps, from those of examples
for x in examples:
    nll, n = sums.get(x["step"], (0, 0))
    sums[x["step"]] = nll + x["loss"] * x["targets"], n + x["targets"]
steps = [x for x in gap if "loss" in x]
assert all(near(x["loss"], sums[x["step"]][0] / sums[x["step"]][1]) for x in steps)
evals = [x for x in gap if "loss" not in x]
assert evals[0].keys() == {"step", "forget_loss", "forget_rise"}
assert evals[0]["step"] == 0 and evals[0]["forget_rise"] == 0
assert near(evals[0]["forget_loss"], base), (evals[0], base)
before = 0
for x in evals[1:]:
    assert x.keys() == {"step", "val_loss", "train_loss", "gap", "forget_loss", "forget_rise"}
    nll = sum(sums[s][0] for s in range(before + 1, x["step"] + 1))
    n = sum(sums[s][1] for s in range(before + 1, x["step"] + 1))
    assert near(x["train_loss"], nll / n), x
    assert near(x["gap"], x["val_loss"] - nll / n)
    assert near(x["forget_rise"], x["forget_loss"] - base)
    assert x["step"] % 4 == 0 or x["step"] == len(steps)
    before = x["step"]
assert before == len(steps) and len(evals) == len(steps) // 4 + 1 + (len(steps) % 4 > 0)
lasts = [x for x in last if "loss" not in x]
assert [x["step"] for x in lasts] == [x["step"] for x in evals]
assert lasts[1].keys() == {"step", "train_loss", "forget_loss", "forget_rise"}
assert near(lasts[-1]["forget_loss"], tuned) and tuned > base
END

# ---- the examples ----

check "each example is logged once an epoch, with its own loss" \
    /usr/bin/python3 - gap.ex <<'END'
import collections, json, sys
rows = [json.loads(x) for x in open(sys.argv[1])]
assert all(list(x) == ["id", "epoch", "step", "loss", "targets"] for x in rows)
count = collections.Counter((x["epoch"], json.dumps(x["id"])) for x in rows)
assert set(count.values()) == {1} and {e for e, _ in count} == set(range(1, 7))
assert len({i for _, i in count}) * 6 == len(rows) == 24 * 6
assert [x["step"] for x in rows] == sorted(x["step"] for x in rows)
END
ft-train $args --epochs 1 --lr 0 --example-log frozen.ex -o x.ft packed.ft
ft-eval -q -m toy.gguf --compute f32 --json --scores base.scores packed.ft >eval.json
check "a model that stays as it is has the losses that ft-eval gives it" \
    /usr/bin/python3 - frozen.ex base.scores <<'END'
import json, sys
mine, want = ({json.dumps(x["id"]): x for x in map(json.loads, open(f))} for f in sys.argv[1:])
assert mine.keys() == want.keys() and len(want) == 24
for i, x in want.items():
    assert mine[i]["targets"] == x["targets"]
    assert abs(mine[i]["loss"] - x["loss"]) <= 2e-6 * x["loss"]
END
check_status 0 "ft-label reads the losses of an epoch" \
    sh -c 'grep "\"epoch\":1," gap.ex >one.ex &&
           ft-label --scores one.ex --suggest s.jsonl --outlier 0 -o x.ft text.ft'
check "and finds outliers in them" grep -q '"method":"loss"' s.jsonl

# ---- overfitting ----

train --val general.ft --val-every 3 --epochs 12 --log over.log -o x.ft 2>over.said
check "it is said just when the log shows it" /usr/bin/python3 - over.log over.said <<'END'
import json, sys
evals = [x for x in map(json.loads, open(sys.argv[1])) if "val_loss" in x]
row, want = 0, 0
for a, b in zip(evals, evals[1:]):
    row = row + 1 if b["val_loss"] > a["val_loss"] and b["train_loss"] < a["train_loss"] else 0
    want += row == 2
assert want > 0, evals
assert open(sys.argv[2]).read().count("overfitting") == want
END
train --val val.ft --val-every 2 --epochs 2 -o x.ft 2>over.said
check "and not when both fall" sh -c '! grep -q overfitting over.said'

# ---- the bound on forgetting ----

limit=$(/usr/bin/python3 - gap.log <<'END'
import json, sys
rises = [x["forget_rise"] for x in map(json.loads, open(sys.argv[1])) if "forget_rise" in x]
print((max(rises[:4]) + max(rises)) / 2)
END
)
bound="--forget general.ft --val-every 4 --max-forget $limit"
# shellcheck disable=SC2086  # words
{
    check_status 0 "the bound ends the run" train $bound --json --log bound.log -o bound.ft
    mv stderr bound.json
    check_status 0 "the bound with validation" \
        train $bound --val val.ft --json --log vbound.log -o vbound.ft
    mv stderr vbound.json
}
loss general.ft bound.ft >bound.general
loss val.ft vbound.ft >vbound.val
check "what is kept is the last, or the best, within it" /usr/bin/python3 - "$limit" bound.log \
    bound.json bound.general vbound.log vbound.json vbound.val gap.log <<'END'
import json, sys
limit = float(sys.argv[1])
lines = lambda f: [x for x in map(json.loads, open(f)) if "forget_rise" in x]
said = lambda f: json.loads(open(f).read().splitlines()[-1])
near = lambda a, b: abs(a - b) <= 1e-12 * abs(b)
free = lines(sys.argv[8])
stop = next(i for i, x in enumerate(free) if x["forget_rise"] > limit)
assert stop > 1
for at, key in (2, "forget_loss"), (5, "val_loss"):
    evals, result = lines(sys.argv[at]), said(sys.argv[at + 1])
    kept = json.load(open(sys.argv[at + 2]))["loss"]
    assert [x["step"] for x in evals] == [x["step"] for x in free[:stop + 1]]
    assert [x["forget_loss"] for x in evals] == [x["forget_loss"] for x in free[:stop + 1]]
    within = evals[1:-1]
    best = within[-1] if key == "forget_loss" else min(within, key=lambda x: x["val_loss"])
    assert near(kept, best[key]), (kept, best)
    assert result["best_step"] == best["step"], result
    assert result["stopped_forgetting"] == result["steps"] == evals[-1]["step"], result
    assert result["forget_rise"] == evals[-1]["forget_rise"] > limit, result
    assert near(result["forget_start"], evals[0]["forget_loss"]), result
END
# shellcheck disable=SC2086  # words
ft-train ${args#-q} $bound -o x.ft packed.ft 2>stderr
check "the reason is said" \
    grep -q 'stopped after step .*general text has risen by .*--max-forget allows' stderr
check_status 0 "a bound that the only evaluation passes" \
    train --forget general.ft --max-forget 1e-6 --json -o none.ft
check "is said, too" grep -q 'no evaluation was within --max-forget.*untrained' stderr
loss val.ft >a.json
loss val.ft none.ft >b.json
check "and the adapter changes nothing" /usr/bin/python3 -c '
import json
a, b = (json.load(open(f))["loss"] for f in ("a.json", "b.json"))
assert a == b, (a, b)'

# ---- the divergence, and noise ----

for way in '--kl 0.5' '--neftune 5' '--kl 0.5 --neftune 5 --lora-dropout 0.1'; do
    # shellcheck disable=SC2086  # words
    {
        train $way --log way.log --threads 2 -o way.ft
        for other in '--threads 1 --micro 1' '--threads 3 --micro 4 --recompute full'; do
            train $way $other --log other.log -o other.ft
            check_same "$way $other: the adapter" way.ft other.ft
            plain way.log >a.plain
            plain other.log >b.plain
            check_same "$way $other: the log" a.plain b.plain
        done
    }
done
train --no-share --log free.log -o free.ft
for weight in 0.01 10; do train --kl $weight --log kl$weight.log -o x.ft; done
check "the more it weighs, the nearer the base" \
    /usr/bin/python3 - kl0.01.log kl10.log free.log <<'END'
import json, sys
low, high, free = ([json.loads(x) for x in open(f)] for f in sys.argv[1:])
assert list(low[0]) == ["step", "loss", "kl", "lr", "grad_norm", "tokens", "tokens_per_s"]
assert low[0]["kl"] == 0 and low[0]["loss"] == free[0]["loss"] and "kl" not in free[0]
assert 0 < high[-1]["kl"] < low[-1]["kl"] / 3, (high[-1], low[-1])
assert low[-1]["loss"] < high[-1]["loss"]
END
plan() { ft-train --plan --json -m toy.gguf --batch 5 "$@" packed.ft; }
plan --no-share >a.json
plan --kl 1 >b.json
plan --forget general.ft --max-forget 1 >c.json
check "the plan knows what they take" /usr/bin/python3 - <<'END'
import json
a, b, c = (json.load(open(f)) for f in ("a.json", "b.json", "c.json"))
assert b["scratch"] - a["scratch"] >= 4 * (b["micro_tokens"] * 32 + 512), (a, b)
assert b["shared"] == 0 and b["activations"] == a["activations"]
assert c["adapter"] == 2 * a["adapter"] and c["data"] > a["data"]
END

# ---- killed and gone on with ----

same_end() { # WHAT NAME
    check_same "$1: the adapter" ref.ft "$2.ft"
    check_same "$1: the log of examples" ref.ex "$2.ex"
    plain ref.log >a.plain
    plain "$2.log" >b.plain
    check_same "$1: the log" a.plain b.plain
    check "$1: the checkpoints" diff -r ref "$2"
}
run() { # NAME OPTION...
    name=$1
    shift
    train --checkpoint "$name" --every 3 --log "$name.log" --example-log "$name.ex" \
        -o "$name.ft" "$@"
}
for way in "--forget general.ft --val val.ft --val-every 4" "--val val.ft $bound" "$bound" \
           '--kl 0.5 --neftune 5'; do
    rm -rf ref* cut*
    # shellcheck disable=SC2086  # words
    {
        run ref $way 2>/dev/null
        status=0
        /usr/bin/python3 "$FT_ROOT/tests/cli/signal_at.py" cut.log '"step":8,' KILL \
            ft-train $args $way --checkpoint cut --every 3 --log cut.log --example-log cut.ex \
            -o cut.ft packed.ft 2>/dev/null || status=$?
        check "$way: killed" test $status = 137
        check_status 0 "$way: gone on with" run cut --resume --threads 3 --micro 2 $way
        same_end "$way" cut
        rm cut.ft
        check_status 0 "$way: over" run cut --resume $way
        same_end "$way: over" cut
    }
done
run ref2 --forget general.ft --val-every 4
check_status 65 "other general text" run ref2 --resume --forget val.ft --val-every 4
check "is named" grep -q 'other data of --forget' stderr
check_status 65 "no general text" run ref2 --resume --val-every 4
check "is named, too" grep -q 'data of --forget.*this one has none' stderr
check_status 65 "another weight" run ref2 --resume --forget general.ft --val-every 4 --kl 1
check "is said" grep -q 'the run had --kl 0' stderr
sed -i 's/"loss":[0-9]/"loss":9/' ref2.ex
check_status 65 "another log of examples" run ref2 --resume --forget general.ft --val-every 4
check "is named by its file" grep -q 'ref2.ex does not hold the first' stderr

# ---- refused ----

check_status 64 "--max-forget needs --forget" train --max-forget 0.1 -o x.ft
check_status 64 "one file for both logs" train --log l --example-log l -o x.ft
check_status 64 "a weight below 0" train --kl -1 -o x.ft
check_status 65 "general text that is no packed stream" train --forget text.ft -o x.ft
head -c -1 general.ft >short.ft
check_status 65 "general text that is cut" train --forget short.ft -o x.ft
check_status 66 "general text that is not there" train --forget no.ft -o x.ft
check_status 73 "a log of examples in no folder" train --example-log no/x -o x.ft
if [ -w /dev/full ]; then
    check_status 74 "a log of examples that is full" train --example-log /dev/full -o x.ft
fi
check "nothing is left" sh -c '! ls x.ft-tmp* 2>/dev/null'

# Of a split: measured on what is trained on is refused, what is only measured leaves no mark.
ft-split -q --to a.ft,b.ft --ratio 50,50 <text.ft
for part in a b; do
    ft-tokenize -q -m toy.gguf <$part.ft | ft-pack -q -l 256 --long cut -o $part.p
done
check_status 65 "general text that is trained on" \
    ft-train -q -m toy.gguf --forget a.p -o x.ft a.p
ft-train -q -m toy.gguf --forget b.p -o apart.ft a.p
check_status 0 "what was only measured may be measured again" \
    ft-eval -q -m toy.gguf -a apart.ft --json b.p
check_status 65 "what was trained on may not" ft-eval -q -m toy.gguf -a apart.ft --json a.p
check_status 0 "the history" ft-check --history apart.ft
finish

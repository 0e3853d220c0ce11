# ft-train with checkpoints: stopped by a signal and gone on with, it writes the bytes of a run
# without a break; what does not fit is refused by name; what ends a run early says so.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
cp packed.ft val.ft
args='-q -m toy.gguf --compute f32 --lora-rank 4 --lora-dropout 0.1 --epochs 20 --batch 5
      --lr 0.01 --seed 7
      --val val.ft --val-every 7'
# shellcheck disable=SC2086  # words
train() { ft-train $args "$@" packed.ft; }
plain() { sed 's/,"tokens_per_s":[0-9.]*//' "$1"; }

train --checkpoint ref --every 10 --log ref.log -o ref.ft
plain ref.log >ref.plain
train --log none.log -o none.ft
check_same "checkpoints change no byte of the adapter" ref.ft none.ft
plain none.log | cmp - ref.plain && ok "nor of the log" || not_ok "nor of the log"
check "the last two are kept" test "$(echo ref/*)" = \
    "ref/checkpoint-0000000070.ft ref/checkpoint-0000000080.ft"
check_status 0 "ft-check verifies them" ft-check ref/checkpoint-0000000070.ft \
    ref/checkpoint-0000000080.ft
check "as checkpoints" grep -q 'checkpoint.*ok$' stdout
check_status 0 "ft-cat shows them" ft-cat ref/checkpoint-0000000080.ft
check "by their blocks" test "$(sed 's/.*"name":"\([a-z]*\)".*/\1/' stdout | tr '\n' ' ')" = \
    "params m v best "
check "the independent decoder reads them" /usr/bin/python3 - ref/checkpoint-0000000080.ft <<'END'
import json, os, subprocess, sys
decode = ["/usr/bin/python3", os.environ["FT_ROOT"] + "/tests/ft_decode.py"]
head = json.loads(subprocess.run(decode + ["--header", sys.argv[1]], check=True,
                                 capture_output=True, text=True).stdout)
run, state = head["extra"]["run"], head["extra"]["state"]
assert state["step"] == 80 and state["params"] > 0 and state["best_loss"] > 0, state
assert run["options"]["batch"] == 5 and run["seed"] == 7 and "openblas" in run["numerics"], run
print(run["numerics"], file=open("numerics", "w"))
rows = subprocess.run(decode + [sys.argv[1]], check=True, capture_output=True, text=True).stdout
rows = [json.loads(line) for line in rows.splitlines()]
assert [r["name"] for r in rows] == ["params", "m", "v", "best"]
assert all(len(r["data"]["$bin"]) == 8 * state["params"] for r in rows)
# The digest of the log, computed anew.
import re, xxhash
d = bytes(16)
for line in open("ref.log", "rb"):
    d = xxhash.xxh3_128_digest(d + re.sub(rb',"tokens_per_s":[0-9.]*', b"", line))
assert d.hex() == state["log"]["$bin"]
END

# The end of a run that was stopped and gone on with: NAME of folder, log and adapter.
same_end() { # WHAT NAME
    check_same "$1: the adapter" ref.ft "$2.ft"
    check_same "$1: the last checkpoint" ref/checkpoint-0000000080.ft \
        "$2/checkpoint-0000000080.ft"
    if plain "$2.log" | cmp -s - ref.plain; then
        ok "$1: the log"
    else
        not_ok "$1: the log"
        plain "$2.log" | diff - ref.plain | head -n 5 | sed 's/^/# /'
    fi
}

# A run that is sent signals after step 24.
signalled() { # SIGNAL[,SIGNAL] NAME OPTION...
    sig=$1 name=$2
    shift 2
    # shellcheck disable=SC2086  # words
    /usr/bin/python3 "$FT_ROOT/tests/cli/signal_at.py" "$name.log" '"step":24,' "$sig" \
        ft-train $args --log "$name.log" -o "$name.ft" "$@" packed.ft
}
resumed() { # NAME OPTION...
    name=$1
    shift
    train --checkpoint "$name" --every 10 --resume --log "$name.log" -o "$name.ft" "$@"
}

for sig in TERM INT; do
    check_status 75 "$sig: status 75" signalled $sig $sig --checkpoint $sig --every 10
    check "$sig: the message says how to go on" \
        grep -q 'stopped by a signal after step .*--resume' stderr
    check "$sig: no adapter yet" sh -c "! ls $sig.ft* 2>/dev/null"
    check_status 0 "$sig: gone on with, other threads and --micro" \
        resumed $sig --threads 3 --micro 2 --memory 1G --spike 0
    same_end $sig $sig
done
status=0
signalled TERM,INT twice --checkpoint twice --every 10 2>/dev/null || status=$?
check "a second signal ends it at once" test $status = 130 -o $status = 143
check "and leaves no temporary file" sh -c '! ls twice.ft* twice/*.ft-tmp 2>/dev/null'
check_status 0 "and the run goes on" resumed twice
same_end "after two signals" twice
status=0
signalled TERM alone 2>/dev/null || status=$?
check "without --checkpoint a signal ends it" test $status = 143
check "without an adapter" sh -c '! ls alone.ft* 2>/dev/null'

# A finished run.
rm -f TERM.ft
check_status 0 "a finished run writes its adapter again" resumed TERM
same_end "a finished run" TERM
check_status 64 "a folder with checkpoints is refused without --resume" \
    train --checkpoint TERM -o x.ft
check "the refusal says what to do" grep -q -- --resume stderr
check_status 0 "--resume begins where there is no checkpoint" resumed fresh
same_end "begun with --resume" fresh

# Other runs.
cp -r ref other
refused() { # WHAT WORDS OPTION... (options replace those of the run)
    what=$1 words=$2
    shift 2
    check_status 65 "refused: $what" train --checkpoint other --resume -o x.ft "$@"
    check "refused: $what: by its name" grep -q -- "$words" stderr
}
refused "another learning rate" 'the run had --lr 0.01, this one has 0.02' --lr 0.02
refused "another rank" 'the run had --lora-rank 4' --lora-rank 5
refused "more epochs" 'the run had --epochs 20' --epochs 21
refused "another batch" 'the run had --batch 5' --batch 6
refused "another order" 'the run had --no-shuffle off' --no-shuffle
refused "another seed" 'the run had --seed 7, this one has 8' --seed 8
refused "patience" 'the run had --patience 0' --patience 3
ft-tokenize -q -m toy.gguf --train-on all <text.ft | ft-pack -q -l 256 --long cut -o foreign.ft
cp packed.ft kept.ft
cp foreign.ft packed.ft
refused "other data" 'other training data'
mv kept.ft packed.ft
cp foreign.ft val.ft
refused "other validation data" 'other validation data'
cp packed.ft val.ft
ft-quant -q -m toy.gguf -t q8_0 -o quant.gguf
refused "another model" 'other model' -m quant.gguf
for family in ref avx2 avx512; do
    if ! grep -q "^$family " numerics &&
            FT_CPU=$family ft-cat --version >/dev/null 2>&1; then
        FT_CPU=$family refused "the kernels $family" 'other arithmetic'
    fi
done
check "nothing of all that was changed" diff -r ref other

# The log.
cp ref.log cut.log
head -n 30 ref.log >short.log
sed 's/"loss":[0-9]/"loss":9/' ref.log >altered.log
for log in short altered; do
    check_status 65 "a log that is $log is refused" \
        train --checkpoint other --resume --log $log.log -o x.ft
done
check "and not touched" test "$(wc -l <short.log)" = 30
rm other/checkpoint-0000000080.ft
printf '{"step":90,"loss":' >>cut.log
check_status 0 "a log that runs ahead is cut" \
    train --checkpoint other --every 10 --resume --log cut.log -o cut.ft
check_same "a log that runs ahead: the adapter" ref.ft cut.ft
plain cut.log >cut.plain
check_same "a log that runs ahead: the log" ref.plain cut.plain
rm other/checkpoint-0000000080.ft
check_status 0 "a log that is gone begins with the next step" \
    train --checkpoint other --every 10 --resume --log gone.log -o gone.ft
check "a log that is gone: a warning" grep -q 'warning:.*it will begin with step 71' stderr
check "a log that is gone: the rest" test "$(head -c 11 gone.log)" = '{"step":71,'

# Damage.
damage() { # FILE: the middle of it is overwritten
    printf 'damage' | dd of="$1" bs=1 seek=$(($(wc -c <"$1") / 2)) conv=notrunc 2>/dev/null
}
cp -r ref damaged
cp ref.log damaged.log
damage damaged/checkpoint-0000000080.ft
check_status 0 "a damaged checkpoint: the one before it is taken" resumed damaged
check "with a warning" grep -q 'warning:.*damaged.*checkpoint-0000000080' stderr
same_end "a damaged checkpoint" damaged
for f in damaged/*; do damage "$f"; done
echo mine >damaged/notes
echo mine >damaged/checkpoint-x.ft.ft-tmp
echo stale >damaged/checkpoint-0000000100.ft.ft-tmp
check_status 0 "none is whole: from the beginning" resumed damaged
same_end "none is whole" damaged
check "stale temporary files are gone, others' files are not" \
    test "$(cd damaged && echo *)" = "checkpoint-0000000070.ft checkpoint-0000000080.ft \
checkpoint-x.ft.ft-tmp notes"
head -c 1000 ref/checkpoint-0000000080.ft >damaged/checkpoint-0000000080.ft
check_status 0 "a cut checkpoint" resumed damaged
same_end "a cut checkpoint" damaged

# One run at a time.
if command -v flock >/dev/null; then
    check_status 73 "a folder in use is refused" \
        flock ref ft-train -q -m toy.gguf --checkpoint ref --resume -o x.ft packed.ft
fi
check_status 64 "--resume needs --checkpoint" train --resume
check_status 64 "--every needs --checkpoint" train --every 5
check_status 64 "--patience needs --val" ft-train -m toy.gguf --patience 5 packed.ft
check_status 73 "a folder whose parent is missing" train --checkpoint no/such -o x.ft

# Patience: the same digits and letters as in train.sh would need many steps; a rate that is far too
# high does as well.
early='--lr 0.5 --val-every 2 --patience 3'
# shellcheck disable=SC2086  # words
check_status 0 "patience ends the run" train $early --json --log early.log -o early.ft
check "it says when, and keeps the best" /usr/bin/python3 - early.log stderr <<'END'
import json, sys
vals = [x for x in map(json.loads, open(sys.argv[1])) if "val_loss" in x]
best = min(range(len(vals)), key=lambda i: vals[i]["val_loss"])
assert len(vals) == best + 4, vals
said = json.loads(open(sys.argv[2]).read())
assert said["stopped_early"] == said["steps"] == vals[-1]["step"] < 80, said
assert said["best_step"] == vals[best]["step"] and said["val_loss"] == vals[best]["val_loss"], said
END
# shellcheck disable=SC2086  # words
{
    train $early --checkpoint early --every 3 -o x.ft
    check_status 0 "an early end stays one" train $early --checkpoint early --resume -o early2.ft
}
check_same "and keeps the best" early.ft early2.ft

# What is not finite, and what jumps.
check_status 70 "a learning rate beyond reason" ft-train -q -m toy.gguf --epochs 40 --lr 10 \
    --warmup 0 --weight-decay 100 --checkpoint nan --every 1 -o x.ft packed.ft
last=$(echo nan/* | sed 's/.* //')
check "the message names the step, the record and the last good checkpoint" \
    grep -q "step [0-9]*: .*record [0-9].*not finite.*the last good checkpoint is $last" stderr
check_status 0 "which is whole" ft-check "$last"
i=0
{
    while [ $i -lt 200 ]; do echo '{"text":"aaaa aaaa aaaa aaaa"}' && i=$((i + 1)); done
    echo '{"text":"7 Qz! x%9 #k2 Wv ;3 @Jp ~5"}'
} | ft-import -q | ft-tokenize -q -m toy.gguf | ft-pack -q -l 64 --no-pack -o jump.ft
jump='-q -m toy.gguf --lora-rank 4 --batch 5 --lr 0.02 --no-shuffle jump.ft'
# shellcheck disable=SC2086  # words
check_status 70 "a loss that jumps" ft-train $jump --checkpoint jump --every 30 -o x.ft
check "the message names step and record" \
    grep -q 'step 41: the loss jumped to .*record 201 has the largest.*jump/checkpoint-0000000030' \
    stderr
# shellcheck disable=SC2086  # words
check_status 0 "and --spike 0 goes on" ft-train $jump --checkpoint jump --resume --spike 0 -o x.ft
finish

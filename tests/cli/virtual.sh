# Prefix and prompt tuning by the command line: what must change no byte, how they begin, loss and
# generation with their adapters, and what is refused. The formulas: tests/unit/nn_virtual_test.c.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
near() { # A B TOLERANCE
    awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { d = a > b ? a - b : b - a
        exit !(a > 0 && d <= most * a) }'
}
loss() { ft-eval -q -m toy.gguf --compute f32 "$@" | sed -n 's/^loss	//p'; }
# shellcheck disable=SC2086  # words
train() { ft-train -q -m toy.gguf --epochs 4 --batch 6 --lr 0.02 --seed 7 "$@" packed.ft; }
last_loss() { sed -n 's/.*"loss":\([0-9.]*\).*/\1/p' "$1" | tail -n 1; }

# ---- training ----

cp packed.ft val.ft
for method in prefix prompt; do
    for compute in f32 bf16 int8; do
        what="$method $compute"
        one="--method $method --$method-tokens 9 --compute $compute --val val.ft --val-every 4"
        # shellcheck disable=SC2086  # words
        train $one --checkpoint run --every 4 --log log -o reference.ft
        while read -r name options; do
            # shellcheck disable=SC2086  # words
            train $one $options -o other.ft
            check_same "$what: same bytes with $name" reference.ft other.ft
        done <<'END'
one-thread --threads 1
small-micro-batches --micro 1
five-threads --micro 2 --threads 5
attention-again --recompute attention
all-again --recompute full --micro 4 --threads 3
END
        rm "$(find run -name 'checkpoint-*' | sort | tail -n 1)"
        # shellcheck disable=SC2086  # words
        train $one --checkpoint run --every 4 --resume --log log -o other.ft
        check_same "$what: same bytes after a resume" reference.ft other.ft
        rm -r run
        # shellcheck disable=SC2086  # words
        train $one --no-share --log other.log -o other.ft
        check "$what: the same loss without sharing" near "$(last_loss log)" \
            "$(last_loss other.log)" "$([ $compute = f32 ] && echo 1e-4 || echo 0.02)"
        check "$what: the validation is that of ft-eval" near \
            "$(ft-eval -q -m toy.gguf --compute $compute -a reference.ft val.ft |
                sed -n 's/^loss	//p')" \
            "$(sed -n 's/.*"val_loss":\([0-9.]*\).*/\1/p' log | sort -g | head -n 1)" \
            "$([ $compute = f32 ] && echo 1e-5 || echo 0.02)"
    done
    train --method $method -o $method.ft
    check "$method: training lowers the loss" awk -v before="$(loss packed.ft)" \
        -v after="$(loss -a $method.ft packed.ft)" 'BEGIN { exit !(after < 0.98 * before) }'
    check_status 0 "$method: ft-check accepts it" ft-check -q $method.ft
    train --method $method --base nf4 -o nf4.ft
    check_status 0 "$method: on a base in nf4" ft-eval -q -m toy.gguf -a nf4.ft packed.ft
done
check "names, shapes and header" /usr/bin/python3 - <<'END'
import json, os, subprocess
def read(*words):
    decode = ["/usr/bin/python3", os.environ["FT_ROOT"] + "/tests/ft_decode.py"]
    out = subprocess.run(decode + list(words), check=True, capture_output=True, text=True).stdout
    return [json.loads(line) for line in out.splitlines()]
for method, cols in (("prefix", 2 * 2 * 16), ("prompt", 32)):
    (r,) = read(method + ".ft")
    assert r["name"] == "prompt_embeddings" and r["shape"] == [20, cols], r["shape"]
    head = read("--header", method + ".ft")[0]
    extra, options = head["extra"], head["entry"]["options"]
    assert extra["method"] == method and extra["virtual_tokens"] == 20 and "rank" not in extra
    assert options["init-text"] is None and options[method + "-tokens"] == 20, options
END

# ---- how they begin: as the base reads the same tokens ----

# At a rate of 0 an adapter stays what it was at first. Both methods then say what the base says
# behind these tokens; the tokeniser ends a token at each line's end here.
text='Answer all of it in one line.
'
printf '{"prompt":"say %d of %d\\n","completion":"it is %d"}\n' 1 2 30 4 5 60 7 8 90 11 12 130 |
    ft-import -q -o pairs.ft
sed 's/"prompt":"/&Answer all of it in one line.\\n/' <<END | ft-import -q -o told.ft
$(ft-export -q pairs.ft)
END
for x in pairs told; do ft-tokenize -q -m toy.gguf $x.ft | ft-pack -q -l 200 -o $x.packed; done
tokens() { ft-cat -q "$1" | sed 's/.*"ids":\[\([0-9,]*\)\].*/\1/'; }
ft-tokenize -q -m toy.gguf told.ft -o told.tokens
ft-tokenize -q -m toy.gguf pairs.ft -o pairs.tokens
tokens told.tokens | head -n 1 >told.ids
tokens pairs.tokens | head -n 1 >pairs.ids
n=$(( $(tr , '\n' <told.ids | wc -l) - $(tr , '\n' <pairs.ids | wc -l) ))
check "the two texts differ by $n tokens at the beginning" test \
    "$(cut -d , -f "$((n + 1))-" told.ids)" = "$(cat pairs.ids)"
want=$(loss told.packed)
for method in prefix prompt; do
    train --method $method --$method-tokens "$n" --init-text "$text" --lr 0 --compute f32 -o zero.ft
    check "$method begins as the base behind --init-text" near "$want" \
        "$(loss -a zero.ft pairs.packed)" 1e-6
    ft-check --history zero.ft | grep -q 'Answer all of it' && ok "the history has the text" ||
        not_ok "the history has the text"
done
check "which is not what it is without" sh -c "! [ $want = $(loss pairs.packed) ]"
# All of the data begin alike.
begins='<|im_start|>system
You are a helpful AI assistant'
for method in prefix prompt; do
    for init in "" "--init-text"; do
        set -- --method $method --$method-tokens 8 --lr 0
        [ -z "$init" ] || set -- "$@" --init-text "$begins"
        train "$@" -o zero.ft
        ft-cat -q zero.ft >"values$init"
    done
    check_same "without --init-text $method begins as the first tokens of the data" values \
        values--init-text
done

# ---- loss ----

ft-pack -q --no-pack <tokens.ft >alone.ft
ft-pack -q -l 256 <tokens.ft >together.ft
check "rows of several examples" test "$(ft-cat -q together.ft | wc -l)" -lt \
    "$(ft-cat -q alone.ft | wc -l)"
ft-export -q pairs.ft | sed 's/"completion":"\([^"]*\)"/&,"choices":["no","\1","it was"]/' |
    ft-import -q -o choices.ft
for method in prefix prompt; do
    check "$method: each packed example sees its own virtual tokens" near \
        "$(loss -a $method.ft alone.ft)" "$(loss -a $method.ft together.ft)" 1e-6
    ft-eval -q -m toy.gguf -a $method.ft --compute f32 --choices choices --cluster none \
        --scores chosen.jsonl choices.ft >/dev/null
    ft-eval -q -m toy.gguf -a $method.ft --compute f32 --scores losses.jsonl pairs.packed >/dev/null
    check "$method: --choices has the loss of the answer" /usr/bin/python3 - <<'END'
import json
rows = lambda path: [json.loads(line) for line in open(path)]
chosen, losses = rows("chosen.jsonl"), {str(x["id"]): x for x in rows("losses.jsonl")}
assert len(chosen) == 4
for c in chosen:
    x = losses[str(c["id"])]
    want = x["loss"] * x["targets"]
    assert abs(c["nll"][c["answer"]] - want) <= 1e-5 * want, (c, x)
END
done

# ---- generation ----

/usr/bin/python3 - >mixed.jsonl <<'END'
import json
names = ["base", "lora", "prefix", "prompt"]
for i in range(24):
    print(json.dumps({"id": i, "adapter": names[i % 4], "messages": [
        {"role": "user", "content": f"say {i} of {i % 5}"}]}))
END
ft-import -q <mixed.jsonl >mixed.ft
cp adapter.ft lora.ft
all=lora=lora.ft,prefix=prefix.ft,prompt=prompt.ft
mixed() { ft-generate -q -m toy.gguf -n 16 --adapters $all --text "$@" <mixed.ft; }
mixed --batch 16 >want
while read -r options; do
    # shellcheck disable=SC2086  # words
    mixed $options >got
    check_same "the same texts with $options" want got
done <<'END'
--batch 1
--batch 5 --threads 3
--batch 16 --no-share
--batch 3 --no-share --threads 1
END
for name in base lora prefix prompt; do
    grep "\"$name\"" mixed.jsonl | ft-import -q >some.ft
    if [ $name = base ]; then set --; else set -- -a $name.ft; fi
    ft-generate -q -m toy.gguf -n 16 "$@" --text <some.ft >alone
    case $name in base) from=1 ;; lora) from=2 ;; prefix) from=3 ;; prompt) from=4 ;; esac
    sed -n "$from~4p" want >got
    check_same "$name alone says what it says among others" alone got
done
check "and they do not all say the same" test "$(sed -n 1,4p want | sort -u | wc -l)" -gt 2

# ---- refusals ----

no() { # STATUS WORDS COMMAND...
    no_status=$1 no_words=$2
    shift 2
    check_status "$no_status" "refused: $no_words" "$@"
    check "and says so" grep -q -- "$no_words" stderr
}
no 64 'prefix-tokens goes with --method prefix' ft-train -m toy.gguf --prefix-tokens 3 packed.ft
no 64 'lora-rank goes with --method lora' ft-train -m toy.gguf --method prompt --lora-rank 3 \
    packed.ft
no 64 'init-text goes with --method prefix' ft-train -m toy.gguf --init-text x packed.ft
no 64 'takes 1 to 254' ft-train -m toy.gguf --method prefix --prefix-tokens 255 packed.ft
no 64 'has no tokens' ft-train -m toy.gguf --method prefix --init-text '' packed.ft -o no.ft
no 65 '200 of them virtual' ft-train -m toy.gguf --method prompt --prompt-tokens 200 packed.ft \
    -o no.ft
no 65 'cannot be merged' ft-merge -m toy.gguf -a prefix.ft -o no.gguf
no 65 'cannot be merged' ft-merge -m toy.gguf -a prompt.ft -o no.gguf
check "nothing is left of what was refused" sh -c '! ls no.ft* no.gguf* 2>/dev/null'
finish

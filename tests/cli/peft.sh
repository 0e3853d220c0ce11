# Adapters as PEFT saves them, by the command line: those that peft wrote give peft's losses
# (tests/golden/make_peft.py), come back as they were, and what ft cannot honour is refused by name.
# What peft makes of ft's folders is asked by tests/bench/peft_bench.sh.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
python=/usr/bin/python3
golden=$FT_ROOT/tests/golden

loss_of() { # FILE OPTION...
    file=$1
    shift
    ft-eval -q -m "$TOY" --json --compute f32 "$@" "$file" 2>/dev/null |
        sed 's/.*"loss":\([^,]*\),.*/\1/'
}
close() { # A B: within 1e-6 of each other, relative
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > 0 && b > 0 && (a - b) ^ 2 <= (1e-6 * b) ^ 2) }'
}

# ---- peft's adapters ----
sed -n 's/^text //p' "$golden/peft.txt" | ft-import -q --shape plain |
    ft-tokenize -q -m "$TOY" --raw | ft-pack -q --no-pack -l 256 -o rows.ft
ft-cat rows.ft | sed 's/.*"ids":\[\([0-9,]*\)\].*/ids \1/' | tr ',' ' ' >got
sed -n '/^ids /p' "$golden/peft.txt" >want
check_same "the losses are of the ids that peft had" want got
check "the bare model" close "$(loss_of rows.ft)" "$(sed -n 's/^loss base //p' "$golden/peft.txt")"
exchange() { # NAME: in, its loss, out, and in again
    name=$1
    want=$(sed -n "s/^loss $name //p" "$golden/peft.txt")
    check_status 0 "$name: imported" ft-import --from peft "$golden/peft/$name" -o $name.ft
    check "$name: with a warning that its base is not known" grep -q 'does not name its base' stderr
    got=$(loss_of rows.ft -a $name.ft)
    check "$name: peft's loss ($want, $got)" close "$got" "$want"
    for threads in 1 4; do
        ft-import -q --threads $threads --from peft -i "$golden/peft/$name" 2>/dev/null >again.ft
        check_same "$name: the same stream with $threads threads" $name.ft again.ft
    done
    check_status 0 "$name: bound to a model" \
        ft-import --from peft -m "$TOY" -o bound.ft "$golden/peft/$name"
    check "$name: without a warning" test "$(grep -c warning stderr)" = 0
    check "$name: the same loss" test "$(loss_of rows.ft -a bound.ft)" = "$got"

    # Out and in again.
    check_status 0 "$name: exported" ft-export --to peft out-$name $name.ft
    ft-import -q --no-history --from peft "$golden/peft/$name" 2>/dev/null >first.ft
    ft-import -q --no-history --from peft out-$name 2>/dev/null >second.ft
    check_same "$name: comes back as it was" first.ft second.ft
    ft-export -q --to peft out-bound <bound.ft
    check_status 0 "$name: knows its base when it comes back" \
        ft-import --no-history --from peft out-bound -o second.ft
    check "$name: no warning then" test "$(grep -c warning stderr)" = 0
    ft-import -q --no-history --from peft -m "$TOY" "$golden/peft/$name" >first.ft
    check_same "$name: bound, it comes back as it was" first.ft second.ft
    rm -r out-bound
}
exchange lora
exchange rslora
exchange dora
exchange ia3
exchange prefix
exchange prompt

# f32 tensors keep their bytes, in the order of the format's authors.
tensors_of() { # FOLDER: everything behind the metadata
    "$python" -c 'import json, struct, sys
d = open(sys.argv[1] + "/adapter_model.safetensors", "rb").read()
n = struct.unpack("<Q", d[:8])[0]
h = json.loads(d[8:8 + n])
print(h.pop("__metadata__")["format"], json.dumps(h), d[8 + n:].hex(), n % 8)' "$1"
}
tensors_of "$golden/peft/lora" >want
tensors_of out-lora >got
check_same "the tensors' file is as peft's" want got
check "the configuration says the same" "$python" -c 'import json, sys
want, got = (json.load(open(f + "/adapter_config.json")) for f in sys.argv[1:])
for k, v in got.items():
    assert (sorted(v) == sorted(want[k]) if k == "target_modules" else v == want[k]), (k, v)
assert want["base_model_name_or_path"] == "lab/toy-llama" and want["revision"] == "v1"
assert {"r", "lora_alpha", "target_modules", "peft_type", "task_type"} <= set(got)' \
    "$golden/peft/lora" out-lora

# ---- folders ----
ft-export -q --to peft made/ lora.ft
check_same "a folder with a slash" out-lora/adapter_config.json made/adapter_config.json
ft-export -q --to peft -o made -i lora.ft
ft-export -q --to peft made <lora.ft
check_same "written again over itself" out-lora/adapter_model.safetensors \
    made/adapter_model.safetensors
check_status 0 "a name for the base" ft-export --to peft named --base-name me/base lora.ft
check "is written" grep -q '"base_model_name_or_path": "me/base"' named/adapter_config.json
check_status 73 "another adapter's folder is left alone" \
    ft-export --to peft out-lora --base-name me/base lora.ft
check "and says so" grep -q 'of another adapter' stderr
check_same "as it was" made/adapter_config.json out-lora/adapter_config.json
check_status 73 "no folder to make it in" ft-export --to peft none/such lora.ft
touch file
check_status 73 "a file for a folder" ft-export --to peft file lora.ft
check_status 66 "no such folder" ft-import --from peft none
check_status 65 "a stream of examples is no adapter" ft-export --to peft new rows.ft
check "and nothing is made" test ! -e new
head -c 900 lora.ft >cut.ft
check_status 65 "an adapter that is cut off" ft-export --to peft new cut.ft
check "makes nothing either" test ! -e new
trains() { # NAME OPTION...: an adapter of ft goes out and comes back
    name=$1
    shift
    ft-train -q -m "$TOY" --epochs 1 "$@" rows.ft 2>/dev/null >trained.ft
    rm -rf trained
    ft-export -q --to peft trained trained.ft
    check_status 0 "$name: what ft trained comes back bound" \
        ft-import --from peft trained -o again.ft
    check "$name: with its loss" \
        test "$(loss_of rows.ft -a trained.ft)" = "$(loss_of rows.ft -a again.ft)"
}
trains rslora --lora-rank 4 --lora-rslora
trains dora --lora-rank 4 --lora-dora
trains ia3 --method ia3
trains prefix --method prefix --prefix-tokens 3
trains prompt --method prompt --prompt-tokens 3
trains lora --lora-rank 2 --lora-targets q,k
check_status 65 "and belongs to no other model" \
    ft-import --from peft -m "$golden/toy256.gguf" trained -o /dev/null
check "which it names" grep -q 'another base model' stderr
check_status 65 "shapes that do not fit the model" \
    ft-import --from peft -m "$golden/toy256.gguf" "$golden/peft/lora" -o /dev/null
check "name the tensor" grep -q 'tensor base_model.*shape' stderr

# ---- adapter streams that are no adapters, sealed as if they were whole ----
mkdir forged
"$python" "$FT_ROOT/tests/cli/check_forge.py" content lora.ft forged >list
check "there are forged streams" test "$(wc -l <list)" -ge 15
wrong=0
while read -r name word; do
    got=0
    ft-export --to peft new -i "forged/$name.ft" 2>stderr || got=$?
    [ "$got" != 65 ] || [ -e new ] || continue
    not_ok "$name ($word) is refused: status $got: $(head -n 1 stderr)"
    rm -rf new
    wrong=1
done <list
[ $wrong = 1 ] || ok "$(wc -l <list) forged adapters are refused, and no folder is made"

# ---- options ----
check_status 64 "a folder must be named" ft-import --from peft
check_status 64 "also to write to" ft-export --to peft <lora.ft
check_status 64 "--shape is for examples" ft-import --from peft --shape text "$golden/peft/lora"
check_status 64 "--model is for adapters" ft-import -m "$TOY" file
check_status 64 "--format is for examples" ft-export --to peft new -f csv lora.ft
check_status 64 "--base-name is for adapters" ft-export --base-name x rows.ft
check_status 64 "two inputs" ft-export --to peft new -i lora.ft lora.ft
check_status 64 "two files of examples" ft-export rows.ft rows.ft

# ---- what must be refused, and what must not ----
"$python" "$FT_ROOT/tests/cli/peft_cases.py" "$golden/peft" cases >list
check "there are many cases" test "$(wc -l <list)" -ge 130
tab=$(printf '\t') wrong=0
while IFS=$tab read -r number status word what; do
    got=0 what="$what: status $status"
    ft-import --from peft cases/"$number" >out 2>stderr || got=$?
    if [ "$got" != "$status" ]; then
        why="status $got"
    elif [ "$got" != 0 ] && ! grep -qF "$word" stderr; then
        why="no word of '$word'"
    elif LC_ALL=C grep -q "$(printf '[\001-\010\016-\037]')" stderr; then
        why="control characters in the message"
    elif [ "$got" != 0 ] && ft-check -q out >/dev/null 2>&1; then
        why="what was written looks whole"
    else
        continue
    fi
    not_ok "$what, but $why: $(head -n 1 stderr)"
    wrong=1
done <list
[ $wrong = 1 ] || ok "$(wc -l <list) adapters are taken or refused with the right word"
finish

# ft-train --init: training goes on from an adapter. It begins with its values, stays what it is in
# kind, carries its history and certificates on, and refuses what does not fit.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
cp packed.ft val.ft
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }
near() { # A B TOLERANCE
    awk -v a="$1" -v b="$2" -v most="$3" 'BEGIN { d = a > b ? a - b : b - a
        exit !(a > 0 && d <= most * a) }'
}
first_loss() { sed -n '1s/.*"loss":\([0-9.]*\).*/\1/p' "$1"; }
loss_of() { ft-eval -q --json --compute f32 "$@" val.ft | sed 's/.*"loss":\([0-9.]*\).*/\1/'; }
onward() { ft-train -q -m toy.gguf --batch 6 --lr 0.01 --seed 3 "$@" packed.ft; }
config() { decode --header "$1" | jq -c '.extra | [.rank,.alpha,.dropout,.rslora,.targets]'; }

onward --lora-rank 3 --lora-alpha 24 -o plain.ft
onward --lora-rank 2 --lora-rslora --lora-targets q,v,down -o rslora.ft
onward --lora-rank 3 --lora-init pissa --lora-dropout 0.1 -o pissa.ft

onward --init plain.ft --lr 0 -o again.ft
decode plain.ft >plain.json
decode again.ft >again.json
check_same "at rate 0 it stays what it was" plain.json again.json
onward --init plain.ft --compute f32 --log log --batch 100 -o next.ft
check "it begins where the adapter was" \
    near "$(first_loss log)" "$(loss_of -m toy.gguf -a plain.ft)" 2e-6
onward --init plain.ft --threads 1 -o next1.ft
onward --init plain.ft --threads 3 --micro 2 -o next3.ft
check_same "the same bytes for any threads" next1.ft next3.ft
check_status 0 "its history" ft-check --history next1.ft
check "has both trainings" test "$(grep -c 'ft-train.*"lora-alpha":24' stdout)" = 2
first=$(awk '/ft-train/ { print $1; exit }' stdout)
check "the second from the first" sh -c "tail -n 1 stdout | grep -q 'from.* $first'"
for f in rslora pissa; do
    check_status 0 "goes on from $f" onward --init $f.ft --lora-plus 2 -o next.ft
    check "$f: its configuration stays" test "$(config next.ft)" = "$(config $f.ft)"
    check "$f: its values do not" sh -c "! cmp -s next.ft $f.ft"
done
check_status 0 "options that say the same are accepted" onward --init rslora.ft --method lora \
    --lora-rank 2 --lora-alpha 32 --lora-rslora --lora-targets down,q,v --lora-dropout 0 -o next.ft

refused() { # STATUS WHAT WORDS OPTION...
    status=$1 what=$2 words=$3
    shift 3
    check_status "$status" "refused: $what" onward "$@" -o no.ft
    check "$what: said why" grep -q -e "$words" stderr
    check "$what: nothing is written" test ! -e no.ft
}
refused 64 "another rank" '--lora-rank 4: plain.ft has 3' --init plain.ft --lora-rank 4
refused 64 "another alpha" '--lora-alpha 8: plain.ft has 24' --init plain.ft --lora-alpha 8
refused 64 "another dropout" '--lora-dropout 0.5: plain.ft has 0' --init plain.ft \
    --lora-dropout 0.5
refused 64 "other targets" '--lora-targets q: plain.ft has all' --init plain.ft --lora-targets q
refused 64 "other targets than some" 'rslora.ft has q,v,down' --init rslora.ft --lora-targets q,v
refused 64 "another scaling" '--lora-rslora.*plain.ft' --init plain.ft --lora-rslora
refused 64 "two beginnings" 'both say' --init plain.ft --lora-init pissa
refused 66 "no such adapter" 'missing.ft' --init missing.ft
refused 65 "no adapter" 'packed.ft' --init packed.ft
head -c -1 plain.ft >cut.ft
refused 65 "a cut adapter" 'cut.ft' --init cut.ft
ft-quant -q -m toy.gguf -t q8_0 -o q8.gguf
ft-quant -q -m toy.gguf -t nf4 -o nf4.gguf
refused 65 "an adapter of another base" 'another base' -m q8.gguf --init plain.ft
refused 65 "a plain adapter on nf4" 'as it was' --base nf4 --init plain.ft
onward --base nf4 --lora-rank 3 -o on-nf4.ft
check_status 0 "an adapter of nf4 takes its base with it" onward --init on-nf4.ft -o next.ft
check "and so does the next" test "$(decode --header next.ft | jq -r .extra.transform)" = nf4
check "which the history knows" test \
    "$(decode --header next.ft | jq -r .entry.options.base)" = nf4
check_status 0 "also from the file in nf4" onward -m nf4.gguf --init on-nf4.ft -o other.ft
decode next.ft >next.json
decode other.ft >other.json
check_same "to the same values" next.json other.json
refused 64 "another form of the base" 'trained on the base in nf4' --base file --init on-nf4.ft
ft-tokenize -q -m toy.gguf --chat-template chatml <text.ft | ft-pack -q -l 256 --long cut -o ml.ft
check_status 65 "refused: rows of another chat template" \
    ft-train -q -m toy.gguf --init plain.ft ml.ft
check "said so" grep -q 'another chat template' stderr

# Checkpoints: the adapter that a run began with is part of what it is.
onward --init plain.ft --epochs 6 -o whole.ft
onward --init plain.ft --epochs 6 --checkpoint run --every 3 -o other.ft
check_same "checkpoints change no byte" whole.ft other.ft
rm "$(find run -name 'checkpoint-*' | sort | tail -n 1)"
onward --init plain.ft --epochs 6 --checkpoint run --every 3 --resume -o other.ft
check_same "gone on with after a break, the same bytes" whole.ft other.ft
resumed='--epochs 6 --every 3 --resume'
# shellcheck disable=SC2086  # words
{
    refused 65 "a resume from other values" 'other adapter to begin with' --init whole.ft \
        --checkpoint run $resumed
    refused 65 "a resume without it" 'adapter to begin with' --lora-rank 3 --lora-alpha 24 \
        --checkpoint run $resumed
    onward --lora-rank 3 --lora-alpha 24 --epochs 6 --checkpoint bare --every 3 -o other.ft
    refused 65 "a resume with it" 'did not begin with an adapter' --init plain.ft \
        --checkpoint bare $resumed
}

# What the first training saw is not to be validated on.
i=0
while [ $i -lt 60 ]; do
    echo "{\"prompt\":\"say $i\",\"completion\":\"it is $((i * 37))\"}"
    i=$((i + 1))
done | ft-import -q | ft-split -q --to a.ft,b.ft,c.ft --ratio 1,1,1
for part in a b c; do
    ft-tokenize -q -m toy.gguf <$part.ft | ft-pack -q -l 256 --long cut -o $part.p
done
ft-train -q -m toy.gguf --lora-rank 2 -o first.ad a.p
further() { ft-train -q -m toy.gguf --init first.ad "$@" b.p; }
check_status 0 "validation on a third part" further --val c.p -o ab.ad
check "without a word" test ! -s stderr
check_status 65 "validation on what the first adapter saw is refused" further --val a.p -o no.ad
check "and said why" grep -q 'a.p is of part 1 .*, and so is first.ad.*--allow-leak' stderr
check_status 65 "validation on what this training sees is refused" further --val b.p -o no.ad
check "nothing is written" test ! -e no.ad
check_status 0 "--allow-leak accepts it" further --val a.p --allow-leak -o leak.ad
for part in a b; do
    check_status 65 "the new adapter was trained on part $part" \
        ft-eval -q -m toy.gguf -a ab.ad $part.p
done
check_status 0 "and not on the third" ft-eval -q -m toy.gguf -a ab.ad c.p
finish

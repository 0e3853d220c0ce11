# ft-split with all its relations against certificate_oracle.py, and the certificates of its parts
# through every tool behind it, up to the refusal to measure on what was trained on.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/certificate_oracle.py" "$@"; }
to_stream() { /usr/bin/python3 "$FT_ROOT/tests/cli/jsonl_stream.py"; }
decode() { /usr/bin/python3 "$FT_ROOT/tests/ft_decode.py" "$@"; }

oracle make 3 1200 | to_stream >data.ft
decode data.ft >all.json

# ---- where examples go ----

compare() { # WHAT DATA JSON RATIO SEED OPTIONS...
    what=$1 data=$2 config=$3 shares=$4 seed=$5
    shift 5
    rm -f want? got? part?
    config="{\"ratio\":\"$shares\",\"seed\":$seed,\"groups\":[],\"over\":[0,10],\"stratify\":null,
             \"previous\":[]$config}"
    decode $data >now.json
    oracle parts "$config" want <now.json >said.want
    to=part0,part1,part2
    [ -e want2 ] || to=part0,part1
    ft-split --threads $((seed % 4 + 1)) --seed "$seed" --ratio "$shares" --to $to "$@" $data 2>said
    for i in 0 1 2; do
        [ -e part$i ] || continue
        decode part$i >got$i
        check_same "$what: part $i is the oracle's" want$i got$i
        check "$what: part $i is not empty" test -s got$i
    done
    while read -r words; do
        check "$what: the last line says $words" grep -qE "[,:] $words(,|;| \(|$)" said
    done <said.want
}

compare "prompts and responses" data.ft '' 80,10,10 0
check "answers that many share are named" grep -q \
    'the response "\(yes\|YES\|no\|NO\)" is shared by [0-9]* groups in [0-9]* examples, so' said
check "parts share nothing that ties" oracle apart "$config" got0 got1 got2
compare "two groups" data.ft ',"groups":["site","author"]' 6,2,2 1 --group site,author
check "parts by groups share nothing that ties" oracle apart "$config" got0 got1 got2
compare "a limit for all" data.ft ',"over":[2,2]' 80,20 2 --common 2
compare "a limit with groups" data.ft ',"over":[3,3],"groups":["site"]' 80,20 3 --common 3 -g site
compare "no limit" data.ft ',"over":[0,0]' 80,20 4 --common 0
compare "strata" data.ft ',"stratify":"label"' 80,10,10 5 --stratify label
compare "strata and groups" data.ft ',"stratify":"label","groups":["author"]' 5,3,2 6 \
    --stratify label --group author

# Examples that hang together with nobody: each label has its share to an example.
/usr/bin/python3 - >plain.jsonl <<'END'
import json
for i in range(700):
    label = "abc"[(i % 70 > 9) + (i % 70 > 50)]
    print(json.dumps({"prompt": f"p{i}", "completion": f"c{i}", "label": label}))
END
to_stream <plain.jsonl >plain.ft
compare "plain strata" plain.ft ',"stratify":"label"' 80,10,10 7 --stratify label
check "no label misses its share by an example" oracle ratios label 80,10,10 got0 got1 got2
head -n 10 plain.jsonl | to_stream >ten.ft
ft-split -q --stratify label --ratio 80,10,10 --to t0,t1,t2 ten.ft
check "ten of a label are 8, 1 and 1" \
    test "$(decode t0 | wc -l),$(decode t1 | wc -l),$(decode t2 | wc -l)" = 8,1,1

# More data: what moves is counted, and with strata nothing moves that did not merge.
{ oracle make 3 1200; oracle make 4 300; } | to_stream >more.ft
ft-split -q --seed 8 --ratio 80,10,10 --to old0,old1,old2 data.ft
for i in 0 1 2; do decode old$i >old$i.json; done
before=',"previous":["old0.json","old1.json","old2.json"]'
compare "more data" more.ft "$before" 80,10,10 8 --previous old0,old1,old2
check "examples that moved are told" grep -q 'examples that were in old[12] go to part0' said
compare "more data in strata" more.ft "$before,\"stratify\":\"label\"" 80,10,10 8 \
    --previous old0,old1,old2 --stratify label
ft-split -q --seed 8 --stratify label --ratio 80,20 --to s0,s1 plain.ft
{
    cat plain.jsonl
    sed 's/"p\([0-9]\)/"q\1/; s/"c\([0-9]\)/"d\1/' plain.jsonl
} | to_stream >twice.ft
ft-split --seed 8 --stratify label --ratio 80,20 --to t0,t1 --previous s0,s1 twice.ft 2>said
check "twice the data, and nothing moves" grep -q 'previous 700, moved 0' said

split_in() { # THREADS FOLDER
    mkdir "$2"
    ft-split -q --threads "$1" --group site --stratify label --ratio 8,1,1 \
        --to "$2/a,$2/b,$2/c" data.ft
}
split_in 1 one
split_in 4 four
for i in a b c; do check_same "part $i has the same bytes with 1 and 4 threads" one/$i four/$i; done

# What ties most is named, and the bound is kept.
/usr/bin/python3 - >tied.jsonl <<'END'
import json
for i in range(100):
    prompt = "same" if i < 30 else "other" if i < 50 else f"p{i}"
    print(json.dumps({"prompt": prompt, "completion": f"c{i % 45}"}))
END
to_stream <tied.jsonl >tied.ft
ft-split --to x,y --ratio 9,1 tied.ft 2>said
check "all that ties much is named" grep -q \
    'most of them, 30, by the prompt "same"; 20 by the prompt "other"; .*; with --common N' said
check_status 71 "what does not fit --memory is refused" \
    ft-split --memory 40000 --to n1,n2 --ratio 1,1 data.ft
check "with the numbers" grep -q -- '--memory: .*40000' stderr
check "and leaves nothing" test ! -e n1 -a ! -e n1.ft-tmp
check_status 64 "previous parts must be as many" \
    ft-split --to n1,n2 --ratio 1,1 --previous old0 data.ft
check_status 64 "--common x is misuse" ft-split --to n1,n2 --ratio 1,1 --common x data.ft
check_status 64 "a group without name is misuse" ft-split --to n1,n2 --ratio 1,1 -g a,,b data.ft

# ---- certificates ----

sed -n 1,60p plain.jsonl | ft-import -q | ft-dedup -q >text.ft
ft-split -q --to a.ft,b.ft,c.ft --ratio 6,2,2 --stratify label text.ft
ft-split -q --to a2.ft,b2.ft --ratio 6,2 --seed 9 text.ft
prepare() { # STREAM: packs it
    ft-tokenize -q -m "$TOY" <"$1" | ft-pack -q -l 256
}
for i in a b c a2 b2 text; do prepare $i.ft >$i.p; done
cat a.ft text.ft | ft-dedup -q >half.ft
cat a.ft b.ft >both.ft
prepare both.ft >both.p
prepare half.ft >half.p
proof() { # FILE: part numbers of its certificates, as the independent decoder reads them
    decode --trailer "$1" | /usr/bin/python3 -c '
import json, sys
print(*sorted({"-" if c is None else str(c["part"]) for line in sys.stdin
               for c in json.loads(line).get("certificates", [])}))'
}
for i in a.ft:0 b.ft:1 c.p:2 both.ft:"0 1" both.p:"0 1" half.ft:"- 0" half.p:"- 0" text.ft: \
    text.p:; do
    check "$i: its certificates" test "$(proof "${i%%:*}")" = "${i#*:}"
done
check_status 0 "ft-check shows them" ft-check b.p
check "in words" grep -q \
    '    part 2 of 3 of split [0-9a-f]\{8\}  kept together \["prompt","resp' stdout
check_status 0 "and as JSON" ft-check --json half.p
check "with null for none" grep -q \
    '"certificates":\[null,{"split":"[0-9a-f]*","part":0\|}},null\]' stdout
ft-split -q --to aa.ft,ab.ft --ratio 1,1 a.ft
for i in aa ab; do prepare $i.ft >$i.p; done

# Mixes have what their parts have.
ft-mix -q --ratio 1,1 a.ft text.ft -o mixed.ft
ft-mix -q --ratio 1,1 text.ft a.ft -o mixed2.ft
ft-mix -q --ratio 1,1 a.ft c.ft -o parts.ft
ft-mix -q --ratio 1,1 a.ft b2.ft -o splits.ft
ft-mix -q --ratio 1,1 text.ft text.ft -o none.ft
ft-mix -q --balance label --cap 3 a.ft text.ft -o even.ft
for i in mixed.ft:"- 0" mixed2.ft:"- 0" parts.ft:"0 2" splits.ft:"0 1" none.ft: even.ft:"- 0"; do
    check "$i: certificates of a mix" test "$(proof "${i%%:*}")" = "${i#*:}"
    check "$i: its header claims those that are known" test "$(decode --header "${i%%:*}" |
        jq -r '[.certificates // [] | .[].part] | sort | join(" ")')" = "$(echo "${i#*:}" |
        sed 's/^- //')"
done
check_status 0 "ft-check shows both splits" ft-check splits.ft
check "of a mix" test "$(grep -c '    part [12] of [23] of split' stdout)" = 2
check_status 0 "and where some records" ft-check mixed.ft
check "have none" grep -q 'some records have no certificate' stdout
prepare mixed.ft >mixed.p
prepare parts.ft >parts.p

train() { ft-train -q -m "$TOY" --lora-rank 2 --threads 2 "$@"; }
silent() { # WHAT COMMAND...
    what=$1
    shift
    check_status 0 "$what is accepted" "$@"
    check "$what: without a word" test ! -s stderr
}
warned() { # WHAT MESSAGE COMMAND...
    what=$1 message=$2
    shift 2
    check_status 0 "$what is accepted" "$@"
    check "$what: one warning" test "$(grep -c warning: stderr)" = 1
    check "$what: said so" grep -q -e "$message" stderr
}
refused() { # WHAT COMMAND...
    what=$1
    shift
    check_status 65 "$what is refused" "$@"
    check "$what: said why" grep -q \
        'of part [0-9] of split [0-9a-f]*, and so is .*--allow-leak' stderr
}
silent "validation on another part" train --val b.p -o val.ad a.p
refused "validation on the same part" train --val a.p -o no.ad a.p
refused "validation on the part behind a part" train --val ab.p -o no.ad a.p
silent "validation beside a part of a part" train --val ab.p -o no.ad aa.p
silent "validation on another part than that a part is of" train --val b.p -o no.ad aa.p
refused "validation on one of two parts" train --val b.p -o no.ad both.p
silent "validation on the third" train --val c.p -o no.ad both.p
warned "validation on another split" 'different splits' train --val b2.p -o no.ad a.p
warned "validation without certificate" 'text.p has no certificate' train --val text.p -o no.ad a.p
warned "training without" 'text.p has no certificate' train --val a.p -o no.ad text.p
warned "training on a mix" 'part of half.p has no certificate' train --val b.p -o no.ad half.p
warned "validation beside a mix" 'part of mixed.p has no certificate' \
    train --val b.p -o no.ad mixed.p
refused "validation on a part that is in the mix" train --val c.p -o no.ad parts.p
silent "validation on the part that is not" train --val b.p -o no.ad parts.p
warned "a leak that is allowed" 'same part 1 .*--allow-leak' \
    train --val a.p --allow-leak -o leak.ad a.p
check "an adapter has the certificates of what it was trained on" test "$(proof val.ad)" = 0
check_status 0 "history" ft-check --history leak.ad
check "says that a leak was allowed" grep -q 'ft-train.*"allow-leak":true' stdout
train -o val1.ad --val b.p --threads 1 a.p
train -o val4.ad --val b.p --threads 4 a.p
check_same "the same adapter with 1 and 4 threads" val1.ad val4.ad

measure() { ft-eval -q -m "$TOY" -a "$@"; }
train -o half.ad half.p
train -o text.ad text.p
silent "measuring on the test part" measure val.ad c.p
refused "measuring on the training part" measure val.ad a.p
refused "measuring on a mix with it" measure val.ad both.p
warned "measuring without certificate" 'text.p has no certificate' measure val.ad text.p
warned "an adapter without" 'text.ad has no certificate' measure text.ad c.p
warned "an adapter of a mix" 'part of half.ad has no certificate' measure half.ad c.p
warned "measuring on another split" 'different splits' measure val.ad b2.p
warned "an allowed leak" 'same part' measure val.ad --allow-leak a.p
silent "a base model" ft-eval -q -m "$TOY" a.p
ft-merge -q -m "$TOY" -a val.ad -o merged.gguf --type f32
ft-quant -q -m merged.gguf -t q8_0 -o small.gguf 2>quant.said
for i in merged small; do
    silent "$i: the test part" ft-eval -q -m $i.gguf c.p
    refused "$i: the training part" ft-eval -q -m $i.gguf a.p
    refused "$i: validating on it" ft-train -q -m $i.gguf --lora-rank 2 --val a.p -o no.ad c.p
    check_status 0 "$i: ft-check" ft-check $i.gguf
    check "$i: shows it" grep -q '    part 1 of 3 of split' stdout
done

# Augmented examples are for training alone, and so is what they are made of.
augment() { ft-augment -q --noise 0.2 "$@" -o more.ft; }
check_status 0 "the first part is augmented" augment a.ft
check "and keeps its certificate" test "$(proof more.ft)" = 0
check_status 0 "so is what has no certificate" augment text.ft
rm -f more.ft
for i in b ab splits both; do
    check_status 65 "$i: a later part is not augmented" augment $i.ft
    check "$i: said why" grep -q "^ft-augment: $i.ft is of part 2 of [23] of split" stderr
    check "$i: nothing is left" test ! -e more.ft
done
ft-split -q --to ba.ft,bb.ft --ratio 1,1 b.ft
check_status 65 "nor the first part of a later part" augment ba.ft
check_status 0 "but where that is asked for" augment --allow-leak b.ft
sed 's/^{/{"aug":"typo",/' plain.jsonl | head -n 40 | ft-import -q >aug.ft
prepare aug.ft >aug.p
decode aug.p >aug.json
check "rows keep the field aug" test "$(grep -o '"aug": "typo"' aug.json | wc -l)" = 40
silent "training on augmented examples" train -o no.ad aug.p
check_status 65 "validation on them is refused" train --val aug.p -o no.ad a.p
check "naming record and field" grep -q 'record 1 of aug.p: .*field aug' stderr
check_status 65 "measuring on them is refused" ft-eval -q -m "$TOY" aug.p
check "by record and field" grep -q 'record 1 of aug.p: .*field aug' stderr
check_status 0 "unless that is allowed" ft-eval -q -m "$TOY" --allow-leak aug.p
# ---- what is only compared with leaves no certificate ----
ft-dedup -q --against b.ft,c.ft a.ft >clear.ft
ft-check --json a.ft clear.ft | jq -c '[.certificates[].part]' >shown
check "--against parts of a split: still the part that it was" test "$(uniq shown)" = "[0]"

finish

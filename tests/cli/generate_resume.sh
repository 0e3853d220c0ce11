# ft-generate --resume: wherever the journal ends, the run that goes on writes the same bytes; what
# does not fit is refused.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

/usr/bin/python3 -c '
import json
for i in range(20):
    words = 400 if i == 7 else 1 + i % 3
    print(json.dumps({"id": i, "text": "word " * words + str(i)}))' >in.jsonl
ft-import -q <in.jsonl >in.ft
with="-n 8 --long drop --temperature 0.9 --seed 3"
# shellcheck disable=SC2086  # words
go() { ft-generate -m "$TOY" $with --batch 4 "$@"; }

go -q in.ft >want.ft
go -q --resume journal in.ft >got.ft
check_same "a journal changes no byte" want.ft got.ft
cp journal whole
go --resume journal --json in.ft >got.ft 2>counts
check_same "a finished run gives its bytes again" want.ft got.ft
check_same "and leaves the journal" whole journal
check "without computing" sh -c '! grep -q tokens_per_s counts && grep -q "\"answers\":19" counts'
check "what is counted is the same" grep -q '"too long":1' counts

size=$(wc -c <whole)
bad=0
at=0
while [ $at -lt "$size" ]; do
    head -c $at whole >journal
    go -q --resume journal in.ft >got.ft || bad=$((bad + 1))
    cmp -s want.ft got.ft && cmp -s whole journal || bad=$((bad + 1))
    at=$((at + (at < 45 ? 5 : 37)))
done
check "wherever it was cut: the same stream, the same journal" [ "$bad" = 0 ]
# A torn entry in the middle: it and those behind it are answered again.
{
    head -c $((size / 2)) whole
    head -c 9 /dev/zero
    tail -c $((size - size / 2 - 9)) whole
} >journal
go -q --resume journal in.ft >got.ft
check_same "a damaged entry is answered again" want.ft got.ft
check_same "and mended" whole journal

cp whole journal
go -q --resume journal --threads 3 --no-share --memory 3M in.ft >got.ft
check_same "what changes no byte may differ" want.ft got.ft
with="-n 9 --long drop --temperature 0.9 --seed 3"
check_status 65 "other options are refused" go --resume journal in.ft
check "and said so" grep -q 'other options' stderr
with="-n 8 --long drop --temperature 0.9 --seed 4"
check_status 65 "another seed is refused" go --resume journal in.ft
with="-n 8 --long drop --temperature 0.9 --seed 3"
ft-quant -q -m "$TOY" -t q8_0 -o other.gguf
check_status 65 "another model is refused" ft-generate -m other.gguf -n 8 --long drop \
    --temperature 0.9 --seed 3 --resume journal in.ft
sed 's/word 4"/word four"/' in.jsonl | ft-import -q >other.ft
check_status 65 "other data are refused" go --resume journal other.ft
check "by record" grep -q 'record 5 ' stderr
head -n 10 in.jsonl | ft-import -q >less.ft
check_status 65 "less data are refused" go --resume journal less.ft
check_same "a refused run leaves the journal" whole journal
check_status 65 "another file is refused" go --resume in.jsonl in.ft
echo no >short
check_status 65 "a short one, too" go --resume short in.ft
check_status 64 "--prompt has no journal" ft-generate -m "$TOY" --prompt x --resume journal
cat in.jsonl - <<'END' | ft-import -q >more.ft
{"id":99,"text":"more"}
END
go -q more.ft >want.ft
go -q --resume journal more.ft >got.ft
check_same "data that go on are gone on with" want.ft got.ft
finish

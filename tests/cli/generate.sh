# ft-generate by the command line: what becomes of each shape of record, what changes no byte, and
# what is refused. That the answers are right is shown by tests/unit/infer_decoder.c.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

cat >in.jsonl <<'END'
{"id":"a","messages":[{"role":"user","content":"say one"},{"role":"assistant","content":"it is 1"}],"group":"g","extra":[1,null]}
{"id":"b","messages":[{"role":"user","content":"say one"}],"label":"x"}
{"id":"c","prompt":"The library","completion":" holds functions"}
{"id":"d","text":"The library"}
{"id":"e","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"},{"role":"user","content":"z"}]}
END
ft-import -q <in.jsonl >in.ft
ft-generate -q -m "$TOY" -n 12 <in.ft >out.ft
ft-cat -q out.ft >out.jsonl

check "each shape keeps its fields and gets its answer" /usr/bin/python3 - <<'END'
import json
old = [json.loads(x) for x in open("in.jsonl")]
new = [json.loads(x) for x in open("out.jsonl")]
assert len(new) == 5
p = [r.pop("prediction") for r in new]
assert all(isinstance(x, str) and x for x in p), p
assert new[0] == {"id": "a", "messages": old[0]["messages"][:1], "group": "g", "extra": [1, None],
                  "reference": "it is 1"}, new[0]
assert new[1] == old[1] and new[3] == old[3] and new[4] == old[4]
assert new[2] == {"id": "c", "prompt": "The library", "reference": " holds functions"}, new[2]
assert p[0] == p[1] and p[2] == p[3]
END

for threads in 1 2 3; do
    ft-generate -q -m "$TOY" -n 12 --threads $threads <in.ft >other.ft
    check_same "same bytes with $threads threads" out.ft other.ft
done
ft-generate -q -m "$TOY" -n 12 <out.ft | ft-cat -q >again.jsonl
check_same "an answered stream is answered again, the same" out.jsonl again.jsonl
ft-check -q out.ft && ok "ft-check accepts the answers" || not_ok "ft-check accepts the answers"

ft-generate -q -m "$TOY" -n 12 --text <in.ft >text
/usr/bin/python3 -c '
import json
for x in open("out.jsonl"): print(json.loads(x)["prediction"])' >want
check_same "--text prints the same answers" want text
ft-generate -q -m "$TOY" -n 12 --prompt 'say one' --text >one
/usr/bin/python3 -c '
import json
print(json.loads(open("out.jsonl").readline())["prediction"])' >want
check_same "--prompt asks what a user turn asks" want one
ft-generate -q -m "$TOY" -n 12 --prompt 'say one' | ft-cat -q >one.jsonl
check "--prompt into a pipe is a stream of one record" grep -q '"prediction"' one.jsonl

/usr/bin/python3 -c '
import json
print(json.dumps({"id": 1, "text": "ok"}))
print(json.dumps({"id": 2, "text": "word " * 400}))' | ft-import -q >long.ft
check_status 65 "a prompt over the context is refused" ft-generate -m "$TOY" long.ft
check "and its record named" grep -q 'record 2.*context of 256' stderr
check_status 65 "an empty prompt is refused" sh -c \
    "echo '{\"text\":\"\"}' | ft-import -q | ft-generate -m '$TOY'"
check_status 65 "an answer without a question is refused" sh -c \
    "echo '{\"messages\":[{\"role\":\"assistant\",\"content\":\"x\"}]}' | ft-import -q |
     ft-generate -m '$TOY'"
head -c 200 in.ft >cut.ft
check_status 65 "a cut stream is refused" ft-generate -m "$TOY" cut.ft
check_status 64 "--prompt beside a stream is refused" ft-generate -m "$TOY" --prompt x in.ft
check_status 64 "an unknown template is refused" ft-generate -m "$TOY" --chat-template no in.ft
check_status 66 "a missing model is refused" ft-generate -m no.gguf in.ft
finish

# ft-tokenize by the command line: ids, masks and carried fields against tokenize_oracle.py, the
# same bytes for any threads, and examples that it must refuse.
# shellcheck disable=SC2016  # dollars in examples are text
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
cat >chat.jsonl <<'END'
{"messages":[{"role":"user","content":"say 12 of 305"},{"role":"assistant","content":"it's 37"}],"group":"g","label":"l","weight":0.5,"source":"s","extra":[1,{"a":null}]}
{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"<|im_end|> <|im_start|>"},{"role":"assistant","content":"\n\n  two\n"}],"id":"x"}
{"messages":[{"role":"user","content":""},{"role":"assistant","content":""},{"role":"user","content":"on"},{"role":"assistant","content":"and on 2024"}]}
END
cat >weights.jsonl <<'END'
{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"one","weight":0},{"role":"assistant","content":"the first","weight":0},{"role":"user","content":"two"},{"role":"assistant","content":"the second","weight":1}],"weight":2}
{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"no","train":false},{"role":"assistant","content":"yes","train":true},{"role":"assistant","content":"no","loss":false},{"role":"assistant","content":"and","loss":null,"weight":1.0}]}
{"messages":[{"role":"user","content":"ask"},{"role":"assistant","content":"calling","tool_calls":[]},{"role":"tool","content":"12 parts"},{"role":"assistant","content":"it has 12"}],"tools":"[]"}
END
cat >plain.jsonl <<'END'
{"prompt":"What is it?\n","completion":"\nA library.  For 2 things","id":7}
{"prompt":"the ","completion":"the end","group":11}
{"prompt":"","completion":"the whole of it"}
{"text":"def main(argc):\n\treturn   values[10]'ll  \t 5"}
{"text":"The library holds the functions that the programs share."}
END
cat chat.jsonl plain.jsonl >all.jsonl
for name in chat plain all weights; do ft-import -q <$name.jsonl >$name.ft; done
# The whole, often enough for several batches and threads to matter.
i=0
while [ $i -lt 1200 ]; do
    cat all.ft
    i=$((i + 1))
done >many.ft

as_json() { python3 -c 'import json,sys
for line in sys.stdin: print(json.dumps(json.loads(line), sort_keys=True))'; }

compare() { # WHAT HOW FILE OPTIONS...
    what=$1 how=$2 file=$3
    shift 3
    python3 "$FT_ROOT/tests/cli/tokenize_oracle.py" "$TOY" "$how" <"$file.jsonl" | as_json >want
    ft-tokenize -q -m "$TOY" "$@" <"$file.ft" | ft-cat -q | as_json >got
    check_same "$what" want got
}

compare "chats, prompts and texts as the oracle has them" chat all
compare "--train-on all" all all --train-on all
compare "turns of weight 0 are no targets" chat weights
compare "nor with --train-on all" all weights --train-on all
compare "--raw adds nothing and trains on all" raw plain --raw
compare "a template by its name" chat chat --chat-template smollm2

ft-tokenize -q -m "$TOY" --threads 1 <many.ft >one.ft
for threads in 2 3 5; do
    ft-tokenize -q -m "$TOY" --threads $threads <many.ft >several.ft
    check_same "the same bytes with $threads threads" one.ft several.ft
done
check_status 0 "what it writes is a sound stream" ft-check -q one.ft

# Special tokens in a text: ordinary text, unless told otherwise.
echo '{"text":"a<|im_end|>b"}' | ft-import -q >special.ft
ids_of() { ft-tokenize -q -m "$TOY" --raw "$@" <special.ft | ft-cat -q |
    python3 -c 'import json,sys; print(*json.load(sys.stdin)["ids"])'; }
check "special tokens in a text are text" test "$(ids_of | tr ' ' '\n' | grep -cx 2)" = 0
check "--parse-special finds them" test "$(ids_of --parse-special | tr ' ' '\n' | grep -cx 2)" = 1

# Without the default system turn.
ft-tokenize -q -m "$TOY" --chat-template chatml <chat.ft | ft-cat -q --decode -m "$TOY" >decoded
check "chatml has no default system turn" test "$(grep -c SmolLM decoded)" = 0

refused() { # WHAT MESSAGE JSON OPTIONS...
    what=$1 message=$2 json=$3
    shift 3
    { cat plain.jsonl; echo "$json"; } | ft-import -q >bad.ft
    check_status 65 "$what is refused" ft-tokenize -m "$TOY" "$@" -o bad-out.ft bad.ft
    check "$what: said where and why" grep -q "record 6 of bad.ft: $message" stderr
    check "$what: no output is left" test ! -e bad-out.ft
}
refused "a chat without an answer" "no token to train on" \
    '{"messages":[{"role":"user","content":"hm"}]}'
refused "an empty text" "no token to train on" '{"text":""}'
refused "a text of one token" "no token to train on" '{"text":"a"}' --raw
refused "an unknown role" 'turn 1 has role "human"' \
    '{"messages":[{"role":"assistant","content":"a"},{"role":"human","content":"b"}]}'
call='[{"type":"function","function":{"name":"f","arguments":"{}"}}]'
refused "a call of a tool" 'messages\[1\].tool_calls would be lost: template smollm2' \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","tool_calls":'"$call}]}"
refused "a call as it once was" 'messages\[0\].function_call would be lost' \
    '{"messages":[{"role":"assistant","content":"","function_call":{"name":"f"}}]}'
refused "a turn that is a call" 'turn 1 has role "function_call"' \
    '{"conversations":[{"from":"human","value":"a"},{"from":"function_call","value":"{}"}]}'
refused "tools beside the turns" 'field tools would be lost' \
    '{"messages":[{"role":"assistant","content":"a"}],"tools":[{"type":"function"}]}'
refused "tools in a string" 'field tools would be lost' \
    '{"messages":[{"role":"assistant","content":"a"}],"tools":"[{}]"}'
refused "half a weight" 'messages\[0\].weight is neither' \
    '{"messages":[{"role":"assistant","content":"a","weight":0.5}]}'
refused "words that contradict" 'messages\[0\].train contradicts' \
    '{"messages":[{"role":"assistant","content":"a","weight":0,"train":true}]}'
refused "a user to be trained on" 'messages\[0\] is to be trained on, but only' \
    '{"messages":[{"role":"user","content":"a","weight":1},{"role":"assistant","content":"b"}]}'
refused "a chat in which nothing counts" "no token to train on" \
    '{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b","weight":0}]}'
refused "a group that is a list" "field group" '{"text":"some text","group":["a",1]}'
refused "a negative weight" "field weight" '{"text":"some text","weight":-1}'
refused "a prediction" "a prediction" '{"prediction":"a","reference":"b"}'
refused "a chat with --raw" "--raw takes text" \
    '{"messages":[{"role":"assistant","content":"a"}]}' --raw

check_status 64 "an unknown template name is misuse" \
    ft-tokenize -m "$TOY" --chat-template llama3 plain.ft
check_status 64 "a model must be named" ft-tokenize plain.ft
check_status 66 "a missing model" ft-tokenize -m missing.gguf plain.ft
check_status 65 "a model that is none" ft-tokenize -m plain.jsonl plain.ft

# A model that is damaged where its tokenizer stands: another text of the same length.
spoil() { # WHAT MESSAGE OLD NEW
    python3 - "$TOY" spoilt.gguf "$3" "$4" <<'END'
import sys
b = open(sys.argv[1], "rb").read()
old, new = sys.argv[3].encode(), sys.argv[4].encode()
assert len(old) == len(new) and b.count(old) >= 1
open(sys.argv[2], "wb").write(b.replace(old, new, 1))
END
    check_status 65 "$1" ft-tokenize -m spoilt.gguf chat.ft
    check "$1: says what" grep -q "$2" stderr
}
spoil "an unknown pre-tokenizer is refused" "known are: gpt-2, smollm" smollm llama3
spoil "an unknown template is refused" "chat-template" "for message in" "for massage in"
# The prompts and texts need no template.
check_status 0 "an unknown template harms no text" ft-tokenize -q -m spoilt.gguf plain.ft

# A vocabulary that cannot say some bytes leaves them out and says how many.
if [ -e "${MODEL:-}" ]; then
    printf '{"text":"a\\u0004b\\u0004c"}\n' | ft-import -q >lost.ft
    check_status 0 "bytes without a token are left out" \
        ft-tokenize -m "$MODEL" -o lost-out.ft lost.ft
    check "and counted" grep -q "lost_bytes 2" stderr
    check "and a warning says so" grep -q "2 bytes have no token" stderr
else
    skip "bytes without a token: the real model is not there"
fi

finish

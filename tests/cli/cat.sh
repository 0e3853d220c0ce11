# ft-cat: what it shows of each kind against cat_oracle.py, the early stop, and its refusals.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE
oracle() { /usr/bin/python3 "$FT_ROOT/tests/cli/cat_oracle.py" "$@"; }

make_inputs
for kind in text tokens packed adapter; do
    ft-cat $kind.ft >shown
    check "$kind: the same records" oracle json $kind.ft shown
    ft-cat --threads 4 <$kind.ft >shown4
    check_same "$kind: the same from standard input with 4 threads" shown shown4
done
for kind in tokens packed; do
    ft-cat --decode -m toy.gguf $kind.ft >shown
    check "$kind: the text behind the tokens, targets marked" oracle text $kind.ft shown toy.gguf
done
# Targets at the first and last place where they may be, and segments without any.
ft-import -q >long.ft <<'END'
{"text":"\u00e4 1234567 some \u4e2d words\n\tand a lot <|im_end|> of letters"}
END
ft-tokenize -q --raw -m toy.gguf <long.ft | ft-pack -q -l 8 --context 3 --long split >cut.ft
ft-cat --decode -m toy.gguf cut.ft >shown
check "windows with context: the text, targets marked" oracle text cut.ft shown toy.gguf

check_status 0 "--head" ft-cat --head 3 text.ft
ft-cat text.ft | head -n 3 >three
check_same "--head shows the first records" three stdout
check "--head says that the rest was not verified" grep -q 'stopped after 3 records' stderr
check_status 0 "--head of more than there is" ft-cat --head 1000 text.ft
check "is the whole, verified" sh -c 'test ! -s stderr || ! grep -q stopped stderr'
head -c "$(($(wc -c <text.ft) - 1))" text.ft >cut-short.ft
check_status 0 "--head of a cut stream" ft-cat --head 3 cut-short.ft
check_status 65 "a cut stream" ft-cat cut-short.ft
check "what came is shown, and that it was cut" grep -q 'truncated after 24 records' stderr

check_status 64 "--decode of text" ft-cat --decode -m toy.gguf text.ft
check_status 64 "--decode without a model" ft-cat --decode tokens.ft
check_status 64 "--head 0" ft-cat --head 0 text.ft
check_status 66 "a missing file" ft-cat missing.ft
# Two tokens of the vocabulary that changed places.
/usr/bin/python3 - toy.gguf other.gguf <<'END'
import os, struct, sys
sys.path.insert(0, os.environ["FT_ROOT"] + "/tests")
import gguf_read
b = open(sys.argv[1], "rb").read()
pair = [struct.pack("<Q", len(t.encode())) + t.encode()
        for t in gguf_read.Gguf(sys.argv[1]).keys["tokenizer.ggml.tokens"][100:102]]
assert b.count(pair[0] + pair[1]) == 1
open(sys.argv[2], "wb").write(b.replace(pair[0] + pair[1], pair[1] + pair[0]))
END
check_status 65 "--decode by another tokenizer" ft-cat --decode -m other.gguf tokens.ft
check "names it" grep -q 'other.gguf has another tokenizer' stderr

# A reader that leaves: quietly by the signal, with a message where that is ignored.
i=0
while [ $i -lt 9000 ]; do
    echo "{\"text\":\"a text that is one of many, number $i\"}"
    i=$((i + 1))
done | ft-import -q >long.ft
{ status=0; ft-cat long.ft 2>said || status=$?; echo $status >status; } | head -n 1 >first
check "a reader that leaves ends it by SIGPIPE" grep -qx 141 status
check "without a word" test ! -s said
{
    trap '' PIPE
    status=0
    ft-cat long.ft 2>said || status=$?
    echo $status >status
} | head -n 1 >first
check "where the signal is ignored it is an error of writing" grep -qx 74 status
check "and said" grep -q 'ft-cat: ' said
check_status 74 "a full device" sh -c 'ft-cat text.ft >/dev/full'
finish

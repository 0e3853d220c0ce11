# The documents say what the programs do: every tool has a manual page, the options of the page are
# those of --help, `ft` lists every tool, and the examples marked as runnable run.
#
# A runnable example stands between ".\" run" + ".Bd -literal" and ".Ed" in a manual page, and
# between "<!-- run -->" + a code fence and the next fence in Markdown. All of one file run in one
# folder, which holds model.gguf (the toy) and chat.jsonl.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

man=$FT_ROOT/doc/man
make_inputs
cp toy.gguf model.gguf
cp raw.jsonl chat.jsonl

ft | sed 's/^ft \([a-z-]*\) .*/ft-\1/' | sort >listed
for program in "$FT_BIN"/ft-*; do echo "${program##*/}"; done | sort >built
check "ft lists the tools that are built" cmp listed built

options_of_help() {
    "$1" --help | sed -n 's/^  \(-[a-zA-Z], \|    \)--\([a-z0-9-]*\).*/\2/p' | sort -u
}
options_of_page() {
    sed -n '/^\.It Fl /p' "$1" | tr ' ' '\n' |
        sed -n 's/^\(\\-\|-\)\([a-z][a-z0-9-]*\)$/\2/p' | sort -u
}

for program in "$FT_BIN"/ft "$FT_BIN"/ft-*; do
    t=${program##*/}
    if [ ! -f "$man/$t.1" ]; then
        not_ok "$t has a manual page"
        continue
    fi
    # shellcheck disable=SC2094  # "lint" is a word to mandoc, a file to the shell
    if mandoc -T lint -W error "$man/$t.1" >lint 2>&1; then
        ok "$t.1 is well formed"
    else
        not_ok "$t.1 is well formed"
        sed 's/^/# /' lint
    fi
    options_of_help "$t" >help
    options_of_page "$man/$t.1" >page
    if cmp -s help page; then
        ok "$t.1 has the options of $t --help"
    else
        not_ok "$t.1 has the options of $t --help"
        diff help page | sed -n 's/^</# only in --help:/p; s/^>/# only in the page:/p'
    fi
    "$t" --help | sed -n 's/^ft[a-z-]*: \(.*\)\.$/\1/p' | head -n 1 >summary
    sed -n 's/^\.Nd //p' "$man/$t.1" >name
    check "$t.1 and $t --help say the same in one line" cmp summary name
    "$t" --help | sed -n '/^Examples:/,/^See also:/p' | sed '1d;$d' >examples
    check "the examples of $t --help are shell" sh -n examples
    check "the examples of $t --help name it" grep -q "$(echo "$t" | tr - '.')" examples
done

# Prints the runnable examples of a document, one "command" file each.
extract() { # FILE PREFIX
    awk -v prefix="$2" '
        /^\.\\" run$/ || /^<!-- run -->$/ { armed = 1; next }
        armed && !inside && (/^\.Bd / || /^```/) {
            inside = 1
            out = sprintf("%s%02d", prefix, ++n)
            next
        }
        inside && (/^\.Ed/ || /^```$/) { inside = armed = 0; close(out); next }
        inside { gsub(/\\-/, "-"); gsub(/\\e/, "\\"); gsub(/\\&/, ""); print >out }' "$1"
}

for document in "$FT_ROOT"/README.md "$FT_ROOT"/doc/*.md "$man"/*.1; do
    [ -f "$document" ] || continue
    d=$(basename "$document")
    mkdir "run-$d"
    cp model.gguf chat.jsonl "run-$d"
    extract "$document" "example-$d-"
    for example in "example-$d-"*; do
        [ -f "$example" ] || continue
        rc=0
        (cd "run-$d" && sh -eu "../$example") >log 2>&1 </dev/null || rc=$?
        if [ $rc = 0 ]; then
            ok "$example runs"
        else
            not_ok "$example runs (status $rc)"
            sed 's/^/# /' "$example" log
        fi
    done
done
finish

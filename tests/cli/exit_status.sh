# Each tool's exit statuses for what users get wrong: options, missing files, corrupt input.
set -eu
. "$FT_ROOT/tests/fault/tools.sh"

make_inputs
for program in "$FT_BIN"/ft-*; do
    t=${program##*/}
    check_status 0 "$t --help" "$t" --help
    check "$t --help prints to standard output only" test -s stdout -a ! -s stderr
    check_status 0 "$t --version" "$t" --version
    check_status 64 "$t --no-such-option" "$t" --no-such-option
    check "$t names the option" grep -q -- --no-such-option stderr
    check_status 64 "$t --threads junk" "$t" --threads junk
done

# Junk in each option that takes a number: refused, and named.
for program in "$FT_BIN"/ft-*; do
    t=${program##*/}
    "$t" --help | sed -n 's/^ .*--\([a-z-]*\) \(N\|STEPS\|X\|REAL\|SIZE\|TOKENS\)\b.*/\1/p' >numbers
    while read -r option; do
        for junk in 1x '' -1e999 nan 0x10 99999999999999999999999; do
            status=0
            "$t" "--$option=$junk" </dev/null >stdout 2>stderr || status=$?
            [ "$status" = 64 ] || not_ok "$t --$option='$junk': status $status, expected 64"
        done
        ok "$t --$option refuses junk"
    done <numbers
done

cases >list
while read -r line; do
    # shellcheck disable=SC2086  # words
    set -- $line
    name=$1 input=$2
    shift 2
    fresh_out
    if [ "$input" != /dev/null ]; then
        case " $* " in *' - '*) by_name= ;; *) by_name=1 ;; esac
        if [ "$by_name" ] && "$1" --help | grep -q -- --input; then
            check_status 66 "$name -i missing" "$@" -i no/such/file </dev/null
            check "$name names the missing file" grep -q no/such/file stderr
        fi
        case $input in
            *.ft)
                check_status 65 "$name of an empty input" "$@" </dev/null
                head -c 100 "$input" >cut.ft
                status=0
                "$@" <cut.ft >stdout 2>stderr || status=$?
                check "$name of 100 bytes: 65" test "$status" = 65
                head -c -1 "$input" >cut.ft
                status=0
                "$@" <cut.ft >stdout 2>stderr || status=$?
                check "$name without the last byte: 65" test "$status" = 65
                ;;
        esac
    fi
    case " $* " in
        *' -m toy.gguf '*)
            fresh_out
            # shellcheck disable=SC2046  # words
            check_status 66 "$name with a missing model" \
                $(echo "$*" | sed 's/ toy\.gguf/ no-model.gguf/') <"$input"
            check "$name names the missing model" grep -q no-model.gguf stderr
            ;;
    esac
    case " $* " in
        *' -o out/'*)
            # shellcheck disable=SC2046  # words
            check_status 73 "$name into a missing folder" \
                $(echo "$*" | sed 's| -o out/| -o no/folder/|') <"$input"
            ;;
    esac
done <list
finish

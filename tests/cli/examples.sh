# The example for newcomers, as it stands, with the toy model.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"

cp "$TOY" toy.gguf
check_status 0 "first_steps.sh runs" sh "$FT_ROOT/examples/first_steps.sh" toy.gguf
check "base and tuned losses are printed" test "$(grep -c '^loss' stdout)" = 2
check "training lowered the loss" awk '/^loss/ { l[++n] = $2 } END { exit !(l[2] < l[1]) }' stdout
check "every file is whole" test "$(grep -c 'ok$' stdout)" = 3
answers=$(ft-cat -q first-steps/answers.ft | grep -c prediction || :)
check "each test example is answered" \
    test "$answers" = "$(ft-cat -q first-steps/test.ft | wc -l)"
finish

# tools.sh: what the fault tests run: every tool on small inputs made from the toy model, and how a
# run is judged. Sourced, in an empty folder.

. "$FT_ROOT/tests/cli/lib.sh"

# A case is a line: name | standard input | command. Files under out/ are compared with those of an
# undisturbed run; what goes to standard output is kept as out/stdout.
all_cases() {
    cat <<'END'
import        | raw.jsonl  | ft-import
import-file   | /dev/null  | ft-import -i raw.jsonl -o out/text.ft
import-gzip   | raw.gz     | ft-import
import-zstd   | raw.zst    | ft-import --threads 2
import-csv    | raw.csv    | ft-import -f csv --json-columns n,messages
import-peft   | /dev/null  | ft-import --from peft -m toy.gguf lora
export        | text.ft    | ft-export
export-peft   | adapter.ft | ft-export --to peft out
export-csv    | text.ft    | ft-export -f csv -o out/text.csv
export-array  | text.ft    | ft-export -f array
dedup         | text.ft    | ft-dedup
dedup-file    | /dev/null  | ft-dedup -i text.ft -o out/text.ft
dedup-near    | text.ft    | ft-dedup --near --threshold 0.5
dedup-pairs   | /dev/null  | ft-dedup --near --mark -i text.ft -o out/text.ft --pairs out/pairs
dedup-bound   | many.ft    | ft-dedup --memory 20K
dedup-against | text.ft    | ft-dedup --against items.ft --mark --report out/leaks --run 3 --span 3
dedup-repeats | text.ft    | ft-dedup --substring --min-bytes 16 --cut exact --report out/top
dedup-disk    | wide.ft    | ft-dedup --substring --memory 4M --key all --report out/top --top 9
filter        | text.ft    | ft-filter --off chat_language --tag --pii mask
filter-report | text.ft    | ft-filter --off chat_language -o out/text.ft --explain out/why
filter-tongue | text.ft    | ft-filter --language all --tag
label         | text.ft    | ft-label --knn --conflicts --suggest out/s.jsonl
label-scores  | text.ft    | ft-label --scores scores.jsonl --suggest - --outlier 0
label-apply   | text.ft    | ft-label --apply reviewed.jsonl -o out/text.ft
stats         | text.ft    | ft-stats --no-languages --json --memory 1M --sample 9
stats-page | text.ft | ft-stats --no-languages -m toy.gguf --sample 6 --html out/p
split         | text.ft    | ft-split --group group --to out/a.ft,out/b.ft,out/c.ft --ratio 60,20,20
split-more | text.ft | ft-split --stratify label --previous text.ft,text.ft --to out/a,out/b -r 6,4
mix           | text.ft    | ft-mix --ratio 2,1 - text.ft
mix-shuffle   | /dev/null  | ft-mix -s --ratio 2,1 --until all text.ft text.ft -o out/mixed.ft
mix-balance   | text.ft    | ft-mix --balance label --oversample -s
augment       | text.ft    | ft-augment --noise 0.1 --templates ask.txt --times 2
augment-eda   | /dev/null  | ft-augment --eda -i text.ft -o out/more.ft
tokenize      | text.ft    | ft-tokenize -m toy.gguf
tokenize-file | text.ft    | ft-tokenize -m toy.gguf -o out/tokens.ft
pack          | tokens.ft  | ft-pack -l 256 --long cut
train         | packed.ft  | ft-train -m toy.gguf --lora-rank 2 --epochs 1
train-file    | packed.ft  | ft-train -m toy.gguf --lora-rank 2 --epochs 1 -o out/adapter.ft
train-pissa | packed.ft | ft-train -m toy.gguf --lora-init pissa --lora-rank 4 -o out/a
train-onward  | packed.ft  | ft-train -m toy.gguf --init adapter.ft --val packed.ft -o out/a.ft
train-prefix | packed.ft | ft-train -m toy.gguf --method prefix --prefix-tokens 3 -o out/a.ft
train-watch | packed.ft | ft-train -m toy.gguf --forget packed.ft --kl 1 --neftune 5 -o out/a
train-bottleneck | packed.ft | ft-train -m toy.gguf --method adapter --adapter-width 3 -o out/a
train-full | packed.ft | ft-train -m toy.gguf --method full -o out/a
train-save | packed.ft | ft-train -m toy.gguf --batch 8 --checkpoint out --every 1 --resume -o out/a
train-dora    | packed.ft  | ft-train -m toy.gguf --lora-rank 2 --lora-dora -o out/adapter.ft
train-ia3     | packed.ft  | ft-train -m toy.gguf --method ia3 -o out/adapter.ft
eval          | packed.ft  | ft-eval -m toy.gguf -a adapter.ft --json
eval-scores   | packed.ft  | ft-eval -m toy.gguf --json --scores out/scores.jsonl
shots         | text.ft    | ft-shots --from items.ft -k 2
shots-near    | text.ft    | ft-shots --from items.ft -k 2 --by embedding -m toy.gguf
eval-metrics  | answers.ft | ft-eval --metrics bleu,rougeLsum,em --json --scores out/scores
eval-joined   | answers.ft | ft-eval --metrics chrfpp,mcc --references answers.ft --bootstrap 40
generate      | text.ft    | ft-generate -m toy.gguf --max-tokens 4
compare       | scores.jsonl | ft-compare - scores2.jsonl
compare-page  | /dev/null  | ft-compare --json --html out/page.html scores.jsonl scores2.jsonl
generate-draw | text.ft    | ft-generate -m toy.gguf -n 3 --batch 5 --temperature 1 --stop e
generate-by   | text.ft    | ft-generate -m toy.gguf -n 2 --adapters x=adapter.ft -o out/a
merge         | /dev/null  | ft-merge -m toy.gguf -a adapter.ft --type f16 -o out/merged.gguf
quant         | /dev/null  | ft-quant -m toy.gguf -t q8_0 -o out/quant.gguf
quant-nf4     | /dev/null  | ft-quant -m toy.gguf -t nf4 -o out/quant.gguf
cat           | tokens.ft  | ft-cat
check         | text.ft    | ft-check
check-history | adapter.ft | ft-check --history
check-model   | /dev/null  | ft-check toy.gguf
END
}

# The cases whose program exists; "cases files": those that write named files.
cases() { # [files]
    all_cases | while IFS='|' read -r name input command; do
        # shellcheck disable=SC2086  # words
        set -- "${1:-}" $command
        case $1$command in files*out/* | ' 'ft-*) ;; *) continue ;; esac
        # shellcheck disable=SC2086  # one word with white space around it
        if [ -x "$FT_BIN/$2" ] && [ -e $input ]; then echo "$name" "$input" "$command"; fi
    done
}

# Makes the inputs that the cases name. An input whose tool is missing is missing too.
make_inputs() {
    i=0
    while [ $i -lt 24 ]; do
        printf '{"messages":[{"role":"user","content":"say %d of %d"},' $i $((i % 7))
        printf '{"role":"assistant","content":"it is %d, and \\u00e9"}],' $((i * 37))
        printf '"group":"g%d","label":"l%d","extra":[%d,null]}\n' $((i / 2)) $((i % 3)) $i
        i=$((i + 1))
    done >raw.jsonl
    echo 'please {prompt}' >ask.txt
    cp "$TOY" toy.gguf
    cp -R "$FT_ROOT/tests/golden/peft/lora" lora
    gzip <raw.jsonl >raw.gz
    zstd -q <raw.jsonl >raw.zst
    printf '%s\n' n,messages '1,"[{""role"":""user"",""content"":""a,\n""}]"' >raw.csv
    ft-import -q <raw.jsonl >text.ft
    i=0
    while [ $i -lt 900 ]; do
        echo "{\"text\":\"$((i % 850))\"}"
        i=$((i + 1))
    done | ft-import -q >many.ft
    for i in 44000 500; do
        echo "{\"text\":\"$(seq -s ' ' 1 $i)\"}"
    done | ft-import -q >wide.ft
    echo '{"prompt":"say 3 of 3","completion":"it is"}' | ft-import -q >items.ft
    for i in 1 2 3 4 5 6 7 8 9; do
        printf '{"id":%d,"loss":%d.5,"targets":3}\n' $i $((i * i))
    done >scores.jsonl
    sed 's/\.5/.25/' scores.jsonl >scores2.jsonl
    printf '{"id":%d,"row":%d,"field":"label","given":"l%d","suggested":"new","accept":true}\n' \
        1 1 0 5 5 1 9 9 2 >reviewed.jsonl
    i=0
    while [ $i -lt 24 ]; do
        echo "{\"id\":$i,\"prediction\":\"say $i\",\"reference\":\"say $((i % 7))\"}"
        i=$((i + 1))
    done | ft-import -q >answers.ft
    ! command -v ft-tokenize >/dev/null || ft-tokenize -q -m toy.gguf <text.ft >tokens.ft
    ! command -v ft-pack >/dev/null || ft-pack -q -l 256 --long cut <tokens.ft >packed.ft
    ! command -v ft-train >/dev/null ||
        ft-train -q -m toy.gguf --lora-rank 2 --epochs 1 <packed.ft >adapter.ft
}

# Runs "NAME INPUT COMMAND..." (a line of cases), with the words of PREFIX before it; the program
# is found in PATH, where FT_BIN stands first. Sets status; leaves out/stdout and stderr.
run_case() { # PREFIX NAME INPUT COMMAND...
    prefix=$1 input=$3
    shift 3
    status=0
    # shellcheck disable=SC2086  # words
    timeout -s KILL 20 $prefix "$@" <"$input" >out/stdout 2>stderr || status=$?
}

fresh_out() {
    rm -rf out
    mkdir out
}

# Keeps what an undisturbed run gives in ref/. Fails when that run fails.
make_reference() { # NAME INPUT COMMAND...
    fresh_out
    run_case '' "$@"
    if [ "$status" != 0 ]; then
        not_ok "$1: undisturbed, it ends with status $status: $(head -n 1 stderr)"
        return 1
    fi
    rm -rf ref
    mv out ref
}

# Judges a disturbed run by its status and out/: prints what is wrong with it, if anything.
#  - no signal, no hang;
#  - status 0 means: every byte as in ref/;
#  - otherwise a named file is absent or whole (or what was there before, in old/), and what came
#    through the pipe is the whole or is refused by ft-check.
verdict() {
    if [ "$status" = 137 ]; then echo "hung for 20 s or was killed"; return; fi
    if [ "$status" -gt 128 ] && [ "$status" != 141 ]; then
        echo "died of signal $((status - 128))"
        return
    fi
    if [ "$status" = 0 ]; then
        diff -r ref out >/dev/null || echo "status 0, but the output differs"
        return
    fi
    if [ ! -s stderr ] && [ "$status" != 141 ]; then echo "status $status without a message"; fi
    torn_files
    if [ -s out/stdout ] && ! cmp -s ref/stdout out/stdout &&
            ft-check -q out/stdout >/dev/null 2>&1; then
        echo "status $status, but what it wrote passes ft-check and is not the whole"
    fi
}

# Names files in out/ that are neither absent, nor as in ref/, nor as in old/.
torn_files() {
    for f in ref/*; do
        f=${f#ref/}
        case $f in stdout) continue ;; esac
        if [ ! -e "out/$f" ]; then
            [ ! -e "old/$f" ] || echo "$f is gone"
        elif ! cmp -s "ref/$f" "out/$f" && ! cmp -s "old/$f" "out/$f"; then
            echo "$f is torn"
        fi
    done
}

# Reports one tool's many runs as one case.
report() { # WHAT RUNS PROBLEMS_FILE
    if [ "$2" = 0 ]; then
        not_ok "$1: no run at all"
    elif [ -s "$3" ]; then
        not_ok "$1: $(wc -l <"$3") of $2 runs are wrong"
        head -n 8 "$3" | sed 's/^/# /'
    else
        ok "$1: $2 runs"
    fi
}

# Whether programs can be traced here (containers may forbid it).
can_trace() {
    strace -f -o /dev/null true 2>/dev/null
}

# The words that make the N-th CALL of the program behind them suffer HOW. (strace's --seccomp-bpf
# would be faster, but quietly injects nothing.)
injected() { # CALL HOW N
    echo "strace -fqq -o /dev/null -e trace=$1 -e inject=$1:$2:when=$3"
}

# Lists the system calls of a traced run as "name first last": those before main are not counted
# out but stepped over, since a call is counted per name and thread; main begins by asking for the
# flags of descriptor 0. Left out are calls whose failure the C library answers by abort, brk (which
# reports failure otherwise than by an error number), munmap (of which OpenBLAS complains on
# standard output when the process ends), and what ends a program.
points_of_trace() { # TRACE
    awk '
        { line = $0; thread = 0 }
        line ~ /^[0-9]+ / { thread = line + 0; sub(/^[0-9]+ +/, "", line) }
        line !~ /^[a-z_0-9]+\(/ { next }
        { name = line; sub(/\(.*/, "", name) }
        line ~ /^fcntl\(0, F_GETFD/ && !started { started = 1; main_thread = thread }
        { seen[name, thread]++ }
        !started { before[name]++; next }
        seen[name, thread] > last[name] { last[name] = seen[name, thread] }
        END {
            if (!started) exit 1
            for (name in last)
                if (name !~ /^(brk|execve|exit|exit_group|futex|munmap|rseq)$/ &&
                    name !~ /^(rt_sigreturn|set_robust_list)$/)
                    print name, before[name] + 1, last[name]
        }' "$1" | LC_ALL=C sort
}

# Turns "name first last" into at most MANY lines "name n" per name: all when few, else the first
# and last ones and some between. With FT_SOAK, all.
choose_points() { # MANY
    awk -v many="$1" -v soak="${FT_SOAK:+1}" '
        $3 < $2 { next }
        {
            count = $3 - $2 + 1
            take = soak || count < many ? count : many
            for (i = 0; i < take; i++)
                print $1, $2 + (take < 2 ? 0 : int(i * (count - 1) / (take - 1) + 0.5))
        }'
}

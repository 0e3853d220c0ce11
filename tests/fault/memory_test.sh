# A filter takes no more memory for a long stream than for a short one. With FT_SOAK, 1 GB.
set -eu
. "$FT_ROOT/tests/cli/lib.sh"
measure=$FT_ROOT/tests/cli/bombs.py
cp "$TOY" toy.gguf

# Examples of about 2 KB that differ from each other, as JSON lines.
examples() { # MIB
    awk -v n=$(($1 * 512)) 'BEGIN {
        for (i = 0; i < 230; i++) body = body " word" i
        for (i = 0; i < n; i++)
            printf "{\"prompt\":\"question %d\",\"completion\":\"%d%s\",\"group\":\"g%d\"}\n",
                   i, i * 7, body, i % 1000
    }'
}

# Peak resident MiB of a run; its standard output goes to /dev/null.
peak_of() { # FILE PROGRAM...
    /usr/bin/python3 "$measure" run "$@" 2>stderr | {
        read -r status _ peak
        [ "$status" = 0 ] || { sed 's/^/# /' stderr >&2; peak=100000; }
        echo "$peak"
    }
}

# At most 64 MiB, MORE MiB that the tool declares, and KEPT bytes for each record.
bounded() { # MORE KEPT INPUT PROGRAM...
    most=$((64 + $1 + $2 * mib * 512 / 1048576)) input=$3
    shift 3
    short=$(peak_of "short.$input" "$@")
    long=$(peak_of "long.$input" "$@")
    check "$1: $short MiB for a short stream, $long MiB for a long one, at most $most" \
        [ "$long" -le $most ]
}

mib=200
[ -z "${FT_SOAK:-}" ] || mib=1000
examples 3 >short.jsonl
examples $mib >long.jsonl
bounded 0 0 jsonl ft-import -q
for s in short long; do
    ft-import -q <$s.jsonl >$s.ft
    ft-tokenize -q -m toy.gguf <$s.ft >$s.tokens
done
rm long.jsonl
for t in check cat export; do bounded 0 0 ft ft-$t -q; done
bounded 0 0 ft ft-tokenize -q -m toy.gguf
bounded 0 64 ft ft-dedup -q
bounded 0 120 ft ft-dedup -q --near
bounded 0 192 ft ft-split -q --group group --to a.ft,b.ft --ratio 60,40
bounded 32 0 ft ft-mix -q -s --memory 32M
bounded 0 64 ft ft-mix -q --balance group --cap 50
bounded 0 0 ft ft-augment -q --noise 0.05
bounded 64 0 tokens ft-pack -q -l 4096 --long cut

# The measure itself sees a program that keeps all it reads.
peak=$(peak_of long.tokens /usr/bin/python3 -c 'x = bytes(200 << 20).replace(b"\0", b"1")')
check "a program that takes 200 MiB is seen ($peak MiB)" [ "$peak" -gt 190 ]
finish

#!/bin/sh
# Near-duplicates among texts of about 57 words: ft-dedup --near as a whole program (decompress,
# normalise, hash, compare exactly, write, compress), beside datasketch and rensa, which find
# candidates only, with Python's lower() and split() for a normal form. FT_NEAR_TEXTS texts
# (200000), a tenth of them for datasketch.
set -eu
. "$FT_ROOT/tests/bench/bench_lib.sh"
texts=${FT_NEAR_TEXTS:-200000}
apt=$FT_ROOT/build/data/apt.jsonl
[ -e "$apt" ] || { echo "no $apt"; exit 0; }
python3 "$FT_ROOT/tests/bench/near_texts.py" "$apt" "$texts" >texts.jsonl
head -n $((texts / 10)) texts.jsonl >few.jsonl
ft-import -q --level 1 <texts.jsonl >texts.ft
ft-import -q --level 1 <few.jsonl >few.ft

for threads in 1 2; do
    for _ in 1 2 3; do
        /usr/bin/time -f '%e %U %S %M' -o time \
            ft-dedup --near --json --threads $threads -o out.ft texts.ft 2>said
        tail -n 1 time >>runs$threads
        [ "${FT_BENCH_RUNS:-3}" != 1 ] || break
    done
done
user=$(median runs1 2)
rate=$(calc "$texts / $user" %.0f)
cpu=$(calc "$texts / ($user + $(median runs1 3))" %.0f)
dropped=$(sed -n 's/.*"near-duplicate":\([0-9]*\).*/\1/p' said)
echo "ft-dedup    $rate documents/s per core ($cpu with the system's time; goal 100000)," \
    "$(calc "$texts / $(median runs2)" %.0f) by the clock on 2 threads"
/usr/bin/time -f '%M' -o time ft-dedup --near -q --threads 1 -o out.ft few.ft
more=$((texts - $(wc -l <few.jsonl)))
echo "            $(calc "$(median runs1 4) / 1024" %.0f) MiB, $dropped of $texts dropped;" \
    "$(calc "($(median runs1 4) - $(tail -n 1 time)) * 1024 / $more" %.0f) bytes a row more than" \
    "for a tenth of them (goal: 64 MiB and 120 bytes a row)"
has_peer || exit 0
for peer in datasketch rensa; do
    file=texts.jsonl
    [ $peer = rensa ] || file=few.jsonl
    "$PEER_PYTHON" "$FT_ROOT/tests/bench/near_peer.py" $peer $file >peer || continue
    read -r speed peak found <peer
    echo "$peer  $speed documents/s per core, $peak MiB for $(wc -l <$file)," \
        "$found dropped; ft: $(calc "$cpu / $speed" %.1f) times as fast"
done

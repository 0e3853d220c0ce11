#!/bin/sh
# data_tour.sh [DATA.jsonl]: what each data tool finds in real data, a minute in all. The data are
# the package descriptions of this machine's Debian (pipelines/apt-data.sh makes them), or your
# own JSON lines with the fields group and label. Needs build/bin in PATH, and jq.
set -eu
data=${1:-build/data/apt.jsonl}
[ -f "$data" ] || {
    echo "no $data; make it: sh pipelines/apt-data.sh build/data/apt-lists >$data" >&2
    exit 66
}
work=$(mktemp -d "${TMPDIR:-/tmp}/tour-XXXXXX")
trap 'rm -rf "$work"' EXIT

say() { printf '\n== %s\n' "$1"; }
show() { # LINES: the first lines of standard input, cut to a terminal
    head -n "$1" | cut -c 1-110 | sed 's/^/   /'
}

ft-import -q -i "$data" -o "$work/raw.ft"
cp "$data" "$work/data.jsonl"
cd "$work"

say "equal examples: the first one stays"
ft-dedup -o exact.ft raw.ft

say "near-duplicates: what went, for which that stays, and how alike they are"
ft-dedup --near --pairs near.jsonl -o near.ft exact.ft
jq -r '"\(.id) is like \(.kept): \(.jaccard * 100 | floor) %"' near.jsonl | show 4

say "passages that repeat from one description to the next"
ft-dedup --substring --key prompt --report passages.jsonl -o cut.ft near.ft
jq -r '"\(.count) times: \(.text | gsub("\\s+"; " "))"' passages.jsonl | show 4

say "quality rules: which spoke, and how often"
ft-filter --explain rules.txt -o good.ft near.ft
awk 'NR == 1 || ($4 > 0 && NF > 6)' rules.txt | cut -c 1-70 | show 9

say "personal data: e-mail addresses, masked"
ft-filter -q --only text_empty --pii mask near.ft | ft-export -q |
    grep -o '.\{30\}<EMAIL>.\{10\}' | show 3

say "one question, two answers that have little in common: for you to look at"
ft-label --conflicts --suggest answers.jsonl -o /dev/null good.ft
jq -r '"\(.given)  |  \(.with.answer)"' answers.jsonl | show 4

say "labels that are likely wrong (a sample: three sections)"
ft-export -q good.ft |
    jq -c 'select(.label == "games" or .label == "fonts" or .label == "sound")' |
    ft-import -q -o sections.ft
ft-label --suggest labels.jsonl -o /dev/null sections.ft
jq -r '"\(.id): \(.given), rather \(.suggested)"' labels.jsonl | show 5

say "parts that share nothing: groups and alike examples stay together"
ft-split --group group --stratify label --ratio 80,10,10 --to all.ft,val.ft,test.ft good.ft
ft-check test.ft | tail -n 1 | show 1

say "test items that stand inside longer training texts"
ft-dedup --against test.ft --report leaks.jsonl -o train.ft all.ft
jq -r '"\(.item) in \(.id): \(.text)"' leaks.jsonl | show 3

say "a mix, right at every prefix: 49 bytes of this for one of that, in a random order"
cat /usr/share/common-licenses/*GPL* /usr/share/common-licenses/GFDL* |
    ft-import -q --shape paragraphs -o general.ft
ft-mix --shuffle --seed 1 train.ft:98 general.ft:2 -o mixed.ft

say "more examples from those that are there"
ft-augment --noise 0.02 --seed 1 -o more.ft sections.ft
ft-export -q more.ft | jq -r 'select(.aug) | .messages[0].content | gsub("\\s+"; " ")' | show 2

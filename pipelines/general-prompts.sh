#!/bin/sh
# general-prompts.sh [N]: N (360) questions of everyday life as JSON lines, six about each thing;
# the thing is their group. What a chat model answers to them is a measure of what it must not
# forget.
set -eu
things="the moon|bread|a bicycle|rain|a library|coffee|the sea|a garden|music|a train|winter
a mirror|glass|a bridge|honey|a clock|salt|a river|paper|a horse|the sun|soap|a map|wool|a candle
snow|a lighthouse|tea|a kite|an island|fire|a violin|rice|a whale|the wind|an orange|a camera|iron
a cat|a mountain|milk|a ship|sleep|a tree|chess|a volcano|sugar|an owl|ice|a school|a storm|a spider
a telescope|football|a castle|a bee|the desert|a piano|a shadow|a market"
echo "$things" | tr '|' '\n' | awk -v most="${1:-360}" '
    BEGIN {
        n = split("What is %?|Tell a child about %.|Name three facts about %.|" \
                  "What do people use % for?|Write two lines of a poem about %.|" \
                  "What would be missing in a world without %?", ask, "|")
    }
    { thing[NR] = $0 }
    END {
        for (q = 1; q <= n; q++)
            for (i = 1; i <= NR && made < most; i++) {
                text = ask[q]
                sub(/%/, thing[i], text)
                printf "{\"id\":\"general-%d\",\"group\":\"%s\",\"source\":\"general\",", ++made, \
                    thing[i]
                printf "\"messages\":[{\"role\":\"user\",\"content\":\"%s\"}]}\n", text
            }
    }'

# decide.awk: from the figures of decide.sh to a table, a recommendation and its reasons.
# In: lines "way ...", the columns of decide.tsv; "pair METRIC BASE OTHER difference low high p
# detectable"; "other METRIC WAY score". Variables: metric, shots, answers.

$1 == "way" {
    way[++n] = $2
    score[$2] = $4; low[$2] = $5; high[$2] = $6; examples = $7
    prompt[$2] = $8; answer[$2] = $10; seconds[$2] = $11; alone[$2] = $12
    training[$2] = $13; tokens = $14; memory = $15
}
$1 == "pair" && $2 == metric {
    m++
    a[m] = $3; b[m] = $4; difference[m] = $5; from[m] = $6; to[m] = $7; p[m] = $8
    detectable[m] = $9 + 0
}
$1 == "other" {
    if (!($2 in order)) { order[$2] = 1; name[++others] = $2 }
    value[$2, $3] = $4
}

function text_of(w) {
    if (w == "zero") return "the model as it is"
    if (w == "fixed") return "the same " examples_word() " before each question"
    if (w == "near") return "the " shots " nearest training examples before each question"
    return "the adapter that was trained"
}
function examples_word() { return shots == 1 ? "example" : shots " examples" }
function cost(w) { return training[w] + answers * seconds[w] }
function span(s) {
    if (s < 120) return sprintf("%.3g seconds", s)
    if (s < 7200) return sprintf("%.0f minutes", s / 60)
    if (s < 172800) return sprintf("%.1f hours", s / 3600)
    return sprintf("%.1f days", s / 86400)
}

# The pair of two ways.
function pair(x, y,    i) {
    for (i = 1; i <= m; i++)
        if ((a[i] == x && b[i] == y) || (a[i] == y && b[i] == x)) return i
    return 0
}
function shown(i) { return i && adjusted[i] < 0.05 && difference[i] != 0 }
# "+0.064 against zero (95 %: 0.021 to 0.107; p 0.003 for all pairs)", from the first one's side.
function said(x, y,    i, s) {
    i = pair(x, y)
    s = b[i] == x ? 1 : -1
    return sprintf("%+.4g against %s (95 %%: %.4g to %.4g; p %.2g for all pairs)",
                   s * difference[i], y, s > 0 ? from[i] : -to[i], s > 0 ? to[i] : -from[i],
                   adjusted[i])
}

function table(    i, w) {
    printf "%s on %d questions that training never saw; cost on this machine\n\n", metric, examples
    printf "  %-6s %9s  %-18s %8s %8s %9s %9s\n", "way", metric, "95 % interval", "prompt",
           "answer", "s/answer", "s alone"
    for (i = 1; i <= n; i++) {
        w = way[i]
        printf "  %-6s %9.4g  %-18s %8.1f %8.1f %9.3f %9.3f\n", w, score[w],
               sprintf("%.4g to %.4g", low[w], high[w]), prompt[w], answer[w], seconds[w], alone[w]
    }
    print "\n  prompt, answer: tokens an answer. s/answer: all questions together, so that"
    print "  prompts share what they begin with; s alone: one question at a time."
    printf "  Training: %s, %d tokens, %.0f MB of memory.\n", span(training["lora"]), tokens,
           memory / 1e6
}

function pick(    i, w) {
    best = way[1]
    for (i = 2; i <= n; i++)
        if (score[way[i]] + 0 > score[best] + 0) best = way[i]
    chosen = best
    for (i = 1; i <= n; i++) {
        w = way[i]
        tied[w] = w == best || !shown(pair(best, w))
        if (tied[w] && cost(w) < cost(chosen)) chosen = w
    }
    cheapest_tied = chosen
    for (i = n; i >= 1; i--)
        if (tied[way[i]] && cost(way[i]) < 1.1 * cost(cheapest_tied)) chosen = way[i]
}

function verdict() {
    printf "\nRecommendation: "
    if (chosen == "lora") printf "fine-tune.\n"
    else if (chosen == "zero") printf "do not fine-tune; use the model as it is.\n"
    else printf "do not fine-tune; put %s before each question.\n", \
                chosen == "fixed" ? "the same " examples_word() : \
                "the " shots " nearest training examples"
}

function why(    i, w, open) {
    printf "\nWhy:\n- Best by %s: %s, %s (%.4g).\n", metric, best, text_of(best), score[best]
    for (i = 1; i <= n; i++) {
        w = way[i]
        if (w == best) continue
        if (tied[w]) {
            open = open " " w
            if (detectable[pair(best, w)] > seen_from) seen_from = detectable[pair(best, w)]
        }
        printf "  %s: %s.\n", said(best, w), tied[w] ? "the data cannot tell them apart" : \
                                                       "better than " w
    }
    if (metric ~ /^(bleu|chrf|chrfpp)$/)
        print "  (Differences are of means of single questions, the table takes all as one text.)"
    if (open != "" && seen_from > 0)
        printf "  A difference below %.2g may well exist; %d questions are too few to see it.\n",
               seen_from, examples
    if (chosen != cheapest_tied)
        printf "- So cost decides, and where it is about the same, what is simpler: " \
               "for %d answers%s\n", answers, costs_of(open)
    else if (chosen != best)
        printf "- So cost decides: for %d answers%s\n", answers, costs_of(open)
    else if (open != "")
        printf "- It is also the cheapest of those that cannot be told apart, for %d answers:%s\n",
               answers, costs_of(open)
    else
        printf "- It is worth it only if the gain is worth %s for %d answers; %s would take %s.\n",
               span(cost(best)), answers, cheapest(), span(cost(cheapest()))
}
function costs_of(list,    k, i, w, s) {
    s = sprintf(" %s takes %s", best, span(cost(best)))
    k = split(substr(list, 2), w, " ")
    for (i = 1; i <= k; i++) s = s sprintf(", %s %s", w[i], span(cost(w[i])))
    return s "."
}
function cheapest(    i, w) {
    w = way[1]
    for (i = 2; i <= n; i++) if (cost(way[i]) < cost(w)) w = way[i]
    return w
}

# After how many answers the adapter's shorter prompts have paid for its training.
function paid(here, there) {
    if (here >= there) return sprintf("never (%.3g s an answer, not %.3g)", here, there)
    return sprintf("after %d answers (%.3g s each, not %.3g)",
                   int(training["lora"] / (there - here)) + 1, here, there)
}
function payoff(    i, w) {
    printf "- Training took %s. In time it has paid off\n", span(training["lora"])
    for (i = 1; i < n; i++) {
        w = way[i]
        printf "  against %s (%.0f prompt tokens, not %.0f): %s; one at a time: %s.\n", w,
               prompt[w], prompt["lora"], paid(seconds["lora"], seconds[w]),
               paid(alone["lora"], alone[w])
    }
}

# Who waits for each answer may choose another way than who asks for all at once.
function waiting(    i, w, fastest) {
    fastest = chosen
    for (i = 1; i <= n; i++)
        if (tied[way[i]] && alone[way[i]] + 0 < alone[fastest] + 0) fastest = way[i]
    if (alone[chosen] > 1.5 * alone[fastest])
        printf "- If somebody waits for each answer: one at a time %s takes %.3g s, %s %.3g s.\n",
               chosen, alone[chosen], fastest, alone[fastest]
}

# Other metrics may see it differently.
function other_metrics(    i, k, w, top) {
    for (i = 1; i <= others; i++) {
        top = way[1]
        printf "- By %s:", name[i]
        for (k = 1; k <= n; k++) {
            w = way[k]
            printf " %s %.4g%s", w, value[name[i], w], k < n ? "," : ""
            if (value[name[i], w] + 0 > value[name[i], top] + 0) top = w
        }
        printf "; %s.\n", top == best ? "the same is best" : top " is best there, but " metric \
               " was asked to decide"
    }
}

END {
    if (n != 4 || m != 6) { print "decide.awk: not all ways were measured" > "/dev/stderr"; exit 1 }
    if (examples + 0 == 0) { print "No questions, no answer: the test part is empty."; exit 0 }
    holm(p, m, adjusted)
    table()
    pick()
    verdict()
    why()
    waiting()
    payoff()
    other_metrics()
}

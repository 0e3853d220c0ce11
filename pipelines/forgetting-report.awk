# forgetting-report.awk: from the figures of forgetting-report.sh to a table and a verdict.
# In: lines "loss WAY perplexity bits_per_byte tokens" and "line ...", the columns of report.tsv.

$1 == "loss" { perplexity[$2] = $3; bits[$2] = $4; tokens = $5 }
$1 == "line" {
    n++
    what[n] = $2; metric[n] = $3; lower[n] = $4; base[n] = $5; tuned[n] = $6
    difference[n] = $7; low[n] = $8; high[n] = $9; p[n] = $10 == "" ? 1 : $10
    detectable[n] = $11; examples[n] = $12
}

# Above 0: better.
function gain(i) { return lower[i] ? -difference[i] : difference[i] }
# As a share of what there was, the loss by its perplexity.
function part(i) {
    if (metric[i] == "loss") return exp(gain(i) < 0 ? -gain(i) : gain(i)) - 1
    if (base[i] + 0 == 0) return 0
    return (gain(i) < 0 ? -gain(i) : gain(i)) / (base[i] < 0 ? -base[i] : base[i])
}
function seen(i) { return adjusted[i] < 0.05 && gain(i) != 0 }
function word(i) {
    if (!seen(i)) return "no difference seen"
    if (gain(i) > 0) return "better"
    return part(i) < share ? "worse, by little" : "worse"
}

END {
    if (n == 0) { print "forgetting-report.awk: nothing was compared" > "/dev/stderr"; exit 1 }
    if (tokens + 0 == 0) { print "No general text, no verdict."; exit 0 }
    holm(p, n, adjusted)
    printf "General text, %d tokens: perplexity %.4g before, %.4g after (%+.2g %%), bits a byte " \
           "%.4g and %.4g\n\n", tokens, perplexity["base"], perplexity["tuned"],
           100 * (perplexity["tuned"] / perplexity["base"] - 1), bits["base"], bits["tuned"]
    printf "  %-22s %-9s %8s %9s %9s  %-22s %7s\n", "what", "metric", "examples", "before", "after",
           "difference, 95 %", "p"
    for (i = 1; i <= n; i++) {
        printf "  %-22s %-9s %8d %9.4g %9.4g  %-22s %7.2g  %s\n", what[i], metric[i], examples[i],
               base[i], tuned[i], sprintf("%+.3g (%.3g, %.3g)", difference[i], low[i], high[i]),
               adjusted[i], word(i)
        if (seen(i) && gain(i) < 0 && part(i) >= share)
            lost = lost (lost == "" ? "" : ", ") sprintf("%s (%s %.4g to %.4g)", what[i],
                                                         metric[i], base[i], tuned[i])
        else if (!seen(i) && detectable[i] + 0 > 0)
            unseen = unseen (unseen == "" ? "" : ", ") sprintf("%.2g in %s of %s", detectable[i],
                                                               metric[i], what[i])
    }
    if (lost != "")
        printf "\nThe adapter has cost the model: %s. General examples mixed into the training " \
               "data (ft-mix),\na lower rate or fewer epochs keep more of it.\n", lost
    else
        printf "\nNo forgetting worth the name is seen.\n"
    if (unseen != "")
        printf "A difference would have been seen from about %s on.\n", unseen
}

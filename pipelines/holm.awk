# holm.awk: several tests at once. p[1..m] become adjusted[1..m], such that the chance of any false
# alarm among them stays below alpha when what is below alpha counts (Holm 1979). Used beside
# another program: awk -f holm.awk -f program.awk.

function holm(p, m, adjusted,    i, k, rank, last, x, at) {
    for (i = 1; i <= m; i++) {
        rank = 1
        for (k = 1; k <= m; k++)
            if (p[k] + 0 < p[i] + 0 || (p[k] + 0 == p[i] + 0 && k < i)) rank++
        at[rank] = i
    }
    for (k = 1; k <= m; k++) {
        x = p[at[k]] * (m - k + 1)
        if (x > 1) x = 1
        if (x < last) x = last
        adjusted[at[k]] = last = x
    }
}

# compare_oracle.py make DIR: writes DIR/{base,tuned,other}.jsonl, scores of the same examples in
# different orders. compare_oracle.py check OPTIONS FILE...: reads what ft-compare --json said on
# standard input and works it out again from the files, by definitions: Student's t by integrating
# its density, p values of swaps by trying all of them or by other random numbers.
# OPTIONS: words such as alpha=0.1, group=id, unweighted, test=t, lower=bleu, joined by commas.
import itertools
import json
import math
import random
import statistics
import sys


def make(folder):
    rng = random.Random(8)
    systems = {"base": (0, []), "tuned": (0.7, []), "other": (0.1, [])}
    for i in range(150):
        group = "g%d" % (i // 3 if i < 90 else i)
        hard, extra = rng.gauss(0, 1), rng.gauss(0, 1)
        targets = rng.randrange(0, 20)
        for skill, rows in systems.values():
            row = {"id": i if i % 2 else "q%d" % i, "em": int(rng.gauss(skill, 1) > hard),
                   "f1": round(min(1, max(0, 0.5 + skill / 9 - hard / 5 + rng.gauss(0, 0.1))), 3),
                   "bleu": round(rng.uniform(0, 60), 2), "targets": targets,
                   "loss": round(2 + hard / 3 - skill / 5 + rng.gauss(0, 0.2), 4),
                   "label": 3, "note": "text"}
            if i % 10:
                row["group"] = group
            if not targets:
                row["loss"] = None
            rows.append(row)
    for name, (_, rows) in systems.items():
        rng.shuffle(rows)
        with open("%s/%s.jsonl" % (folder, name), "w") as f:
            f.writelines(json.dumps(row) + "\n" for row in rows)


def t_two_sided(t, df):
    """1 - 2 * the integral of the density from 0 to |t|, Simpson's rule in u = atan(x / sqrt(df)),
    where the density is a power of a cosine."""
    steps, top = 4000, math.atan(abs(t) / math.sqrt(df))
    c = math.exp(math.lgamma((df + 1) / 2) - math.lgamma(df / 2)) / math.sqrt(math.pi)
    h = top / steps
    values = [math.cos(i * h) ** (df - 1) for i in range(steps + 1)]
    area = values[0] + values[-1] + 4 * sum(values[1:-1:2]) + 2 * sum(values[2:-1:2])
    return 1 - 2 * c * area * h / 3


def t_quantile(p, df, known={}):
    if (p, df) not in known:
        low, high = 0.0, 700.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if t_two_sided(middle, df) > 2 * (1 - p) else (low, middle)
        known[p, df] = (low + high) / 2
    return known[p, df]


def ratio(values, weights, clusters):
    """Weighted mean and its clustered standard error, by cluster."""
    mean = sum(v * w for v, w in zip(values, weights)) / sum(weights)
    sums = {}
    for v, w, g in zip(values, weights, clusters):
        sums[g] = sums.get(g, 0) + w * (v - mean)
    n = len(sums)
    se = math.sqrt(n / (n - 1) * sum(s * s for s in sums.values())) / sum(weights)
    return mean, se, n


def wilson(k, n, alpha):
    """Ends of the interval as the roots of (x - k/n)^2 = z^2 x (1 - x) / n."""
    z, p = statistics.NormalDist().inv_cdf(1 - alpha / 2), k / n
    a, b, c = 1 + z * z / n, -(2 * p + z * z / n), p * p
    root = math.sqrt(max(b * b - 4 * a * c, 0))
    return [(-b - root) / (2 * a), (-b + root) / (2 * a)]


def mcnemar(b, c):
    return min(1, 2 * sum(math.comb(b + c, i) for i in range(min(b, c) + 1)) / 2 ** (b + c))


def swaps(sums, rounds):
    """The p value and its standard deviation."""
    sums = [s for s in sums if s]
    observed = abs(sum(sums)) * (1 - 1e-9)
    if 2 ** len(sums) <= rounds:
        beyond = sum(abs(sum(s * x for s, x in zip(sums, signs))) >= observed
                     for signs in itertools.product((1, -1), repeat=len(sums)))
        return beyond / 2 ** len(sums), 0
    rng = random.Random(1)
    beyond = sum(abs(sum(s if rng.random() < 0.5 else -s for s in sums)) >= observed
                 for _ in range(4000))
    p = (1 + beyond) / 4001
    return p, math.sqrt(p * (1 - p) * (1 / 4000 + 1 / rounds)) + 1 / 4000


def near(got, want, what, slack=1e-8):
    assert got is not None and abs(got - want) <= slack * max(1, abs(want)), (what, got, want)


def check_one(said, rows, options, names):
    key, alpha = said["metric"], float(options.get("alpha", 0.05))
    lower = key == "loss" or key == options.get("lower")
    sign = -1 if lower else 1
    by_targets = key == "loss" and "unweighted" not in options
    a, b = rows[names.index(said_base)], rows[names.index(said["system"])]
    group = options.get("group", "group")
    ids = [i for i in a if a[i][key] is not None and (not by_targets or a[i]["targets"])]
    weights = [a[i]["targets"] if by_targets else 1 for i in ids]
    clusters = [a[i].get(group, ("alone", i)) for i in ids]
    d = [b[i][key] - a[i][key] for i in ids]
    mean, se, n = ratio(d, weights, clusters)
    assert said["lower_is_better"] == lower and said["weight"] == ("targets" if by_targets else None)
    assert (said["examples"], said["clusters"]) == (len(ids), n), (said["examples"], len(ids), n)
    near(said["difference"], mean, "difference")
    near(said["se"], se, "se")
    near(said["se_rows"], ratio(d, weights, ids)[1], "se_rows")
    half = t_quantile(1 - alpha / 2, n - 1)
    near(said["interval"][0], mean - half * se, "low")
    near(said["interval"][1], mean + half * se, "high")
    near(said["detectable"], (half + t_quantile(0.8, n - 1)) * se, "detectable")
    near(said["t_p"], t_two_sided(mean / se, n - 1), "t_p")
    near(said["effect_size"], statistics.mean(d) / statistics.stdev(d), "effect_size")
    for side, x in (("base", a), ("other", b)):
        values = [x[i][key] for i in ids]
        m, s, _ = ratio(values, weights, clusters)
        near(said[side]["mean"], m, side)
        near(said[side]["interval"][0], m - half * s, side)
        if key == "em":
            for got, want in zip(said[side]["wilson"], wilson(sum(values), len(ids), alpha)):
                near(got, want, "wilson")
    wins, losses = sum(sign * x > 0 for x in d), sum(sign * x < 0 for x in d)
    assert (said["wins"], said["ties"], said["losses"]) == (wins, len(d) - wins - losses, losses)
    if key == "em":
        near(said["mcnemar_p"], mcnemar(wins, losses), "mcnemar")
    else:
        assert "mcnemar_p" not in said and "wilson" not in said["base"]
    sums = {}
    for x, w, g in zip(d, weights, clusters):
        sums[g] = sums.get(g, 0) + w * x
    p, spread = swaps(list(sums.values()), 10000)
    assert abs(said["randomisation"]["p"] - p) <= 5 * spread + 1e-12, ("swaps", said, p, spread)
    # the bootstrap: near the normal approximation of what it draws
    low, high = said["bootstrap"]["interval"]
    z = statistics.NormalDist().inv_cdf(1 - alpha / 2)
    assert abs(low - (mean - z * se)) < 0.6 * se and abs(high - (mean + z * se)) < 0.6 * se
    normal = 2 * (1 - statistics.NormalDist().cdf(abs(mean / se)))
    assert abs(said["bootstrap"]["p"] - normal) < 0.06, ("bootstrap", said["bootstrap"], normal)
    by = {"t": said["t_p"], "bootstrap": said["bootstrap"]["p"]}
    assert said["p"] == by.get(options.get("test"), said["randomisation"]["p"])
    best = sorted((x for x in d if sign * x > 0), key=lambda x: -sign * x)[:3]
    worst = sorted((x for x in d if sign * x < 0), key=lambda x: sign * x)[:3]
    for list_, want in ((said["gained"], best), (said["lost"], worst)):
        assert [round(x["difference"], 9) for x in list_] == [round(x, 9) for x in want]
        for x in list_:
            near(x["difference"], b[x["id"]][key] - a[x["id"]][key], "example")


def check(options, paths):
    global said_base
    said = json.load(sys.stdin)
    options = dict((w.split("=") + [True])[:2] for w in options.split(",") if w)
    names = [p.split("/")[-1].split(".")[0] for p in paths]
    rows = [{json.loads(l)["id"]: json.loads(l) for l in open(p)} for p in paths]
    said_base = said["baseline"]
    assert said_base == names[0] and said["systems"] == names[1:]
    metrics = ["em", "f1", "bleu", "loss"]
    tests = said["comparisons"]
    assert [(t["metric"], t["system"]) for t in tests] == \
        [(m, s) for m in metrics for s in names[1:]]
    for t in tests:
        check_one(t, rows, options, names)
    most, alpha = 0.0, float(options.get("alpha", 0.05))
    for k, t in enumerate(sorted(tests, key=lambda t: t["p"])):
        most = max(most, min(1.0, (len(tests) - k) * t["p"]))
        near(t["p_holm"], most, "holm")
        better = t["difference"] * (-1 if t["lower_is_better"] else 1) > 0
        want = "not seen" if most > alpha else "better" if better else "worse"
        assert t["verdict"] == want, t
    print("agree", *sorted({t["verdict"] for t in tests}))


if sys.argv[1] == "make":
    make(sys.argv[2])
else:
    check(sys.argv[2], sys.argv[3:])

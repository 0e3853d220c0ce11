# Writes tests/golden/compare.txt: distributions, tests and clustered errors as scipy 1.17.1, numpy
# 2.4.6 and Python's fractions compute them, for tests/unit/eval_compare.c. Run with build/peers/python.
# A line is a word and numbers; "rows n" is followed by n lines "a b weight cluster".
import math
import random
from fractions import Fraction

import numpy
from scipy import special, stats


def show(*values):
    print(*(repr(float(v)) if isinstance(v, float) else v for v in values))


def mcnemar(b, c):
    n, k = b + c, min(b, c)
    tail = sum(math.comb(n, i) for i in range(k + 1))
    return float(min(Fraction(1), 2 * Fraction(tail, 2 ** n)))


def wilson(k, n, alpha):
    r = stats.binomtest(k, n).proportion_ci(1 - alpha, method="wilson")
    return float(r.low), float(r.high)


def holm(p):
    """Step down, as a list walked once in order."""
    adjusted, most = [0.0] * len(p), 0.0
    for k, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        most = max(most, min(1.0, (len(p) - k) * p[i]))
        adjusted[i] = most
    return adjusted


def sandwich(d, w, cluster):
    """Weighted least squares on a constant, with the cluster-robust covariance in matrix form:
    (X'WX)^-1 X'W Omega W X (X'WX)^-1 * G/(G-1), Omega the products of residuals within clusters."""
    x, big_w = numpy.ones((len(d), 1)), numpy.diag(w)
    bread = numpy.linalg.inv(x.T @ big_w @ x)
    mean = float((bread @ x.T @ big_w @ d)[0])
    rest = d - mean
    same = numpy.equal.outer(cluster, cluster)
    groups = len(set(cluster))
    meat = x.T @ big_w @ (numpy.outer(rest, rest) * same) @ big_w @ x
    v = bread @ meat @ bread * groups / (groups - 1)
    return mean, float(numpy.sqrt(v[0, 0])), groups


for p in (1e-12, 0.001, 0.025, 0.2, 0.5, 0.8, 0.975, 0.999999):
    show("normal", p, float(stats.norm.ppf(p)))
for df in (1, 2, 5, 9.0, 31, 400, 1e6):
    for p in (0.6, 0.8, 0.975, 0.999, 0.99999):
        show("quantile", p, float(df), float(stats.t.ppf(p, df)))
    for t in (0.0, 0.3, 1.7, 6.0, 40.0):
        show("t", t, float(df), float(2 * stats.t.sf(t, df)))
for a, b, x in ((0.5, 0.5, 0.3), (3.0, 7.5, 0.2), (200.0, 0.5, 0.99), (1000.0, 1001.0, 0.5),
                (2.0, 3.0, 0.999)):
    show("beta", a, b, x, float(special.betainc(a, b, x)))
for b, c in ((0, 0), (0, 1), (5, 0), (7, 3), (3, 7), (12, 12), (40, 20), (90, 160), (1200, 1000),
             (700, 400)):
    show("mcnemar", b, c, mcnemar(b, c))
for k, n, alpha in ((0, 1, 0.05), (1, 1, 0.05), (0, 20, 0.05), (7, 20, 0.05), (20, 20, 0.01),
                    (499, 1000, 0.1), (1, 100000, 0.05)):
    show("wilson", k, n, alpha, *wilson(k, n, alpha))

rng = random.Random(5)
for n in (1, 2, 3, 7, 20):
    p = [rng.choice([rng.random(), rng.random() ** 6, 0.01, 1.0]) for _ in range(n)]
    show("holm", n, *p, *holm(p))

for n, groups, weighted in ((2, 2, 0), (9, 9, 0), (30, 7, 0), (40, 11, 1), (25, 25, 1)):
    cluster = numpy.array([i if groups == n else i % groups if i < groups else rng.randrange(groups)
                           for i in range(n)])
    a = numpy.array([round(rng.gauss(1, 1), 3) for _ in range(n)])
    b = a + numpy.array([round(rng.gauss(0.3, 0.5) + 0.4 * math.sin(g), 3) for g in cluster])
    w = numpy.array([float(rng.randrange(1, 30)) if weighted else 1.0 for _ in range(n)])
    mean, se, g = sandwich(b - a, w, cluster)
    _, se_rows, _ = sandwich(b - a, w, numpy.arange(n))
    half = float(stats.t.ppf(0.975, g - 1)) * se
    detectable = float(stats.t.ppf(0.975, g - 1) + stats.t.ppf(0.8, g - 1)) * se
    p = float(2 * stats.t.sf(abs(mean) / se, g - 1))
    d = b - a
    effect = float(d.mean() / d.std(ddof=1))
    show("rows", n, weighted)
    for row in zip(a, b, w, cluster):
        show(*map(float, row[:3]), int(row[3]))
    show("expect", mean, se, se_rows, mean - half, mean + half, p, detectable, effect, g)

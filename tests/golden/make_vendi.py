#!/usr/bin/env python3
"""Makes vendi.txt: eigenvalues and Vendi scores by numpy (LAPACK) of matrices that
tests/unit/data_spread.c can make again: make_vendi.py >vendi.txt

A point's numbers are whole numbers from SplitMix64 less 2^19, by 2^19, plus `pull` for all, so
that points can lie on one side as hidden states do; each is exact in a float. Rows are scaled to
length 1 by numpy in double, so scores agree with ft's, in floats, to 1e-5.
"""
import sys

import numpy as np

MASK = (1 << 64) - 1


def mix(seed, i):
    z = (seed + (i + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def points(seed, n, d, pull):
    x = [[(mix(seed, i * d + j) >> 44) / (1 << 19) - 1 + pull for j in range(d)] for i in range(n)]
    return np.array(x)


def vendi(x):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(x @ x.T / len(x))
    values = values[values > 1e-15]
    return np.exp(-np.sum(values * np.log(values)))


print(f"# make_vendi.py with numpy {np.__version__}, Python {sys.version.split()[0]}")
print("# vendi seed n d pull score; eigen seed n values: of (X + X') / 2")
for seed, n, d, pull in ((1, 40, 9, 0), (2, 12, 70, 0), (3, 300, 64, 0), (4, 200, 33, 2),
                         (5, 1, 5, 0), (6, 64, 64, 8)):
    print("vendi", seed, n, d, pull, repr(float(vendi(points(seed, n, d, pull)))))
for seed, n in ((1, 1), (2, 2), (3, 7), (4, 60)):
    x = points(seed, n, n, 0)
    print("eigen", seed, n, *(repr(float(v)) for v in np.linalg.eigvalsh((x + x.T) / 2)))

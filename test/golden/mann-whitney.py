"""Golden values of scipy for src/bench/stats.ts: python3 test/golden/mann-whitney.py > test/golden/statistics.json"""
import json

import numpy as np
from scipy import stats

rng = np.random.default_rng(7)
cases = []
for n, m, shift, digits in [(5, 5, 0, 9), (5, 7, 1, 9), (8, 30, 0.3, 9), (3, 3, 5, 9), (1, 4, 0, 9), (20, 25, 0.2, 9),
                            (40, 40, 0.8, 9), (6, 6, 0.5, 0), (30, 30, 0.3, 1), (8, 9, -0.7, 1), (4, 4, 0, -9)]:
    a = np.round(rng.normal(3, 1, n), digits)
    b = np.round(rng.normal(3 + shift, 1, m), digits)
    ties = len(set([*a, *b])) < n + m
    if len(set([*a, *b])) == 1:
        p = 1.0
    else:
        method = "exact" if not ties and min(n, m) <= 8 else "asymptotic"
        p = float(stats.mannwhitneyu(a, b, method=method).pvalue)
    cases.append({
        "a": a.tolist(), "b": b.tolist(), "p": p,
        "quantiles": [float(np.quantile(a, q)) for q in (0, 0.05, 0.5, 0.95, 1)],
    })
json.dump({"scipy": __import__("scipy").__version__, "cases": cases}, __import__("sys").stdout, indent=1)

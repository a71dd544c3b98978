"""Reference figures for tcprove's statistics, by scipy: python3 statistics.py > statistics.json

Nothing here follows the Rust code: critical values are read off exact p-values of scipy's signed-rank test,
interval ends are found by inverting that test, and binomial ends are quantiles of beta distributions.

python3 statistics.py rates simulates the rule of the gate in numpy: what tests/statistics/rates.rs expects.
"""

import sys
from pathlib import Path

# Beside the script lies a file called like a module of the standard library: this one.
HERE = Path(__file__).resolve().parent
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]

import json

import numpy as np
from scipy import stats

TAILS = [0.05, 0.025, 0.01, 0.005, 0.001]
LEVELS = [0.9, 0.95, 0.975, 0.99, 0.999]

# Hollander and Wolfe, Nonparametric Statistical Methods, table 3.1: a depression scale before and after.
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


def made(count, seed):
    """Numbers around 0.01 with tails, the same everywhere: Park and Miller's generator through a quantile."""
    state, values = seed, []
    for _ in range(count):
        state = state * 48271 % 2147483647
        share = state / 2147483647
        values.append(round(0.01 + 0.004 * (np.log(share) - np.log(1 - share)), 9))
    return values


def chance_of_sum(n, most):
    """P(W <= most) for n values: the exact p-value of values whose positive ranks have this sum."""
    signs, left = [], most
    for rank in range(n, 0, -1):
        positive = rank <= left
        left -= rank if positive else 0
        signs.append(rank if positive else -rank)
    return stats.wilcoxon(signs, alternative="less", method="exact").pvalue


def critical(n, tail):
    """The largest k with P(W <= k) <= tail."""
    below, above = -1, n * (n + 1) // 2
    while above - below > 1:
        middle = (below + above) // 2
        if chance_of_sum(n, middle) <= tail:
            below = middle
        else:
            above = middle
    return below if below >= 0 else None


def pairwise_means(values):
    rows, columns = np.triu_indices(len(values))
    values = np.asarray(values, dtype=float)
    return np.sort((values[rows] + values[columns]) / 2)


def lower_bound(values, level):
    """Centres below it are rejected by the exact one-sided test; it only changes at pairwise means."""
    values, means = np.asarray(values, dtype=float), pairwise_means(values)

    def rejected(place):
        # Just below the mean at this place.
        before = means[place] - 1 if place == 0 else (means[place - 1] + means[place]) / 2
        test = stats.wilcoxon(values - before, alternative="greater", method="exact")
        return test.pvalue <= 1 - level

    if not rejected(0):
        return None
    yes, no = 0, len(means)
    while no - yes > 1:
        middle = (yes + no) // 2
        yes, no = (middle, no) if rejected(middle) else (yes, middle)
    return float(means[yes])


def centre(name, values):
    bounds = []
    for level in LEVELS:
        low, high = lower_bound(values, level), lower_bound([-value for value in values], level)
        bounds.append({"level": level, "low": low, "high": None if high is None else -high})
    estimate = float(np.median(pairwise_means(values)))
    return {"name": name, "values": values, "estimate": estimate, "bounds": bounds}


def tied(name, values):
    """The same where values are equal, and the test has no exact p-value: by counting means off."""
    means, bounds = pairwise_means(values), []
    for level in LEVELS:
        cut = critical(len(values), 1 - level)
        low, high = (None, None) if cut is None else (float(means[cut]), float(means[-1 - cut]))
        bounds.append({"level": level, "low": low, "high": high})
    return {"name": name, "values": values, "estimate": float(np.median(means)), "bounds": bounds}


def binomial(k, n, level):
    def ends(tail):
        low = 0.0 if k == 0 else float(stats.beta.ppf(tail, k, n - k + 1))
        high = 1.0 if k == n else float(stats.beta.isf(tail, k + 1, n - k))
        return [low, high]

    return {"k": k, "n": n, "level": level, "two_sided": ends((1 - level) / 2), "one_sided": ends(1 - level)}


def rank_sum(a, b):
    p = stats.mannwhitneyu(a, b, alternative="two-sided", method="asymptotic").pvalue
    return {"a": a, "b": b, "p": float(p)}


def figures():
    differences = [round(after - before, 9) for before, after in zip(BEFORE, AFTER)]
    centres = [centre("depression", differences)]
    centres += [centre(f"made, {n}", made(n, 7 * n + 1)) for n in [4, 5, 6, 7, 8, 9, 12, 15, 20, 31, 42, 60]]
    centres.append(centre("wild", made(18, 3) + [0.25, -0.4]))
    centres.append(tied("tied", [1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 5.0, 5.0, 8.0, 13.0]))
    centres.append(tied("all equal", [0.02] * 12))
    centres.append(tied("one", [7.0]))
    trials = [(0, 60), (60, 60), (0, 1), (1, 1), (1, 2), (81, 263), (15, 148), (0, 20), (1, 29), (29, 29)]
    trials += [(5, 10), (3, 7), (720, 20000), (19976, 20000), (1, 20000), (2, 100000)]
    return {
        "critical_values": [
            {"tail": tail, "of": [critical(n, tail) for n in range(1, 61)]} for tail in TAILS
        ],
        "centres": centres,
        "binomial": [binomial(k, n, level) for k, n in trials for level in [0.8, 0.95, 0.99, 0.9999]],
        "rank_sums": [
            rank_sum(made(10, 5), made(12, 9)),
            rank_sum(made(30, 5), [value + 0.003 for value in made(25, 11)]),
            rank_sum([1, 1, 2, 3, 5, 8], [2, 3, 3, 9, 11, 12, 15]),
            rank_sum([0, 0, 0, 1], [0, 1, 1, 1, 1]),
        ],
        "normal": [{"z": z, "cdf": float(stats.norm.cdf(z))} for z in np.arange(-5, 5.25, 0.25).tolist()],
    }


def rates(chunks=20, runs=20_000, budget=0.02):
    """How often the rule of the gate passes, suspects and fails, in percent of chunks * runs."""
    limit, half = np.log1p(budget), np.log1p(budget / 2)
    random = np.random.default_rng(1)

    def sessions(around, n):
        spread = np.where(random.random((runs, n)) < 0.03, 0.05, 0.008)
        means = spread * random.standard_normal((runs, n)) + np.reshape(around, (-1, 1))
        rows, columns = np.triu_indices(n)
        means = np.sort((means[:, rows] + means[:, columns]) / 2, axis=1)
        return means, np.median(means, axis=1)

    def exceeded(means, estimate, n, tail):
        return (estimate > limit) & (means[:, critical(n, tail)] > half)

    def run(around):
        means, estimate = sessions(around, 20)
        passes = means[:, -1 - critical(20, 0.05)] < limit
        suspects = exceeded(means, estimate, 20, 0.01)
        fails = suspects & exceeded(*sessions(around, 12), 12, 0.05)
        return [100 * each.mean() for each in (passes, suspects, fails)]

    def void(around):
        return [100 * (np.abs(sessions(around, 10)[1] - limit) > half).mean()]

    cases = {f"{pct} % worse: passes, suspects, fails": lambda pct=pct: run(np.log1p(pct / 100)) for pct in (0, 1, 2, 3)}
    cases["no change, runs 1.2 % apart"] = lambda: run(0.012 * random.standard_normal(runs))
    cases["blind: voided"] = lambda: void(0.0)
    cases["seeing: voided"] = lambda: void(limit)
    for name, case in cases.items():
        print(name, np.mean([case() for _ in range(chunks)], axis=0).round(3))


def written(figures):
    """JSON with one entry on a line."""
    lists = []
    for name, entries in figures.items():
        lines = ",\n".join("  " + json.dumps(entry) for entry in entries)
        lists.append(f" {json.dumps(name)}: [\n{lines}\n ]")
    return "{\n" + ",\n".join(lists) + "\n}"


if __name__ == "__main__":
    if sys.argv[1:] == ["rates"]:
        rates()
    else:
        print(written(figures()))

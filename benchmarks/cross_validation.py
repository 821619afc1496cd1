"""The error estimate, the intervals and the time of `fastmlp.fit_cv` on simulated tables.

Run ``python -m benchmarks.cross_validation``. It takes about three minutes on two cores. Every table of a size is shown
by its mean; nothing is left out.
"""

from __future__ import annotations

import time

import numpy as np

import fastmlp

N_TABLES, N_NEW = 20, 1000
NOISE = 2.0
SIZES = (40, 80, 150, 300)


def friedman(x):
    """Return the function of Friedman (1991), of which the inputs after the fifth are noise."""
    return 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]


def simulated(n, seed, *, has_signal, n_in=8):
    """Return n rows in the unit cube and their targets."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(size=(n, n_in))
    return x, has_signal * friedman(x) + NOISE * rng.standard_normal(n)


def quality(n, *, has_signal):
    """Return for each table cv_rmse over the RMSE on new rows, and the share of these in their 90 % intervals."""
    ratios, shares = [], []
    for seed in range(N_TABLES):
        x, y = simulated(n + N_NEW, 1000 + seed, has_signal=has_signal)
        model = fastmlp.fit_cv(x[:n], y[:n], rng=seed)
        low, high = model.predict_interval(x[n:])
        ratios.append(model.info.cv_rmse / model.rmse(x[n:], y[n:]))
        shares.append(np.mean((y[n:] >= low) & (y[n:] <= high)))
    return np.array(ratios), np.array(shares)


def with_error(values):
    """Return the mean of some values and its standard error as text."""
    return f"{values.mean():.3f} ({values.std(ddof=1) / np.sqrt(len(values)):.3f})"


def seconds(n, n_in, n_runs):
    """Return the smallest CPU time of a fit of simulated rows, and the smallest time."""
    x, y = simulated(n, 0, has_signal=True, n_in=n_in)
    best_cpu = best = np.inf
    for _ in range(n_runs):
        cpu, wall = time.process_time(), time.perf_counter()
        fastmlp.fit_cv(x, y, rng=0)
        best_cpu, best = min(best_cpu, time.process_time() - cpu), min(best, time.perf_counter() - wall)
    return best_cpu, best


def main():
    """Print the tables."""
    print("| rows | cv_rmse / RMSE on new rows | share in intervals of 90 % |\n| --- | --- | --- |")
    for has_signal in (True, False):
        for n in SIZES:
            ratios, shares = quality(n, has_signal=has_signal)
            print(f"| {n}, {'signal' if has_signal else 'noise'} | {with_error(ratios)} | {with_error(shares)} |")
    print("\n| rows x inputs | CPU seconds | seconds |\n| --- | --- | --- |")
    for n, n_in, n_runs in ((130, 5, 5), (300, 10, 5), (1_000, 8, 3), (10_000, 10, 2), (100_000, 10, 1)):
        cpu, wall = seconds(n, n_in, n_runs)
        print(f"| {n:,} x {n_in} | {cpu:.3f} | {wall:.3f} |")


if __name__ == "__main__":
    main()

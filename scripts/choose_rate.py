"""The study behind `lr="auto"`: rules for the rate on many problems, widths and starts.

    python scripts/choose_rate.py            # about 45 minutes on two cores
    python scripts/choose_rate.py --quick    # half a minute: few problems, widths and epochs

Every rule gives the rate as multiples of the base rate 1 / lambda_max, from shares of the epochs on. For each rule,
problem and width, a row of the table has the RMSE at the end (median and worst of the seeds), the jump (the largest
difference of the predictions of the last two epochs, in standard deviations of y) and the rise (the RMSE at the end,
divided by the lowest of the last half of the epochs). Jump and rise are the worst of the seeds.
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fastmlp
from fastmlp.engines.engine import PiecewiseRate

Data = tuple[np.ndarray, np.ndarray]

PLAIN: dict[str, Any] = {}
MOMENTUM: dict[str, Any] = {"momentum": 0.9}
NESTEROV: dict[str, Any] = {"momentum": 0.9, "nesterov": True}

FALLS = ((0.8, 0.3), (0.88, 0.1), (0.95, 0.03))  # of the rule that was chosen
TWO_FALLS = ((0.8, 0.3), (0.9, 0.1))

# Name: options of the optimiser, first rate, and further (share of the epochs, multiple of the first rate).
RULES: dict[str, tuple[dict[str, Any], float, tuple[tuple[float, float], ...]]] = {
    "plain, constant": (PLAIN, 1.0, ()),
    "plain, two falls": (PLAIN, 1.0, TWO_FALLS),
    "plain, two deep falls": (PLAIN, 1.0, ((0.8, 0.2), (0.88, 0.05))),
    "plain, chosen": (PLAIN, 1.0, FALLS),
    "momentum, constant": (MOMENTUM, 1.0, ()),
    "momentum, 0.3": (MOMENTUM, 0.3, TWO_FALLS),
    "momentum, chosen": (MOMENTUM, 0.25, FALLS),
    "momentum, 0.2": (MOMENTUM, 0.2, FALLS),
    "momentum, 0.2, later 0.3": (MOMENTUM, 0.2, ((0.4, 1.5), (0.8, 0.45), (0.88, 0.15), (0.95, 0.045))),
    "momentum, 0.1": (MOMENTUM, 0.1, TWO_FALLS),
    "nesterov, 0.2": (NESTEROV, 0.2, TWO_FALLS),
    "nesterov, chosen": (NESTEROV, 0.25, FALLS),
}
QUICK = {
    "rules": ["plain, constant", "plain, chosen", "momentum, chosen"],
    "problems": ["sin 3x", "diabetes"],
    "widths": [30, 100],
    "seeds": 2,
    "epochs": 2000,
}


class Outcome(NamedTuple):
    """The result of one fit; all infinite if it diverged."""

    rmse: float
    jump: float
    rise: float


def curves(noise: float = 0.0) -> dict[str, Data]:
    """Return the problems of one input: 100 points of [-pi, pi], with normal noise."""
    x = np.linspace(-np.pi, np.pi, 100)
    targets = {f"sin {k}x": np.sin(k * x) for k in range(1, 6)}
    targets |= {"step": np.sign(x), "|x|": np.abs(x), "sawtooth": x % 1.0, "sin 3x + |x|/2": np.sin(3 * x) + abs(x) / 2}
    rng = np.random.default_rng(0)
    label = ", noise" if noise else ""
    return {f"{name}{label}": (x, y + noise * rng.normal(size=x.size)) for name, y in targets.items()}


def tables() -> dict[str, Data]:
    """Return the problems of several inputs. diabetes needs scikit-learn."""
    rng = np.random.default_rng(0)
    u, v = rng.uniform(-3, 3, size=(2, 500))
    peaks = (
        3 * (1 - u) ** 2 * np.exp(-(u**2) - (v + 1) ** 2)
        - 10 * (u / 5 - u**3 - v**5) * np.exp(-(u**2) - v**2)
        - np.exp(-((u + 1) ** 2) - v**2) / 3
    )
    x = rng.uniform(size=(500, 5))
    friedman = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    problems = {"peaks": (np.stack([u, v], axis=1), peaks), "friedman1": (x, friedman)}
    try:
        from sklearn.datasets import load_diabetes
    except ImportError:
        return problems
    return problems | {"diabetes": load_diabetes(return_X_y=True)}


def schedule(name: str, epochs: int, base: float) -> Callable[[int], float]:
    """Return the rate of a rule by epoch."""
    _, first, falls = RULES[name]
    pieces = {0: base * first}
    for share, factor in falls:
        pieces[math.ceil(share * epochs)] = base * first * factor
    return PiecewiseRate(tuple(pieces), tuple(pieces.values()))


def outcome(name: str, data: Data, hidden: int, epochs: int, seed: int) -> Outcome:
    """Train one network by a rule."""
    x, y = data
    common = {"hidden": hidden, "rng": seed, "progress": False}
    base = fastmlp.fit(x, y, epochs=1, lr="constant", **common).info.lr
    rate = schedule(name, epochs, base)
    last = epochs - 1
    try:
        model = fastmlp.fit(
            x, y, epochs=epochs, lr=rate, standardize=True, snapshots=[last], **common, **RULES[name][0]
        )
    except fastmlp.DivergenceError:
        return Outcome(math.inf, math.inf, math.inf)
    jump = np.abs(model.predict(x) - model.history.snapshots[last].predict(x)).max() / y.std()
    rmse = model.history.rmse
    return Outcome(float(rmse[-1]), float(jump), float(rmse[-1] / rmse[epochs // 2 :].min()))


def row(name: str, problem: str, data: Data, hidden: int, epochs: int, seeds: int) -> str:
    """Return a row of the table."""
    outcomes = [outcome(name, data, hidden, epochs, seed) for seed in range(seeds)]
    errors, jumps, rises = zip(*outcomes, strict=True)
    cells = (
        name,
        problem,
        f"{hidden}",
        f"{np.median(errors):.2g} ({max(errors):.2g})",
        f"{max(jumps):.0e}",
        f"{max(rises):.2f}",
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Run the script. For bad input it prints one line to stderr and returns 2."""
    problems = curves() | curves(noise=0.1) | tables()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rules", nargs="+", metavar="RULE", default=list(RULES), help="names, default: all")
    parser.add_argument("--problems", nargs="+", metavar="P", default=list(problems), help="names, default: all")
    parser.add_argument("--widths", nargs="+", type=int, metavar="N", default=[30, 60, 100, 300, 1000, 3000])
    parser.add_argument("--seeds", type=int, metavar="N", default=5, help="starts of each fit (%(default)s)")
    parser.add_argument("--epochs", type=int, metavar="N", default=32_000, help="epochs of each fit (%(default)s)")
    parser.add_argument("--most", type=int, metavar="N", default=300, help="widest with several inputs (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="a small study")
    args = parser.parse_args()
    if args.quick:
        vars(args).update(QUICK)
    unknown = [name for name in args.rules if name not in RULES]
    unknown += [name for name in args.problems if name not in problems and name != "diabetes"]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; the rules are {list(RULES)}, the problems {list(problems)}")
    if min(*args.widths, args.seeds, args.epochs) < 1:
        parser.error("--widths, --seeds and --epochs must be positive")
    warnings.simplefilter("ignore")  # fits at a constant rate end in peaks, which the column "rise" shows
    print("| rule | problem | hidden | RMSE | jump | rise |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for problem in args.problems:
        for hidden in args.widths:
            if problem not in problems or (problems[problem][0].ndim > 1 and hidden > args.most):
                continue
            for name in args.rules:
                print(row(name, problem, problems[problem], hidden, args.epochs, args.seeds), flush=True)
    print(f"\nMedians of {args.seeds} seeds after {args.epochs:,} epochs; the worst seed in parentheses.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

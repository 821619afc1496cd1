"""The study behind `lr="auto"`: rules for the rate on many problems, widths, epochs and starts.

    python scripts/choose_rate.py                                  # about 15 minutes on two cores
    python scripts/choose_rate.py --quick                          # half a minute: few problems, widths and epochs
    python scripts/choose_rate.py --tables benchmarks/rates.json   # the tables of results that were kept by --out

Every rule gives the rate as multiples of the base rate 1 / lambda_max, from shares of the epochs on. Each fit has three
results: the RMSE at the end, the jump (the largest difference of the predictions of the last two epochs, in standard
deviations of y) and the rise (the RMSE at the end, divided by the lowest of the last half of the epochs).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np

import fastmlp
from fastmlp.engines.engine import PiecewiseRate

Data = tuple[np.ndarray, np.ndarray]

PLAIN: dict[str, Any] = {}
MOMENTUM: dict[str, Any] = {"momentum": 0.9}
NESTEROV: dict[str, Any] = {"momentum": 0.9, "nesterov": True}

FALLS = ((0.8, 0.4), (0.88, 0.15), (0.96, 0.03))  # of the rule that was chosen
TWO_FALLS = ((0.8, 0.3), (0.9, 0.1))
LOWER_FALLS = ((0.8, 0.3), (0.88, 0.1), (0.95, 0.03))

# Name: options of the optimiser, first rate, and further (share of the epochs, multiple of the first rate).
RULES: dict[str, tuple[dict[str, Any], float, tuple[tuple[float, float], ...]]] = {
    "plain, constant": (PLAIN, 1.0, ()),
    "plain, two falls": (PLAIN, 1.0, TWO_FALLS),
    "plain, lower falls": (PLAIN, 1.0, LOWER_FALLS),
    "plain, chosen": (PLAIN, 1.0, FALLS),
    "momentum, constant": (MOMENTUM, 1.0, ()),
    "momentum, 0.4": (MOMENTUM, 0.4, FALLS),
    "momentum, chosen": (MOMENTUM, 0.25, FALLS),
    "momentum, 0.1": (MOMENTUM, 0.1, FALLS),
    "Nesterov, constant": (NESTEROV, 1.0, ()),
    "Nesterov, chosen": (NESTEROV, 0.25, FALLS),
}
COMPARED = "plain, chosen"  # the rule that the tables compare with
RUINED = 2.0  # an RMSE above this multiple of that of the compared rule, from the same start
SHOWN_RULES = ("plain, constant", "plain, chosen", "momentum, chosen")
SHOWN_CURVES = (
    ("sin 1x", 100),
    ("sin 1x", 1000),
    ("sin 2x", 300),
    ("sin 3x", 100),
    ("sin 3x", 1000),
    ("sin 5x", 100),
    ("sin 5x", 1000),
    ("step", 100),
    ("|x|", 1000),
    ("sin 3x + |x|/2", 300),
)


class Part(NamedTuple):
    """A part of the sample: every problem with every width."""

    title: str
    problems: list[str]
    widths: list[int]
    epochs: int
    seeds: int


class Cell(NamedTuple):
    """A fit of the study."""

    part: str
    problem: str
    hidden: int
    seed: int
    rule: str
    epochs: int


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


def sample(*, quick: bool = False) -> list[Part]:
    """Return the parts of the sample."""
    if quick:
        return [Part("curves", ["sin 3x", "step"], [30, 100], 2000, 2)]
    exact, noisy = list(curves()), list(curves(noise=0.1))
    return [
        Part("curves", exact, [30, 60, 100, 300, 1000, 3000], 32_000, 3),
        Part("curves with noise", noisy, [30, 100, 1000], 32_000, 3),
        Part("curves, 2,000 epochs", exact, [60, 300], 2_000, 3),
        Part("curves, 320,000 epochs", ["sin 3x", "sin 5x", "step"], [60, 300], 320_000, 2),
        Part("tables, 8,000 epochs", list(tables()), [30, 100, 300], 8_000, 3),
    ]


def cells(parts: list[Part]) -> Iterator[Cell]:
    """Yield the fits of the sample."""
    for title, problems, widths, epochs, seeds in parts:
        for problem in problems:
            for hidden in widths:
                for seed in range(seeds):
                    for rule in RULES:
                        yield Cell(title, problem, hidden, seed, rule, epochs)


def run(cell: Cell, data: Data) -> tuple[Cell, Outcome]:
    """Train the network of a cell."""
    warnings.simplefilter("ignore")  # fits at a constant rate end in peaks, which the column "rise" shows
    return cell, outcome(cell.rule, data, cell.hidden, cell.epochs, cell.seed)


def summary(results: dict[Cell, Outcome]) -> list[str]:
    """Return a table per part: the RMSE relative to the compared rule, ruined fits, jump and rise of each rule."""
    lines = []
    for title in dict.fromkeys(cell.part for cell in results):
        in_part = {cell: found for cell, found in results.items() if cell.part == title}
        n_fits = sum(cell.rule == COMPARED for cell in in_part)
        lines += [f"| {title}: {n_fits} fits | RMSE | ruined | jump | rise |", "| --- | ---: | ---: | ---: | ---: |"]
        for rule in RULES:
            mine = {cell: found for cell, found in in_part.items() if cell.rule == rule}
            ratios = np.array([found.rmse / in_part[cell._replace(rule=COMPARED)].rmse for cell, found in mine.items()])
            finite = ratios[np.isfinite(ratios)]
            mean = math.exp(np.log(finite).mean())
            jump, rise = (max(getattr(found, name) for found in mine.values()) for name in ("jump", "rise"))
            lines.append(f"| {rule} | {mean:.2f} | {np.sum(~(ratios <= RUINED))} | {jump:.0e} | {rise:.2f} |")
        lines.append("")
    return lines


def of_some_curves(results: dict[Cell, Outcome]) -> list[str]:
    """Return a table of some curves after 32,000 epochs: the median RMSE of the starts, the worst in parentheses."""
    lines = [f"| curve | units | {' | '.join(SHOWN_RULES)} |", "| --- | ---: | ---: | ---: | ---: |"]
    for problem, hidden in SHOWN_CURVES:
        row = [problem.replace("|", "\\|"), str(hidden)]
        for rule in SHOWN_RULES:
            key = "curves", problem, hidden, rule
            fits = (cell for cell in results if (cell.part, cell.problem, cell.hidden, cell.rule) == key)
            errors = [results[cell].rmse for cell in fits]
            row.append(f"{np.median(errors):.2g} ({max(errors):.2g})" if errors else "")
        lines.append(f"| {' | '.join(row)} |")
    return lines


def load(path: Path) -> dict[Cell, Outcome]:
    """Read results that were kept by --out."""
    rows = json.loads(path.read_text())
    return {Cell(*cell): Outcome(*(math.inf if v is None else v for v in found)) for cell, found in rows}


def save(path: Path, results: dict[Cell, Outcome]) -> None:
    """Keep results, one line per fit; None stands for infinity."""
    rows = []
    for cell, found in results.items():
        numbers = [float(f"{value:.4g}") if math.isfinite(value) else None for value in found]
        rows.append(json.dumps([list(cell), numbers]))
    path.write_text("[\n" + ",\n".join(rows) + "\n]\n")


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small sample")
    parser.add_argument("--out", type=Path, metavar="FILE", help="keep the results in a JSON file")
    parser.add_argument("--tables", type=Path, metavar="FILE", help="print the tables of results that were kept")
    args = parser.parse_args()
    if args.tables:
        results = load(args.tables)
    else:
        problems = curves() | curves(noise=0.1) | tables()
        jobs = (joblib.delayed(run)(cell, problems[cell.problem]) for cell in cells(sample(quick=args.quick)))
        results = dict(joblib.Parallel(n_jobs=2, batch_size=len(RULES))(jobs))
    if args.out:
        save(args.out, results)
    print("\n".join(summary(results) + of_some_curves(results)))
    return 0


if __name__ == "__main__":
    sys.exit(main())

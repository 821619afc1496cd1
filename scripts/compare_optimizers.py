"""Compare the optimisers on sin(x), for equal time on one core and for an equal number of epochs.

The nets have 1000 hidden units and are trained on 100 points of [-pi, pi]. Learning rate and initial
weights are the defaults unless a setting says otherwise. The table shows the median over the seeds and the worst seed.

    python scripts/compare_optimizers.py
    python scripts/compare_optimizers.py --seconds 5 --seeds 5
"""

from __future__ import annotations

import argparse
import math
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import fastmlp

EPOCHS = 32_000
X = np.linspace(-np.pi, np.pi, 100)
Y = np.sin(X)


def cosine(rate: float, epochs: int) -> Callable[[int], float]:
    """Return a schedule that decays from a rate to 0 along half a period of the cosine."""
    return lambda epoch: rate * (1 + math.cos(math.pi * min(epoch / epochs, 1))) / 2


def automatic_rate(seed: int) -> Any:
    """Return 1 / lambda_max at the start."""
    return fastmlp.fit(X, Y, epochs=1, rng=seed, progress=False).info.lr


def descent(**options: Any) -> Callable[[int, int], dict[str, Any]]:
    """Return options that do not depend on the seed or the number of epochs."""
    return lambda seed, epochs: options


def adam(rate: float, *, falls: bool = False) -> Callable[[int, int], dict[str, Any]]:
    """Return the options of Adam with a constant rate, or with one that decays to 0."""
    return lambda seed, epochs: {
        "optimizer": "adam",
        "lr": cosine(rate, epochs) if falls else rate,
        "standardize": True,
    }


def momentum_falling(seed: int, epochs: int) -> dict[str, Any]:
    """Return the options of momentum with a rate that decays from 1 / lambda_max to 0."""
    return {"momentum": 0.9, "lr": cosine(automatic_rate(seed), epochs), "standardize": True}


SETTINGS: dict[str, Callable[[int, int], dict[str, Any]]] = {
    "plain (the default)": descent(),
    "momentum=0.5": descent(momentum=0.5),
    "momentum=0.9": descent(momentum=0.9),
    "momentum=0.9, nesterov=True": descent(momentum=0.9, nesterov=True),
    "momentum=0.95": descent(momentum=0.95),
    "momentum=0.99": descent(momentum=0.99),
    "momentum=0.9, rate decays to 0": momentum_falling,
    'optimizer="adam" (lr=0.001)': descent(optimizer="adam"),
    "adam, lr=0.003": adam(3e-3),
    "adam, lr=0.001, decays to 0": adam(1e-3, falls=True),
    "adam, lr=0.003, decays to 0": adam(3e-3, falls=True),
}


class Reached(NamedTuple):
    """The result of one fit."""

    epochs: int
    rmse: float
    seconds: float


def reach(options: dict[str, Any], seed: int, epochs: int) -> Reached:
    """Train for a number of epochs, and measure the processor time."""
    started = time.thread_time()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The RMSE is")  # of a constant rate of Adam, which the table shows
        model = fastmlp.fit(X, Y, rng=seed, epochs=epochs, progress=False, **options)
    return Reached(model.info.epochs_run, float(model.history.rmse[-1]), time.thread_time() - started)


def median_and_worst(figures: list[float]) -> str:
    """Return the median and the worst of the RMSEs of several seeds as text."""
    return f"{np.median(figures):.1e} ({max(figures):.1e})"


def row(name: str, seconds: float, epochs: int, seeds: int) -> str:
    """Return a row of the table."""
    make = SETTINGS[name]
    counted = [reach(make(seed, epochs), seed, epochs) for seed in range(seeds)]
    pace = float(np.median([run.seconds / run.epochs for run in counted]))
    expected = max(int(seconds / pace), 1)  # a fit stopped by a clock does not reach its low rates
    timed = [reach(make(seed, expected), seed, expected) for seed in range(seeds)]
    cells = (
        name,
        f"{np.median([run.epochs for run in timed]):,.0f}",
        median_and_worst([run.rmse for run in timed]),
        f"{1e6 * pace:.1f} us",
        median_and_worst([run.rmse for run in counted]),
    )
    return f"| {' | '.join(cells)} |"


def main() -> int:
    """Run the script. For bad input it prints one line to stderr and returns 2."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1.0, help="seconds of each timed fit (%(default)s)")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="epochs of the other fits (%(default)s)")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds for each setting (%(default)s)")
    args = parser.parse_args()
    if not 0 < args.seconds < math.inf or args.epochs < 1 or args.seeds < 1:
        parser.error("--seconds, --epochs and --seeds must be positive")
    for options in (descent(), descent(momentum=0.5)):  # compiles
        reach(options(0, 1), 0, 1)
    print(
        f"| setting | epochs in {args.seconds:g} s | their RMSE | time per epoch | RMSE after {args.epochs:,} epochs |"
    )
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in SETTINGS:
        print(row(name, args.seconds, args.epochs, args.seeds), flush=True)
    print(f"\nMedians of {args.seeds} seeds; the worst seed in parentheses.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

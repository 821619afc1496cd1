"""Compare FastMLPRegressor with scikit-learn's MLPRegressor by cross-validated R^2, at equal width and equal time.

Every fit gets the same processor time on one core. The script finds the number of epochs for each data set and method
by timing shorter fits. Inputs and targets are standardised for all methods.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from nist_strd import DATASETS
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_linnerud, make_friedman1, make_friedman2, make_friedman3
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import fastmlp
from fastmlp.sklearn import FastMLPRegressor

FloatArray = npt.NDArray[np.float64]

TIE = 0.01  # of R^2
FIRST_EPOCHS = 20
ENDED_BEFORE = 20  # times fewer epochs than allowed: more would change nothing
FRIEDMAN_SAMPLES = 300


@dataclass(frozen=True)
class Outcome:
    """The result of a method on a data set: out-of-fold R^2, mean time of a fit in seconds, epochs run."""

    r2: float
    seconds: float
    epochs: float


def own(**options: Any) -> Callable[[int, int], Any]:
    """Return a function that creates a FastMLPRegressor from a width and a number of epochs."""
    return lambda hidden, epochs: FastMLPRegressor(hidden=hidden, epochs=epochs, threads=1, random_state=0, **options)


def theirs(**options: Any) -> Callable[[int, int], Any]:
    """Return a function that creates an MLPRegressor from a width and a number of epochs or L-BFGS iterations."""
    endless = {} if options.get("early_stopping") else {"tol": 0.0, "n_iter_no_change": 10**9, "max_fun": 10**9}
    return lambda hidden, epochs: MLPRegressor(
        hidden_layer_sizes=(hidden,), max_iter=epochs, random_state=0, **endless | options
    )


METHODS: Mapping[str, Callable[[int, int], Any]] = {
    "fastmlp": own(),
    "fastmlp adam": own(optimizer="adam"),
    "fastmlp early stopping": own(early_stopping=True, validation_fraction=0.2, patience=2000, record_every=50),
    "MLP adam": theirs(),
    "MLP L-BFGS": theirs(solver="lbfgs"),
    "MLP early stopping": theirs(early_stopping=True, validation_fraction=0.2, tol=0.0, n_iter_no_change=100),
}


def datasets() -> dict[str, tuple[FloatArray, FloatArray]]:
    """Return data sets that scikit-learn contains or generates, and four data sets of NIST."""
    found = {"diabetes": load_diabetes(return_X_y=True), "linnerud": load_linnerud(return_X_y=True)}
    found |= {
        "friedman1": make_friedman1(FRIEDMAN_SAMPLES, noise=1.0, random_state=0),
        "friedman2": make_friedman2(FRIEDMAN_SAMPLES, noise=125.0, random_state=0),
        "friedman3": make_friedman3(FRIEDMAN_SAMPLES, noise=0.1, random_state=0),
    }
    return found | {data.name: (data.x[:, None], data.y) for data in DATASETS}


def standardised(regressor: Any) -> Any:
    """Return the regressor with a pipeline that standardises inputs and targets."""
    return TransformedTargetRegressor(make_pipeline(StandardScaler(), regressor), transformer=StandardScaler())


def timed_fit(regressor: Any, x: FloatArray, y: FloatArray) -> tuple[Any, float]:
    """Fit a regressor; return it and the processor time in seconds."""
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = standardised(regressor).fit(x, y)
    return fitted, time.process_time() - started


def epochs_for(make: Callable[[int, int], Any], hidden: int, seconds: float, x: FloatArray, y: FloatArray) -> int:
    """Return the number of epochs that take the given time, or a larger number if fits stop earlier."""
    epochs = FIRST_EPOCHS
    timed_fit(make(hidden, epochs), x, y)  # compiles
    while True:
        fitted, taken = timed_fit(make(hidden, epochs), x, y)
        n_iter = fitted.regressor_[-1].n_iter_
        if taken > seconds / 4 or epochs > ENDED_BEFORE * n_iter:
            return max(1, round(n_iter * seconds / taken))
        epochs *= 3


def compare(hidden: int, seconds: float, folds: int, x: FloatArray, y: FloatArray) -> dict[str, Outcome]:
    """Cross-validate every method on one data set."""
    outcomes = {}
    for name, make in METHODS.items():
        splits = list(KFold(folds, shuffle=True, random_state=0).split(x))
        epochs = epochs_for(make, hidden, seconds, x[splits[0][0]], y[splits[0][0]])
        predicted = np.empty_like(y, dtype=np.float64)
        taken, run = [], []
        for train, test in splits:
            fitted, elapsed = timed_fit(make(hidden, epochs), x[train], y[train])
            predicted[test] = fitted.predict(x[test])
            taken.append(elapsed)
            run.append(fitted.regressor_[-1].n_iter_)
        outcomes[name] = Outcome(r2_score(y, predicted), float(np.mean(taken)), float(np.mean(run)))
    return outcomes


def table(results: Mapping[str, Mapping[str, Outcome]], show: Callable[[Outcome], str], best: bool) -> str:
    """Return a Markdown table with a row per data set and a column per method; `best` prints the best R^2 in bold."""
    lines = [f"| data set | {' | '.join(METHODS)} |", f"| --- |{' ---: |' * len(METHODS)}"]
    for name, outcomes in results.items():
        top = max(outcome.r2 for outcome in outcomes.values())
        cells = [f"**{show(o)}**" if best and o.r2 == top else show(o) for o in outcomes.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def scores(results: Mapping[str, Mapping[str, Outcome]]) -> str:
    """Return a Markdown table: how often each method of fastmlp won, tied and lost against each of scikit-learn."""
    ours, others = ([name for name in METHODS if name.startswith(who)] for who in ("fastmlp", "MLP"))
    lines = [f"| won, tied, lost against | {' | '.join(others)} |", f"| --- |{' ---: |' * len(others)}"]
    for name in ours:
        cells = []
        for other in others:
            gaps = np.array([outcomes[name].r2 - outcomes[other].r2 for outcomes in results.values()])
            won, lost = int((gaps > TIE).sum()), int((gaps < -TIE).sum())
            cells.append(f"{won}, {len(gaps) - won - lost}, {lost}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report(args: argparse.Namespace, results: Mapping[str, Mapping[str, Outcome]]) -> str:
    """Return the page."""
    return f"""# FastMLPRegressor and MLPRegressor

{args.hidden} hidden units, {args.seconds:g} s on one core for each fit, {args.folds} folds; fastmlp
{fastmlp.__version__}, scikit-learn {sklearn.__version__}, NumPy {np.__version__}, {platform.machine()}.{
        " Shortened: --quick." * args.quick
    }

R^2 of the out-of-fold predictions of all folds together, with the best in bold:

{table(results, lambda outcome: f"{outcome.r2:.3f}", best=True)}

A tie is a difference of at most {TIE:g}:

{scores(results)}

Time of a fit in seconds; it is shorter if a method stops early:

{table(results, lambda outcome: f"{outcome.seconds:.2f}", best=False)}

Epochs of a fit (iterations for L-BFGS):

{table(results, lambda outcome: f"{outcome.epochs:,.0f}", best=False)}
"""


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=100, metavar="N", help="hidden units (%(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=1.0, metavar="S", help="seconds on one core for each fit (%(default)s)"
    )
    parser.add_argument("--folds", type=int, default=5, metavar="K", help="folds of the cross-validation (%(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("out/compare_sklearn"), metavar="DIR", help="folder of the table (%(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="0.02 s for each fit and two folds")
    args = parser.parse_args()
    if args.quick:
        args.seconds, args.folds = 0.02, 2
    return args


def main() -> int:
    """Run the script."""
    args = parse_arguments()
    args.out.mkdir(parents=True, exist_ok=True)
    results = {}
    with threadpool_limits(1):
        for name, (x, y) in datasets().items():
            results[name] = compare(args.hidden, args.seconds, args.folds, x, y)
            print(name, *(f"{outcome.r2:.3f}" for outcome in results[name].values()), file=sys.stderr)
    text = report(args, results)
    (args.out / "table.md").write_text(text)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

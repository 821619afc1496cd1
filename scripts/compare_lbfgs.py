"""Compare L-BFGS with scikit-learn's, and with SciPy's L-BFGS-B on the gradient of fastmlp, on eight problems.

A rival trains for a number of seconds of processor time. The table shows its RMSE, for targets scaled to a standard
deviation of 1, and how many times sooner `optimizer="lbfgs"` reaches it, start included. scikit-learn draws its own
start; SciPy has that of fastmlp, before the solve for the output layer.

    OPENBLAS_NUM_THREADS=1 python scripts/compare_lbfgs.py
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.datasets import make_friedman1
from sklearn.neural_network import MLPRegressor

import fastmlp
from fastmlp.engines.engine import Problem, Rates, Settings, Shape
from fastmlp.engines.lbfgs.choice import engine_class

FloatArray = npt.NDArray[np.float64]

FIRST_STEPS = 100  # of a fit that measures the time of a step
LONGER = 3.0  # times as long as the rivals may fastmlp try to reach their RMSE


class Case(NamedTuple):
    """Standardised samples, and the number of hidden units."""

    x: FloatArray
    y: FloatArray
    hidden: int


def standardised(x: FloatArray, y: FloatArray, hidden: int) -> Case:
    """Return a problem in standardised coordinates."""
    x = x.reshape(len(x), -1)
    return Case((x - x.mean(axis=0)) / x.std(axis=0), (y - y.mean()) / y.std(), hidden)


def curve(function: Callable[[FloatArray], FloatArray], n_samples: int, hidden: int, end: float = np.pi) -> Case:
    """Return a problem of one input, with samples at equal distances from -end to end."""
    x = np.linspace(-end, end, n_samples)
    return standardised(x, function(x), hidden)


def peaks() -> Case:
    """Return MATLAB's surface at 2,000 random points."""
    x, y = np.random.default_rng(123).uniform(-3, 3, (2, 2000))
    z = 3 * (1 - x) ** 2 * np.exp(-(x**2) - (y + 1) ** 2) - np.exp(-((x + 1) ** 2) - y**2) / 3
    return standardised(np.stack([x, y], axis=1), z - 10 * (x / 5 - x**3 - y**5) * np.exp(-(x**2) - y**2), 100)


def mixed(x: FloatArray) -> FloatArray:
    """Return a smooth function with a corner."""
    return np.asarray(np.sin(3 * x) + np.abs(x) / 2)


CASES: dict[str, Callable[[], Case]] = {
    "sin 100 x 1000": lambda: curve(np.sin, 100, 1000),
    "sin 100 x 30": lambda: curve(np.sin, 100, 30),
    "mixed 200 x 100": lambda: curve(mixed, 200, 100),
    "step 100 x 30": lambda: curve(lambda x: (x > 0).astype(float), 100, 30),
    "mixed 10,000 x 200": lambda: curve(mixed, 10_000, 200),
    "wave 200 x 60": lambda: curve(lambda x: np.sin(20 * x), 200, 60, np.pi / 2),
    "peaks 2,000 x 100": peaks,
    "friedman1 500 x 100": lambda: standardised(*make_friedman1(500, noise=0.0, random_state=0), 100),
}


def fit(case: Case, seed: int, epochs: int) -> tuple[FloatArray, float]:
    """Return the RMSE after each epoch and the processor time of a fit."""
    options: dict[str, Any] = {"optimizer": "lbfgs", "hidden": case.hidden, "rng": seed, "threads": 1}
    started = time.thread_time()
    model = fastmlp.fit(case.x, case.y, epochs=epochs, record_every=1, progress=False, **options)
    return model.history.rmse, time.thread_time() - started


def own_history(case: Case, seed: int, longest: float) -> tuple[FloatArray, FloatArray]:
    """Return the RMSE of fastmlp after each epoch, and the seconds that it had taken by then."""
    fit(case, seed, 1)  # compiles
    start = min(fit(case, seed, 1)[1] for _ in range(3))
    pace = max(fit(case, seed, FIRST_STEPS)[1] - start, 1e-6) / FIRST_STEPS
    rmse, seconds = fit(case, seed, max(int(longest / pace), 1))
    return rmse, np.linspace(start, seconds, rmse.size)


def time_to(target: float, histories: list[tuple[FloatArray, FloatArray]]) -> float:
    """Return the median over histories of the seconds after which an RMSE is reached, infinity if it is not."""
    reached = [times[rmse <= target] for rmse, times in histories]
    return float(np.median([found[0] if found.size else np.inf for found in reached]))


def scikit_learn(case: Case, seed: int, seconds: list[float]) -> list[float]:
    """Return the RMSE of scikit-learn's L-BFGS after numbers of seconds."""

    def trained(steps: int) -> tuple[float, float, int]:
        net = MLPRegressor(
            hidden_layer_sizes=(case.hidden,),
            solver="lbfgs",
            alpha=0.0,
            tol=0.0,
            max_iter=steps,
            max_fun=10**9,
            random_state=seed,
        )
        started = time.thread_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net.fit(case.x, case.y)
        seconds = time.thread_time() - started
        return float(np.sqrt(np.mean((net.predict(case.x) - case.y) ** 2))), seconds, net.n_iter_

    trained(2)
    _, taken, steps = trained(20)
    return [trained(max(int(steps * allowed / taken), 1))[0] for allowed in seconds]


class OutOfTimeError(Exception):
    """The time of a rival is over."""


def scipy(case: Case, seed: int, seconds: list[float]) -> list[float]:
    """Return the RMSE of SciPy's L-BFGS-B, with the kernels of fastmlp for the gradient, after numbers of seconds."""
    n, n_in = case.x.shape
    plain: dict[str, Any] = {"standardize": True, "epochs": 1, "progress": False, "threads": 1}
    drawn = fastmlp.fit(case.x, case.y, hidden=case.hidden, rng=seed, snapshots=[0], **plain).history.snapshots[0]
    problem = Problem(case.x, case.y[:, None], np.full(n, 1 / n))
    settings = Settings(Rates(1.0, 1.0, 1.0, 1.0), optimizer="lbfgs")
    kind = engine_class("univariate" if n_in == 1 else "dense", Shape(n, n_in, case.hidden, 1))
    engine: Any = kind(problem, drawn.weights, settings)
    run = engine._run
    start, errors, times = run.iterate.theta.copy(), [], []

    def objective(theta: FloatArray) -> tuple[float, FloatArray]:
        run.iterate.theta[:] = theta
        run.search["stage"] = 0  # new: the kernel evaluates theta
        engine._minimise(np.empty((0, 1)))
        errors.append(float(run.trial_error[0]))
        times.append(time.thread_time() - started)
        if times[-1] > seconds[-1]:
            raise OutOfTimeError
        return float(run.search["objective"][0]), run.iterate.gradient.copy()

    started = time.thread_time()
    unlimited = {"maxcor": 20, "ftol": 0.0, "gtol": 0.0, "maxiter": 10**9, "maxfun": 10**9, "maxls": 50}
    with contextlib.suppress(OutOfTimeError):
        minimize(objective, start, jac=True, method="L-BFGS-B", options=unlimited)
    best = np.sqrt(np.minimum.accumulate(errors))
    return [float(best[np.searchsorted(times, allowed, side="right") - 1]) for allowed in seconds]


RIVALS = {"scikit-learn": scikit_learn, "SciPy": scipy}


def main() -> int:
    """Run the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="seeds for each problem (%(default)s)")
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES), help="problems (all)")
    parser.add_argument("--seconds", type=float, nargs=2, default=[0.1, 1.0], help="times of the rivals (%(default)s)")
    args = parser.parse_args()
    if args.seeds < 1 or not 0 < min(args.seconds) < np.inf or sorted(args.seconds) != args.seconds:
        parser.error("--seeds and --seconds must be positive, and --seconds ascending")
    seconds = args.seconds
    ratios: dict[tuple[str, float], list[float]] = {(rival, allowed): [] for rival in RIVALS for allowed in seconds}
    print(f"| problem | rival | its RMSE after {seconds[0]:g} s | sooner | its RMSE after {seconds[1]:g} s | sooner |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name in args.cases:
        case = CASES[name]()
        histories = [own_history(case, seed, LONGER * seconds[-1]) for seed in range(args.seeds)]
        for rival, train in RIVALS.items():
            errors = np.array([train(case, seed, seconds) for seed in range(args.seeds)])
            targets = [float(np.median(column)) for column in errors.T]
            cells = [name, rival]
            for allowed, target in zip(seconds, targets, strict=True):
                taken = time_to(target, histories)
                cells += [f"{target:.2e}", f"{allowed / taken:.1f}" if np.isfinite(taken) else "never"]
                if np.isfinite(taken):
                    ratios[rival, allowed].append(allowed / taken)
            print(f"| {' | '.join(cells)} |", flush=True)
    print()
    for (rival, allowed), values in ratios.items():
        mean = np.exp(np.mean(np.log(values))) if values else np.nan
        print(f"{rival}, {allowed:g} s: {mean:.1f} times sooner, the geometric mean of {len(values)} problems")
    print(f"Medians of {args.seeds} seeds.")
    return 0


if __name__ == "__main__":
    sys.exit(main())

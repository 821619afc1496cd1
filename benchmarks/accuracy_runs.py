"""The optimisers of fastmlp in `accuracy.py`: error against processor time of one thread.

A method takes a problem, a seed and a budget in seconds, and returns a `Curve`. Where an automatic rate falls near the
end of a fit, each point of the curve is a fit of its own, which was told how many epochs the time allows.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import fastmlp
from benchmarks.accuracy_problems import Problem
from benchmarks.rivals import FloatArray

MANY_EPOCHS = 10**6
CALLS = 10  # of a method without iterations; the shortest counts
STEP = 1.5  # between the times of two points of a curve
OPTIMIZERS: dict[str, dict[str, Any]] = {
    "descent": {},
    "momentum": {"momentum": 0.9},
    "Adam": {"optimizer": "adam", "lr": "auto", "standardize": True},
}


@dataclass
class Curve:
    """Errors by time.

    Attributes
    ----------
    seconds : list of float
        Processor time until each point.
    rmse : list of float
        RMSE on the samples at each point.
    fresh_rmse : float
        RMSE of the last net on fresh samples without noise.
    """

    seconds: list[float] = field(default_factory=list)
    rmse: list[float] = field(default_factory=list)
    fresh_rmse: float = np.nan

    def add(self, seconds: float, rmse: float) -> None:
        """Append a point."""
        self.seconds.append(float(f"{seconds:.3g}"))
        self.rmse.append(float(f"{rmse:.4g}"))


Method = Callable[[Problem, int, float], Curve]


def root_mean_square(error: FloatArray) -> float:
    """Return the root of the mean square of all entries."""
    return float(np.sqrt(np.mean(error**2)))


def timed_fit(problem: Problem, **options: Any) -> tuple[fastmlp.Model, float]:
    """Fit on one thread; return the model and the processor time without compilation."""
    started = time.process_time()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The RMSE is", RuntimeWarning)
        model = fastmlp.fit(
            problem.x, problem.y, hidden=problem.hidden, threads=1, dtype=float, progress=False, **options
        )
    return model, time.process_time() - started


def told(optimizer: dict[str, Any], problem: Problem, seed: int, budget: float) -> Curve:
    """Return fits that take a hundredth, a tenth and all of the budget, each told its epochs."""
    curve = Curve()
    _, start = timed_fit(problem, epochs=1, rng=seed, **optimizer)  # weights and rate
    epochs, taken = 1, start
    for seconds in (budget / 100, budget / 10, budget):
        while taken - start < seconds / 10:  # until the time of an epoch is known
            epochs *= 4
            _, taken = timed_fit(problem, epochs=epochs, rng=seed, **optimizer)
        epochs = max(1, int(max(seconds - start, 0.0) * epochs / (taken - start)))
        model, taken = timed_fit(problem, epochs=epochs, rng=seed, **optimizer)
        curve.add(taken, model.rmse(problem.x, problem.y))
    curve.fresh_rmse = model.rmse(problem.fresh_x, problem.fresh_y)
    return curve


def lbfgs(problem: Problem, seed: int, budget: float) -> Curve:
    """Return the history of one fit, in which all epochs take the same time."""
    end = time.process_time() + budget
    stops = {"epochs": MANY_EPOCHS, "callback": lambda info: time.process_time() > end}
    model, taken = timed_fit(problem, optimizer="lbfgs", rng=seed, **stops)
    start = timed_fit(problem, optimizer="lbfgs", rng=seed, epochs=1)[1]
    curve = Curve()
    epochs = model.info.epochs_run
    for epoch in spaced(epochs):
        curve.add(start + max(taken - start, 0.0) * epoch / max(epochs, 1), model.history.rmse[epoch])
    curve.fresh_rmse = model.rmse(problem.fresh_x, problem.fresh_y)
    return curve


def spaced(n_epochs: int) -> list[int]:
    """Return epochs from 1 to n_epochs in about constant ratios."""
    ratios = np.geomspace(1, max(n_epochs, 1), 2 + int(np.log(max(n_epochs, 1)) / np.log(STEP)))
    return sorted({min(round(epoch), n_epochs) for epoch in ratios})


def lstsq(problem: Problem, seed: int, budget: float) -> Curve:
    """Return the one solve for w2 and b2 at a drawn start."""
    return _point(problem, lambda: timed_fit(problem, optimizer="lstsq", epochs=1, rng=seed)[0])


def knots(problem: Problem, seed: int, budget: float) -> Curve:
    """Return the free-knot spline."""
    return _point(problem, lambda: fastmlp.fit_knots(problem.x, problem.y, hidden=problem.hidden))


def shortest(function: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function of milliseconds, and its shortest time."""
    times = []
    for _ in range(CALLS):
        started = time.process_time()
        result = function()
        times.append(time.process_time() - started)
    return result, min(times)


def _point(problem: Problem, fitted: Callable[[], fastmlp.Model]) -> Curve:
    model, seconds = shortest(fitted)
    curve = Curve(fresh_rmse=model.rmse(problem.fresh_x, problem.fresh_y))
    curve.add(seconds, model.rmse(problem.x, problem.y))
    return curve


def own_methods(problem: Problem) -> dict[str, Method]:
    """Return the methods of fastmlp that can fit a problem, by name."""
    methods: dict[str, Method] = {
        name: lambda *arguments, options=options: told(options, *arguments)  # type: ignore[misc]
        for name, options in OPTIMIZERS.items()
    }
    return methods | {"L-BFGS": lbfgs, "lstsq": lstsq} | ({"fit_knots": knots} if problem.is_curve else {})


def medians(curves: Sequence[Curve], times: Sequence[float]) -> list[float | None]:
    """Return the median over curves of the lowest RMSE up to each time; None before the first point of a curve."""
    rows = [[lowest(curve, seconds) for seconds in times] for curve in curves]
    return [
        None if any(rmse is None for rmse in column) else float(np.median(column)) for column in zip(*rows, strict=True)
    ]


def lowest(curve: Curve, seconds: float) -> float | None:
    """Return the lowest RMSE up to a time."""
    reached = [rmse for at, rmse in zip(curve.seconds, curve.rmse, strict=True) if at <= seconds]
    return min(reached, default=None)

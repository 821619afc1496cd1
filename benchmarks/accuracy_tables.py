"""The page that `accuracy.py` writes: ACCURACY.md, with an overview and a table for each problem."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.accuracy_runs import OPTIMIZERS, Curve, medians
from benchmarks.tables import markdown

HEAD = """\
# Accuracy: error against time

`make accuracy` writes this page. Every method fits the same samples with as many hidden units or pieces. The time is
processor time of one thread, without compilation, and the numbers are medians over seeds
0 to {last_seed}.

![RMSE against seconds for each problem and optimiser](accuracy.png)

- *descent*, *momentum* and *Adam* have `lr="auto"`, whose rate falls near the end. Each of their points is a fit of its
  own that was told its number of epochs. *momentum* is `momentum=0.9`.
- *L-BFGS* is one fit. Its points are its history.
- *lstsq* solves for w2 and b2 at a drawn start. *fit_knots* has one result.
- scikit-learn runs `MLPRegressor` from its own start, with `alpha=0` and no tolerance; each point is a run of its own.
  Its Adam has mini-batches of 200 samples. SciPy's L-BFGS-B gets the gradient of fastmlp's reference engine in NumPy,
  and PyTorch the loss of all samples in float64; both start from fastmlp's weights.
- pwlf is `fitfast` with as many pieces, up to {most_pieces}. splrep and LSQUnivariateSpline are FITPACK's splines of
  degree 1: splrep with the smoothing factor that gives at most as many pieces, LSQUnivariateSpline with equally spaced
  knots.

*Fresh* samples have no noise: a fine grid, or {fresh:,} random points for friedman1. The *target* of a problem is the
lowest error that descent, momentum or Adam reached in {budget:g} s.

{conditions}
"""
LOSSES = """\
## Where another package ends lower

Its error on the samples after {budget:g} s is less than 0.95 times the lowest one of fastmlp, and above 1e-9:

{lines}
"""
OWN = (*OPTIMIZERS, "L-BFGS", "lstsq", "fit_knots")
ROUNDING = 1e-9  # errors below are those of rounding

Measured = dict[str, Any]  # a problem as `accuracy.measured` returns it


def curves_of(problem: Measured, name: str) -> list[Curve]:
    """Return the curves of a method, one for each seed."""
    return [Curve(**curve) for curve in problem["methods"][name]]


def last(problem: Measured, name: str) -> float:
    """Return the median over the seeds of the lowest error of a method."""
    return float(np.median([min(curve.rmse) for curve in curves_of(problem, name)]))


def fresh(problem: Measured, name: str) -> float:
    """Return the median over the seeds of the error on fresh samples."""
    return float(np.median([curve.fresh_rmse for curve in curves_of(problem, name)]))


def target(problem: Measured) -> float:
    """Return the lowest error of descent, momentum and Adam."""
    return min(last(problem, name) for name in OPTIMIZERS)


def seconds_to(problem: Measured, name: str, error: float) -> float | None:
    """Return the first time at which the median error of a method is at most `error`."""
    curves = curves_of(problem, name)
    times = sorted({seconds for curve in curves for seconds in curve.seconds})
    reached = zip(times, medians(curves, times), strict=True)
    return next((seconds for seconds, rmse in reached if rmse is not None and rmse <= error), None)


def shown(value: float | None) -> str:
    """Return an error or a time with two digits."""
    return "-" if value is None else f"{value:.1e}"


def milliseconds(seconds: float | None) -> str:
    """Return a time in milliseconds with two digits, or that it is never reached."""
    return "never" if seconds is None else f"{1e3 * seconds:.2g} ms" if seconds < 0.0995 else f"{1e3 * seconds:.0f} ms"


def best(problem: Measured, *, is_own: bool) -> tuple[str, float | None]:
    """Return the method that reaches the target first, among those of fastmlp or the others, and its time."""
    names = [name for name in problem["methods"] if (name in OWN) == is_own]
    times = {name: seconds_to(problem, name, target(problem)) for name in names}
    reached = {name: seconds for name, seconds in times.items() if seconds is not None}
    name = min(reached, key=reached.__getitem__, default="none")
    return name, reached.get(name)


def overview(problems: dict[str, Measured]) -> str:
    """Return a table with a line for each problem."""
    columns = ["problem", "target", "first of fastmlp", "time", "first of the others", "time", "lowest of fastmlp"]
    columns += ["lowest of the others"]
    rows = []
    for name, problem in problems.items():
        own, rival = best(problem, is_own=True), best(problem, is_own=False)
        lowest = [
            min((last(problem, method), method) for method in problem["methods"] if (method in OWN) == is_own)
            for is_own in (True, False)
        ]
        row = [name, shown(target(problem)), own[0], milliseconds(own[1]), rival[0], milliseconds(rival[1])]
        rows.append([*row, *(f"{shown(rmse)} ({method})" for rmse, method in lowest)])
    return markdown(columns, rows)


def losses(problems: dict[str, Measured]) -> str:
    """Return a list of the rivals that end lower than every method of fastmlp."""
    lines = []
    for name, problem in problems.items():
        own = min(last(problem, method) for method in problem["methods"] if method in OWN)
        for method in problem["methods"]:
            if method not in OWN and max(last(problem, method), ROUNDING) < 0.95 * own:
                lines.append(f"- {name}: {method} {shown(last(problem, method))}, fastmlp {shown(own)}")
    return "\n".join(lines) or "- none"


def table(problem: Measured, times: list[float]) -> str:
    """Return the table of a problem: error by time, on fresh samples, and time to the target."""
    columns = ["method", *(f"{seconds:g} s" for seconds in times), "end", "fresh", f"to {shown(target(problem))}"]
    rows = []
    for name in problem["methods"]:
        row = [name, *map(shown, medians(curves_of(problem, name), [*times, np.inf]))]
        rows.append([*row, shown(fresh(problem, name)), milliseconds(seconds_to(problem, name, target(problem)))])
    return markdown(columns, rows)


def _sizes(problem: Measured) -> str:
    return f"{problem['n_samples']:,} samples, {problem['hidden']:,} units"


def page(content: dict[str, Any]) -> str:
    """Return the page of a file of results."""
    results = content["results"]
    problems, budget = results["problems"], results["budget"]
    from benchmarks.accuracy_problems import FRESH
    from benchmarks.accuracy_rivals import MOST_PIECES

    facts = {"last_seed": results["seeds"] - 1, "most_pieces": MOST_PIECES, "fresh": FRESH, "budget": budget}
    times = [budget / 500, budget / 50, budget / 5]
    tables = [
        f"## {name}\n\n{problem['text']}; {_sizes(problem)}\n\n{table(problem, times)}"
        for name, problem in problems.items()
    ]
    others = "".join(f", {name} {version}" for name, version in results["packages"].items())
    ending = f"{content['conditions']} BLAS: {results['blas']}{others}."
    return "\n".join(
        [
            HEAD.format(conditions=ending, **facts),
            f"{overview(problems)}\n",
            LOSSES.format(lines=losses(problems), budget=budget),
            "\n\n".join(tables),
            "",
        ]
    )

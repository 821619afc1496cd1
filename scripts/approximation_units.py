"""What units can do in approximation.py: the error that each optimiser ends with, by width. This module is imported."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from approximation_figures import cut, draw_log_log, save
from approximation_runs import POINTS, FloatArray, joined_samples_rmse, samples
from matplotlib import pyplot as plt
from reproduce_report import markdown

import fastmlp

UNITS = (3, 6, 10, 15, 20, 30, 50, 75, 90, 99, 120, 150, 200, 300, 1000)
QUICK_UNITS = (10, 30, 99, 150)
SEEDS, QUICK_SEEDS = 3, 1
EPOCHS, LBFGS_EPOCHS = 32_000, 5000
FINE = 3001
WIDE = 1000  # units with noise
NOISE = 0.1
NEAR = 1.05  # ratio of the best error on two grids, up to which it is drawn
METHODS: dict[str, dict[str, Any] | None] = {  # options of fit; None for fit_knots
    f"descent, {EPOCHS:,} epochs": {"epochs": EPOCHS},
    "L-BFGS": {"optimizer": "lbfgs", "epochs": LBFGS_EPOCHS},
    "one solve for w2 and b2": {"optimizer": "lstsq", "epochs": 1},
    "fit_knots": None,
}
ROUNDING = 1e-16  # smaller errors are drawn there

TEXT = """\
The conclusion of the report is about units. With as many units as samples, a net can join the samples by straight
lines, so the loss is zero to rounding: `fit_knots` with {last} units does it, and one solve for w2 and b2 in wide
nets with drawn w1 and b1. With fewer units there is a best error, which no number of epochs lowers. `best` is its value
for many samples and a smooth function, hidden^-2 sqrt((integral |f''|^(2/5))^5 / (720 T)). It is no bound for {points}
samples. Epochs move a net towards that error, and descent and L-BFGS stop above it. `best` is `-` for functions with
jumps, and where the units suffice to join the samples.

Zero on the samples says nothing about the points between them. There, the error stays that of the {points} samples: see
the columns for {fine:,} points, and the error of straight lines between the samples: {joined}."""
NOISE_TEXT = """\
With noise, the same zero is a bad fit. The targets are sin(x) + {noise:g} N(0, 1) at {points} points; the second column
is the error against sin(x). Medians of {seeds} draws."""


@dataclass(frozen=True, eq=False)
class UnitSeries:
    """Errors of the methods on a function by width.

    Attributes
    ----------
    formula : str
        The function.
    units : tuple of int
        Widths.
    rmse, fine_rmse : dict of str to ndarray, shape (widths, seeds)
        Errors on the samples, and on a fine grid.
    best : float or None
        Best error for many samples, times the square of the width; None if the function has jumps.
    """

    formula: str
    units: tuple[int, ...]
    rmse: dict[str, FloatArray]
    fine_rmse: dict[str, FloatArray]
    best: float | None


def fitted(method: str, x: FloatArray, y: FloatArray, hidden: int, seed: int) -> fastmlp.Model:
    """Return a net trained by a method."""
    options = METHODS[method]
    if options is None:
        return fastmlp.fit_knots(x, y, hidden=hidden)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The RMSE is", RuntimeWarning)
        return fastmlp.fit(x, y, hidden=hidden, rng=seed, progress=False, **options)


def unit_series(formula: str, *, quick: bool) -> UnitSeries:
    """Fit a function with every method and width."""
    units, seeds = (QUICK_UNITS, QUICK_SEEDS) if quick else (UNITS, SEEDS)
    x, y = samples(formula, POINTS)
    fine = samples(formula, FINE)
    rmse, fine_rmse = ({name: np.empty((len(units), seeds)) for name in METHODS} for _ in range(2))
    for name in METHODS:
        for row, hidden in enumerate(units):
            for seed in range(seeds):
                model = fitted(name, x, y, hidden, seed)
                rmse[name][row, seed], fine_rmse[name][row, seed] = model.rmse(x, y), model.rmse(*fine)
    return UnitSeries(formula, units, rmse, fine_rmse, best_error(formula))


def best_error(formula: str) -> float | None:
    """Return the best RMSE of one piece for many samples, or None if it depends on the grid: at a jump it does."""
    coarse, fine = (_best_on(*samples(formula, n)) for n in (10_001, 40_001))
    return fine if max(coarse, fine) <= NEAR * min(coarse, fine) else None


def _best_on(x: FloatArray, y: FloatArray) -> float:
    step = x[1] - x[0]
    curvature = np.abs(np.diff(y, 2)) / step**2
    return float(np.sqrt((curvature**0.4).sum() ** 5 * step**5 / (720 * (x[-1] - x[0]))))


def draw_units(series: Sequence[UnitSeries], note: str, path: Path) -> None:
    """Draw the errors by width: on the samples above, between them below."""
    shape = {"figsize": (6.5 * len(series), 10), "sharex": True, "sharey": "row", "layout": "constrained"}
    figure, axes = plt.subplots(2, len(series), squeeze=False, **shape)
    for column, one in enumerate(series):
        for ax, errors, where in zip(
            axes[:, column], (one.rmse, one.fine_rmse), (f"at the {POINTS} samples", f"at {FINE:,} points"), strict=True
        ):
            for index, (name, values) in enumerate(errors.items()):
                shown = np.maximum(values, ROUNDING)
                ax.plot(one.units, np.median(shown, axis=1), "o-", ms=4, color=f"C{index}", label=name)
                ax.fill_between(one.units, shown.min(axis=1), shown.max(axis=1), color=f"C{index}", alpha=0.2, lw=0)
            if one.best is not None:
                few = np.array([hidden for hidden in one.units if hidden < POINTS])
                ax.plot(few, one.best / few**2.0, "k--", lw=1, label="best, for many samples")
            joined = joined_samples_rmse(one.formula, FINE)
            ax.axhline(joined, color="0.5", lw=0.8, label="straight lines between the samples, between them")
            ax.axvline(POINTS - 1, color="0.5", lw=0.8, ls=":", label=f"{POINTS - 1} units")
            draw_log_log(ax, "hidden units", f"{cut(one.formula)}, {where}")
    for ax in axes[:, 0]:
        ax.set_ylabel("RMSE")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    figure.suptitle(f"What units can do: median and range of {series[0].rmse['L-BFGS'].shape[1]} seeds{note}")
    save(figure, path)


def units_text(series: Sequence[UnitSeries]) -> str:
    """Return the section with a table for each function."""
    tables = "\n\n".join(f"`{one.formula}`\n\n{_table(one)}" for one in series)
    joined = ", ".join(f"{joined_samples_rmse(one.formula, FINE):.1e} for `{one.formula}`" for one in series)
    return f"{tables}\n\n{TEXT.format(last=POINTS - 1, points=POINTS, fine=FINE, joined=joined)}"


def _table(one: UnitSeries) -> str:
    head = ["hidden", "best", *METHODS, *(f"{name}, {FINE:,} points" for name in METHODS)]
    rows = []
    for index, hidden in enumerate(one.units):
        best = "-" if one.best is None or hidden >= POINTS - 1 else f"{one.best / hidden**2:.1e}"
        errors = [*one.rmse.values(), *one.fine_rmse.values()]
        rows.append([f"{hidden:,}", best, *(f"{np.median(values[index]):.1e}" for values in errors)])
    return markdown(head, rows)


def noise_text(*, quick: bool) -> str:
    """Return the section about noise: errors on noisy samples, and against the function."""
    seeds = QUICK_SEEDS if quick else 5
    x, clean = samples("sin(x)", POINTS)
    fine = samples("sin(x)", FINE)
    fits: dict[str, Callable[[FloatArray, int], fastmlp.Model]] = {
        f"{name}, {hidden:,} units": lambda y, seed, name=name, hidden=hidden: fitted(name, x, y, hidden, seed)
        for name, hidden in [*((name, WIDE) for name in METHODS), ("fit_knots", 30), ("fit_knots", 10)]
    }
    rows = []
    for name, fit in fits.items():
        errors = []
        for seed in range(seeds):
            y = clean + NOISE * np.random.default_rng(seed).normal(size=POINTS)
            model = fit(y, seed)
            errors.append((model.rmse(x, y), model.rmse(*fine)))
        rows.append([name, *(f"{error:.2g}" for error in np.median(errors, axis=0))])
    head = ["fit", f"RMSE, {POINTS} samples", f"against sin(x), {FINE:,} points"]
    return f"{NOISE_TEXT.format(noise=NOISE, points=POINTS, seeds=seeds)}\n\n{markdown(head, rows)}"

"""The figures of approximation.py; a module for the scripts, not one itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from approximation_runs import POINTS, Curve, PowerLaw, WidthSeries, joined_samples_rmse, power_law, rate_text

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

LABEL_LENGTH = 45


def draw_epochs(curves: Sequence[Curve], note: str, path: Path) -> None:
    """Draw RMSE against epoch: at the training samples with the fitted slopes, and between them."""
    figure, (ax, fine_ax) = plt.subplots(1, 2, figsize=(13, 7.2), sharey=True, layout="constrained")
    colors = {formula: f"C{index}" for index, formula in enumerate(dict.fromkeys(c.run.formula for c in curves))}
    drawn: set[str] = set()
    for curve in curves:
        formula = curve.run.formula
        style = {
            "color": colors[formula],
            "lw": 1.0 if formula in drawn else 2.0,
            "ls": ":" if formula in drawn else "-",
        }
        laws = [power_law(curve.epoch, curve.rmse, span) for span in curve.ranges]
        ax.plot(curve.epoch[1:], curve.rmse[1:], label=f"{_cut(curve.label)}\n    {_slopes(laws)}", **style)
        for law in laws:
            _draw_law(ax, law)
        fine_ax.plot(curve.fine_epoch, curve.fine_rmse, marker=".", **style)
        if formula not in drawn:
            fine_ax.axhline(joined_samples_rmse(formula, curve.run.fine), color=colors[formula], ls="--", lw=0.8)
        drawn.add(formula)
    run = curves[0].run
    _log_log(ax, "epoch", f"At the {POINTS} training samples")
    _log_log(fine_ax, "epoch", f"At {run.fine:,} points (dashed: straight lines that join the samples)")
    ax.set_ylabel("RMSE")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    figure.suptitle(f"RMSE against epochs: {run.hidden:,} hidden units, seed {run.seed}{note}; black: fitted slopes")
    _save(figure, path)


def draw_widths(series: Sequence[WidthSeries], epochs: Sequence[int], note: str, path: Path) -> None:
    """Draw RMSE against width after several numbers of epochs: the median and the range over seeds."""
    figure, axes = plt.subplots(1, len(series), figsize=(6.5 * len(series), 5.6), layout="constrained", squeeze=False)
    for ax, one in zip(axes[0], series, strict=True):
        for index, epoch in enumerate(epochs):
            rmse = one.rmse(epoch)
            median = np.median(rmse, axis=1)
            laws = [power_law(one.widths, median, span) for span in one.ranges]
            label = f"{epoch:,} epochs: {_slopes(laws)}"
            ax.plot(one.widths, median, "o-", ms=4, color=f"C{index}", label=label)
            ax.fill_between(one.widths, rmse.min(axis=1), rmse.max(axis=1), color=f"C{index}", alpha=0.2, lw=0)
            for law in laws:
                _draw_law(ax, law)
        fine = np.median(one.fine_rmse(), axis=1)
        ax.plot(one.widths, fine, "--", color="0.4", lw=1, label=f"{epochs[-1]:,} epochs, at {one.run.fine:,} points")
        _log_log(ax, "hidden units", f"{_cut(one.run.formula)}, {rate_text(one.run.rate)}")
        ax.legend(fontsize=9)
    axes[0][0].set_ylabel(f"RMSE at the {POINTS} training samples")
    n_seeds = len(series[0].curves[0])
    figure.suptitle(f"RMSE against width: median and range of {n_seeds} seeds{note}; black: fitted slopes")
    _save(figure, path)


def _draw_law(ax: Axes, law: PowerLaw) -> None:
    if np.isfinite(law.slope):
        ends: npt.NDArray[np.float64] = np.array([law.first, law.last])
        ax.plot(ends, law.factor * ends**law.slope, color="black", lw=0.8)


def _slopes(laws: Sequence[PowerLaw]) -> str:
    return ", ".join(f"slope {law.slope:.2f} over {law.first:.3g} - {law.last:.3g}" for law in laws)


def _log_log(ax: Axes, xlabel: str, title: str) -> None:
    ax.set(xscale="log", yscale="log", xlabel=xlabel)
    ax.set_title(title, parse_math=False)
    ax.grid(alpha=0.3)


def _cut(text: str) -> str:
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 3] + "..."


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=150)
    plt.close(figure)

"""The figures of approximation.py. This module is imported, not run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from approximation_runs import POINTS, Curve, WidthSeries, joined_samples_rmse, rate_text
from power_law import PowerLaw, power_law

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

LABEL_LENGTH = 45
STYLES = ("-", "--", ":")  # line styles of the first, second, ... curve of a function


def draw_epochs(curves: Sequence[Curve], note: str, path: Path) -> None:
    """Draw RMSE against epochs at the training samples, with the fitted slopes, and between the samples."""
    figure, (ax, fine_ax) = plt.subplots(1, 2, figsize=(13, 7.6), sharex=True, sharey=True, layout="constrained")
    times_drawn: dict[str, int] = {}
    for curve in curves:
        formula = curve.run.formula
        repetition = times_drawn[formula] = times_drawn.get(formula, -1) + 1
        color = f"C{list(times_drawn).index(formula)}"
        style = {"color": color, "ls": STYLES[repetition % len(STYLES)], "lw": 1.2 if repetition else 2.0}
        laws = [power_law(curve.epoch, curve.rmse, span) for span in curve.ranges]
        label = f"{cut(formula)}, {rate_text(curve.run.rate)}\n{_slopes(laws)}"
        ax.plot(curve.epoch, curve.rmse, label=label, **style)
        if not repetition:
            _draw_laws(ax, laws)
        fine_ax.plot(curve.fine_epoch, curve.fine_rmse, **style)
        fine_ax.axhline(joined_samples_rmse(formula, curve.run.fine), color=color, lw=0.5)
    run = curves[0].run
    draw_log_log(ax, "epoch", f"At the {POINTS} training samples (black: fitted slopes)")
    draw_log_log(fine_ax, "epoch", f"At {run.fine:,} points (horizontal lines: straight lines from sample to sample)")
    ax.set_ylabel("RMSE")
    figure.legend(loc="outside lower center", ncols=2, fontsize=9)
    figure.suptitle(f"RMSE against epochs: {run.hidden:,} hidden units, seed {run.seed}{note}")
    save(figure, path)


def draw_widths(series: Sequence[WidthSeries], epochs: Sequence[int], note: str, path: Path) -> None:
    """Draw the median and the range over seeds of the RMSE against width, after several numbers of epochs."""
    figure, axes = plt.subplots(
        1, len(series), figsize=(6.5 * len(series), 6.4), sharey=True, layout="constrained", squeeze=False
    )
    for ax, one in zip(axes[0], series, strict=True):
        for index, epoch in enumerate(epochs):
            rmse = one.rmse(epoch)
            median = np.median(rmse, axis=1)
            laws = [power_law(one.widths, median, span) for span in one.ranges]
            label = f"{epoch:,} epochs\n{_slopes(laws)}"
            ax.plot(one.widths, median, "o-", ms=4, color=f"C{index}", label=label)
            ax.fill_between(one.widths, rmse.min(axis=1), rmse.max(axis=1), color=f"C{index}", alpha=0.2, lw=0)
            _draw_laws(ax, laws)
        fine = np.median(one.fine_rmse(), axis=1)
        ax.plot(one.widths, fine, "--", color="0.4", lw=1, label=f"{epochs[-1]:,} epochs, at {one.run.fine:,} points")
        draw_log_log(ax, "hidden units", f"{cut(one.run.formula)}, {rate_text(one.run.rate)}")
        ax.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.12))
    axes[0][0].set_ylabel(f"RMSE at the {POINTS} training samples")
    n_seeds = len(series[0].curves[0])
    figure.suptitle(f"RMSE against width: median and range of {n_seeds} seeds{note}; black: fitted slopes")
    save(figure, path)


def _draw_laws(ax: Axes, laws: Sequence[PowerLaw]) -> None:
    for law in laws:
        if np.isfinite(law.slope):
            ends = np.array([law.first, law.last])
            ax.plot(ends, law.factor * ends**law.slope, color="black", lw=0.8)


def _slopes(laws: Sequence[PowerLaw]) -> str:
    """Return the slopes with their ranges as text; the table has their misfits."""
    return "slope " + ", ".join(f"{law.slope:.2f} over {law.span}" for law in laws)


def draw_log_log(ax: Axes, xlabel: str, title: str) -> None:
    """Make both axes logarithmic, with a grid."""
    ax.set(xscale="log", yscale="log", xlabel=xlabel)
    ax.set_title(title, parse_math=False)
    ax.grid(alpha=0.3)


def cut(text: str) -> str:
    """Return the text, or its beginning if it is too long for a title."""
    return text if len(text) <= LABEL_LENGTH else text[: LABEL_LENGTH - 3] + "..."


def save(figure: Figure, path: Path) -> None:
    """Write a figure to a file and close it."""
    figure.savefig(path, dpi=150)
    plt.close(figure)

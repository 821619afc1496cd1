"""The figures of reproduce_report.py. This module is imported, not run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from report_runs import REPORTED_CURVE, RUNS, Run, X, Y, final_rmse

import fastmlp

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure


def draw_fit(run: Run, models: Sequence[fastmlp.Model], note: str, path: Path) -> None:
    """Draw the net with the median RMSE, as the report draws its one net."""
    rmse = final_rmse(models)
    rank = (len(rmse) + 1) // 2
    median = int(np.argsort(rmse)[rank - 1])
    curve = np.linspace(-np.pi, np.pi, 2001)
    figure, ax = plt.subplots(figsize=(6.4, 4.4), layout="constrained")
    ax.plot(X, Y, "o", ms=4, color="0.65", label="data")
    ax.plot(curve, np.sin(curve), "--", color="C3", lw=1.5, label="sin x")
    ax.plot(curve, models[median].predict(curve), color="C0", lw=2, label="net")
    title = f"{run}: RMSE {rmse[median]:.4f}\nseed {rank} of {len(rmse)} in order of RMSE{note}"
    ax.set(xlabel="x", ylabel="y", title=title)
    ax.legend()
    _save(figure, path)


def draw_curves(run: Run, models: Sequence[fastmlp.Model], note: str, path: Path) -> None:
    """Save what `curves_figure` draws."""
    _save(curves_figure(run, models, note), path)


def curves_figure(run: Run, models: Sequence[fastmlp.Model], note: str) -> Figure:
    """Draw RMSE against epoch: the range over seeds, and those values of the report that the run reaches."""
    epoch = models[0].history.epoch
    low, lower, median, upper, high = np.quantile([m.history.rmse for m in models], [0, 0.25, 0.5, 0.75, 1], axis=0)
    reported = {e: rmse for e, rmse in REPORTED_CURVE.items() if e < run.epochs}
    figure, ax = plt.subplots(figsize=(4.8, 3.6), layout="constrained")
    ax.fill_between(epoch, low, high, color="C0", alpha=0.2, lw=0, label=f"{len(models)} seeds: range")
    ax.fill_between(epoch, lower, upper, color="C0", alpha=0.35, lw=0, label="quartiles")
    ax.plot(epoch, median, color="C0", label="median")
    points = {"ms": 5, "color": "C3", "clip_on": False, "zorder": 3}  # those at both ends are whole
    ax.plot(list(reported), list(reported.values()), "o", label="the report's run", **points)
    ax.set_xscale("symlog", linthresh=1)
    ax.set_yscale("log")
    ticks = [0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5]
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.set_yticks([], minor=True)
    bottom, top = min(low.min(), *reported.values()), max(high.max(), *reported.values())
    ax.set(xlim=(0, run.epochs), ylim=(bottom / 1.1, top * 1.1))
    ax.set(xlabel="epoch", ylabel="RMSE", title=f"H = {run.hidden:,}, the report's settings{note}")
    ax.grid(alpha=0.3)
    ax.legend(loc="lower left", fontsize=9)
    return figure


def draw_runs(
    runs: Sequence[Run], fits: Sequence[Sequence[fastmlp.Model]], floor: float, note: str, path: Path
) -> None:
    """Draw the RMSE of every seed of every run, and the values of the report."""
    positions = np.arange(len(runs))
    rng = np.random.default_rng(0)
    figure, ax = plt.subplots(figsize=(8, 4.8), layout="constrained")
    rmse = [final_rmse(models) for models in fits]
    ax.boxplot(rmse, positions=positions, widths=0.5, whis=(0, 100), medianprops={"color": "C0"})
    for position, values in zip(positions, rmse, strict=True):
        jittered = position + rng.uniform(-0.15, 0.15, len(values))
        ax.plot(jittered, values, "o", ms=4, alpha=0.6, color="C0", label="one seed" if position == 0 else None)
    label = f"the report{', full epochs' if note else ''}"
    ax.plot(positions, [run.reported for run in RUNS], "D", ms=7, color="C3", label=label)
    ax.axhline(floor, color="0.5", ls="--", lw=1, label=f"best net without bias: {floor:.4f}")
    ax.set_xticks(positions, [f"H = {run.hidden:,}\n{run.epochs:,} epochs" for run in runs])
    ax.set(
        ylim=(0, None), ylabel="RMSE after training", title=f"The report's five runs, {len(fits[0])} seeds each{note}"
    )
    ax.legend()
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=150)
    plt.close(figure)

"""The plot of a history: RMSE against epoch on logarithmic axes."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation

from fastmlp.engines.engine import Array

FEW_RECORDS = 30  # up to so many are also drawn as points


def plot_history(epoch: Array, rmse: Array, val_rmse: Array | None, rate_falls: Sequence[int], ax: Axes | None) -> Axes:
    """Plot the RMSE (n_records,), and the validation RMSE if there is one; see `History.plot`."""
    ax = plt.subplots(layout="constrained")[1] if ax is None else ax
    shown = epoch > 0  # a logarithmic axis has no 0
    marker = "." if shown.sum() <= FEW_RECORDS else ""
    ax.plot(epoch[shown], rmse[shown], marker=marker, color="C0", label="training set")
    if val_rmse is not None:
        ax.plot(epoch[shown], val_rmse[shown], marker=marker, color="C3", label="validation set")
        ax.legend()
    for fall in rate_falls:
        if fall < epoch[-1]:
            ax.axvline(fall, color="0.6", linestyle=":", linewidth=1, zorder=0)
    ax.set(xlabel="epoch", ylabel="RMSE", xscale="log", yscale="log")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PlainLogFormatter())
        axis.set_minor_formatter(PlainLogFormatter())
    ax.grid(alpha=0.3)
    return ax


class PlainLogFormatter(LogFormatterSciNotation):
    """Tick labels of a logarithmic axis: 0.2 instead of matplotlib's 2 x 10^-1, from 0.001 to below 100000."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of a tick, empty where matplotlib leaves it out."""
        label = super().__call__(x, pos)
        return f"{x:g}" if label and 1e-3 <= x < 1e5 else label

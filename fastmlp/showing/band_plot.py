"""The plot of an ensemble: the mean curve, and a band of quantiles around it."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.showing.net_plot import draw_samples, output_label


def plot_band(x: Array, mean: Array, band: Array, label: str, data: checks.Samples | None, ax: Axes | None) -> Axes:
    """Plot curves with bands, and samples if given.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Inputs, ascending.
    mean : ndarray of shape (n, n_out)
        Curve of each output.
    band : ndarray of shape (2, n, n_out)
        Lower and upper end of each band.
    label : str
        Label of the bands in the legend.
    data : Samples or None
        Samples to draw.
    ax : matplotlib Axes or None
        Axes to draw on. None creates a figure.
    """
    ax = plt.subplots(layout="constrained")[1] if ax is None else ax
    if data is not None:
        draw_samples(ax, data)
    n_out = mean.shape[1]
    low, high = band
    for k in range(n_out):
        shown = label if k == 0 else None
        ax.fill_between(x, low[:, k], high[:, k], color=f"C{k}", alpha=0.25, lw=0, label=shown)
    for k in range(n_out):
        ax.plot(x, mean[:, k], color=f"C{k}", label=output_label("mean", k, n_out))
    ax.set(xlabel="x", ylabel="y")
    ax.legend()
    return ax

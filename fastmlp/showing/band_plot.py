"""The plot of an ensemble: the mean curve, and a band of quantiles around it."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.nets.net import Net
from fastmlp.showing.labels import curve_label, input_label, target_label
from fastmlp.showing.net_plot import draw_bands, draw_samples


def plot_band(
    net: Net, curves: tuple[Array, Array, Array], label: str, data: checks.Samples | None, ax: Axes | None
) -> Axes:
    """Plot curves with bands, and samples if given.

    Parameters
    ----------
    net : Net
        One of the nets, for the names of inputs and outputs.
    curves : tuple of ndarray
        Inputs, ascending (n,), the curve of each output (n, n_out), and the ends of each band (2, n, n_out).
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
    x, mean, ends = curves
    draw_bands(ax, x, ends, label)
    for k in range(mean.shape[1]):
        ax.plot(x, mean[:, k], color=f"C{k}", label=curve_label("mean", net, k))
    ax.set(xlabel=input_label(net, 0), ylabel=target_label(net))
    ax.legend()
    return ax

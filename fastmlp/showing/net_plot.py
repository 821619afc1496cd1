"""The plot of a net: a curve, filled contours, or predictions against targets.

Like the other plots, it returns the Axes, calls no `show` and changes no setting of matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.nets.net import Net, samples_of
from fastmlp.showing.labels import MAX_LABELLED, curve_label, input_label, output_name, target_label
from fastmlp.showing.plot_range import grid, input_limits, with_margin

SURFACE_LEVELS = 20
COVERAGE = 0.9  # of the intervals

Interval = Callable[[Array, float], tuple[Array, Array]]


def plot_net(net: Net, x: object, y: object, ax: Axes | None, interval: Interval | None) -> Axes:
    """Plot a net and samples; see `Model.plot`. `interval` is `Model.predict_interval`, if the model has intervals."""
    data, limits = samples_to_plot(net, x, y), input_limits(net, x)
    ax = plt.subplots(layout="constrained")[1] if ax is None else ax
    if interval is not None and net.n_in == 1:
        (inputs,) = grid(limits)
        ends = np.stack(interval(inputs, COVERAGE)).reshape(2, len(inputs), -1)
        if np.isfinite(ends).all():
            draw_bands(ax, inputs, ends, f"{COVERAGE:.0%} of new observations")
    draw_net(ax, net, limits, data, output_range([net], limits, data))
    return ax


def samples_to_plot(net: Net, x: object, y: object) -> checks.Samples | None:
    """Check the samples of a plot. None if there are none, or inputs without targets."""
    if x is None and y is not None:
        raise ValueError(checks.wording("x", "given with y", "None"))
    if x is not None and y is not None:
        return samples_of(net, x, y)
    if _needs_samples(net):
        sizes = f"{net.n_in} inputs and {checks.counted(net.n_out, 'output')}"
        raise ValueError(f"The plot of a net with {sizes} shows predictions against targets. Give x and y.")
    return None


def _needs_samples(net: Net) -> bool:
    """Return whether the plot shows predictions against targets, neither a curve nor a surface."""
    return net.n_in > 2 or (net.n_in == 2 and net.n_out > 1)


def output_range(nets: Iterable[Net], limits: Array, data: checks.Samples | None) -> tuple[float, float]:
    """Return the smallest and largest value in the plots of the nets."""
    values = [] if data is None else [data.y]
    for net in nets:
        if _needs_samples(net):
            assert data is not None
            points = data.x
        else:
            points = np.stack([axis.ravel() for axis in grid(limits)], axis=1)
        values.append(net.predict(points))
    return min(float(v.min()) for v in values), max(float(v.max()) for v in values)


def draw_net(
    ax: Axes, net: Net, limits: Array, data: checks.Samples | None, output_limits: tuple[float, float]
) -> None:
    """Draw a net within the limits of the inputs (n_in, 2) and, for surfaces and targets, those of the outputs."""
    if _needs_samples(net):
        assert data is not None
        _draw_predictions(ax, net, data, output_limits)
    elif net.n_in == 1:
        _draw_curve(ax, net, limits, data)
    else:
        _draw_surface(ax, net, limits, data, output_limits)


def _draw_curve(ax: Axes, net: Net, limits: Array, data: checks.Samples | None) -> None:
    if data is not None:
        draw_samples(ax, data)
    (x,) = grid(limits)
    y = net.predict(x).reshape(len(x), -1)
    for k in range(net.n_out):
        ax.plot(x, y[:, k], color=f"C{k}", label=curve_label("net", net, k))
    kinks = net.kinks()
    kinks = kinks[(kinks >= limits[0, 0]) & (kinks <= limits[0, 1])]
    color = "C1" if net.n_out == 1 else "0.3"  # with several outputs, C1 is the colour of one
    ax.plot(kinks, np.zeros_like(kinks), "|", color=color, label="kinks", transform=ax.get_xaxis_transform())
    ax.set(xlabel=input_label(net, 0), ylabel=target_label(net))
    ax.legend()


def draw_bands(ax: Axes, x: Array, ends: Array, label: str) -> None:
    """Draw the band of each output between its ends (2, n, n_out)."""
    for k in range(ends.shape[2]):
        shown = label if k == 0 else None
        ax.fill_between(x, *ends[:, :, k], color=f"C{k}", alpha=0.25, lw=0, label=shown)


def draw_samples(ax: Axes, data: checks.Samples) -> None:
    """Draw samples with one input, grey for one output, else in the colours of the curves."""
    n_out = data.y.shape[1]
    for k in range(n_out):
        color = "0.55" if n_out == 1 else f"C{k}"
        ax.plot(data.x[:, 0], data.y[:, k], ".", color=color, label="data" if k == 0 else None)


def _draw_surface(
    ax: Axes, net: Net, limits: Array, data: checks.Samples | None, output_limits: tuple[float, float]
) -> None:
    first, second = grid(limits)
    y = net.predict(np.stack([first.ravel(), second.ravel()], axis=1)).reshape(first.shape)
    low, high = output_limits
    levels = MaxNLocator(SURFACE_LEVELS).tick_values(*((low, high) if low < high else with_margin(low, high)))
    surface = ax.contourf(first, second, y, levels=levels)
    if data is not None:
        colors: dict[str, Any] = {"c": data.y[:, 0], "cmap": surface.cmap, "norm": surface.norm}
        ax.scatter(data.x[:, 0], data.x[:, 1], 22, edgecolors="white", linewidths=0.7, label="data", **colors)
        ax.legend()
    assert ax.figure is not None
    ax.figure.colorbar(surface, ax=ax, label=target_label(net))
    ax.set(xlabel=input_label(net, 0), ylabel=input_label(net, 1))


def _draw_predictions(ax: Axes, net: Net, data: checks.Samples, output_limits: tuple[float, float]) -> None:
    ends = with_margin(*output_limits)
    ax.plot(ends, ends, "--", color="0.55", lw=1)
    predicted = net.predict(data.x).reshape(len(data.x), -1)
    for k in range(net.n_out):
        ax.plot(data.y[:, k], predicted[:, k], ".", alpha=0.6, label=output_name(net, k))
    if 1 < net.n_out <= MAX_LABELLED:
        ax.legend()
    target = target_label(net)
    ax.set(xlabel=f"observed {target}", ylabel=f"predicted {target}", xlim=ends, ylim=ends, aspect="equal")

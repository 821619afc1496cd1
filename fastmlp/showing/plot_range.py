"""The inputs at which a net is plotted: their limits and their grid."""

from __future__ import annotations

import numpy as np

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.nets.net import Net

CURVE_POINTS = 2001
SURFACE_POINTS = 201  # along each input


def input_limits(net: Net, x: object) -> Array:
    """Return the smallest and largest plotted value of each input (n_in, 2): those of x, else `x_range`."""
    if x is not None:
        inputs, _ = checks.inputs(x, net.n_in, net.feature_names)
        return np.stack([inputs.min(axis=0), inputs.max(axis=0)], axis=1)
    if net.x_range is None:
        raise ValueError("The range of the inputs is unknown. Give x, fit the model, or create it with x_range.")
    return net.x_range


def grid(limits: Array) -> list[Array]:
    """Return the inputs of a curve (n,) or of a surface (n, n) within limits (n_in, 2), one array for each input."""
    n_points = CURVE_POINTS if len(limits) == 1 else SURFACE_POINTS
    widened = limits + np.where(limits[:, :1] == limits[:, 1:], [-0.5, 0.5], 0.0)
    return [np.asarray(axis) for axis in np.meshgrid(*(np.linspace(low, high, n_points) for low, high in widened))]


def with_margin(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis that shows the values from low to high with a margin."""
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin

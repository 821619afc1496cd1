"""Inputs limited to the trained range, in exported curves and sources."""

from __future__ import annotations

import numpy as np

from fastmlp.engines.engine import Array
from fastmlp.exporting.piecewise import PiecewiseLinear
from fastmlp.nets.net import Net


def trained_range(net: Net, argument: str) -> Array:
    """Return the range of the inputs (n_in, 2), which an argument requires."""
    if net.x_range is None:
        remedy = "Fit the model, or create it with x_range."
        raise ValueError(f"{argument} requires the range of the inputs. {remedy}")
    return net.x_range


def domain(net: Net) -> Array:
    """Return where an export is tested and its error is bounded (n_in, 2): the trained range, else from -1 to 1."""
    return np.tile([-1.0, 1.0], (net.n_in, 1)) if net.x_range is None else net.x_range


def clamped_curve(curve: PiecewiseLinear, low: float, high: float) -> PiecewiseLinear:
    """Return a curve that is constant outside [low, high], and has no breakpoints there."""
    first = np.searchsorted(curve.breakpoints, low, side="right")
    end = max(first, np.searchsorted(curve.breakpoints, high))
    breakpoints = np.unique(np.concatenate([[low], curve.breakpoints[first:end], [high]]))
    outside = np.zeros_like(curve.slopes[:1])
    between = curve.slopes[first : first + len(breakpoints) - 1]
    return PiecewiseLinear(breakpoints, curve.evaluate(breakpoints), np.concatenate([outside, between, outside]))

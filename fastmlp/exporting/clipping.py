"""The limits of a net's outputs and inputs in exported curves."""

from __future__ import annotations

import numpy as np

from fastmlp.engines.engine import Array
from fastmlp.exporting.clamping import clamped_curve, trained_range
from fastmlp.exporting.piecewise import PiecewiseLinear, piecewise_linear
from fastmlp.nets.net import Net


def exported_curve(net: Net, clamp: bool) -> PiecewiseLinear:
    """Return a network with one input as a curve; see `Model.to_piecewise`."""
    curve = piecewise_linear(net)
    if net.y_clip is not None:
        curve = clipped_curve(curve, net.y_clip)
    return clamped_curve(curve, *trained_range(net, "clamp=True")[0]) if clamp else curve


def clipped_curve(curve: PiecewiseLinear, y_clip: Array) -> PiecewiseLinear:
    """Return a curve clipped to limits (n_out, 2), with the breakpoints where it reaches them.

    Breakpoints of the curve at which the clipped curve has no kink are left out.
    """
    n = len(curve.breakpoints)
    values, slopes = curve.values.reshape(n, -1), curve.slopes.reshape(n + 1, -1)
    crossings = [
        (x, o, limit)
        for o, limits in enumerate(y_clip)
        for limit in np.unique(limits)
        for x in _crossings(curve.breakpoints, values[:, o], slopes[:, o], limit)
    ]
    breakpoints = np.unique(np.concatenate([curve.breakpoints, [x for x, _, _ in crossings]]))
    new_values = np.clip(curve.evaluate(breakpoints).reshape(len(breakpoints), -1), *y_clip.T)
    for x, o, limit in crossings:
        new_values[np.searchsorted(breakpoints, x), o] = limit
    # Within a piece, the curve is on one side of each limit.
    beyond = breakpoints[[0, -1]] + np.maximum(1.0, np.abs(breakpoints[[0, -1]])) * [-1.0, 1.0]
    inside = np.concatenate([beyond[:1], breakpoints[:-1] + np.diff(breakpoints) / 2, beyond[1:]])
    outputs = curve.evaluate(inside).reshape(len(inside), -1)
    is_free = (outputs >= y_clip[:, 0]) & (outputs <= y_clip[:, 1])
    new_slopes = np.where(is_free, slopes[np.searchsorted(curve.breakpoints, inside)], 0.0)
    is_kink = (np.diff(new_slopes, axis=0) != 0).any(axis=1)
    if not is_kink.any():
        is_kink[0] = True
    kept = breakpoints[is_kink], new_values[is_kink], new_slopes[np.append(is_kink, True)]
    return PiecewiseLinear(kept[0], *(part[:, 0].copy() if curve.values.ndim == 1 else part for part in kept[1:]))


def _crossings(breakpoints: Array, values: Array, slopes: Array, limit: float) -> Array:
    """Return the inputs between the breakpoints at which an output (n,) reaches a limit."""
    anchor = np.maximum(np.arange(len(slopes)) - 1, 0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = breakpoints[anchor] + (limit - values[anchor]) / slopes
    ends = np.concatenate([[-np.inf], breakpoints, [np.inf]])
    return np.asarray(x[np.isfinite(x) & (x > ends[:-1]) & (x < ends[1:])])

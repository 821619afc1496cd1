"""The outputs of a net of one input at sorted samples, without a product of samples and units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.jit import njit
from fastmlp.engines.engine import Array, Weights


class Lines(NamedTuple):
    """Scratch: steps of slope and intercept at each sample (n_samples + 1, n_out), their totals (2, n_out)."""

    slopes: Array
    intercepts: Array
    totals: Array


@njit
def evaluate(x: Array, weights: Weights, slope: float, lines: Lines, h2: Array) -> None:
    """Overwrite h2 (n_samples, n_out) with act(x w1 + b1) w2 + b2, in O(n_samples + n_hidden log n_samples).

    x (n_samples,) is ascending. A unit is active where x w1 > -b1, which is a suffix or a prefix of the samples since
    the rounded product is monotone. From sample to sample only the units that switch change the sums over active units
    of w2 w1 and of w2 (b1 + c w1): the line about a sample c in the middle, about which they cancel least.
    """
    n, n_out = h2.shape
    centre = x[n // 2]
    longest = 1
    while 2 * longest <= n:
        longest *= 2
    slopes, intercepts, totals = lines.slopes, lines.intercepts, lines.totals
    slopes[:] = 0
    intercepts[:] = 0
    totals[:] = 0
    for j in range(weights.b1.size):
        w, threshold = weights.w1[0, j], -weights.b1[j]
        is_rising = w > 0
        kink = 0  # samples before it: inactive ones if rising, else active ones
        step = longest
        while step:
            longer = kink + step
            is_before = longer <= n and (x[min(longer, n) - 1] * w > threshold) != is_rising
            kink += step * is_before
            step //= 2
        first, stop = (kink, n) if is_rising else (0, kink)
        offset = w * centre - threshold
        for o in range(n_out):
            rise, height = weights.w2[j, o] * w, weights.w2[j, o] * offset
            totals[0, o] += rise
            totals[1, o] += height
            slopes[first, o] += rise
            slopes[stop, o] -= rise
            intercepts[first, o] += height
            intercepts[stop, o] -= height
    for o in range(n_out):
        rise, offset = 0.0, 0.0
        for i in range(n):
            rise += slopes[i, o]
            offset += intercepts[i, o]
            slanted = slope * totals[0, o] + (1.0 - slope) * rise
            h2[i, o] = slanted * (x[i] - centre) + (slope * totals[1, o] + (1.0 - slope) * offset) + weights.b2[o]


def outputs_at(x: Array, n_out: int, negative_slope: float) -> Callable[[Weights], Array]:
    """Return a function that evaluates nets of one input at sorted samples.

    Parameters
    ----------
    x : ndarray of float64, shape (n_samples,)
        Ascending; at least one.
    n_out : int
        Number of outputs of the nets.
    negative_slope : float
        Slope of their activation below 0.

    Returns
    -------
    callable
        Takes float64 weights and returns their outputs (n_samples, n_out), which the next call overwrites.
    """
    h2 = np.empty((x.size, n_out))
    lines = Lines(np.empty((x.size + 1, n_out)), np.empty((x.size + 1, n_out)), np.empty((2, n_out)))
    slope = float(negative_slope)
    kernel = compile_outputs()

    def outputs(weights: Weights) -> Array:
        kernel(x, weights, slope, lines, h2)
        return h2

    return outputs


def compile_outputs() -> Any:
    """Return the compiled kernel, which serves any number of outputs."""
    row, rows = np.empty(1), np.empty((1, 1))
    return compiled(evaluate, (row, Weights(rows, row, rows, row), 0.0, Lines(rows, rows, rows), rows))

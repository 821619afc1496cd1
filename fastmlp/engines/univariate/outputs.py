"""The outputs of a net of one input at sorted samples, without a product of samples and units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.jit import njit
from fastmlp.engines.engine import Array, Weights


class Lines(NamedTuple):
    """Scratch: slope and intercept by the number of samples left of the kink, (2, n_samples + 1, n_out).

    from_left holds what units add right of their kinks, from_right what they add left of them.
    """

    from_left: Array
    from_right: Array


@njit
def evaluate(x: Array, weights: Weights, slope: float, lines: Lines, h2: Array) -> None:
    """Overwrite h2 (n_samples, n_out) with act(x w1 + b1) w2 + b2, in O(n_samples + n_hidden log n_samples).

    x (n_samples,) is ascending. A unit is active where x w1 > -b1, which is a suffix or a prefix of the samples since
    the rounded product is monotone. The line at a sample is w2 w1 and w2 (b1 + c w1) summed over the units, times slope
    if inactive, where c is a sample in the middle, about which they cancel least. The units whose kinks lie left of the
    sample are summed from the left, the others from the right, so that no unit is ever subtracted from a sum.
    """
    n, n_out = h2.shape
    centre = x[n // 2]
    longest = 1
    while 2 * longest <= n:
        longest *= 2
    from_left, from_right = lines.from_left, lines.from_right
    from_left[:] = 0
    from_right[:] = 0
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
        right_factor, left_factor = (1.0, slope) if is_rising else (slope, 1.0)
        offset = w * centre - threshold
        for o in range(n_out):
            v = weights.w2[j, o]
            if right_factor != 0.0:
                from_left[0, kink, o] += right_factor * (v * w)
                from_left[1, kink, o] += right_factor * (v * offset)
            if left_factor != 0.0:
                from_right[0, kink, o] += left_factor * (v * w)
                from_right[1, kink, o] += left_factor * (v * offset)
    for o in range(n_out):
        rise, offset = 0.0, 0.0
        for i in range(n - 1, -1, -1):
            rise += from_right[0, i + 1, o]
            offset += from_right[1, i + 1, o]
            h2[i, o] = rise * (x[i] - centre) + offset
        rise, offset = 0.0, weights.b2[o]
        for i in range(n):
            rise += from_left[0, i, o]
            offset += from_left[1, i, o]
            h2[i, o] += rise * (x[i] - centre) + offset


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
    lines = Lines(np.empty((2, x.size + 1, n_out)), np.empty((2, x.size + 1, n_out)))
    slope = float(negative_slope)
    kernel = compile_outputs()

    def outputs(weights: Weights) -> Array:
        kernel(x, weights, slope, lines, h2)
        return h2

    return outputs


def compile_outputs() -> Any:
    """Return the compiled kernel, which serves any number of outputs."""
    row, rows, lines = np.empty(1), np.empty((1, 1)), np.empty((2, 1, 1))
    return compiled(evaluate, (row, Weights(rows, row, rows, row), 0.0, Lines(lines, lines), rows))

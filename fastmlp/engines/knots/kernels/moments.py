"""Moments of the samples of a piece, and of two pieces together.

They determine the squared error of any line on the piece. With the weights s, their sum m, the weighted means c of x
and d of y, v = sum s (x - c)^2, the slope k of the regression line and its squared error e,

    sum s (y - f(x))^2 = m (d - f(c))^2 + v (k - f')^2 + e

All of them are sums of squares, also where two pieces are combined, so that nothing cancels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.compiled.jit import inlined
from fastmlp.engines.knots.kernels.layout import Samples


class Moments(NamedTuple):
    """weight m, x c, y d, spread v, slope k and error e."""

    weight: Any
    x: Any
    y: Any
    spread: Any
    slope: Any
    error: Any


@inlined
def stored(row: Any) -> Any:
    """Return the moments in a row."""
    return Moments(row[0], row[1], row[2], row[3], row[4], row[5])


@inlined
def store(moments: Any, row: Any) -> None:
    """Write moments to a row."""
    row[0] = moments.weight
    row[1] = moments.x
    row[2] = moments.y
    row[3] = moments.spread
    row[4] = moments.slope
    row[5] = moments.error


@inlined
def combined(a: Any, b: Any) -> Any:
    """Return the moments of two sets of samples together; one of them may be empty."""
    weight = a.weight + b.weight
    share = b.weight / weight
    dx = b.x - a.x
    dy = b.y - a.y
    between = a.weight * share
    spread = a.spread + b.spread + between * dx * dx
    slope = 0.0
    if spread > 0.0:
        slope = (a.spread * a.slope + b.spread * b.slope + between * dx * dy) / spread
    error = a.error + b.error + a.spread * (a.slope - slope) ** 2 + b.spread * (b.slope - slope) ** 2
    return Moments(weight, a.x + share * dx, a.y + share * dy, spread, slope, error + between * (dy - slope * dx) ** 2)


@inlined
def moments_of_few(samples: Samples, first: Any, stop: Any) -> Any:
    """Return the moments of the samples from first to stop - 1, in three passes over them."""
    x, y, sample_weight = samples.x, samples.y, samples.sample_weight
    x0, y0 = x[first], y[first]
    m = 0.0
    mx = 0.0
    my = 0.0
    for i in range(first, stop):
        s = sample_weight[i]
        m += s
        mx += s * (x[i] - x0)
        my += s * (y[i] - y0)
    c = x0 + mx / m
    d = y0 + my / m
    spread = 0.0
    product = 0.0
    for i in range(first, stop):
        dx = x[i] - c
        spread += sample_weight[i] * dx * dx
        product += sample_weight[i] * dx * (y[i] - d)
    slope = product / spread if spread > 0.0 else 0.0
    error = 0.0
    for i in range(first, stop):
        e = (y[i] - d) - slope * (x[i] - c)
        error += sample_weight[i] * e * e
    return Moments(m, c, d, spread, slope, error)


@inlined
def moments_of(samples: Samples, first: Any, stop: Any) -> Any:
    """Return the moments of the samples from first to stop - 1, from whole blocks where there are any."""
    size = samples.block_size
    total = Moments(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    i = first
    while i < stop:
        block = i // size
        if block * size == i and i + size <= stop:
            part = stored(samples.blocks[block])
            i += size
        else:
            end = min((block + 1) * size, stop)
            part = moments_of_few(samples, i, end)
            i = end
        total = combined(total, part)
    return total


@inlined
def sum_blocks(samples: Samples) -> None:
    """Overwrite the moments of the blocks."""
    size = samples.block_size
    for block in range(samples.blocks.shape[0]):
        store(moments_of_few(samples, block * size, (block + 1) * size), samples.blocks[block])

"""The best values of a spline at given knots, and its squared error."""

from __future__ import annotations

from typing import Any

from fastmlp.compiled.jit import inlined
from fastmlp.engines.knots.kernels.elimination import eliminated, solved
from fastmlp.engines.knots.kernels.layout import Samples, Scratch, Spline
from fastmlp.engines.knots.kernels.moments import moments_of, store, stored


@inlined
def first_from(x: Any, knot: Any, guess: Any) -> Any:
    """Return the number of samples before a knot, by steps of growing length from a guess, then by bisection."""
    low, high = guess, guess
    step = 1
    while low > 0 and x[low - 1] >= knot:
        high = low - 1
        low = max(low - step, 0)
        step *= 2
    while high < x.size and x[high] < knot:
        low = high + 1
        high = min(high + step, x.size)
        step *= 2
    while low < high:
        middle = (low + high) // 2
        if x[middle] < knot:
            low = middle + 1
        else:
            high = middle
    return low


@inlined
def spread(first: Any, n_least: Any) -> None:
    """Move the first samples of the pieces as little as leaves each piece n_least samples or more."""
    for s in range(1, first.size - 1):
        first[s] = max(first[s], first[s - 1] + n_least)
    for s in range(first.size - 2, 0, -1):
        first[s] = min(first[s], first[s + 1] - n_least)


@inlined
def place_samples(samples: Samples, spline: Spline, n_least: Any) -> None:
    """Find the samples of each piece; move knots to the next gap that leaves each piece n_least samples or more."""
    x, knots, first = samples.x, spline.knots, spline.first
    for s in range(1, first.size - 1):
        first[s] = first_from(x, knots[s], first[s])
    spread(first, n_least)
    for s in range(1, first.size - 1):
        knots[s] = min(max(knots[s], x[first[s] - 1]), x[first[s]])


@inlined
def sum_pieces(samples: Samples, spline: Spline) -> None:
    """Overwrite the moments of the pieces."""
    for s in range(spline.moments.shape[0]):
        store(moments_of(samples, spline.first[s], spline.first[s + 1]), spline.moments[s])


@inlined
def solve_values(spline: Spline, scratch: Scratch) -> None:
    """Overwrite the values and the squared error, and what the samples left of each knot say about its value."""
    knots, rows, from_left = spline.knots, scratch.rows, scratch.from_left
    n_pieces = knots.size - 1
    squared_error = 0.0
    weight = 0.0
    target = 0.0
    for s in range(n_pieces):
        from_left[s, 0] = weight
        from_left[s, 1] = target
        moments = stored(spline.moments[s])
        done = eliminated(weight, target, moments, knots[s], knots[s + 1])
        rows[s, 0] = done.diagonal
        rows[s, 1] = done.other
        rows[s, 2] = done.right_side
        weight = done.weight
        target = done.target
        squared_error += done.residual + moments.error
    from_left[n_pieces, 0] = weight
    from_left[n_pieces, 1] = target
    value = solved(target, weight)
    spline.values[n_pieces] = value
    for s in range(n_pieces - 1, -1, -1):
        value = solved(rows[s, 2] - rows[s, 1] * value, rows[s, 0])
        spline.values[s] = value
    spline.squared_error[0] = squared_error


@inlined
def sum_from_right(spline: Spline, scratch: Scratch) -> None:
    """Overwrite what the samples right of each knot say about its value."""
    knots, from_right = spline.knots, scratch.from_right
    n_pieces = knots.size - 1
    weight = 0.0
    target = 0.0
    for s in range(n_pieces, 0, -1):
        from_right[s, 0] = weight
        from_right[s, 1] = target
        done = eliminated(weight, target, stored(spline.moments[s - 1]), knots[s], knots[s - 1])
        weight = done.weight
        target = done.target
    from_right[0, 0] = weight
    from_right[0, 1] = target


@inlined
def copy_spline(source: Spline, target: Spline) -> None:
    """Overwrite a spline with another."""
    n_pieces = source.knots.size - 1
    for s in range(n_pieces + 1):
        target.knots[s] = source.knots[s]
        target.values[s] = source.values[s]
        target.first[s] = source.first[s]
    for s in range(n_pieces):
        for j in range(6):
            target.moments[s, j] = source.moments[s, j]
    target.squared_error[0] = source.squared_error[0]

"""The start: the best division of the samples into a number of pieces, by dynamic programming.

The samples are in groups of equal size, and each piece consists of at most `longest` groups. With the error e(i, j) of
the groups from i to j - 1 and a price per piece, the least error and price of the first j groups is

    total_j = min_i total_i + e(i, j) + price

The number of pieces falls with the price, which is searched for. If the knots are free, e(i, j) is the squared error of
the regression line, because the best continuous function is hardly worse than separate lines. If the knots are samples,
it is that of the chord.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.jit import inlined, njit
from fastmlp.engines.knots.kernels.evaluating import spread
from fastmlp.engines.knots.kernels.layout import Samples, Spline
from fastmlp.engines.knots.kernels.moments import Moments, combined, moments_of, store, stored, sum_blocks

HIGHEST_PRICE, LOWEST_PRICE = 4.0, -160.0  # log2, where the targets have variance 1
N_PRICES, N_SECANTS = 40, 8  # at most, and those by the power law before bisection
ORDER = 5.0  # a smooth function has an error of n_pieces^-4, so the price falls as n_pieces^-5
SLANT = 0.01  # the price rises to the right by 1 %: in a symmetric function, pieces would vanish in pairs or fours
TIE = 1e-6  # relative difference of totals below which the first one is taken, whatever their last bits are


class Division(NamedTuple):
    """What the start overwrites.

    Group i has the samples ends[i] to ends[i + 1] - 1; ends (n_groups + 1,). groups (n_groups, 6) are their moments.
    errors (n_groups + 1, longest + 1) has e(j - length, j) at (j, length), total and length (n_groups + 1,) the least
    error and price of the first groups and the length of their last piece.
    """

    ends: Any
    groups: Any
    errors: Any
    total: Any
    length: Any


@inlined
def fill_errors(samples: Samples, division: Division, at_samples: Any) -> None:
    """Overwrite the moments of blocks and groups, and the errors; a piece is the chord of its ends if at_samples."""
    x, y, errors = samples.x, samples.y, division.errors
    sum_blocks(samples)
    for i in range(division.groups.shape[0]):
        store(moments_of(samples, division.ends[i], division.ends[i + 1]), division.groups[i])
    for j in range(1, division.ends.size):
        total = Moments(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        for length in range(1, min(errors.shape[1] - 1, j) + 1):
            if at_samples:  # the end samples lie on the chord
                errors[j, length] = 0.0
                if length == 1:
                    continue
            i = j - length
            total = combined(total, stored(division.groups[i + at_samples]))
            errors[j, length] = total.error
            if at_samples:
                slope = (y[j] - y[i]) / (x[j] - x[i])
                difference = (total.y - y[i]) - slope * (total.x - x[i])
                errors[j, length] += total.weight * difference**2 + total.spread * (total.slope - slope) ** 2


@inlined
def count_pieces(division: Division, price: Any, n_least: Any) -> Any:
    """Divide the groups at a price; return the number of pieces."""
    ends, errors, total, lengths = division.ends, division.errors, division.total, division.length
    total[0] = 0.0
    for j in range(1, ends.size):
        least = 1e300
        best = 1
        own_price = price * (1.0 + SLANT * j / ends.size)
        for length in range(1, min(errors.shape[1] - 1, j) + 1):
            cost = total[j - length] + errors[j, length] + own_price
            if cost < least * (1.0 - TIE) and ends[j] - ends[j - length] >= n_least:
                least = cost
                best = length
        total[j] = least
        lengths[j] = best
    n_pieces = 0
    j = ends.size - 1
    while j > 0:
        j -= lengths[j]
        n_pieces += 1
    return n_pieces


@inlined
def search_price(division: Division, n_wanted: Any, n_least: Any) -> Any:
    """Divide the groups into n_wanted pieces, or as nearly as a price can; return how many, at most n_wanted."""
    low, high = LOWEST_PRICE, HIGHEST_PRICE
    price = -ORDER * np.log2(n_wanted)
    n_pieces = 0
    for i in range(N_PRICES):
        if i >= N_SECANTS or not low < price < high:
            price = high if i == N_PRICES - 1 else 0.5 * (low + high)
        n_pieces = count_pieces(division, 2.0**price, n_least)
        if n_pieces == n_wanted:
            break
        if n_pieces > n_wanted:
            low = price
        else:
            high = price
        price += ORDER * np.log2(n_pieces / n_wanted)
    return n_pieces


@inlined
def place_pieces(division: Division, n_pieces: Any, n_least: Any, first: Any) -> None:
    """Overwrite the first samples of the pieces; if there are too few, divide them evenly, the larger ones more often.

    The missing pieces are shared out in proportion to how many more pieces of n_least samples fit into each.
    """
    ends, lengths = division.ends, division.length
    n_room = 0
    j = ends.size - 1
    while j > 0:
        n_room += (ends[j] - ends[j - lengths[j]]) // n_least - 1
        j -= lengths[j]
    n_all = max(n_room, 1)
    n_wanted = first.size - 1
    n_missing = n_wanted - n_pieces
    j = ends.size - 1
    first[n_wanted] = ends[j]
    k = n_wanted
    for s in range(n_pieces - 1, -1, -1):
        b = ends[j]
        j -= lengths[j]
        a = ends[j]
        n_room -= (b - a) // n_least - 1
        start = s + (n_missing * n_room) // n_all
        for i in range(k - 1, start - 1, -1):
            first[i] = a + (b - a) * (i - start) // (k - start)
        k = start


@njit
def divide(samples: Samples, division: Division, spline: Spline, n_least: int, at_samples: bool) -> None:
    """Overwrite the knots with those of the best division; they are samples, or in the middle between two."""
    x, knots, first = samples.x, spline.knots, spline.first
    fill_errors(samples, division, at_samples)
    n_pieces = search_price(division, knots.size - 1, n_least)
    place_pieces(division, n_pieces, n_least, first)
    spread(first, n_least)
    first[first.size - 1] = x.size
    knots[0] = x[0]
    knots[knots.size - 1] = x[x.size - 1]
    for s in range(1, knots.size - 1):
        knots[s] = x[first[s]] if at_samples else 0.5 * (x[first[s] - 1] + x[first[s]])

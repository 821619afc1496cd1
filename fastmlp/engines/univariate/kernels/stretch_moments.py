"""The moments of a stretch, from running sums over the samples at its two ends.

The running sums are pairs, and the moments are taken about the means of the stretch before they are rounded to one
float64, so that nothing cancels later.
"""

from __future__ import annotations

import numpy as np

from fastmlp.compiled.jit import inlined, njit, strict_fp
from fastmlp.engines.engine import Array
from fastmlp.engines.univariate.kernels.pairs import (
    add_pairs,
    difference,
    scale_pair,
    scaled_difference,
    subtract_pairs,
    subtract_scaled,
    two_product,
)
from fastmlp.engines.univariate.kernels.stretch_layout import BLOCK_SIZE, Scratch, State, lane

# Below this part of sum s x^2 the sum of squares about the mean is rounding: pairs hold 104 bits, x has 53.
NEGLIGIBLE = 1e-28


@njit
def running_sums(sums: Array, x: Array, y: Array, weight: Array) -> None:
    """Overwrite sums (n_samples + 1, 1 + n_out) of PAIR_SUMS by running sums over the samples.

    sums[k, 0] holds the sums over the first k samples of s, s x and s x^2, and sums[k, 1 + o] those of s y_o, s x y_o
    and s y_o^2, for x (n_samples,), y (n_samples, n_out) and weights s = weight (n_samples,).
    """
    for o in range(sums.shape[1]):
        for total in (sums[0, o].plain, sums[0, o].times_x, sums[0, o].square):
            total[0] = 0.0
            total[1] = 0.0
    for i in range(x.size):
        s = weight[i]
        sx = two_product(s, x[i])
        before, after = sums[i, 0], sums[i + 1, 0]
        after.plain[0], after.plain[1] = add_pairs(before.plain, (s, 0.0))
        after.times_x[0], after.times_x[1] = add_pairs(before.times_x, sx)
        after.square[0], after.square[1] = add_pairs(before.square, scale_pair(sx, x[i]))
        for o in range(y.shape[1]):
            sy = two_product(s, y[i, o])
            before, after = sums[i, 1 + o], sums[i + 1, 1 + o]
            after.plain[0], after.plain[1] = add_pairs(before.plain, sy)
            after.times_x[0], after.times_x[1] = add_pairs(before.times_x, scale_pair(sx, y[i, o]))
            after.square[0], after.square[1] = add_pairs(before.square, scale_pair(sy, y[i, o]))


@strict_fp
def write_moments(state: State, position: int, end: Array, begin: Array) -> None:
    """Overwrite the moments of the stretch at a position by those that the running sums at its two ends give.

    About its means X and Y as rounded, the moments are for example
    sum s (x - X) (y - Y) = sum s x y - Y sum s x - X (sum s y - Y sum s). The means take the low parts of the sums too:
    without them the errors on a stretch whose mass was 1e-10 of that left of it were wrong by 1e-6.

    The squared error is that of the line with the slope as rounded. With that of the line of least squares, whose slope
    differs by 1e-16, a net of RMSE 1e-7 had an error of 6e-5 in it.
    """
    block, i = position // BLOCK_SIZE, lane(position)
    stretch = state.stretches[block]
    mass = subtract_pairs(end[0].plain, begin[0].plain)
    sx = subtract_pairs(end[0].times_x, begin[0].times_x)
    sxx = subtract_pairs(end[0].square, begin[0].square)
    rounded_mass = difference(end[0].plain, begin[0].plain)
    divisor = rounded_mass if rounded_mass > 0 else 1.0
    mean_x = difference(end[0].times_x, begin[0].times_x) / divisor
    xx = subtract_scaled(sxx, mean_x, sx, mean_x * scaled_difference(sx, mean_x, mass))
    s_xx = xx[0] + xx[1]
    has_width = s_xx > NEGLIGIBLE * sxx[0]
    slope_divisor = s_xx if has_width else np.inf
    stretch.mass[i] = rounded_mass
    stretch.mean_x[i] = mean_x
    stretch.s_xx[i] = s_xx if has_width else 0.0
    for o in range(state.b2.size):
        output = state.outputs[block, o]
        of_y, of_y_before = end[1 + o], begin[1 + o]
        sy = subtract_pairs(of_y.plain, of_y_before.plain)
        sxy = subtract_pairs(of_y.times_x, of_y_before.times_x)
        syy = subtract_pairs(of_y.square, of_y_before.square)
        mean_y = difference(of_y.plain, of_y_before.plain) / divisor
        rest = scaled_difference(sy, mean_y, mass)
        xy = subtract_scaled(sxy, mean_y, sx, mean_x * rest)
        yy = subtract_scaled(syy, mean_y, sy, mean_y * rest)
        slope = (xy[0] + xy[1]) / slope_divisor
        product = two_product(slope, xy[0])
        low = yy[1] - product[1] - slope * xy[1] - slope * scaled_difference(xy, slope, xx)
        output.mean_y[i] = mean_y
        output.fit_slope[i] = slope
        output.fit_error[i] = max((yy[0] - product[0]) + low, 0.0)


@inlined
def refresh_moments(state: State, scratch: Scratch, sums: Array) -> None:
    """Derive the moments of the stretches marked in scratch.stale anew, and clear the marks.

    scratch.order is overwritten.
    """
    kink, stale, listed = state.units.kink, scratch.stale, scratch.order
    n_stale = 0
    for position in range(1, kink.size):  # without a branch that no processor can predict
        listed[n_stale] = position
        n_stale += stale[position]
        stale[position] = 0
    for i in range(n_stale):
        position = listed[i]
        write_moments(state, position, sums[kink[position]], sums[kink[position - 1]])

"""Moments of stretches."""

from __future__ import annotations

from typing import Any

from fastmlp.compiled.jit import inlined, njit, strict_fp
from fastmlp.engines.univariate.kernels.pairs import fma, pair_difference, pair_sum, pair_times, two_product, two_sum
from fastmlp.engines.univariate.kernels.stretch_layout import (
    COMMON,
    LANES,
    MASS,
    MEAN_X,
    MEAN_Y,
    PER_OUTPUT,
    REST,
    SLOPE,
    SPREAD,
)

# Running sums over the samples: three pairs, high and low, of s, s x, s x^2, and three for each output.
S, SX, SXX = 0, 2, 4
SY, SXY, SYY = 0, 2, 4
PAIRED = 6

# A spread below this part of sum s x^2 is that of one sample: pairs hold 104 bits, and x 53.
NO_SPREAD = 1e-28


@njit
def running_sums(sums: Any, x: Any, y: Any, weight: Any) -> None:
    """Write the running sums (n_samples + 1, 6 + 6 n_out) of s, s x, s x^2 and per output s y, s x y, s y^2 in pairs.

    Row k is the sum over the first k samples, of x (n_samples,), y (n_samples, n_out), weight (n_samples,).
    """
    sums[0] = 0
    for i in range(x.size):
        s, point = weight[i], x[i]
        before, after = sums[i], sums[i + 1]
        sx, sx_low = two_product(s, point)
        sxx, sxx_low = pair_times(sx, sx_low, point)
        after[0], after[1] = pair_sum(before[0], before[1], s, 0.0)
        after[2], after[3] = pair_sum(before[2], before[3], sx, sx_low)
        after[4], after[5] = pair_sum(before[4], before[5], sxx, sxx_low)
        for o in range(y.shape[1]):
            k = PAIRED * (o + 1)
            target = y[i, o]
            sy, sy_low = two_product(s, target)
            sxy, sxy_low = pair_times(sx, sx_low, target)
            syy, syy_low = pair_times(sy, sy_low, target)
            after[k], after[k + 1] = pair_sum(before[k], before[k + 1], sy, sy_low)
            after[k + 2], after[k + 3] = pair_sum(before[k + 2], before[k + 3], sxy, sxy_low)
            after[k + 4], after[k + 5] = pair_sum(before[k + 4], before[k + 5], syy, syy_low)


@strict_fp
def refresh_stretch(units: Any, at: Any, row: Any, before: Any, n_out: Any) -> None:
    """Overwrite the moments of one stretch, at in units, by those that the running sums at its two ends give.

    About the means X, Y (float64, whose rounding is of no account), the moments are for example
    sum s (x - X) (y - Y) = sum s x y - Y sum s x - X (sum s y - Y sum s), in pairs because they cancel. The rest is
    that of the line with the slope as rounded; with that of the line of least squares, which differs by 1e-16 of the
    spread of y, a net of RMSE 1e-7 had 6e-5 of error in it.
    """
    mass, mass_low = pair_difference(row, before, S)
    sx, sx_low = pair_difference(row, before, SX)
    sxx, sxx_low = pair_difference(row, before, SXX)
    divisor = mass if mass > 0 else 1.0
    mean_x = sx / divisor
    product, rest = two_product(mean_x, sx)
    off_x = fma(-mean_x, mass, sx) + (sx_low - mean_x * mass_low)
    spread, spread_low = two_sum(sxx, -product)
    spread_low += sxx_low - rest - mean_x * sx_low - mean_x * off_x
    has_spread = spread + spread_low > NO_SPREAD * sxx
    units[at + MASS * LANES] = mass
    units[at + MEAN_X * LANES] = mean_x
    units[at + SPREAD * LANES] = spread + spread_low if has_spread else 0.0
    for o in range(n_out):
        row_y, before_y = row[PAIRED * (o + 1) :], before[PAIRED * (o + 1) :]
        sy, sy_low = pair_difference(row_y, before_y, SY)
        sxy, sxy_low = pair_difference(row_y, before_y, SXY)
        syy, syy_low = pair_difference(row_y, before_y, SYY)
        mean_y = sy / divisor
        off_y = fma(-mean_y, mass, sy) + (sy_low - mean_y * mass_low)
        product, rest = two_product(mean_y, sx)
        cross, cross_low = two_sum(sxy, -product)
        cross_low += sxy_low - rest - mean_y * sx_low - mean_x * off_y
        product, rest = two_product(mean_y, sy)
        square, square_low = two_sum(syy, -product)
        square_low += syy_low - rest - mean_y * sy_low - mean_y * off_y
        slope = (cross + cross_low) / (spread + spread_low) if has_spread else 0.0
        off_cross = fma(-slope, spread, cross) + (cross_low - slope * spread_low)
        product, rest = two_product(slope, cross)
        here = at + (COMMON + PER_OUTPUT * o) * LANES
        units[here + MEAN_Y * LANES] = mean_y
        units[here + SLOPE * LANES] = slope
        units[here + REST * LANES] = max(
            (square - product) + (square_low - rest - slope * cross_low - slope * off_cross), 0.0
        )


@inlined
def refresh(units: Any, kink: Any, stale: Any, sums: Any, n_out: Any, listed: Any) -> None:
    """Refresh the stretches marked in stale (n_positions + 1,), and unmark them; listed (n_positions,) is scratch."""
    width = (COMMON + PER_OUTPUT * n_out) * LANES
    n_stale = 0
    for position in range(1, kink.size):  # without a branch that no processor can foretell
        listed[n_stale] = position
        n_stale += stale[position]
        stale[position] = 0
    for i in range(n_stale):
        position = listed[i]
        at = position // LANES * width + position % LANES
        refresh_stretch(units, at, sums[kink[position]], sums[kink[position - 1]], n_out)

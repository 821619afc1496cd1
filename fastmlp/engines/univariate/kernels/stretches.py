"""Few units on many samples of one input: an epoch costs O(n_hidden + moved kinks), whatever the number of samples.

The kinks of the units cut the sorted samples into n_hidden + 1 stretches, and on each of them the net is one line
f(x) = A x + C. A and C follow from a walk over the kinks from left to right: a kink at which a unit (w, beta, v)
becomes active adds (v w, v beta), one at which it ceases to be subtracts them. What a stretch adds to the sums of the
weighted error r = s (f - y), of r x, and of the squared error depends on six of its moments only. With its mass
M = sum s, its means X of x and Y of y, its spread D = sum s (x - X)^2, the slope a of the line of least squares through
its samples and what that line leaves, R = sum s (y - Y - a (x - X))^2, for each output::

    e = A X + C - Y     sum r = M e                 sum s (f - y)^2 = M e^2 + D g^2 + R
    g = A - a           sum r x = X M e + D g

The running sums of r and r x over the stretches, P0 and P1, are at each kink the sums over the samples to its left, so
that a unit active on a prefix has S = P and one active on a suffix has S = P_all - P. A leaky net of slope alpha has
S = alpha P_all + (1 - alpha) S of the ReLU, and likewise in A and C. Then, for all units at once::

    t0 = sum_o v_o S0_o      t1 = sum_o v_o S1_o      step = rate_w (t1 + centre t0)
    w -= step      beta -= rate_b t0 + centre step      v_o -= rate_v (w S1_o + beta S0_o)      b2_o -= rate_b2 P0_all_o

A unit keeps its kink while the signs at the two samples beside it hold; if not, the kink is looked for from where it
was. Units are held in the order of the number of samples left of their kinks, never of -beta / w.

The moments of a stretch come from running sums over the samples of s, s x, s x^2, s y, s x y and s y^2 at its two
ends. Each running sum is held as a pair of float64 whose sum it is, about 32 digits, and the moments are taken about
X and Y of the stretch before they are rounded to one float64. So nothing cancels later: the squared error is a sum of
squares, and its relative error is about 1e-16 |f| / RMSE, where the difference of sums of squares has
6e-17 mean(y^2) / MSE (6e-9 at RMSE = 1e-4 of y).

Pairs: T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inlined, njit
from fastmlp.engines.univariate.kernels.stretch_layout import (
    BETA,
    COMMON,
    CROSSINGS,
    ERROR,
    ERROR_X,
    LANES,
    LEFT,
    MASS,
    MEAN_X,
    MEAN_Y,
    N_MOVED,
    N_MOVED_SINCE,
    PER_OUTPUT,
    REST,
    RIGHT,
    SEEN,
    SIDE,
    SLOPE,
    SPREAD,
    V,
    W,
)
from fastmlp.engines.univariate.kernels.stretch_moments import refresh
from fastmlp.engines.univariate.kernels.stretch_order import merge_sort, move


@inlined
def update(units: Any, moved: Any, scratch: Any, totals: Any, n_out: Any, rates: Any, centre: Any, slope: Any) -> Any:
    """Descend along the gradients that the sums held give; set moved (n_positions,) where a guard's sign changed.

    A unit that did not change keeps its active set: where x is centred, w x > -beta may decide a tie on a sample other
    than the mask that it started with.
    """
    width = (COMMON + PER_OUTPUT * n_out) * LANES
    relu_part = 1.0 - slope
    t0, t1 = scratch[:LANES], scratch[LANES : 2 * LANES]
    for block in range(moved.size // LANES):
        f = units[block * width : block * width + COMMON * LANES]
        moved_block = moved[block * LANES : (block + 1) * LANES]
        for i in range(LANES):  # a slice set to 0 would be a call
            t0[i] = 0.0
            t1[i] = 0.0
        for o in range(n_out):
            start = block * width + (COMMON + PER_OUTPUT * o) * LANES
            g = units[start : start + PER_OUTPUT * LANES]
            total0, total1 = totals[2 * o], totals[2 * o + 1]
            for i in range(LANES):
                prefix = f[SIDE * LANES + i] < 0
                p0, p1 = g[ERROR * LANES + i], g[ERROR_X * LANES + i]
                s0 = slope * total0 + relu_part * (p0 if prefix else total0 - p0)
                s1 = slope * total1 + relu_part * (p1 if prefix else total1 - p1)
                v = g[V * LANES + i]
                t0[i] += v * s0
                t1[i] += v * s1
                g[V * LANES + i] = v - rates[2] * (f[W * LANES + i] * s1 + f[BETA * LANES + i] * s0)
        for i in range(LANES):
            w, beta = f[W * LANES + i], f[BETA * LANES + i]
            step = rates[0] * (t1[i] + centre * t0[i])
            new_w = w - step
            new_beta = beta - (rates[1] * t0[i] + centre * step)
            left = 1.0 if new_w * f[LEFT * LANES + i] > -new_beta else 0.0
            right = 2.0 if new_w * f[RIGHT * LANES + i] > -new_beta else 0.0
            changed = (new_w != w) | (new_beta != beta)
            moved_block[i] = 1.0 if (left + right != f[SEEN * LANES + i]) & changed else 0.0
            f[W * LANES + i] = new_w
            f[BETA * LANES + i] = new_beta


@inlined
def start_walk(units: Any, scratch: Any, output: Any, n_out: Any, slope: Any) -> Any:
    """Return the sums of v w and of v beta, the line left of all kinks, and of the rests of the stretches."""
    width = (COMMON + PER_OUTPUT * n_out) * LANES
    rises, offsets, rests = scratch[:LANES], scratch[LANES : 2 * LANES], scratch[2 * LANES : 3 * LANES]
    for i in range(LANES):
        rises[i] = 0.0
        offsets[i] = 0.0
        rests[i] = 0.0
    for start in range(0, units.size, width):
        f = units[start : start + COMMON * LANES]
        g = units[start + (COMMON + PER_OUTPUT * output) * LANES : start + width]
        for i in range(LANES):
            part = g[V * LANES + i] * (slope if f[SIDE * LANES + i] > 0 else 1.0)
            rises[i] += part * f[W * LANES + i]
            offsets[i] += part * f[BETA * LANES + i]
            rests[i] += g[REST * LANES + i]
    return rises.sum(), offsets.sum(), rests.sum()


@inlined
def walk(units: Any, scratch: Any, totals: Any, output: Any, n_out: Any, b2: Any, slope: Any) -> Any:
    """Write the sums of r and r x left of each kink, and over all samples to totals; return the squared error.

    Seven sums run side by side, each with one operation per stretch that waits for the one before: 1,000 stretches take
    about 2.5 us; with M e^2 + D g^2 + R in one sum 3.4 us (4 cycles per operation and stretch).
    """
    width = (COMMON + PER_OUTPUT * n_out) * LANES
    relu_part = 1.0 - slope
    rise, offset, rest = start_walk(units, scratch, output, n_out, slope)
    offset += b2
    error, error_x, turned_error, square, turned_square = 0.0, 0.0, 0.0, 0.0, 0.0
    for start in range(0, units.size, width):
        f = units[start : start + COMMON * LANES]
        g = units[start + (COMMON + PER_OUTPUT * output) * LANES : start + width]
        for i in range(LANES):
            mean_x = f[MEAN_X * LANES + i]
            mean_error = rise * mean_x + (offset - g[MEAN_Y * LANES + i])
            rise_error = rise - g[SLOPE * LANES + i]
            sum_error = f[MASS * LANES + i] * mean_error
            turned = f[SPREAD * LANES + i] * rise_error
            square += sum_error * mean_error
            turned_square += turned * rise_error
            error += sum_error
            error_x += mean_x * sum_error
            turned_error += turned
            g[ERROR * LANES + i] = error
            g[ERROR_X * LANES + i] = error_x + turned_error
            jump = relu_part * f[SIDE * LANES + i] * g[V * LANES + i]
            rise += jump * f[W * LANES + i]
            offset += jump * f[BETA * LANES + i]
    totals[2 * output] = error
    totals[2 * output + 1] = error_x + turned_error
    # Every unit has entered the last line: one of infinite weights, cut off at 0 on all samples, shows there.
    return square + turned_square + rest + 0.0 * rise + 0.0 * offset


@njit
def train(
    units: Any,
    kink: Any,
    index: Any,
    b2: Any,
    totals: Any,
    counts: Any,
    moved: Any,
    stale: Any,
    scratch: Any,
    old: Any,
    order: Any,
    merged: Any,
    squared_error: Any,
    crossings: Any,
    x: Any,
    n_before: Any,
    sums: Any,
    scatter: Any,
    rates: Any,
    centre: Any,
    slope: Any,
    n_epochs: Any,
) -> Any:
    """Train for n_epochs; return the number of epochs before the first with a non-finite error, or n_epochs.

    An epoch updates the weights with the sums of the walk before, moves kinks, and walks over the stretches once.

    Parameters
    ----------
    units (n_blocks * (COMMON + PER_OUTPUT n_out) * LANES,)
        The fields of all positions, blocks of LANES positions each, updated in place. Position 0 is a unit of zeros
        with its kink left of all samples.
    kink, index (n_positions,) int64
        The number of samples left of each kink, ascending, and the caller's number of the unit. Updated.
    b2 (n_out,), totals (2 n_out,)
        Updated. totals holds the sums of r and r x over all samples for each output; zeros before the first call.
    counts (5,) int64
        Updated: sign changes so far, units moved in the last epoch, moves since a check; the caller's are left.
    moved (n_positions,), stale (n_positions + 1,) int64, scratch (3 LANES,), old as units, order and merged as kink
        Scratch; stale marks the stretches to be refreshed before the first walk, and is left zero.
    squared_error (n_epochs, n_out), crossings (n_epochs,) int64
        Written: the weighted mean of the squared error and the sign changes so far, after each update.
    x (n_samples,), n_before (n_samples + 1,), sums (n_samples + 1, 6 + 6 n_out), scatter (n_out,)
        Samples, how many were merged before each, and their running sums.
    rates (4,), centre, slope
        Of w, beta, v, b2; what was subtracted from x; of the activation below 0.
    """
    n_out = b2.size
    n_fields = COMMON + PER_OUTPUT * n_out
    for epoch in range(n_epochs):
        update(units, moved, scratch, totals, n_out, rates, centre, slope)
        for o in range(n_out):
            b2[o] -= rates[3] * totals[2 * o]
        counts[N_MOVED] = 0
        if moved.sum() > 0.0:
            n_moved, n_crossings, is_sorted = move(units, kink, index, moved, stale, x, n_before, sums, n_fields)
            counts[CROSSINGS] += n_crossings
            counts[N_MOVED] = n_moved
            counts[N_MOVED_SINCE] += n_moved
            if not is_sorted:
                merge_sort(units, kink, index, stale, n_fields, old, order, merged)
        if counts[N_MOVED] > 0 or epoch == 0:
            refresh(units, kink, stale, sums, n_out, order)

        total = 0.0
        for o in range(n_out):
            squared_error[epoch, o] = walk(units, scratch, totals, o, n_out, b2[o], slope) + scatter[o]
            total += squared_error[epoch, o]
        crossings[epoch] = counts[CROSSINGS]
        if not np.isfinite(total):
            return epoch
    return n_epochs

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

from collections.abc import Mapping
from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.hints import prefetch
from fastmlp.compiled.jit import inlined, njit, strict_fp
from fastmlp.engines.engine import Array, Settings
from fastmlp.engines.univariate.codes import prefix_offset, round_up
from fastmlp.engines.univariate.samples import SortedSamples

# Units lie in blocks of LANES in the order of their kinks, each field of a block contiguous: its fields are a constant
# distance apart, so that LLVM need not check whether they overlap. Stretch i ends at kink i. Positions after the units'
# are units of zeros with their kink right of all samples; the first of them ends the last stretch. An epoch of 1,000
# units without a moved kink takes 8.9, 6.6 and 5.0 us with blocks of 16, 32 and 64, one of 10 units 0.17, 0.28, 0.36.
LANES = 64

# Fields of a position: the unit, its side (1 if active right of its kink, -1 if left of it), what its two guard samples
# (beside its kink) are to see, ...
W, BETA, SIDE, SEEN, LEFT, RIGHT = range(6)
# ... and mass, mean of x and spread of its stretch. Then for each output: weight, sums of r and r x left of the kink,
# and mean of y, slope and rest of the stretch.
MASS, MEAN_X, SPREAD = 6, 7, 8
COMMON = 9
V, ERROR, ERROR_X, MEAN_Y, SLOPE, REST = range(6)
PER_OUTPUT = 6

# Running sums over the samples: three pairs, high and low, of s, s x, s x^2, and three for each output.
S, SX, SXX = 0, 2, 4
SY, SXY, SYY = 0, 2, 4
PAIRED = 6

# What the guards of a unit see, 1 for an active left one plus 2 for an active right one.
NONE, PREFIX, SUFFIX, ALL = range(4)

# A spread below this part of sum s x^2 is that of one sample: pairs hold 104 bits, and x 53.
NO_SPREAD = 1e-28

CROSSINGS, N_MOVED, N_SINCE, N_MOVED_SINCE, N_CHECKS = range(5)  # of `counts`

# By these nanoseconds (benchmarks/NOTES.md) stretches and prefix sums are compared every so many epochs.
CHECK_EVERY = 512
COST_OF_UNIT, COST_OF_MOVE, COST_OF_PREFIX_UNIT, COST_OF_SAMPLE = 6.0, 110.0, 7.0, 2.0

# After so many exchanges per unit in an epoch units are left where they are and sorted by merging.
MAX_EXCHANGES = 4


@intrinsic  # type: ignore[untyped-decorator]
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return numba.float64(numba.float64, numba.float64, numba.float64), codegen


def _multiply_add(a: float, b: float, c: float) -> float:
    return a * b + c


if numba.config.DISABLE_JIT:  # rounded twice, which costs digits where nothing is compiled
    fma = _multiply_add


@strict_fp
def two_sum(a: Any, b: Any) -> Any:
    """Return a + b as a pair."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


@strict_fp
def two_product(a: Any, b: Any) -> Any:
    """Return a b as a pair."""
    product = a * b
    return product, fma(a, b, -product)


@strict_fp
def pair_sum(high: Any, low: Any, other_high: Any, other_low: Any) -> Any:
    """Return the sum of two pairs as a pair, to 2^-104 of the larger."""
    total, rest = two_sum(high, other_high)
    rest += low + other_low
    high = total + rest
    return high, rest - (high - total)


@strict_fp
def pair_times(high: Any, low: Any, factor: Any) -> Any:
    """Return a pair times a number as a pair."""
    product, rest = two_product(high, factor)
    return product, rest + low * factor


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
def find_kink(x: Any, w: Any, beta: Any, k: Any) -> Any:
    """Return how many samples of x lie left of the kink, from a guess k; only the unit's active side tells."""
    n = x.size
    rises = w > 0
    low, high = 0, n  # x[low - 1] is known to lie left of the kink and x[high] right
    step = 1
    if k < n and (w * x[k] > -beta) != rises:
        low = k + 1
        while low + step < n and (w * x[low + step - 1] > -beta) != rises:
            low += step
            step *= 2
        high = min(low + step, n)
    else:
        high = k
        while high - step > 0 and (w * x[high - step] > -beta) == rises:
            high -= step
            step *= 2
        low = max(high - step, 0)
    while low < high:
        middle = (low + high) >> 1
        if (w * x[middle] > -beta) == rises:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def exchange(units: Any, kink: Any, index: Any, moved: Any, a: Any, b: Any, n_fields: Any) -> None:
    """Exchange the units at two positions."""
    width = n_fields * LANES
    at_a = a // LANES * width + a % LANES
    at_b = b // LANES * width + b % LANES
    for j in range(n_fields):
        units[at_a + j * LANES], units[at_b + j * LANES] = units[at_b + j * LANES], units[at_a + j * LANES]
    kink[a], kink[b] = kink[b], kink[a]
    index[a], index[b] = index[b], index[a]
    moved[a], moved[b] = moved[b], moved[a]


@inlined
def sift(units: Any, kink: Any, index: Any, moved: Any, stale: Any, position: Any, n_fields: Any) -> Any:
    """Bring the one unit whose kink moved to its place in the order; return the number of exchanges.

    It changes places with the farthest unit of each kink that it passes: the order of units that share a kink is free,
    and where kinks are drawn to a sample dozens of them hop across it.
    """
    n_exchanges = 0
    k = kink[position]
    while position > 1 and kink[position - 1] > k:
        target = position - 1
        while kink[target - 1] == kink[target]:
            target -= 1
        exchange(units, kink, index, moved, position, target, n_fields)
        stale[position] = stale[position + 1] = 1
        position = target
        n_exchanges += 1
    while position + 1 < kink.size and kink[position + 1] < k:
        target = position + 1
        while target + 1 < kink.size and kink[target + 1] == kink[target]:
            target += 1
        exchange(units, kink, index, moved, position, target, n_fields)
        stale[position] = stale[position + 1] = 1
        position = target
        n_exchanges += 1
    stale[position] = stale[position + 1] = 1
    return n_exchanges


@inlined
def move(
    units: Any, kink: Any, index: Any, moved: Any, stale: Any, x: Any, n_before: Any, sums: Any, n_fields: Any
) -> Any:
    """Find the kinks of the units in moved (n_positions,) anew and bring them to their places; zeroes moved.

    Return the number of these units, the number of samples whose sign changed, and whether the order is still one.
    """
    width = n_fields * LANES
    n = x.size
    n_moved, n_crossings, n_exchanges = 0, 0, 0
    position = 0
    while position < moved.size:
        if moved[position] == 0.0:
            position += 1
            continue
        moved[position] = 0.0
        at = position // LANES * width + position % LANES
        w, beta, old_k = units[at + W * LANES], units[at + BETA * LANES], kink[position]
        old_side = units[at + SIDE * LANES]
        if w == 0.0:
            k, side = (0 if beta > 0 else n), 1.0
        else:
            k, side = find_kink(x, w, beta, old_k), (1.0 if w > 0 else -1.0)
        prefetch(sums, (k, 0))  # for `refresh`: from main memory
        prefetch(sums, (k, sums.shape[1] - 1))
        between = abs(n_before[k] - n_before[old_k])
        n_crossings += between if side == old_side else n_before[n] - between
        n_moved += 1
        kink[position] = k
        units[at + SIDE * LANES] = side
        if 0 < k < n:
            units[at + SEEN * LANES] = SUFFIX if side > 0 else PREFIX
            units[at + LEFT * LANES] = x[k - 1]
            units[at + RIGHT * LANES] = x[k]
        else:
            units[at + SEEN * LANES] = ALL if (k == 0) == (side > 0) else NONE
            units[at + LEFT * LANES] = x[0]
            units[at + RIGHT * LANES] = x[n - 1]
        stale[position] = stale[position + 1] = 1
        if n_exchanges < MAX_EXCHANGES * kink.size:
            n_exchanges += sift(units, kink, index, moved, stale, position, n_fields)
    return n_moved, n_crossings, n_exchanges < MAX_EXCHANGES * kink.size


@inlined
def copy_to(target: Any, source: Any) -> None:
    """Overwrite an array by another; an assignment to a slice would allocate, in case they overlap."""
    for i in range(target.size):
        target[i] = source[i]


@inlined
def merge_sort(units: Any, kink: Any, index: Any, stale: Any, n_fields: Any, old: Any, order: Any, merged: Any) -> None:
    """Sort the units by their kinks in O(n log n); old (units.size,), order and merged (n_positions,) are scratch."""
    size = kink.size
    for i in range(size):
        order[i] = i
    run = 1
    while run < size:
        for start in range(0, size, 2 * run):
            a, b = start, min(start + run, size)
            end_a, end = b, min(start + 2 * run, size)
            for i in range(start, end):
                if b == end or (a < end_a and kink[order[a]] <= kink[order[b]]):
                    merged[i] = order[a]
                    a += 1
                else:
                    merged[i] = order[b]
                    b += 1
        copy_to(order, merged)
        run *= 2
    width = n_fields * LANES
    copy_to(old, units)
    for i in range(size):
        source = order[i] // LANES * width + order[i] % LANES
        for j in range(n_fields):
            units[i // LANES * width + i % LANES + j * LANES] = old[source + j * LANES]
    for keys in (kink, index):
        copy_to(merged, keys)
        for i in range(size):
            keys[i] = merged[order[i]]
    stale[:] = 1


@strict_fp
def pair_difference(row: Any, before: Any, field: Any) -> Any:
    """Return the difference of a running sum between two kinks as a pair."""
    high, rest = two_sum(row[field], -before[field])
    return high, rest + (row[field + 1] - before[field + 1])


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


class Stretches:
    """Gradient descent on a net of one input that visits stretches between kinks, not samples."""

    method = "stretches"

    def __init__(
        self,
        samples: SortedSamples,
        units: Array,
        code: Array,
        b2: Array,
        settings: Settings,
        crossings: int = 0,
    ) -> None:
        """Take the units (2 + n_out, n_hidden), rows w, beta and v of each output, and the codes of their active sets.

        Codes are those of `fastmlp.engines.univariate.codes`.
        """
        n, n_out = samples.y.shape
        n_hidden = units.shape[1]
        n_positions = round_up(n_hidden + 2, LANES)
        self._n = n
        self._n_hidden = n_hidden
        self.leaves = False
        self._plane = prefix_offset(n)
        self._own = slice(1, 1 + n_hidden)  # the positions of the units
        is_prefix = code >= self._plane
        k = np.where(is_prefix, code - self._plane, code)
        order = np.argsort(k, kind="stable")
        sums = np.empty((n + 1, PAIRED * (1 + n_out)))
        data = (samples.x, samples.y, samples.weight)
        compiled(running_sums, (sums, *data))(sums, *data)

        kink = np.full(n_positions, n, np.int64)
        kink[0] = 0
        kink[self._own] = k[order]
        index = np.full(n_positions, n_hidden, np.int64)
        index[self._own] = order
        seen = np.full(n_positions, NONE)
        seen[self._own] = np.select([is_prefix, k == 0, k == n], [PREFIX, ALL, NONE], SUFFIX)[order]
        fields = np.zeros((n_positions // LANES, COMMON + PER_OUTPUT * n_out, LANES))
        self._held = {
            "units": fields.reshape(-1),
            "kink": kink,
            "index": index,
            "b2": np.array(b2, np.float64),
            "totals": np.zeros(2 * n_out),
            "counts": np.array([crossings, 0, 0, 0, 0], np.int64),
        }
        self._fields = fields.swapaxes(0, 1)  # a view: field, block, lane
        self._unit_fields = [W, BETA, *range(COMMON + V, self._fields.shape[0], PER_OUTPUT)]
        self._place(seen, samples.x)
        for field, row in zip(self._unit_fields, units, strict=True):
            self._write(field, np.pad(row[order], (1, n_positions - n_hidden - 1)))
        self._scratch = (
            np.zeros(n_positions),
            np.ones(n_positions + 1, np.int64),
            np.zeros(3 * LANES),
            np.zeros(fields.size),
            np.zeros(n_positions, np.int64),
            np.zeros(n_positions, np.int64),
        )
        self._fixed = (
            samples.x,
            samples.n_before,
            sums,
            samples.scatter,
            np.array(settings.rates, np.float64),
            float(samples.centre),
            float(settings.negative_slope),
        )
        start = np.empty((1, n_out))
        start_crossings = np.empty(1, np.int64)
        arguments = self._arguments(1, start, start_crossings)
        self._kernel = compiled(train, arguments)
        # The sums held are still zero, so this epoch changes no weight: it evaluates the start.
        self._kernel(*arguments)
        self.squared_error = start[0]

    def _write(self, field: int, values: Array) -> None:
        self._fields[field] = values.reshape(-1, LANES)

    def _place(self, seen: Array, x: Array) -> None:
        """Fill the fields that the kinks and what their guards see determine, as `move` does."""
        kink = self._held["kink"]
        inside = (seen == PREFIX) | (seen == SUFFIX)
        self._write(SEEN, seen)
        self._write(SIDE, np.where(seen == PREFIX, -1.0, 1.0))
        self._write(LEFT, x[np.where(inside, kink - 1, 0)])
        self._write(RIGHT, x[np.where(inside, kink, x.size - 1)])

    def _arguments(self, n_epochs: int, squared_error: Array, crossings: Array) -> tuple[Any, ...]:
        return (*self._held.values(), *self._scratch, squared_error, crossings, *self._fixed, n_epochs)

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train, write errors (n_epochs, n_out) and sign changes so far (n_epochs,) after each update.

        Return the number of epochs before the first with a non-finite error, or before one after which another method
        is cheaper, or n_epochs.
        """
        counts = self._held["counts"]
        self.leaves = False
        n_done = 0
        while n_done < n_epochs and not self.leaves:
            rows = slice(n_done, n_done + min(n_epochs - n_done, CHECK_EVERY - counts[N_SINCE]))
            n_more = int(self._kernel(*self._arguments(rows.stop - n_done, squared_error[rows], crossings[rows])))
            n_done += n_more
            counts[N_SINCE] += n_more
            if n_done < rows.stop:
                break
            if counts[N_SINCE] == CHECK_EVERY:
                is_first = (
                    counts[N_CHECKS] == 0
                )  # kinks move most at the start: 10,000 samples, 1000 units 23 us, later 12
                cost = COST_OF_UNIT * max(self._n_hidden, LANES) + COST_OF_MOVE * counts[N_MOVED_SINCE] / CHECK_EVERY
                prefix_cost = COST_OF_PREFIX_UNIT * self._n_hidden + COST_OF_SAMPLE * self._n
                self.leaves = bool(cost > prefix_cost and not is_first)
                counts[[N_SINCE, N_MOVED_SINCE]] = 0
                counts[N_CHECKS] += 1
        return n_done

    def units(self) -> tuple[Array, Array]:
        """Return copies of the units and of the codes of their active sets, in the caller's order."""
        index = self._held["index"][self._own]
        units = np.empty((len(self._unit_fields), index.size))
        for row, field in zip(units, self._unit_fields, strict=True):
            row[index] = self._fields[field].reshape(-1)[self._own]
        kink, seen = self._held["kink"][self._own], self._fields[SEEN].reshape(-1)[self._own]
        code = np.empty(index.size, np.int64)
        code[index] = np.select([seen == PREFIX, seen == ALL, seen == NONE], [self._plane + kink, 0, self._n], kink)
        return units, code

    @property
    def b2(self) -> Array:
        """A copy of the output bias (n_out,)."""
        return self._held["b2"].copy()

    @property
    def crossings(self) -> int:
        """The (unit, sample) sign changes so far, those of the methods before included."""
        return int(self._held["counts"][CROSSINGS])

    @property
    def live_units(self) -> int:
        """How many units had their kink moved across a sample by the last epoch."""
        return int(self._held["counts"][N_MOVED])

    def state(self) -> Mapping[str, Array]:
        """Return copies of the arrays with which `restore` goes on bitwise as if never interrupted."""
        return {name: array.copy() for name, array in self._held.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for name, array in self._held.items():
            array[...] = state[name]

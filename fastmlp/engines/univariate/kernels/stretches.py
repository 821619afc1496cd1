"""Gradient descent for few units on many samples of one input, in O(n_hidden + moved kinks) per epoch.

The kinks of the units cut the sorted samples into n_hidden + 1 stretches. On each of them the net is one line
f(x) = A x + C. A and C follow from a walk over the kinks from left to right: a kink at which a unit (w, beta, v)
becomes active adds (v w, v beta), one at which it becomes inactive subtracts them. What a stretch adds to the sums of
the weighted error r = s (f - y), of r x, and of the squared error depends on six moments of its samples only. Let
M = sum s be its mass, X and Y its means of x and y, S_xx = sum s (x - X)^2, a the slope of the line of least squares
through its samples, and R = sum s (y - Y - a (x - X))^2 the squared error of that line. Then for each output::

    e = A X + C - Y     sum r = M e                  sum s (f - y)^2 = M e^2 + S_xx g^2 + R
    g = A - a           sum r x = X M e + S_xx g

The running sums of r and r x over the stretches, P0 and P1, are at each kink the sums over the samples to its left. A
unit that is active on a prefix of the samples has S = P, and one that is active on a suffix has S = P_all - P. A leaky
net of slope alpha has S = alpha P_all + (1 - alpha) S of the ReLU net, and likewise A and C. Then, for all units::

    t0 = sum_o v_o S0_o      t1 = sum_o v_o S1_o      step = rate_w (t1 + centre t0)
    w -= step      beta -= rate_b t0 + centre step      v_o -= rate_v (w S1_o + beta S0_o)      b2_o -= rate_b2 P0_all_o

A unit keeps its kink while its signs at the two samples beside the kink hold. If one changes, the kink is searched from
where it was.

The squared error is a sum of squares. Its relative error is about 1e-16 |f| / RMSE, where a difference of sums of
squares has 6e-17 mean(y^2) / MSE (6e-9 at an RMSE of 1e-4 of y).
"""

from __future__ import annotations

import numpy as np

from fastmlp.compiled.jit import inlined, njit
from fastmlp.engines.univariate.kernels.stretch_layout import (
    BLOCK_SIZE,
    Data,
    Descent,
    EpochRecord,
    Scratch,
    State,
)
from fastmlp.engines.univariate.kernels.stretch_moments import refresh_moments
from fastmlp.engines.univariate.kernels.stretch_order import merge_sort, move_kinks


@inlined
def update(state: State, scratch: Scratch, descent: Descent) -> float:
    """Take one step down the gradients that the sums of the last walk give, and mark units whose guards changed sign.

    Return the number of these units.

    A unit that the step did not change keeps its active set. Where x is centred, w x > -beta may decide a tie on a
    sample differently than the mask with which the unit started.
    """
    rates, centre, slope = descent.rates, descent.centre, descent.negative_slope
    relu_part = 1.0 - slope
    t0, t1 = scratch.lanes[0], scratch.lanes[1]
    units = state.units
    n_moved = 0.0
    for block in range(units.blocks.size):
        unit = units.blocks[block]
        w, beta, side = unit.w, unit.beta, unit.side
        moved = scratch.moved[block * BLOCK_SIZE : (block + 1) * BLOCK_SIZE]
        for i in range(BLOCK_SIZE):  # a slice set to 0 would be a call
            t0[i] = 0.0
            t1[i] = 0.0
        for o in range(state.b2.size):
            output = units.outputs[block, o]
            v, sum_r, sum_rx = output.v, output.sum_r, output.sum_rx
            total_r, total_rx = state.totals[o, 0], state.totals[o, 1]
            for i in range(BLOCK_SIZE):
                is_prefix = side[i] < 0
                s0 = slope * total_r + relu_part * (sum_r[i] if is_prefix else total_r - sum_r[i])
                s1 = slope * total_rx + relu_part * (sum_rx[i] if is_prefix else total_rx - sum_rx[i])
                t0[i] += v[i] * s0
                t1[i] += v[i] * s1
                v[i] -= rates.w2 * (w[i] * s1 + beta[i] * s0)
        for i in range(BLOCK_SIZE):
            step = rates.w1 * (t1[i] + centre * t0[i])
            new_w = w[i] - step
            new_beta = beta[i] - (rates.b1 * t0[i] + centre * step)
            left = 1.0 if new_w * unit.x_left[i] > -new_beta else 0.0
            right = 2.0 if new_w * unit.x_right[i] > -new_beta else 0.0
            changed = (new_w != w[i]) | (new_beta != beta[i])
            moved[i] = 1.0 if (left + right != unit.active_guards[i]) & changed else 0.0
            n_moved += moved[i]
            w[i] = new_w
            beta[i] = new_beta
    return n_moved


@inlined
def start_walk(state: State, scratch: Scratch, o: int, slope: float) -> tuple[float, float, float]:
    """Return the sums of v w and of v beta left of all kinks, and the sum of the fit errors of the stretches."""
    rises, offsets, rests = scratch.lanes[0], scratch.lanes[1], scratch.lanes[2]
    for i in range(BLOCK_SIZE):
        rises[i] = 0.0
        offsets[i] = 0.0
        rests[i] = 0.0
    for block in range(state.units.blocks.size):
        unit, output = state.units.blocks[block], state.units.outputs[block, o]
        for i in range(BLOCK_SIZE):
            part = output.v[i] * (slope if unit.side[i] > 0 else 1.0)
            rises[i] += part * unit.w[i]
            offsets[i] += part * unit.beta[i]
            rests[i] += output.fit_error[i]
    return rises.sum(), offsets.sum(), rests.sum()


@inlined
def walk(state: State, scratch: Scratch, o: int, slope: float) -> float:
    """Write the sums of r and r x left of each kink and over all samples; return the squared error of output o.

    Seven sums run side by side, and each waits for its last value once per stretch. 1,000 stretches take about 2.5 us;
    with M e^2 + S_xx g^2 + R in one sum they take 3.4 us (4 cycles per operation and stretch).
    """
    relu_part = 1.0 - slope
    rise, offset, rest = start_walk(state, scratch, o, slope)
    offset += state.b2[o]
    error, error_x, turned_error, square, turned_square = 0.0, 0.0, 0.0, 0.0, 0.0
    for block in range(state.units.blocks.size):
        unit, output = state.units.blocks[block], state.units.outputs[block, o]
        for i in range(BLOCK_SIZE):
            mean_x = unit.mean_x[i]
            mean_error = rise * mean_x + (offset - output.mean_y[i])
            rise_error = rise - output.fit_slope[i]
            sum_error = unit.mass[i] * mean_error
            turned = unit.s_xx[i] * rise_error
            square += sum_error * mean_error
            turned_square += turned * rise_error
            error += sum_error
            error_x += mean_x * sum_error
            turned_error += turned
            output.sum_r[i] = error
            output.sum_rx[i] = error_x + turned_error
            jump = relu_part * unit.side[i] * output.v[i]
            rise += jump * unit.w[i]
            offset += jump * unit.beta[i]
    state.totals[o, 0] = error
    state.totals[o, 1] = error_x + turned_error
    # Every unit has entered the last line: an infinite weight of a unit that is active on no sample shows there.
    squared_error: float = square + turned_square + rest + 0.0 * rise + 0.0 * offset
    return squared_error


@njit
def train(state: State, scratch: Scratch, data: Data, descent: Descent, record: EpochRecord) -> int:
    """Train for the epochs of a record; return the number of epochs before the first with a non-finite error.

    An epoch updates the weights with the sums of the last walk, moves kinks, and walks over the stretches once. The
    state and the scratch memory are updated, and the rows of the record are written.
    """
    n_epochs = record.crossings.size
    counters = state.counters[0]
    for epoch in range(n_epochs):
        n_moved = update(state, scratch, descent)
        for o in range(state.b2.size):
            state.b2[o] -= descent.rates.b2 * state.totals[o, 0]
        counters.n_moved = 0
        if n_moved > 0.0 and not move_kinks(state, scratch, data):
            merge_sort(state.units, scratch)
        if counters.n_moved > 0 or epoch == 0:
            refresh_moments(state.units, scratch, data.sums)

        total = 0.0
        for o in range(state.b2.size):
            squared_error = walk(state, scratch, o, descent.negative_slope) + data.scatter[o]
            record.squared_error[epoch, o] = squared_error
            total += squared_error
        record.crossings[epoch] = counters.crossings
        if not np.isfinite(total):
            return epoch
    return n_epochs

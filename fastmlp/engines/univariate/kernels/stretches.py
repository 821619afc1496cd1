"""Gradient descent for few units on many samples of one input, in O(n_hidden + moved kinks) per epoch.

The kinks of the units cut the sorted samples into n_hidden + 1 stretches. On each of them the net is one line
f(x) = A x + C. With the slopes of the activation left and right of the kink of each unit (w, beta, v), which are 0 and
1, or 1 and 0, for a ReLU::

    (A, C) = sum over units left of the stretch   slope_right (v w, v beta)
           + sum over units right of the stretch  slope_left (v w, v beta) + (0, b2)

What a stretch adds to the sums of the weighted error r = s (f - y), of r x, and of the squared error depends on six
moments of its samples only. Let M = sum s be its mass, X and Y its means of x and y, S_xx = sum s (x - X)^2, a the
slope of the line of least squares through its samples, and R = sum s (y - Y - a (x - X))^2 the squared error of that
line. Then for each output::

    e = A X + C - Y     sum r = M e                  sum s (f - y)^2 = M e^2 + S_xx g^2 + R
    g = A - a           sum r x = X M e + S_xx g

With the sums P of r and r x over all stretches left of the kink of a unit, and Q over those right of it::

    S = slope_left P + slope_right Q
    t0 = sum_o v_o S0_o      t1 = sum_o v_o S1_o      step = rate_w (t1 + centre t0)
    w -= step      beta -= rate_b t0 + centre step      v_o -= rate_v (w S1_o + beta S0_o)      b2_o -= rate_b2 sum r_o

The sums over what lies left are taken from the left and those over what lies right from the right. Nothing is
subtracted: as the sum of all less P, Q would carry the rounding errors of samples that the unit is not active on, and a
unit with large weights would leave its rounding error on the samples behind its kink. A unit that is active on no
sample only enters lines of stretches without samples.

A unit keeps its kink while its signs at the two samples beside the kink hold. If one changes, the kink is searched from
where it was.

The squared error is a sum of squares. Its relative error is about 1e-16 |f| / RMSE, where a difference of sums of
squares has 6e-17 mean(y^2) / MSE (6e-9 at an RMSE of 1e-4 of y).
"""

from __future__ import annotations

import numpy as np

from fastmlp.compiled.jit import njit
from fastmlp.engines.univariate.kernels.stretch_errors import write_errors
from fastmlp.engines.univariate.kernels.stretch_layout import Data, Descent, EpochRecord, Scratch, State
from fastmlp.engines.univariate.kernels.stretch_moments import refresh_moments
from fastmlp.engines.univariate.kernels.stretch_order import merge_sort, move_kinks
from fastmlp.engines.univariate.kernels.stretch_update import update


@njit
def train(state: State, scratch: Scratch, data: Data, descent: Descent, record: EpochRecord) -> int:
    """Train for the epochs of a record; return the number of epochs before the first with a non-finite error.

    An epoch updates the weights with the sums of the epoch before, moves kinks, and sums the errors of all stretches.
    The state and the scratch memory are updated, and the rows of the record are written.
    """
    n_epochs = record.crossings.size
    counters = state.counters[0]
    for epoch in range(n_epochs):
        any_moved = update(state, scratch, descent)
        counters.n_moved = 0
        if any_moved and not move_kinks(state, scratch, data, descent.negative_slope):
            merge_sort(state.units, scratch)
        if counters.n_moved > 0 or epoch == 0:
            refresh_moments(state, scratch, data.sums)

        total = 0.0
        for o in range(state.b2.size):
            squared_error = write_errors(state, scratch, o) + data.scatter[o]
            record.squared_error[epoch, o] = squared_error
            total += squared_error
        record.crossings[epoch] = counters.crossings
        if not np.isfinite(total):
            return epoch
    return n_epochs

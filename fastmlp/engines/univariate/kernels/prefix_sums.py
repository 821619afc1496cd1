"""Prefix sums: every unit is updated by itself, in O(n_samples + n_hidden) per epoch.

With S0 and S1 of the unit's pattern (see `sums`)::

    w -= rate_w sum_o v_o S1_o      b -= rate_b sum_o v_o S0_o      v_o -= rate_v (w S1_o + b S0_o)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inline_ir, inlined, njit
from fastmlp.engines.engine import Array, Rates
from fastmlp.engines.univariate.kernels.layout import Data, Nets, PatternSums, Record, Units
from fastmlp.engines.univariate.kernels.look_up import has_left, look_up
from fastmlp.engines.univariate.kernels.sums import add_unit, forward, gradient_sum


@inlined
def update_units(units: Units, codes: Array, span: Any, sums: PatternSums, rates: Rates, data: Data) -> Any:
    """Update the units span[0] <= j < span[1] one by one and add them to their patterns; return their crossings.

    b stands for b + centre w, so that its step has a part of that of w.
    """
    n_crossings = 0
    for j in range(np.uint64(span[0]), np.uint64(span[1])):
        code = assume_nonnegative(codes[j])
        w = units[0][j]
        b = units[1][j]
        t0 = 0.0
        t1 = 0.0
        for o in range(len(data.outputs)):
            s0 = gradient_sum(code, 2 * o, sums, data)
            s1 = gradient_sum(code, 2 * o + 1, sums, data)
            v = units[2 + o][j]
            t0 += v * s0
            t1 += v * s1
            units[2 + o][j] = v - rates.w2 * (w * s1 + b * s0)
        step = rates.w1 * (t1 + data.centre * t0)
        w -= step
        b -= rates.b1 * t0 + data.centre * step
        units[0][j] = w
        units[1][j] = b
        if has_left(w, b, code, data):
            code, n_flips = look_up(w, b, code, data)
            n_crossings += n_flips
            codes[j] = code
        add_unit(units, j, code, sums, data)
    return n_crossings


@inline_ir
def write_ends(ends: Array, squared_error: Array, n_done: Any) -> None:
    """Overwrite ends (3, n_out): the first error, the last, and the largest, infinite if not all epochs are done."""
    n_epochs = len(squared_error)
    for o in range(ends.shape[1]):
        ends[0, o] = squared_error[0, o]
        ends[1, o] = squared_error[n_epochs - 1, o]
        ends[2, o] = 0.0 if n_done == n_epochs else np.inf
        for epoch in range(n_done):
            ends[2, o] = max(ends[2, o], squared_error[epoch, o])


@njit
def train_units(nets: Nets, sums: PatternSums, record: Record, data: Data, is_evaluated: Any) -> Any:
    """Train nets on the same samples, one after the other and every unit by itself.

    Parameters
    ----------
    nets
        Updated in place.
    sums
        Overwritten, since they are of one net at a time; read where a single net goes on.
    record
        Overwritten with the epochs of the last net; its length is the number of epochs.
    data
        Read.
    is_evaluated : bool
        Whether sums has the errors of the units. If not, the first epoch only evaluates the units.

    Returns
    -------
    int
        The number of epochs of the last net before the first with a non-finite error, or of all.
    """
    n_done = record.crossings.size
    for net in range(len(nets.units)):
        units, codes = nets.units[net], nets.codes[net]
        b2, counters = nets.b2[net], nets.counters[net]
        if not is_evaluated:
            sums.errors[:] = 0
        n_done = record.crossings.size
        piece = 0
        for epoch in range(record.crossings.size):
            if piece + 1 < nets.starts.size and epoch >= nets.starts[piece + 1]:
                piece += 1
            # Rates of 0 too: of a product of three LLVM may form an infinite one first.
            is_update = is_evaluated or epoch > 0
            rates = Rates(
                nets.rates[net, piece, 0] if is_update else 0.0,
                nets.rates[net, piece, 1] if is_update else 0.0,
                nets.rates[net, piece, 2] if is_update else 0.0,
                nets.rates[net, piece, 3] if is_update else 0.0,
            )
            for o in range(len(data.outputs)):
                b2[o] -= rates.b2 * gradient_sum(0, 2 * o, sums, data)
            sums.lines[:] = 0
            counters.crossings += update_units(units, codes, (0, codes.size), sums, rates, data)
            error = forward(sums, b2, record.squared_error[epoch], data)
            record.crossings[epoch] = counters.crossings
            if not np.isfinite(error):
                n_done = epoch
                break
        write_ends(nets.ends[net], record.squared_error, n_done)
    return n_done

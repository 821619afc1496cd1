"""Pattern moments: an epoch costs O(patterns in use + live units), however many units there are.

Mapped units are trained through the maps of their patterns (`maps`), live units in classes or by themselves
(`live_classes`, `prefix_sums`); `rebuilding` divides them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined, njit
from fastmlp.engines.engine import Rates
from fastmlp.engines.univariate.kernels.layout import Data, MomentNet, PatternSums, Record
from fastmlp.engines.univariate.kernels.live_classes import add_class_lines, update_class
from fastmlp.engines.univariate.kernels.maps import step_block
from fastmlp.engines.univariate.kernels.prefix_sums import update_units
from fastmlp.engines.univariate.kernels.rebuilding import answer_alarms, gather, rebuild
from fastmlp.engines.univariate.kernels.sums import add_unit, forward, gradient_sum


@njit
def gather_units(net: MomentNet) -> None:
    """Write all units as they are now, with their numbers and codes, into scratch, between two calls."""
    gather(net.mapped, net.live, net.scratch, net.counters[0])


@inlined
def is_rebuild_due(counters: np.record, n_hidden: Any) -> Any:
    """Return whether the horizon is reached, or too many units have been freed since the last rebuild."""
    n_freed = counters.n_live - counters.n_live_rebuilt
    most_freed = 16 + counters.n_live_rebuilt // 2 + n_hidden // 64
    return counters.epoch >= counters.next_rebuild or n_freed > most_freed


@njit
def train_moments(net: MomentNet, sums: PatternSums, record: Record, rates: Rates, data: Data, is_training: Any) -> Any:
    """Train through the maps of patterns.

    Parameters
    ----------
    net, sums
        Updated in place.
    record
        Overwritten; its length is the number of epochs.
    rates, data
        Read.
    is_training : bool
        False: one epoch that only evaluates the units, all of which are free.

    Returns
    -------
    int
        The number of epochs before the first with a non-finite error, before one at which counters.leaves was set since
        training every unit by itself is cheaper, or of all.
    """
    n_out = len(data.outputs)
    live, b2, counters = net.live, net.b2, net.counters[0]
    for epoch in range(record.crossings.size):
        if is_training:
            if is_rebuild_due(counters, net.scratch.code.size):
                rebuild(net, sums, rates, data)
                if counters.leaves:
                    return epoch
            counters.epoch += 1
        n_live = counters.n_live if is_training else 0  # units to update; those behind them are only added
        sums.lines[:] = 0
        any_alarm: Any = 0
        for index in range(counters.n_blocks):
            block = assume_nonnegative(net.mapped.block_id[index])
            alarms = step_block(block, net.mapped.maps, sums, rates, data)
            net.scratch.alarms[index] = alarms
            any_alarm |= alarms
        if any_alarm:  # not within the loop, where it would cost registers
            answer_alarms(net, sums, rates, data)
        for j in range(n_live, counters.n_live):
            add_unit(live.units, np.uint64(j), assume_nonnegative(live.code[j]), sums, data)
        for index in range(counters.n_classes):
            update_class(index, live, counters, sums, rates, data)
        add_class_lines(live, counters.n_classes, sums, data)
        span = counters.n_classed, n_live
        counters.crossings += update_units(live.units, live.code, span, sums, rates, data)
        if is_training:
            for o in range(n_out):
                b2[o] -= rates.b2 * gradient_sum(0, 2 * o, sums, data)
        error = forward(sums, b2, record.squared_error[epoch], data)
        record.crossings[epoch] = counters.crossings
        if not np.isfinite(error):
            return epoch
    return record.crossings.size

"""Pattern moments."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import njit
from fastmlp.compiled.reductions import total
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import zeros
from fastmlp.engines.univariate.kernels.layout import (
    CROSSINGS,
    EPOCH,
    LANES,
    LEAVES,
    N_BLOCKS,
    N_CLASSED,
    N_CLASSES,
    N_LIVE,
    N_LOOSE,
    NEXT_REBUILD,
)
from fastmlp.engines.univariate.kernels.live_classes import add_classes, move_class
from fastmlp.engines.univariate.kernels.maps import map_fields, step_block
from fastmlp.engines.univariate.kernels.prefix_sums import move_singly
from fastmlp.engines.univariate.kernels.rebuilding import answer_alarms, gather, rebuild
from fastmlp.engines.univariate.kernels.sums import add_outputs, forward


@njit
def train_moments(
    settled: Any,
    live: Any,
    spare: Any,
    classes: Any,
    passed: Any,
    counters: Any,
    squared_error: Any,
    crossings: Any,
    samples: Any,
    patterns: Any,
    rule: Any,
    outputs: Any,
    is_moving: Any,
    n_epochs: Any,
) -> Any:
    """Train through the maps of patterns; return the number of epochs before one with a non-finite error, or n_epochs.

    Returns early, with counters[LEAVES] set, where a rebuild finds that training every unit by itself is cheaper.

    Parameters
    ----------
    settled, live, passed, counters
        Updated in place.
    spare
        Overwritten.
    squared_error (n_epochs, n_out), crossings (n_epochs,)
        Written: the error after each update, the crossings so far.
    classes, samples, patterns, rule
        Read.
    outputs : tuple of n_out integers
        Its length tells the compiler the number of outputs.
    is_moving : bool
        False: one epoch that only evaluates the free units with the codes given.
    """
    n_out = len(outputs)
    plane = passed.errors.size // (2 * n_out)
    map_size = map_fields(outputs)[3] * LANES
    sum_size = 2 * n_out * LANES
    n_suffix_blocks = plane // LANES
    base = vectors(settled.maps, 8)
    for epoch in range(n_epochs):
        if is_moving:
            n_freed = counters[N_LIVE] - counters[N_LOOSE]
            most_freed = 16 + counters[N_LOOSE] // 2 + spare.code.size // 64
            if counters[EPOCH] >= counters[NEXT_REBUILD] or n_freed > most_freed:
                rebuild(settled, live, spare, counters, passed, samples, patterns, classes, rule, plane, outputs)
                if counters[LEAVES]:
                    return epoch
            counters[EPOCH] += 1
        n_live = counters[N_LIVE]
        passed.sums[:] = 0
        passed.base[:] = 0
        for k in range(2 * n_out):
            base[k] = zeros(settled.maps)
        any_alarm: Any = 0
        for index in range(counters[N_BLOCKS]):
            block = assume_nonnegative(settled.block_id[index])
            is_prefix = block >= n_suffix_blocks
            position = assume_nonnegative(block - n_suffix_blocks if is_prefix else block)
            z = settled.maps[block * map_size : (block + 1) * map_size]
            sums = passed.sums[block * sum_size : (block + 1) * sum_size]
            errors = passed.errors[position * sum_size : (position + 1) * sum_size]
            alarms = step_block(
                z, sums, errors, patterns.beside, position * LANES, base, passed, rule, is_prefix, outputs
            )
            spare.alarms[index] = alarms
            any_alarm |= alarms
        if any_alarm:  # not within the loop, where it would cost registers
            answer_alarms(settled, live, counters, spare, passed, samples, patterns, rule, plane, outputs)
        for j in range(n_live, counters[N_LIVE]):
            add_outputs(live.units, np.uint64(j), assume_nonnegative(live.code[j]), passed, plane, rule, outputs)
        for index in range(counters[N_CLASSES]):
            move_class(index, spare.moved, classes, live, counters, passed, samples, patterns, rule, plane, outputs)
        add_classes(spare.moved, classes, live, counters, passed, outputs)
        for k in range(2 * n_out):
            passed.base[k] += total(base[k])
        counters[CROSSINGS] += move_singly(
            live.units,
            live.code,
            counters[N_CLASSED],
            n_live,
            passed,
            samples,
            patterns,
            rule,
            plane,
            outputs,
            is_moving,
        )
        if is_moving:
            for o in range(n_out):
                passed.b2[o] -= rule.rate_b2 * passed.totals[2 * o]
        error = forward(passed, squared_error[epoch], samples, rule, outputs)
        crossings[epoch] = counters[CROSSINGS]
        if not np.isfinite(error):
            return epoch
    return n_epochs


@njit
def gather_units(settled: Any, live: Any, spare: Any, counters: Any, classes: Any, outputs: Any) -> None:
    """Do what `gather` does, between two calls of `train_moments`."""
    gather(settled, live, spare, counters, classes, outputs)

"""Classes of live units, which may cross a sample before the next rebuild and are updated individually.

The units on either side of one sample form a class: they share the sums of the two patterns that meet there, and their
loop is SIMD. A unit that leaves both patterns is freed: it is updated by itself until the next rebuild.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inline_ir, inlined
from fastmlp.compiled.masks import mask_greater, popcount, select
from fastmlp.compiled.reductions import store_totals
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import add, broadcast, broadcast_load, fma, fnma, load, multiply, store, zeros
from fastmlp.engines.engine import Array, Rates
from fastmlp.engines.univariate.kernels.layout import (
    LANES,
    MAX_CLASS_LINES,
    MAX_LINES,
    MAX_MAP_OUTPUTS,
    WIDTH,
    Data,
    LiveUnits,
    PatternSums,
    Units,
    Vectors,
)
from fastmlp.engines.univariate.kernels.look_up import look_up
from fastmlp.engines.univariate.kernels.sums import add_unit


@inlined
def class_of(code: Any, side: Any, data: Data) -> Any:
    """Return the class of a unit that may cross the sample on one side (0: left, 1: right) of its kink."""
    n = data.n_before.size - 1
    if code == 0:
        return 2 * n - 1 if side else 0
    if code == n:
        return n - 1 if side else n
    if code > data.x.size:
        return n + code - data.x.size - 1 + side
    return code - 1 + side


@inlined
def free_unit(units: Units, origin: Array, j: Any, last: Any, live: LiveUnits, n_live: Any) -> None:
    """Move a unit to place n_live, behind the free units; the last of its group takes its place."""
    for k in range(len(units)):
        row = units[k]
        live.units[k][n_live] = row[j]
        row[j] = row[last]
        row[last] = 0.0
    live.origin[n_live] = origin[j]
    origin[j] = origin[last]


@inlined
def free_leavers(index: Any, live: LiveUnits, counters: np.record, sums: PatternSums, data: Data) -> None:
    """Free the units that have left a class, and add them to the lines of their patterns."""
    units = live.units
    row = live.table[live.class_id[index]]
    below_active, above_active = row.below_active != 0, row.above_active != 0
    j = live.class_first[index]
    stop = j + live.class_count[index]
    while j < stop:
        w = units[0][j]
        b = units[1][j]
        if ((b > w * row.minus_below) == below_active) & ((b > w * row.minus_above) == above_active):
            j += 1
            continue
        old = row.code_on if b > w * row.minus_x else row.code_off
        code, n_flips = look_up(w, b, old, data)
        counters.crossings += n_flips
        add_unit(units, np.uint64(j), code, sums, data)
        stop -= 1
        free_unit(units, live.origin, j, stop, live, counters.n_live)
        live.code[counters.n_live] = code
        counters.n_live += 1
    live.class_count[index] = stop - live.class_first[index]


@inline_ir
def load_class_sums(row: Any, s_on: Vectors, s_off: Vectors, sums: PatternSums, n_lines: Any) -> None:
    """Write S of the two patterns of a class to the vectors s_on and s_off (n_lines,)."""
    for k in range(n_lines):
        s_on[k] = broadcast_load(sums.errors, (assume_nonnegative(row.address_on + k * LANES),))
        s_off[k] = broadcast_load(sums.errors, (assume_nonnegative(row.address_off + k * LANES),))


@inlined
def update_class(index: Any, live: LiveUnits, counters: np.record, sums: PatternSums, rates: Rates, data: Data) -> None:
    """Update the units of a class and overwrite its lines; free the units that left it."""
    n_out = len(data.outputs)
    units = live.units
    like = units[0]
    row = live.table[assume_nonnegative(live.class_id[index])]
    minus_x = broadcast(row.minus_x)
    minus_below, minus_above = broadcast(row.minus_below), broadcast(row.minus_above)
    all_below, all_above = -row.below_active, -row.above_active
    s_on, s_off = vectors(like, MAX_LINES), vectors(like, MAX_LINES)
    v_new = vectors(like, MAX_MAP_OUTPUTS)
    added = vectors(like, MAX_CLASS_LINES)  # [2 k + (0: active, 1: inactive)]
    load_class_sums(row, s_on, s_off, sums, 2 * n_out)
    for k in range(4 * n_out):
        added[k] = zeros(like)
    rate_w, rate_b, rate_v = broadcast(rates.w1), broadcast(rates.b1), broadcast(rates.w2)
    centre, shift = broadcast(data.centre), broadcast(data.centre * rates.w1)
    n_flips: Any = 0
    any_left: Any = 0
    j = live.class_first[index]
    n_left = live.class_count[index]
    while n_left > 0:  # a loop over vectors takes one more register, which this loop has not
        j = assume_nonnegative(j)
        w = load(units[0], (j,))
        b = load(units[1], (j,))
        was_active = mask_greater(b, multiply(w, minus_x))
        t0, t1 = zeros(like), zeros(like)
        for o in range(n_out):
            s0 = select(was_active, s_on[2 * o], s_off[2 * o])
            s1 = select(was_active, s_on[2 * o + 1], s_off[2 * o + 1])
            v = load(units[2 + o], (j,))
            t0 = fma(v, s0, t0)
            t1 = fma(v, s1, t1)
            v_new[o] = fnma(rate_v, fma(w, s1, multiply(b, s0)), v)
            store(units[2 + o], (j,), v_new[o])
        dw = fma(centre, t0, t1)
        w = fnma(rate_w, dw, w)
        b = fnma(shift, dw, fnma(rate_b, t0, b))
        store(units[0], (j,), w)
        store(units[1], (j,), b)
        is_active = mask_greater(b, multiply(w, minus_x))
        n_flips += popcount(was_active ^ is_active)
        is_unit = (1 << min(n_left, WIDTH)) - 1  # the other lanes are zeros, active nowhere, and stay zeros
        has_left = mask_greater(b, multiply(w, minus_below)) ^ all_below
        has_left |= mask_greater(b, multiply(w, minus_above)) ^ all_above
        has_left &= is_unit
        any_left |= has_left
        for k in range(2 * n_out):
            term = multiply(v_new[k // 2], b if k % 2 else w)
            if has_left:
                term = select(has_left, zeros(like), term)
            added[2 * k] = select(is_active, add(added[2 * k], term), added[2 * k])
            added[2 * k + 1] = select(is_active, added[2 * k + 1], add(added[2 * k + 1], term))
        j += WIDTH
        n_left -= WIDTH
    counters.crossings += n_flips * row.multiplicity
    if any_left:
        free_leavers(index, live, counters, sums, data)
    each = data.outputs + data.outputs + data.outputs + data.outputs
    store_totals(live.lines, (assume_nonnegative(index), 0), added, each)


@inlined
def add_class_lines(live: LiveUnits, n_classes: Any, sums: PatternSums, data: Data) -> None:
    """Add the lines of all classes to those of their patterns.

    Neighbouring classes share a pattern: added by each class as it is updated, every sum had to wait until the class
    before had stored it. Of one side all patterns differ, but for "all" and "none".
    """
    n_lines = 2 * len(data.outputs)
    for index in range(np.uint64(n_classes)):
        to = live.table[assume_nonnegative(live.class_id[index])].address_on
        for k in range(n_lines):
            sums.lines[assume_nonnegative(to + k * LANES)] += live.lines[index, 2 * k]
    for index in range(np.uint64(n_classes)):
        to = live.table[assume_nonnegative(live.class_id[index])].address_off
        for k in range(n_lines):
            sums.lines[assume_nonnegative(to + k * LANES)] += live.lines[index, 2 * k + 1]

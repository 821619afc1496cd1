"""Classes of live units."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined
from fastmlp.compiled.masks import mask_greater, popcount, select
from fastmlp.compiled.reductions import store_totals
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import add, broadcast, broadcast_load, fma, fnma, load, multiply, negative, store, zeros
from fastmlp.engines.univariate.kernels.layout import (
    CODE_OFF,
    CODE_ON,
    CROSSINGS,
    ERROR_OFF,
    ERROR_ON,
    GUARDED,
    LANES,
    MULTIPLICITY,
    N_CLASSES,
    N_LIVE,
    SIGN_OFF,
    SIGN_ON,
    SUM_OFF,
    SUM_ON,
    TOTAL_OFF,
    TOTAL_ON,
    WIDTH,
    X_ABOVE,
    X_BELOW,
    X,
)
from fastmlp.engines.univariate.kernels.sums import add_outputs, flips, pattern


@inlined
def class_of(code: Any, side: Any, n: Any, plane: Any) -> Any:
    """Return the class of a unit that may cross the sample on one side (0: left, 1: right) of its kink."""
    if code == 0:
        return 2 * n - 1 if side else 0
    if code == n:
        return n - 1 if side else n
    if code > plane:
        return n + code - plane - 1 + side
    return code - 1 + side


@inlined
def release(units: Any, origin: Any, j: Any, live: Any, counters: Any, code: Any) -> None:
    """Append a unit to the free ones."""
    n_live = counters[N_LIVE]
    for k in range(len(units)):
        live.units[k][n_live] = units[k][j]
    live.origin[n_live] = origin[j]
    live.code[n_live] = code
    counters[N_LIVE] = n_live + 1


@inlined
def free_astray(
    index: Any,
    classes: Any,
    live: Any,
    counters: Any,
    passed: Any,
    samples: Any,
    patterns: Any,
    rule: Any,
    plane: Any,
    outputs: Any,
) -> None:
    """Free the units that left a class, and add them to the sums of their patterns."""
    size = len(outputs) + 2
    units = live.units
    places, factors = classes.places[live.class_id[index]], classes.factors[live.class_id[index]]
    x, x_below, x_above = factors[X], factors[X_BELOW], factors[X_ABOVE]
    below_active, above_active = places[GUARDED] & 1 != 0, places[GUARDED] & 2 != 0
    j = live.class_first[index]
    stop = j + live.class_count[index]
    while j < stop:
        w = units[0][j]
        b = units[1][j]
        if ((w * x_below > -b) == below_active) & ((w * x_above > -b) == above_active):
            j += 1
            continue
        old = places[CODE_ON] if w * x > -b else places[CODE_OFF]
        new = assume_nonnegative(pattern(w, b, old, samples, patterns, plane))
        counters[CROSSINGS] += flips(old, new, samples.n_before, plane)
        release(units, live.origin, j, live, counters, new)
        add_outputs(units, np.uint64(j), new, passed, plane, rule, outputs)
        stop -= 1
        for k in range(size):
            units[k][j] = units[k][stop]
            units[k][stop] = 0.0
        live.origin[j] = live.origin[stop]
    live.class_count[index] = stop - live.class_first[index]


@inlined
def move_class(
    index: Any,
    moved: Any,
    classes: Any,
    live: Any,
    counters: Any,
    passed: Any,
    samples: Any,
    patterns: Any,
    rule: Any,
    plane: Any,
    outputs: Any,
) -> None:
    """Update the units of a class and write their sums; free those that left it.

    The units of zeros that fill the last vector are active nowhere and stay zeros.
    """
    n_out = len(outputs)
    units = live.units
    like = units[0]
    first = assume_nonnegative(live.class_first[index])
    count = live.class_count[index]
    group = assume_nonnegative(live.class_id[index])
    places, factors = classes.places, classes.factors
    # w x > -b is asked as b > w (-x): the same to the last bit, and nothing to turn round for each vector.
    minus_x = negative(broadcast_load(factors, (group, X)))
    minus_below = negative(broadcast_load(factors, (group, X_BELOW)))
    minus_above = negative(broadcast_load(factors, (group, X_ABOVE)))
    all_below, all_above = -(places[group, GUARDED] & 1), -(places[group, GUARDED] >> 1)
    s_on = vectors(like, 8)
    s_off = vectors(like, 8)
    new = vectors(like, 4)
    added = vectors(like, 16)  # [2 k + (0: active, 1: all)]
    sign_on, sign_off = broadcast_load(factors, (group, SIGN_ON)), broadcast_load(factors, (group, SIGN_OFF))
    for k in range(2 * n_out):
        error_on = broadcast_load(passed.errors, (assume_nonnegative(places[group, ERROR_ON] + k * LANES),))
        error_off = broadcast_load(passed.errors, (assume_nonnegative(places[group, ERROR_OFF] + k * LANES),))
        s_on[k] = fma(
            sign_on, error_on, broadcast_load(passed.totals, (assume_nonnegative(places[group, TOTAL_ON] + k),))
        )
        s_off[k] = fma(
            sign_off, error_off, broadcast_load(passed.totals, (assume_nonnegative(places[group, TOTAL_OFF] + k),))
        )
        added[2 * k] = zeros(like)
        added[2 * k + 1] = zeros(like)
    rate_w, rate_b, rate_v = broadcast(rule.rate_w), broadcast(rule.rate_b), broadcast(rule.rate_v)
    centre, shift = broadcast(rule.centre), broadcast(rule.centre * rule.rate_w)
    n_flips: Any = 0
    astray: Any = 0
    for part in range((count + WIDTH - 1) // WIDTH):
        j = assume_nonnegative(first + part * WIDTH)
        w = load(units[0], (j,))
        b = load(units[1], (j,))
        was_active = mask_greater(b, multiply(w, minus_x))
        t0 = zeros(like)
        t1 = zeros(like)
        for o in range(n_out):
            s0 = select(was_active, s_on[2 * o], s_off[2 * o])
            s1 = select(was_active, s_on[2 * o + 1], s_off[2 * o + 1])
            v = load(units[2 + o], (j,))
            t0 = fma(v, s0, t0)
            t1 = fma(v, s1, t1)
            new[o] = fnma(rate_v, fma(w, s1, multiply(b, s0)), v)
            store(units[2 + o], (j,), new[o])
        pull = fma(centre, t0, t1)
        w = fnma(rate_w, pull, w)
        b = fnma(shift, pull, fnma(rate_b, t0, b))
        store(units[0], (j,), w)
        store(units[1], (j,), b)
        is_active = mask_greater(b, multiply(w, minus_x))
        n_flips += popcount(was_active ^ is_active)
        # Which lanes hold no unit: those are not astray.
        is_unit = (1 << min(count - part * WIDTH, WIDTH)) - 1
        is_out = mask_greater(b, multiply(w, minus_below)) ^ all_below
        is_out |= mask_greater(b, multiply(w, minus_above)) ^ all_above
        is_out &= is_unit
        astray |= is_out
        for o in range(n_out):
            for row in range(2):
                term = multiply(new[o], b if row else w)
                if is_out:
                    term = select(is_out, zeros(like), term)
                k = 2 * (2 * o + row)
                added[k] = select(is_active, add(added[k], term), added[k])
                added[k + 1] = add(added[k + 1], term)
    counters[CROSSINGS] += n_flips * places[group, MULTIPLICITY]
    if astray:
        free_astray(index, classes, live, counters, passed, samples, patterns, rule, plane, outputs)
    store_totals(moved, (assume_nonnegative(index), 0), added, outputs + outputs + outputs + outputs)


@inlined
def add_classes(moved: Any, classes: Any, live: Any, counters: Any, passed: Any, outputs: Any) -> None:
    """Add what all classes have moved to the sums of their patterns, and to those left of all samples.

    Neighbouring classes share a pattern: added by each class as it moves, every sum had to wait until the class before
    had stored it. Of one side all patterns differ, but for "all" and "none".
    """
    n_parts = (4 * len(outputs) + WIDTH - 1) // WIDTH
    base = vectors(moved, 8)
    for part in range(8):
        base[part] = zeros(moved)
    for index in range(np.uint64(counters[N_CLASSES])):
        group = assume_nonnegative(live.class_id[index])
        to = classes.places[group, SUM_ON]
        for k in range(2 * len(outputs)):
            passed.sums[assume_nonnegative(to + k * LANES)] += moved[index, 2 * k]
        for part in range(n_parts):
            gains = load(classes.gains, (group, part * WIDTH))
            base[part] = fma(gains, load(moved, (index, part * WIDTH)), base[part])
    for index in range(np.uint64(counters[N_CLASSES])):
        to = classes.places[assume_nonnegative(live.class_id[index]), SUM_OFF]
        for k in range(2 * len(outputs)):
            passed.sums[assume_nonnegative(to + k * LANES)] += moved[index, 2 * k + 1] - moved[index, 2 * k]
    for part in range(n_parts):
        store(moved, (0, part * WIDTH), base[part])
    for k in range(2 * len(outputs)):
        passed.base[k] += moved[0, 2 * k] + moved[0, 2 * k + 1]

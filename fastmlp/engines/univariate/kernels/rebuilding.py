"""Alarms, and sorting all units into patterns and classes anew."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inlined
from fastmlp.engines.univariate.kernels.layout import (
    CODE_OFF,
    CODE_ON,
    COST_OF_BLOCK,
    COST_OF_CODE,
    COST_OF_FAR_BLOCK,
    COST_OF_LIVE,
    COST_OF_REBUILD,
    COST_OF_UNIT,
    CROSSINGS,
    EPOCH,
    HORIZON,
    LANES,
    LAST_REBUILD,
    LEAST_CLASS,
    LEAVES,
    LONGEST,
    N_BLOCKS,
    N_CLASSED,
    N_CLASSES,
    N_LIVE,
    N_LOOSE,
    NEAR_BLOCKS,
    NEXT_REBUILD,
    SHORTEST,
    WIDTH,
    X,
)
from fastmlp.engines.univariate.kernels.live_classes import class_of, release
from fastmlp.engines.univariate.kernels.maps import apply_map, expect, looseness, map_fields, settle, triangle
from fastmlp.engines.univariate.kernels.sums import flips, is_astray, pattern


@inlined
def gather(settled: Any, live: Any, spare: Any, counters: Any, classes: Any, outputs: Any) -> None:
    """Write all units as they are now, with their places and codes, into spare."""
    size = len(outputs) + 2
    to = np.int64(0)  # as elsewhere: a literal would compile `apply_map` a second time
    for code in range(settled.count.size):
        first = settled.first[code]
        for j in range(first, first + settled.count[code]):
            apply_map(code, settled.units, j, spare.units, to, settled.maps, outputs)
            spare.origin[to] = settled.origin[j]
            spare.code[to] = code
            to += 1
    for index in range(counters[N_CLASSES]):
        x = classes.factors[live.class_id[index], X]
        on, off = classes.places[live.class_id[index], CODE_ON], classes.places[live.class_id[index], CODE_OFF]
        for j in range(live.class_first[index], live.class_first[index] + live.class_count[index]):
            live.code[j] = on if live.units[0][j] * x > -live.units[1][j] else off
            for k in range(size):
                spare.units[k][to] = live.units[k][j]
            spare.origin[to] = live.origin[j]
            spare.code[to] = live.code[j]
            to += 1
    for j in range(counters[N_CLASSED], counters[N_LIVE]):
        for k in range(size):
            spare.units[k][to] = live.units[k][j]
        spare.origin[to] = live.origin[j]
        spare.code[to] = live.code[j]
        to += 1


@inlined
def answer_alarms(
    settled: Any,
    live: Any,
    counters: Any,
    spare: Any,
    passed: Any,
    samples: Any,
    patterns: Any,
    rule: Any,
    plane: Any,
    outputs: Any,
) -> None:
    """Start the patterns alarmed anew without the units that have crossed or may; these become free.

    The units are already updated in this epoch: the sums of their patterns are corrected here, those of the freed ones
    are left to the caller.
    """
    n_out = len(outputs)
    size = n_out + 2
    units, maps = settled.units, settled.maps
    expected, loose = spare.expected, spare.looseness
    moment, _, _, n_fields = map_fields(outputs)
    for turn in range(counters[N_BLOCKS] * LANES):
        lane = turn % LANES
        if not spare.alarms[turn // LANES] >> lane & 1:
            continue
        block = settled.block_id[turn // LANES]
        code = block * LANES + lane
        at = block * n_fields * LANES + lane
        first = settled.first[code]
        stop = first + settled.count[code]
        remaining = max(counters[NEXT_REBUILD] - counters[EPOCH], 1)
        expect(code, remaining, expected, passed, patterns, plane, rule, outputs)
        for j in range(first, stop):
            apply_map(code, units, j, units, j, maps, outputs)
        looseness(loose, units, first, stop, code, expected, patterns, outputs)
        j = first
        while j < stop:
            w = units[0][j]
            b = units[1][j]
            new = code
            if is_astray(w, b, code, patterns):
                new = pattern(w, b, code, samples, patterns, plane)
                counters[CROSSINGS] += flips(code, new, samples.n_before, plane)
            elif loose[j] < 4.0:
                j += 1
                continue
            release(units, settled.origin, j, live, counters, new)
            stop -= 1
            for k in range(size):
                units[k][j] = units[k][stop]
            loose[j] = loose[stop]
            settled.origin[j] = settled.origin[stop]
        settled.count[code] = stop - first
        settle(code, units, first, stop, maps, expected, patterns, outputs)
        gain = 1.0 if code > plane else rule.slope
        for k in range(2 * n_out):
            to = (2 * n_out * block + k) * LANES + lane
            moved = maps[at + (moment + triangle(k % 2, 2 + k // 2, size)) * LANES]
            passed.base[k] += gain * (moved - passed.sums[to])
            passed.sums[to] = moved


@inlined
def choose_horizon(spare: Any, counters: Any, n_codes: Any, may_grow: Any) -> Any:
    """Halve, keep or double the horizon, whichever makes an epoch cheapest by the counts of loose units.

    Returns the looseness from which units are live at the horizon chosen, and the factor.
    """
    n_two: Any = 0
    n_one: Any = 0
    n_half: Any = 0
    for j in range(np.uint64(spare.code.size)):
        n_two += np.int64(spare.looseness[j] >= 2.0)
        n_one += np.int64(spare.looseness[j] >= 4.0)
        n_half += np.int64(spare.looseness[j] >= 6.0)
    rebuilding = (COST_OF_REBUILD * spare.code.size + COST_OF_CODE * n_codes) / counters[HORIZON]
    half = 2 * rebuilding + COST_OF_LIVE * n_half
    one = rebuilding + COST_OF_LIVE * n_one
    two = rebuilding / 2 + COST_OF_LIVE * n_two
    if may_grow and two < one and 2 * counters[HORIZON] <= LONGEST:
        counters[HORIZON] *= 2
        return 1, 2.0
    if half < one and counters[HORIZON] > SHORTEST:
        counters[HORIZON] //= 2
        return 3, 0.5
    return 2, 1.0


@inlined
def count_groups(settled: Any, live: Any, spare: Any, counters: Any, least: Any, n: Any, plane: Any) -> None:
    """Make room for each pattern and class; units of at least this looseness are live.

    Leaves settled.count zero, and in spare.class_count where the units of each class go, or -1 if they stay free.
    """
    settled.count[:] = 0
    spare.class_count[:] = 0
    for j in range(np.uint64(spare.code.size)):
        code = spare.code[j]
        if spare.looseness[j] < 2 * least:
            settled.count[code] += 1
        else:
            spare.class_count[class_of(code, np.int64(spare.looseness[j]) & 1, n, plane)] += 1
    at = 0
    n_blocks = 0
    for code in range(settled.count.size):
        settled.first[code] = at
        at += settled.count[code]
        if settled.count[code] > 0 and (n_blocks == 0 or settled.block_id[n_blocks - 1] != code // LANES):
            settled.block_id[n_blocks] = code // LANES
            n_blocks += 1
        settled.count[code] = 0
    at = 0
    n_classes = 0
    for group in range(2 * n):
        count = spare.class_count[group]
        if count < LEAST_CLASS:
            spare.class_count[group] = -1
            continue
        live.class_id[n_classes] = group
        live.class_first[n_classes] = at
        live.class_count[n_classes] = count
        n_classes += 1
        spare.class_count[group] = at
        at += -(-count // WIDTH) * WIDTH
        for k in range(len(live.units)):
            for j in range(max(at - WIDTH, 0), at):
                live.units[k][j] = 0.0
    counters[N_BLOCKS] = n_blocks
    counters[N_CLASSES] = n_classes
    counters[N_CLASSED] = at


@inlined
def place_units(settled: Any, live: Any, spare: Any, counters: Any, least: Any, n: Any, plane: Any) -> None:
    """Copy each unit from spare to its pattern, its class, or the free ones."""
    n_live = counters[N_CLASSED]
    for j in range(np.uint64(spare.code.size)):
        code = spare.code[j]
        if spare.looseness[j] < 2 * least:
            to = settled.first[code] + settled.count[code]
            settled.count[code] += 1
            for k in range(len(settled.units)):
                settled.units[k][to] = spare.units[k][j]
            settled.origin[to] = spare.origin[j]
            continue
        group = class_of(code, np.int64(spare.looseness[j]) & 1, n, plane)
        to = spare.class_count[group]
        if to < 0:
            to = n_live
            live.code[to] = code
            n_live += 1
        else:
            spare.class_count[group] += 1
        for k in range(len(live.units)):
            live.units[k][to] = spare.units[k][j]
        live.origin[to] = spare.origin[j]
    counters[N_LIVE] = n_live
    counters[N_LOOSE] = n_live


@inlined
def rebuild(
    settled: Any,
    live: Any,
    spare: Any,
    counters: Any,
    passed: Any,
    samples: Any,
    patterns: Any,
    classes: Any,
    rule: Any,
    plane: Any,
    outputs: Any,
) -> None:
    """Sort all units into patterns and classes anew, for a horizon chosen by how many would be loose."""
    n = samples.n_before.size - 1
    n_codes = settled.count.size
    expected = spare.expected
    is_early = counters[EPOCH] < counters[NEXT_REBUILD]
    if is_early:
        counters[HORIZON] = max(counters[HORIZON] // 2, SHORTEST)
    gather(settled, live, spare, counters, classes, outputs)
    settled.count[:] = 0
    for j in range(np.uint64(spare.code.size)):
        settled.count[spare.code[j]] += 1
    for code in range(n_codes):
        if settled.count[code] > 0:
            expect(code, counters[HORIZON], expected, passed, patterns, plane, rule, outputs)
    first = np.int64(0)
    while first < spare.code.size:
        code = spare.code[first]
        stop = first + 1
        while stop < spare.code.size and spare.code[stop] == code:
            stop += 1
        looseness(spare.looseness, spare.units, first, stop, code, expected, patterns, outputs)
        first = stop
    least, factor = choose_horizon(spare, counters, n_codes, not is_early)
    for code in range(n_codes):
        expected[0, code] *= factor * factor
        for k in range(1, expected.shape[0]):
            expected[k, code] *= factor

    count_groups(settled, live, spare, counters, least, n, plane)
    place_units(settled, live, spare, counters, least, n, plane)
    for index in range(counters[N_BLOCKS]):
        for code in range(settled.block_id[index] * LANES, (settled.block_id[index] + 1) * LANES):
            first = settled.first[code]
            settle(code, settled.units, first, first + settled.count[code], settled.maps, expected, patterns, outputs)
    counters[NEXT_REBUILD] = counters[EPOCH] + counters[HORIZON]
    lasting = max(counters[EPOCH] - counters[LAST_REBUILD], 1) if is_early else counters[HORIZON]
    rebuilding = (COST_OF_REBUILD * spare.code.size + COST_OF_CODE * n_codes) / lasting
    n_blocks = counters[N_BLOCKS]
    stepping = (COST_OF_BLOCK if n_blocks <= NEAR_BLOCKS else COST_OF_FAR_BLOCK) * n_blocks
    n_single = counters[N_LIVE] - counters[N_CLASSED]
    cost = stepping + COST_OF_LIVE * counters[N_CLASSED] + COST_OF_UNIT * n_single + rebuilding
    counters[LEAVES] = np.int64(cost > COST_OF_UNIT * spare.code.size)
    counters[LAST_REBUILD] = counters[EPOCH]

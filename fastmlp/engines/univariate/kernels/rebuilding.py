"""Alarms, and the rebuild that divides all units into mapped and live ones anew.

When P of a pattern reaches a bound (an alarm), P is applied to the units of that pattern, those that may cross become
free, and the map starts anew. A rebuild does so for all patterns. It chooses the horizon, the epochs until the next
rebuild, by a count of the units that would be live: a longer horizon means fewer rebuilds and more live units.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inline_ir, inlined
from fastmlp.engines.engine import Array, Rates
from fastmlp.engines.univariate.kernels.layout import (
    LANES,
    LEAST_CLASS,
    WIDTH,
    Data,
    LiveUnits,
    MappedUnits,
    MomentNet,
    PatternSums,
    Scratch,
    Units,
    address_of,
)
from fastmlp.engines.univariate.kernels.live_classes import class_of, free_unit
from fastmlp.engines.univariate.kernels.look_up import has_left, look_up
from fastmlp.engines.univariate.kernels.maps import (
    apply_map,
    forecast_map,
    map_fields,
    start_map,
    triangle,
    write_levels,
)

SHORTEST, LONGEST = 8, 2**16  # epochs between rebuilds

# Nanoseconds, measured (benchmarks/NOTES.md): they weigh counts, so that choices depend on nothing else.
COST_OF_BLOCK, COST_OF_FAR_BLOCK = 40.0, 80.0  # where all blocks fit into the second-level cache, and where not
NEAR_BLOCKS = 250
COST_OF_LIVE = 2.0  # in a class
COST_OF_REBUILD = 15.0  # per unit
COST_OF_CODE = 10.0  # of a rebuild, per code; measured 50, but with few units most live ones are single
COST_OF_UNIT = 7.0  # by itself


@inlined
def copy_unit(units: Units, j: Any, origin: Any, code: Any, to: Any, scratch: Scratch) -> None:
    """Write a unit, its number and its code to a place of scratch."""
    for k in range(len(units)):
        scratch.units[k][to] = units[k][j]
    scratch.origin[to] = origin
    scratch.code[to] = code


@inlined
def gather(mapped: MappedUnits, live: LiveUnits, scratch: Scratch, counters: np.record) -> None:
    """Write all units as they are now, with their numbers and codes, into scratch."""
    to = np.int64(0)  # as elsewhere: a literal would compile `apply_map` a second time
    for code in range(mapped.n_units.size):
        first = mapped.first[code]
        for j in range(first, first + mapped.n_units[code]):
            apply_map(code, mapped.units, j, scratch.units, to, mapped.maps)
            scratch.origin[to] = mapped.origin[j]
            scratch.code[to] = code
            to += 1
    for index in range(counters.n_classes):
        row = live.table[live.class_id[index]]
        for j in range(live.class_first[index], live.class_first[index] + live.class_count[index]):
            code = row.code_on if live.units[1][j] > live.units[0][j] * row.minus_x else row.code_off
            copy_unit(live.units, j, live.origin[j], code, to, scratch)
            to += 1
    for j in range(counters.n_classed, counters.n_live):
        copy_unit(live.units, j, live.origin[j], live.code[j], to, scratch)
        to += 1


@inline_ir
def restart_map(code: Any, net: MomentNet, sums: PatternSums, rates: Rates, data: Data) -> None:
    """Apply the map of a pattern, free the units that have crossed a sample or may, and start the map anew.

    The units are already updated in this epoch: the line of their pattern is corrected here, those of the freed units
    are left to the caller.
    """
    mapped, live = net.mapped, net.live
    scratch, counters = net.scratch, net.counters[0]
    units, level = mapped.units, scratch.level
    first = mapped.first[code]
    stop = first + mapped.n_units[code]
    horizon = max(counters.next_rebuild - counters.epoch, 1)
    forecast_map(code, horizon, scratch.forecast, sums, rates, data)
    for j in range(first, stop):
        apply_map(code, units, j, units, j, mapped.maps)
    write_levels(level, units, (first, stop), code, scratch.forecast, data)
    j = first
    while j < stop:
        w = units[0][j]
        b = units[1][j]
        new = code
        if has_left(w, b, code, data):
            new, n_flips = look_up(w, b, code, data)
            counters.crossings += n_flips
        elif level[j] < 4.0:
            j += 1
            continue
        stop -= 1
        free_unit(units, mapped.origin, j, stop, live, counters.n_live)
        live.code[counters.n_live] = new
        counters.n_live += 1
        level[j] = level[stop]
    mapped.n_units[code] = stop - first
    start_map(code, units, (first, stop), mapped.maps, scratch.forecast, data)
    n_out = len(data.outputs)
    fields = map_fields(n_out)
    at = address_of(code, fields.n_fields)
    to = address_of(code, 2 * n_out)
    for k in range(2 * n_out):
        entry = triangle(k % 2, 2 + k // 2, n_out + 2)
        sums.lines[to + k * LANES] = mapped.maps[at + (fields.moments + entry) * LANES]


@inlined
def answer_alarms(net: MomentNet, sums: PatternSums, rates: Rates, data: Data) -> None:
    """Restart the maps that have reached a bound."""
    for turn in range(net.counters[0].n_blocks * LANES):
        lane = turn % LANES
        if net.scratch.alarms[turn // LANES] >> lane & 1:
            restart_map(net.mapped.block_id[turn // LANES] * LANES + lane, net, sums, rates, data)


@inlined
def choose_horizon(level: Array, counters: np.record, rebuild_cost: Any, may_grow: Any) -> Any:
    """Halve, keep or double the horizon, whichever makes an epoch cheapest by the counts of units by level.

    Returns the level from which units are live at the horizon chosen, and the factor.
    """
    n_two: Any = 0
    n_one: Any = 0
    n_half: Any = 0
    for j in range(np.uint64(level.size)):
        n_two += np.int64(level[j] >= 2.0)
        n_one += np.int64(level[j] >= 4.0)
        n_half += np.int64(level[j] >= 6.0)
    rebuilding = rebuild_cost / counters.horizon
    half = 2 * rebuilding + COST_OF_LIVE * n_half
    one = rebuilding + COST_OF_LIVE * n_one
    two = rebuilding / 2 + COST_OF_LIVE * n_two
    if may_grow and two < one and 2 * counters.horizon <= LONGEST:
        counters.horizon *= 2
        return 1, 2.0
    if half < one and counters.horizon > SHORTEST:
        counters.horizon //= 2
        return 3, 0.5
    return 2, 1.0


@inlined
def allot_mapped(mapped: MappedUnits, counters: np.record) -> None:
    """Make room for the units of each code, mapped.n_units of them, and leave mapped.n_units zero."""
    at = 0
    n_blocks = 0
    for code in range(mapped.n_units.size):
        mapped.first[code] = at
        at += mapped.n_units[code]
        if mapped.n_units[code] > 0 and (n_blocks == 0 or mapped.block_id[n_blocks - 1] != code // LANES):
            mapped.block_id[n_blocks] = code // LANES
            n_blocks += 1
        mapped.n_units[code] = 0
    counters.n_blocks = n_blocks


@inlined
def allot_classes(live: LiveUnits, class_next: Array, counters: np.record) -> None:
    """Make room for the units of each class, class_next of them, and leave there where the first one goes."""
    at = 0
    n_classes = 0
    for group in range(class_next.size):
        count = class_next[group]
        if count < LEAST_CLASS:
            class_next[group] = -1
            continue
        live.class_id[n_classes] = group
        live.class_first[n_classes] = at
        live.class_count[n_classes] = count
        n_classes += 1
        class_next[group] = at
        at += -(-count // WIDTH) * WIDTH
        for k in range(len(live.units)):
            for j in range(max(at - WIDTH, 0), at):
                live.units[k][j] = 0.0
    counters.n_classes = n_classes
    counters.n_classed = at


@inlined
def place_units(
    mapped: MappedUnits, live: LiveUnits, scratch: Scratch, counters: np.record, least: Any, data: Data
) -> None:
    """Copy each unit from scratch to its pattern, its class, or the free ones; units of level 2 least are live."""
    mapped.n_units[:] = 0
    scratch.class_next[:] = 0
    for j in range(np.uint64(scratch.code.size)):
        code = scratch.code[j]
        if scratch.level[j] < 2 * least:
            mapped.n_units[code] += 1
        else:
            scratch.class_next[class_of(code, np.int64(scratch.level[j]) & 1, data)] += 1
    allot_mapped(mapped, counters)
    allot_classes(live, scratch.class_next, counters)
    n_live = counters.n_classed
    for j in range(np.uint64(scratch.code.size)):
        code = scratch.code[j]
        if scratch.level[j] < 2 * least:
            to = mapped.first[code] + mapped.n_units[code]
            mapped.n_units[code] += 1
            for k in range(len(mapped.units)):
                mapped.units[k][to] = scratch.units[k][j]
            mapped.origin[to] = scratch.origin[j]
            continue
        group = class_of(code, np.int64(scratch.level[j]) & 1, data)
        to = scratch.class_next[group]
        if to < 0:
            to = n_live
            live.code[to] = code
            n_live += 1
        else:
            scratch.class_next[group] += 1
        for k in range(len(live.units)):
            live.units[k][to] = scratch.units[k][j]
        live.origin[to] = scratch.origin[j]
    counters.n_live = n_live
    counters.n_live_rebuilt = n_live


@inline_ir
def forecast_levels(net: MomentNet, sums: PatternSums, rates: Rates, data: Data) -> None:
    """Overwrite the forecasts of the patterns in use and the levels of all units, which lie in scratch."""
    scratch, n_units = net.scratch, net.mapped.n_units
    n_units[:] = 0
    for j in range(np.uint64(scratch.code.size)):
        n_units[scratch.code[j]] += 1
    for code in range(n_units.size):
        if n_units[code] > 0:
            forecast_map(code, net.counters[0].horizon, scratch.forecast, sums, rates, data)
    first = np.int64(0)
    while first < scratch.code.size:
        code = scratch.code[first]
        stop = first + 1
        while stop < scratch.code.size and scratch.code[stop] == code:
            stop += 1
        write_levels(scratch.level, scratch.units, (first, stop), code, scratch.forecast, data)
        first = stop


@inlined
def epoch_cost(counters: np.record, rebuild_cost: Any, lasting: Any) -> Any:
    """Return the cost of an epoch where a rebuild lasts for so many."""
    n_blocks = counters.n_blocks
    stepping = (COST_OF_BLOCK if n_blocks <= NEAR_BLOCKS else COST_OF_FAR_BLOCK) * n_blocks
    n_free = counters.n_live - counters.n_classed
    return stepping + COST_OF_LIVE * counters.n_classed + COST_OF_UNIT * n_free + rebuild_cost / lasting


@inlined
def rebuild(net: MomentNet, sums: PatternSums, rates: Rates, data: Data) -> None:
    """Divide all units into mapped and live ones anew, for a horizon chosen by how many would be live."""
    mapped, scratch, counters = net.mapped, net.scratch, net.counters[0]
    is_early = counters.epoch < counters.next_rebuild
    if is_early:
        counters.horizon = max(counters.horizon // 2, SHORTEST)
    gather(mapped, net.live, scratch, counters)
    forecast_levels(net, sums, rates, data)
    rebuild_cost = COST_OF_REBUILD * scratch.code.size + COST_OF_CODE * mapped.n_units.size
    least, factor = choose_horizon(scratch.level[: scratch.code.size], counters, rebuild_cost, not is_early)
    for code in range(mapped.n_units.size):
        scratch.forecast[0, code] *= factor * factor
        for k in range(1, scratch.forecast.shape[0]):
            scratch.forecast[k, code] *= factor
    place_units(mapped, net.live, scratch, counters, least, data)
    for index in range(counters.n_blocks):
        for code in range(mapped.block_id[index] * LANES, (mapped.block_id[index] + 1) * LANES):
            first = mapped.first[code]
            start_map(code, mapped.units, (first, first + mapped.n_units[code]), mapped.maps, scratch.forecast, data)
    counters.next_rebuild = counters.epoch + counters.horizon
    lasting = max(counters.epoch - counters.last_rebuild, 1) if is_early else counters.horizon
    counters.leaves = np.int64(epoch_cost(counters, rebuild_cost, lasting) > COST_OF_UNIT * scratch.code.size)
    counters.last_rebuild = counters.epoch

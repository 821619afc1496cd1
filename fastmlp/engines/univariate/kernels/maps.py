"""Pattern maps: the update of all units of a pattern as one matrix, and the bound within which none of them crosses.

For a fixed pattern the update of `prefix_sums` is one linear map for all its units, theta <- M theta with
theta = (w, b, v_0, v_1, ...). So a pattern keeps the product P of its maps and the second moment Q = sum theta theta^T
of its units, both since the last rebuild: sum v w and sum v b are entries of P Q P^T. A unit is updated individually
only when its kink may cross a sample, which the following bound tells.

*Bound.* Let x be one of the two samples beside the kinks of a pattern, z(0) and theta(0) a unit at the rebuild, and P
the product since. Then z(t) = (x, 1, 0) P theta(0) = z(0) + sum_o delta_o v_o(0) + rest, with
delta_o = x P_wo + P_bo and rest = (x, 1) E (w(0), b(0))^T, E = [[P_ww - 1, P_wb], [P_bw, P_bb - 1]]. By Cauchy and
Schwarz, and since the spectral norm of a matrix does not exceed the sum of its moduli,
|rest| <= sqrt(1 + x^2) excess |(w(0), b(0))| <= reach excess with excess = sum |E| and
reach = sqrt(1 + x^2) (|w(0)| + |b(0)|). Choose a limit K > 0 with margin = |z(0)| - reach K > 0 (units for which there
is none are live) and shares p_o >= 0 of sum 1. While excess < K and, for each o,
sgn(z(0)) v_o(0) delta_o >= -p_o margin, the sum over o gives
sgn(z(0)) z(t) >= |z(0)| - margin - reach excess = reach (K - excess) > 0: the unit has not crossed x.

For a given o this is a lower or an upper bound of delta_o that is the same in all epochs. The strictest over the units
of a pattern are two numbers for each sample and output. They are checked on the true P of every epoch, so nothing is
assumed of the errors to come: K and p_o only decide how soon a bound is reached. Rounding of P moves z by 1e-16 of its
terms in an epoch, as it does in any engine.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined
from fastmlp.compiled.masks import mask_greater, mask_greater_equal, select
from fastmlp.compiled.reductions import largest, total
from fastmlp.compiled.registers import registers, vectors
from fastmlp.compiled.vectors import (
    absolute,
    add,
    broadcast,
    broadcast_load,
    divide,
    fma,
    fnma,
    load,
    multiply,
    negative,
    store,
    subtract,
    zeros,
)
from fastmlp.engines.engine import Array, Rates
from fastmlp.engines.univariate.kernels.layout import (
    LANES,
    MAX_ENTRIES,
    MAX_LINES,
    MAX_MAP_OUTPUTS,
    MAX_MOMENTS,
    MAX_ROWS,
    MAX_STEPS,
    WIDTH,
    Data,
    PatternSums,
    Units,
    Vectors,
    address_of,
)
from fastmlp.engines.univariate.kernels.sums import gradient_sum

SAFETY = 1.5  # bounds are set for this many times the drift expected until the next rebuild
SLACK = 0.1  # and for this part of it in the direction not expected
LEAST_EXCESS = 1e-5


class MapFields(NamedTuple):
    """Where a block of maps has Q, K and the bounds, and how many fields it has; P comes first, row by row.

    Q holds its upper triangle, row by row; bounds are [output][side][least, greatest].
    """

    moments: int
    limit: int
    bounds: int
    n_fields: int


@inlined
def map_fields(n_out: Any) -> Any:
    """Return the fields of the maps of nets with so many outputs."""
    size = n_out + 2
    moments = size * size
    limit = moments + size * (size + 1) // 2
    return MapFields(moments, limit, limit + 1, limit + 1 + 4 * n_out)


@inlined
def triangle(i: Any, k: Any, size: Any) -> Any:
    """Return the place of entry (i, k) of a symmetric matrix of which the upper triangle is kept."""
    low = min(i, k)
    return low * size - low * (low + 1) // 2 + max(i, k)


@inlined
def multiply_maps(z: Array, lane: Any, steps: Vectors, p: Vectors, n_out: Any) -> None:
    """P <- M P for a vector of patterns: z [field][lane] is updated, p gets the rows of P.

    steps [4 o + i] hold the entries of 1 - M: (0) w and (1) b from v_o, v_o from (2) w and (3) b.
    """
    size = n_out + 2
    for j in range(size):
        w = load(z, (j * LANES + lane,))
        b = load(z, ((size + j) * LANES + lane,))
        p[j] = w
        p[size + j] = b
        for o in range(n_out):
            v = load(z, (((2 + o) * size + j) * LANES + lane,))
            p[j] = fnma(steps[4 * o], v, p[j])
            p[size + j] = fnma(steps[4 * o + 1], v, p[size + j])
            p[(2 + o) * size + j] = fnma(steps[4 * o + 2], w, fnma(steps[4 * o + 3], b, v))
    for k in range(size * size):
        store(z, (k * LANES + lane,), p[k])


@inlined
def find_alarms(z: Array, lane: Any, p: Vectors, data: Data, code: Any) -> Any:
    """Return one bit for each of a vector of patterns, which begins at code + lane: whether P has reached a bound."""
    n_out = len(data.outputs)
    size = n_out + 2
    fields = map_fields(n_out)
    one = broadcast(1.0)
    stretch = add(absolute(subtract(p[0], one)), absolute(subtract(p[size + 1], one)))
    excess = add(stretch, add(absolute(p[1]), absolute(p[size])))
    is_alarm = mask_greater_equal(excess, load(z, (fields.limit * LANES + lane,)))
    for o in range(n_out):
        for side in range(2):
            drift = fma(load(data.neighbour_x, (side, code + lane)), p[2 + o], p[size + 2 + o])
            at = (fields.bounds + 4 * o + 2 * side) * LANES + lane
            is_alarm |= mask_greater(load(z, (at,)), drift) | mask_greater(drift, load(z, (at + LANES,)))
    return is_alarm


@inlined
def write_lines(z: Array, lane: Any, p: Vectors, lines: Array, n_out: Any) -> None:
    """Overwrite the lines of a vector of patterns, the entries (v, w) and (v, b) of P Q P^T."""
    size = n_out + 2
    fields = map_fields(n_out)
    for o in range(n_out):
        vw = zeros(z)
        vb = zeros(z)
        for k in range(size):
            q = zeros(z)
            for i in range(size):
                moments = load(z, ((fields.moments + triangle(i, k, size)) * LANES + lane,))
                q = fma(moments, p[(2 + o) * size + i], q)
            vw = fma(q, p[k], vw)
            vb = fma(q, p[size + k], vb)
        store(lines, (2 * o * LANES + lane,), vw)
        store(lines, ((2 * o + 1) * LANES + lane,), vb)


@inlined
def step_block(block: Any, maps: Array, sums: PatternSums, rates: Rates, data: Data) -> Any:
    """P <- M P for a block of LANES patterns; overwrite their lines; return one bit for each alarm."""
    n_out = len(data.outputs)
    map_size = map_fields(n_out).n_fields * LANES
    line_size = 2 * n_out * LANES
    z = maps[block * map_size : (block + 1) * map_size]
    lines = sums.lines[block * line_size : (block + 1) * line_size]
    errors = sums.errors[block * line_size : (block + 1) * line_size]
    rate_w, rate_b, rate_v = broadcast(rates.w1), broadcast(rates.b1), broadcast(rates.w2)
    centre = broadcast(data.centre)
    steps = vectors(z, MAX_STEPS)
    p = vectors(z, MAX_ENTRIES)
    alarms: Any = 0
    for part in range(LANES // WIDTH):
        lane = part * WIDTH
        for o in range(n_out):
            s0 = load(errors, (2 * o * LANES + lane,))
            s1 = load(errors, ((2 * o + 1) * LANES + lane,))
            steps[4 * o] = multiply(rate_w, fma(centre, s0, s1))
            steps[4 * o + 1] = fma(rate_b, s0, multiply(centre, steps[4 * o]))
            steps[4 * o + 2] = multiply(rate_v, s1)
            steps[4 * o + 3] = multiply(rate_v, s0)
        multiply_maps(z, lane, steps, p, n_out)
        alarms |= find_alarms(z, lane, p, data, block * LANES) << lane
        write_lines(z, lane, p, lines, n_out)
    return alarms


@inlined
def forecast_map(code: Any, horizon: Any, forecast: Array, sums: PatternSums, rates: Rates, data: Data) -> None:
    """Overwrite what is expected of a pattern if its sums stay as they are: K, then delta_o by output and side.

    By the series of cosh, excess is about half the product of the steps of (w, b) and of v, times the epochs squared.
    """
    steps_wb = 0.0
    step_v = 0.0
    for o in range(len(data.outputs)):
        s0 = gradient_sum(code, 2 * o, sums, data)
        s1 = gradient_sum(code, 2 * o + 1, sums, data)
        step_w = rates.w1 * (s1 + data.centre * s0)
        step_b = rates.b1 * s0 + data.centre * step_w
        for side in range(2):
            drift = -SAFETY * horizon * (data.neighbour_x[side, code] * step_w + step_b)
            forecast[1 + 2 * o + side, code] = drift
        steps_wb += abs(step_w) + abs(step_b)
        step_v += rates.w2 * (abs(s1) + abs(s0))
    forecast[0, code] = SAFETY * horizon * horizon * steps_wb * step_v


@inlined
def approach(v: Any, z: Any, drift: Any) -> Any:
    """Return by how much output weights v are expected to bring z towards 0, and some slack if they do not."""
    away = multiply(v, drift)
    towards = select(mask_greater(z, broadcast(0.0)), negative(away), away)
    return fma(broadcast(0.5), towards, multiply(broadcast(0.5 + SLACK), absolute(towards)))


@inlined
def write_levels(level: Array, units: Units, span: Any, code: Any, forecast: Array, data: Data) -> None:
    """Overwrite how soon units of one pattern may cross a sample, and on which side of their kinks that sample lies.

    level[span[0]:span[1]], and up to WIDTH - 1 entries more, get 2 n + side with n = 0: not within two horizons, 1: in
    two, 2: in one, 3: in half a horizon.
    """
    like = units[0]
    z = vectors(like, 2)
    distance = vectors(like, 2)
    remainder = vectors(like, 2)
    drift = vectors(like, 2)
    for part in range((span[1] - span[0] + WIDTH - 1) // WIDTH):
        j = assume_nonnegative(span[0] + part * WIDTH)
        w = load(units[0], (j,))
        b = load(units[1], (j,))
        size = add(absolute(w), absolute(b))
        for side in range(2):
            z[side] = fma(w, broadcast_load(data.neighbour_x, (side, code)), b)
            reach = multiply(size, broadcast_load(data.neighbour_norm, (side, code)))
            distance[side] = fnma(reach, broadcast(LEAST_EXCESS), absolute(z[side]))
            remainder[side] = multiply(reach, broadcast_load(forecast, (0, code)))
            drift[side] = zeros(like)
            for o in range(len(data.outputs)):
                expected_drift = broadcast_load(forecast, (1 + 2 * o + side, code))
                drift[side] = add(drift[side], approach(load(units[2 + o], (j,)), z[side], expected_drift))
        sooner_right: Any = 0
        sooner_left: Any = 0
        value = zeros(like)
        horizons = 2.0
        for _ in range(3):
            once, squared = broadcast(horizons), broadcast(horizons * horizons)
            left = ~mask_greater(distance[0], fma(squared, remainder[0], multiply(once, drift[0])))
            right = ~mask_greater(distance[1], fma(squared, remainder[1], multiply(once, drift[1])))
            sooner_right |= right & ~left
            sooner_left |= left & ~right
            value = add(value, select(left | right, broadcast(2.0), zeros(like)))
            horizons *= 0.5
        is_right = sooner_right | (mask_greater(absolute(z[0]), absolute(z[1])) & ~sooner_left)
        store(level, (j,), add(value, select(is_right, broadcast(1.0), zeros(like))))


@inlined
def tighten_bounds(unit: Vectors, code: Any, least: Vectors, greatest: Vectors, forecast: Array, data: Data) -> None:
    """Let the bounds [output][side] of delta keep a vector of units from crossing; each lane has bounds of its own."""
    n_out = len(data.outputs)
    zero = broadcast(0.0)
    part = vectors(forecast, MAX_MAP_OUTPUTS)
    limit = forecast[0, code] + LEAST_EXCESS
    extent = multiply(broadcast(limit), add(absolute(unit[0]), absolute(unit[1])))
    for side in range(2):
        z = fma(unit[0], broadcast_load(data.neighbour_x, (side, code)), unit[1])
        margin = fnma(broadcast_load(data.neighbour_norm, (side, code)), extent, absolute(z))
        total_part = zero
        for o in range(n_out):
            part[o] = approach(unit[2 + o], z, broadcast_load(forecast, (1 + 2 * o + side, code)))
            total_part = add(total_part, part[o])
        is_approaching = mask_greater(total_part, zero)
        for o in range(n_out):
            v = unit[2 + o]
            share = select(is_approaching, divide(part[o], total_part), broadcast(1.0 / n_out))
            bound = divide(multiply(margin, share), absolute(v))
            is_bound = mask_greater(absolute(v), zero)
            is_below = ~(mask_greater(v, zero) ^ mask_greater(z, zero))
            k = 2 * o + side
            stricter = is_bound & is_below & mask_greater(negative(bound), least[k])
            least[k] = select(stricter, negative(bound), least[k])
            stricter = is_bound & ~is_below & mask_greater(greatest[k], bound)
            greatest[k] = select(stricter, bound, greatest[k])


@inlined
def start_map(code: Any, units: Units, span: Any, maps: Array, forecast: Array, data: Data) -> None:
    """Start the map of a pattern anew: P = 1, and Q, K and the bounds from its units span[0] <= j < span[1]."""
    n_out = len(data.outputs)
    size = n_out + 2
    fields = map_fields(n_out)
    at = assume_nonnegative(address_of(code, fields.n_fields))
    for field in range(fields.limit):
        maps[at + field * LANES] = 0.0
    if span[0] == span[1]:  # P = 0 stays 0, whatever the sums: it neither grows nor reaches a bound
        maps[at + fields.limit * LANES] = np.inf
        return
    for k in range(size):
        maps[at + k * (size + 1) * LANES] = 1.0
    maps[at + fields.limit * LANES] = forecast[0, code] + LEAST_EXCESS
    zero = zeros(maps)
    unit = vectors(maps, MAX_ROWS)
    moments = vectors(maps, MAX_MOMENTS)
    least = vectors(maps, MAX_LINES)
    greatest = vectors(maps, MAX_LINES)
    for k in range(size * (size + 1) // 2):
        moments[k] = zero
    for k in range(2 * n_out):
        least[k] = broadcast(-np.inf)
        greatest[k] = broadcast(np.inf)
    for vector in range((span[1] - span[0] + WIDTH - 1) // WIDTH):
        j = assume_nonnegative(span[0] + vector * WIDTH)
        is_unit = (1 << min(span[1] - span[0] - vector * WIDTH, WIDTH)) - 1
        for k in range(size):
            unit[k] = select(is_unit, load(units[k], (j,)), zero)
        for i in range(size):
            for k in range(i, size):
                entry = triangle(i, k, size)
                moments[entry] = fma(unit[i], unit[k], moments[entry])
        tighten_bounds(unit, code, least, greatest, forecast, data)
    for k in range(size * (size + 1) // 2):
        maps[at + (fields.moments + k) * LANES] = total(moments[k])
    for k in range(2 * n_out):
        maps[at + (fields.bounds + 2 * k) * LANES] = largest(least[k])
        maps[at + (fields.bounds + 2 * k + 1) * LANES] = -largest(negative(greatest[k]))


@inlined
def apply_map(code: Any, units: Units, j: Any, target: Units, to: Any, maps: Array) -> None:
    """Write P theta of one unit of a pattern to a place of target, which may be its own.

    One unit, not all of a pattern: vectorised, the loop was 700 lines of LLVM code in each of its callers.
    """
    size = len(units)
    at = assume_nonnegative(address_of(code, map_fields(size - 2).n_fields))
    old = registers(maps, MAX_ROWS)
    for k in range(size):
        old[k] = units[k][j]
    for i in range(size):
        total = 0.0
        for k in range(size):
            total += maps[at + (i * size + k) * LANES] * old[k]
        target[i][to] = total

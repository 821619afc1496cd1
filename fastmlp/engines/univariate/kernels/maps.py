"""The map of each pattern and the bound within which none of its units crosses a sample."""

from __future__ import annotations

from typing import Any

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
    lanes,
    load,
    multiply,
    negative,
    store,
    subtract,
    zeros,
)
from fastmlp.engines.univariate.kernels.layout import LANES, LEAST_EXCESS, SAFETY, SLACK, WIDTH
from fastmlp.engines.univariate.kernels.sums import gradient_sum


@inlined
def map_fields(outputs: Any) -> Any:
    """Return where a block of maps has Q, K and the bounds (P comes first), and its size.

    Q holds its upper triangle, row by row; bounds are [output][side][least, greatest].
    """
    size = len(outputs) + 2
    moment = size * size
    room = moment + size * (size + 1) // 2
    return moment, room, room + 1, room + 1 + 4 * len(outputs)


@inlined
def triangle(i: Any, k: Any, size: Any) -> Any:
    """Return the place of entry (i, k) of a symmetric matrix of which the upper triangle is kept."""
    low = min(i, k)
    return low * size - low * (low + 1) // 2 + max(i, k)


@inlined
def step_block(
    z: Any,
    sums: Any,
    errors: Any,
    beside: Any,
    position: Any,
    base: Any,
    passed: Any,
    rule: Any,
    is_prefix: Any,
    outputs: Any,
) -> Any:
    """P <- M P for LANES patterns; write their sums; return one bit for each alarm.

    z [field][lane] is their block of maps, sums [field][lane] theirs, errors [field][lane] of the same positions,
    beside [side][code] the samples beside their kinks, from position on. Adds to the vectors base (2 n_out,) what the
    patterns add to the sums left of all samples.
    """
    n_out = len(outputs)
    size = n_out + 2
    moment, room, bounds, _ = map_fields(outputs)
    sign = broadcast(1.0 - rule.slope if is_prefix else rule.slope - 1.0)
    gain = broadcast(1.0 if is_prefix else rule.slope)
    first_total = assume_nonnegative(2 * n_out if is_prefix else 0)
    rate_w, rate_b, rate_v = broadcast(rule.rate_w), broadcast(rule.rate_b), broadcast(rule.rate_v)
    centre, one = broadcast(rule.centre), broadcast(1.0)
    pull_w = vectors(z, 4)
    pull_b = vectors(z, 4)
    push_w = vectors(z, 4)
    push_b = vectors(z, 4)
    p = vectors(z, 36)
    added = vectors(z, 8)
    for k in range(2 * n_out):
        added[k] = zeros(z)
    alarms: Any = 0
    for part in range(LANES // lanes(z)):
        lane = part * lanes(z)
        for o in range(n_out):
            k = 2 * o
            s0 = fma(sign, load(errors, (k * LANES + lane,)), broadcast_load(passed.totals, (first_total + k,)))
            s1 = fma(
                sign, load(errors, ((k + 1) * LANES + lane,)), broadcast_load(passed.totals, (first_total + k + 1,))
            )
            pull_w[o] = multiply(rate_w, fma(centre, s0, s1))
            pull_b[o] = fma(rate_b, s0, multiply(centre, pull_w[o]))
            push_w[o] = multiply(rate_v, s1)
            push_b[o] = multiply(rate_v, s0)
        for j in range(size):
            w = load(z, (j * LANES + lane,))
            b = load(z, ((size + j) * LANES + lane,))
            p[j] = w
            p[size + j] = b
            for o in range(n_out):
                v = load(z, (((2 + o) * size + j) * LANES + lane,))
                p[j] = fnma(pull_w[o], v, p[j])
                p[size + j] = fnma(pull_b[o], v, p[size + j])
                p[(2 + o) * size + j] = fnma(push_w[o], w, fnma(push_b[o], b, v))
        for k in range(size * size):
            store(z, (k * LANES + lane,), p[k])

        stretch = add(absolute(subtract(p[0], one)), absolute(subtract(p[size + 1], one)))
        excess = add(stretch, add(absolute(p[1]), absolute(p[size])))
        is_alarm = mask_greater_equal(excess, load(z, (room * LANES + lane,)))
        for o in range(n_out):
            for side in range(2):
                drift = fma(load(beside, (side, position + lane)), p[2 + o], p[size + 2 + o])
                at = (bounds + 4 * o + 2 * side) * LANES + lane
                is_alarm |= mask_greater(load(z, (at,)), drift) | mask_greater(drift, load(z, (at + LANES,)))
        alarms |= is_alarm << lane

        for o in range(n_out):
            vw = zeros(z)
            vb = zeros(z)
            for k in range(size):
                q = zeros(z)
                for i in range(size):
                    moments = load(z, ((moment + triangle(i, k, size)) * LANES + lane,))
                    q = fma(moments, p[(2 + o) * size + i], q)
                vw = fma(q, p[k], vw)
                vb = fma(q, p[size + k], vb)
            store(sums, (2 * o * LANES + lane,), vw)
            store(sums, ((2 * o + 1) * LANES + lane,), vb)
            added[2 * o] = add(added[2 * o], vw)
            added[2 * o + 1] = add(added[2 * o + 1], vb)
    for k in range(2 * n_out):
        base[k] = fma(gain, added[k], base[k])
    return alarms


@inlined
def expect(
    code: Any, horizon: Any, expected: Any, passed: Any, patterns: Any, plane: Any, rule: Any, outputs: Any
) -> None:
    """Write what is expected of a pattern if its sums stay as they are: K, then delta_o by output and side.

    By the series of cosh, excess is about half the product of the steps of (w, b) and of v, times the epochs squared.
    """
    pull = 0.0
    push = 0.0
    for o in range(len(outputs)):
        s0 = gradient_sum(code, 2 * o, passed, plane, rule, outputs)
        s1 = gradient_sum(code, 2 * o + 1, passed, plane, rule, outputs)
        pull_w = rule.rate_w * (s1 + rule.centre * s0)
        pull_b = rule.rate_b * s0 + rule.centre * pull_w
        for side in range(2):
            drift = -SAFETY * horizon * (patterns.beside[side, code] * pull_w + pull_b)
            expected[1 + 2 * o + side, code] = drift
        pull += abs(pull_w) + abs(pull_b)
        push += rule.rate_v * (abs(s1) + abs(s0))
    expected[0, code] = SAFETY * horizon * horizon * pull * push


@inlined
def threat(v: Any, z: Any, drift: Any) -> Any:
    """Return by how much output weights v are expected to bring z towards 0, and some slack if they do not."""
    away = multiply(v, drift)
    towards = select(mask_greater(z, broadcast(0.0)), negative(away), away)
    return fma(broadcast(0.5), towards, multiply(broadcast(0.5 + SLACK), absolute(towards)))


@inlined
def looseness(
    target: Any, units: Any, first: Any, stop: Any, code: Any, expected: Any, patterns: Any, outputs: Any
) -> None:
    """Write how soon units of one pattern may cross a sample, and which side of their kinks that sample lies on.

    target[first:stop], and up to WIDTH - 1 entries more, get 2 level + side with level 0: not in two horizons; 1: in
    two; 2: in one; 3: in half a horizon.
    """
    like = units[0]
    z = vectors(like, 2)
    distance = vectors(like, 2)
    bend = vectors(like, 2)
    drift = vectors(like, 2)
    for part in range((stop - first + WIDTH - 1) // WIDTH):
        j = assume_nonnegative(first + part * WIDTH)
        w = load(units[0], (j,))
        b = load(units[1], (j,))
        size = add(absolute(w), absolute(b))
        for side in range(2):
            z[side] = fma(w, broadcast_load(patterns.beside, (side, code)), b)
            reach = multiply(size, broadcast_load(patterns.reach, (side, code)))
            distance[side] = fnma(reach, broadcast(LEAST_EXCESS), absolute(z[side]))
            bend[side] = multiply(reach, broadcast_load(expected, (0, code)))
            drift[side] = zeros(like)
            for o in range(len(outputs)):
                expected_drift = broadcast_load(expected, (1 + 2 * o + side, code))
                drift[side] = add(drift[side], threat(load(units[2 + o], (j,)), z[side], expected_drift))
        sooner: Any = 0
        later: Any = 0
        value = zeros(like)
        horizons = 2.0
        for _ in range(3):
            once, squared = broadcast(horizons), broadcast(horizons * horizons)
            left = ~mask_greater(distance[0], fma(squared, bend[0], multiply(once, drift[0])))
            right = ~mask_greater(distance[1], fma(squared, bend[1], multiply(once, drift[1])))
            sooner |= right & ~left
            later |= left & ~right
            value = add(value, select(left | right, broadcast(2.0), zeros(like)))
            horizons *= 0.5
        is_right = sooner | (mask_greater(absolute(z[0]), absolute(z[1])) & ~later)
        store(target, (j,), add(value, select(is_right, broadcast(1.0), zeros(like))))


@inlined
def settle(code: Any, units: Any, first: Any, stop: Any, maps: Any, expected: Any, patterns: Any, outputs: Any) -> None:
    """Start the map of a pattern anew: P = 1, Q and the bounds from its units first .. stop."""
    n_out = len(outputs)
    size = n_out + 2
    moment, room, bounds, n_fields = map_fields(outputs)
    at = assume_nonnegative((code // LANES) * n_fields * LANES + code % LANES)
    for field in range(room):
        maps[at + field * LANES] = 0.0
    if first == stop:  # P = 0 stays 0, whatever the sums: it neither grows nor is alarmed
        maps[at + room * LANES] = np.inf
        return
    for k in range(size):
        maps[at + k * (size + 1) * LANES] = 1.0
    excess = expected[0, code] + LEAST_EXCESS
    maps[at + room * LANES] = excess
    zero = zeros(maps)
    unit = vectors(maps, 6)
    moments = vectors(maps, 21)
    part = vectors(maps, 4)
    least = vectors(maps, 8)  # [output][side], as what follows
    greatest = vectors(maps, 8)
    for k in range(size * (size + 1) // 2):
        moments[k] = zero
    for k in range(2 * n_out):
        least[k] = broadcast(-np.inf)
        greatest[k] = broadcast(np.inf)
    for vector in range((stop - first + WIDTH - 1) // WIDTH):
        j = assume_nonnegative(first + vector * WIDTH)
        is_unit = (1 << min(stop - first - vector * WIDTH, WIDTH)) - 1
        for k in range(size):
            unit[k] = select(is_unit, load(units[k], (j,)), zero)
        for i in range(size):
            for k in range(i, size):
                entry = triangle(i, k, size)
                moments[entry] = fma(unit[i], unit[k], moments[entry])
        extent = multiply(broadcast(excess), add(absolute(unit[0]), absolute(unit[1])))
        for side in range(2):
            z = fma(unit[0], broadcast_load(patterns.beside, (side, code)), unit[1])
            margin = fnma(broadcast_load(patterns.reach, (side, code)), extent, absolute(z))
            total_part = zero
            for o in range(n_out):
                part[o] = threat(unit[2 + o], z, broadcast_load(expected, (1 + 2 * o + side, code)))
                total_part = add(total_part, part[o])
            is_threatened = mask_greater(total_part, zero)
            for o in range(n_out):
                v = unit[2 + o]
                share = select(is_threatened, divide(part[o], total_part), broadcast(1.0 / n_out))
                bound = divide(multiply(margin, share), absolute(v))
                is_bound = mask_greater(absolute(v), zero)
                is_below = ~(mask_greater(v, zero) ^ mask_greater(z, zero))
                k = 2 * o + side
                stricter = is_bound & is_below & mask_greater(negative(bound), least[k])
                least[k] = select(stricter, negative(bound), least[k])
                stricter = is_bound & ~is_below & mask_greater(greatest[k], bound)
                greatest[k] = select(stricter, bound, greatest[k])
    for k in range(size * (size + 1) // 2):
        maps[at + (moment + k) * LANES] = total(moments[k])
    for k in range(2 * n_out):
        maps[at + (bounds + 2 * k) * LANES] = largest(least[k])
        maps[at + (bounds + 2 * k + 1) * LANES] = -largest(negative(greatest[k]))


@inlined
def apply_map(code: Any, units: Any, j: Any, target: Any, to: Any, maps: Any, outputs: Any) -> None:
    """Write P theta of one unit of a pattern to a place of target, which may be its own.

    One unit, not all of a pattern: vectorised, the loop was 700 lines of LLVM code in each of its callers.
    """
    size = len(outputs) + 2
    at = assume_nonnegative((code // LANES) * map_fields(outputs)[3] * LANES + code % LANES)
    old = registers(maps, 6)
    for k in range(size):
        old[k] = units[k][j]
    for i in range(size):
        total = 0.0
        for k in range(size):
            total += maps[at + (i * size + k) * LANES] * old[k]
        target[i][to] = total

"""Sums by pattern and outputs, which all methods by pattern share.

With the weighted errors e_io = s_i (h2_io - y_io) the gradient of a unit needs only two sums over its active samples,
S0_o = sum e_io and S1_o = sum e_io x_i::

    dw = sum_o v_o S1_o      db = sum_o v_o S0_o      dv_o = w S1_o + b S0_o

Running sums of e and e x over the samples give S0 and S1 of all patterns, and the outputs come back from running sums
of sum v w and sum v b by pattern. In a leaky net S = S_active + negative_slope S_inactive.

No sum is formed by subtraction, which would leave the rounding of the larger sum in a small one. Sums over a suffix of
the samples run from the right, those over a prefix from the left. The line of units that are active right of their
kinks runs from the left and that of units active left of them from the right, so that no unit leaves a running line.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined
from fastmlp.compiled.reductions import total
from fastmlp.compiled.scans import (
    broadcast_first,
    broadcast_last,
    shifted_left,
    shifted_right,
    sums_from_left,
    sums_from_right,
)
from fastmlp.compiled.vectors import add, broadcast, fma, load, multiply, store, subtract, zeros
from fastmlp.engines.engine import Array
from fastmlp.engines.univariate.kernels.layout import LANES, WIDTH, Data, PatternSums, Units, address_of


@inlined
def gradient_sum(code: Any, k: Any, sums: PatternSums, data: Data) -> Any:
    """Return S0 (k = 2 o) or S1 (k = 2 o + 1) of a pattern."""
    return sums.errors[assume_nonnegative(address_of(code, 2 * len(data.outputs)) + k * LANES)]


@inlined
def add_unit(units: Units, j: Any, code: Any, sums: PatternSums, data: Data) -> None:
    """Add the line of a unit, v w and v b, to that of its pattern."""
    at = assume_nonnegative(address_of(code, 2 * len(data.outputs)))
    for o in range(len(data.outputs)):
        for row in range(2):
            sums.lines[at + (2 * o + row) * LANES] += units[2 + o][j] * units[row][j]


@inlined
def run_lines_from_right(o: Any, sums: PatternSums, data: Data) -> None:
    """Overwrite errors of the prefixes with the lines, at each sample, of the units whose kinks lie right of it.

    These are the prefixes that are longer, and negative_slope times the suffixes that begin behind the sample.
    """
    lines, errors = sums.lines, sums.errors
    size = 2 * len(data.outputs) * LANES
    prefix = lines.size // 2
    slope = broadcast(data.negative_slope)
    is_leaky = data.negative_slope != 0.0
    a = zeros(lines)
    c = zeros(lines)
    n_blocks = prefix // size
    for turn in range(n_blocks):
        for part in range(LANES // WIDTH):
            lane = LANES - WIDTH * (part + 1)
            at = assume_nonnegative((n_blocks - 1 - turn) * size + 2 * o * LANES + lane)
            left_facing = assume_nonnegative(prefix + at)
            rises = load(lines, (left_facing,))
            offsets = load(lines, (left_facing + LANES,))
            if is_leaky:
                rises = fma(slope, load(lines, (at,)), rises)
                offsets = fma(slope, load(lines, (at + LANES,)), offsets)
            rises = sums_from_right(rises)
            offsets = sums_from_right(offsets)
            store(errors, (left_facing,), add(a, shifted_left(rises)))
            store(errors, (left_facing + LANES,), add(c, shifted_left(offsets)))
            a = add(a, broadcast_first(rises))
            c = add(c, broadcast_first(offsets))


@inlined
def run_from_left(o: Any, b2: Any, sums: PatternSums, data: Data) -> Any:
    """Evaluate the samples and return sum e (h2 - y).

    Overwrites errors of the suffixes with e and e x of the sample at which each begins, and errors of the prefixes with
    the sums over their samples. The units whose kinks lie left of a sample are the suffixes that have begun, and
    negative_slope times the prefixes that have ended.
    """
    lines, errors = sums.lines, sums.errors
    size = 2 * len(data.outputs) * LANES
    prefix = lines.size // 2
    slope = broadcast(data.negative_slope)
    is_leaky = data.negative_slope != 0.0
    a = zeros(lines)
    c = broadcast(b2)
    sum_e = zeros(lines)
    sum_ex = zeros(lines)
    square = zeros(lines)
    for block in range(np.uint64(prefix // size)):
        for part in range(LANES // WIDTH):
            at = assume_nonnegative(block * size + 2 * o * LANES + part * WIDTH)
            left_facing = assume_nonnegative(prefix + at)
            sample = assume_nonnegative(block * LANES + part * WIDTH)
            rises = load(lines, (at,))
            offsets = load(lines, (at + LANES,))
            if is_leaky:
                rises = fma(slope, load(lines, (left_facing,)), rises)
                offsets = fma(slope, load(lines, (left_facing + LANES,)), offsets)
            rises = sums_from_left(rises)
            offsets = sums_from_left(offsets)
            x = load(data.x, (sample,))
            rise = add(add(a, rises), load(errors, (left_facing,)))
            offset = add(add(c, offsets), load(errors, (left_facing + LANES,)))
            a = add(a, broadcast_last(rises))
            c = add(c, broadcast_last(offsets))
            difference = subtract(fma(rise, x, offset), load(data.y, (o, sample)))
            error = multiply(load(data.weight, (sample,)), difference)
            error_x = multiply(error, x)
            square = fma(error, difference, square)
            store(errors, (at,), error)
            store(errors, (at + LANES,), error_x)
            error = sums_from_left(error)
            error_x = sums_from_left(error_x)
            store(errors, (left_facing,), add(sum_e, shifted_right(error)))
            store(errors, (left_facing + LANES,), add(sum_ex, shifted_right(error_x)))
            sum_e = add(sum_e, broadcast_last(error))
            sum_ex = add(sum_ex, broadcast_last(error_x))
    return total(square)


@inlined
def run_errors_from_right(o: Any, sums: PatternSums, data: Data) -> None:
    """Overwrite errors of all patterns with S0 and S1, from what `run_from_left` left there."""
    errors = sums.errors
    size = 2 * len(data.outputs) * LANES
    prefix = errors.size // 2
    slope = broadcast(data.negative_slope)
    is_leaky = data.negative_slope != 0.0
    n_blocks = prefix // size
    for k in range(2):
        carry = zeros(errors)
        for turn in range(n_blocks):
            for part in range(LANES // WIDTH):
                lane = LANES - WIDTH * (part + 1)
                at = assume_nonnegative((n_blocks - 1 - turn) * size + (2 * o + k) * LANES + lane)
                left_facing = assume_nonnegative(prefix + at)
                sums_here = sums_from_right(load(errors, (at,)))
                right = add(carry, sums_here)
                carry = add(carry, broadcast_first(sums_here))
                if is_leaky:
                    left = load(errors, (left_facing,))
                    store(errors, (left_facing,), fma(slope, right, left))
                    right = fma(slope, left, right)
                store(errors, (at,), right)


@inlined
def forward(sums: PatternSums, b2: Array, squared_error: Array, data: Data) -> Any:
    """Evaluate the net on all samples from the lines of its patterns, and overwrite S0 and S1 of all patterns.

    Overwrites squared_error (n_out,); returns what it adds up to, without the scatter.
    """
    n_out = len(data.outputs)
    none = assume_nonnegative(address_of(data.n_before.size - 1, 2 * n_out))
    worst = 0.0
    for o in range(n_out):
        if data.negative_slope == 0.0:  # units active on no sample add nothing, however large they are
            sums.lines[none + 2 * o * LANES] = 0.0
            sums.lines[none + (2 * o + 1) * LANES] = 0.0
        run_lines_from_right(o, sums, data)
        square = run_from_left(o, b2[o], sums, data)
        run_errors_from_right(o, sums, data)
        squared_error[o] = square + data.scatter[o]
        worst += square
    return worst

"""Pattern look-up, running sums and outputs, which all methods by pattern share.

With the weighted errors e_io = s_i (h2_io - y_io) the gradient of a unit needs only two sums over its active samples,
S0_o = sum e_io and S1_o = sum e_io x_i::

    dw = sum_o v_o S1_o      db = sum_o v_o S0_o      dv_o = w S1_o + b S0_o

Running sums of e and e x over the samples give S0 and S1 for all patterns, and the outputs come back from running sums
of sum v w and sum v b by pattern. A leaky net is negative_slope times the linear net plus (1 - negative_slope) times
the ReLU net, so S = negative_slope S_all + (1 - negative_slope) S_active.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined
from fastmlp.engines.engine import Array
from fastmlp.engines.univariate.kernels.layout import LANES, Data, RunningSums, Units, address_of


@inlined
def has_left(w: Any, b: Any, code: Any, data: Data) -> Any:
    """Return whether a unit no longer has the pattern of this code.

    The two samples beside its kink decide, since the rounded product w x is monotone in x; "all" and "none" have the
    first and the last sample.
    """
    return ((w * data.neighbour_x[0, code] > -b) != data.neighbour_active[0, code]) | (
        (w * data.neighbour_x[1, code] > -b) != data.neighbour_active[1, code]
    )


@inlined
def find_code(w: Any, b: Any, old: Any, data: Data) -> Any:
    """Return the code of a unit that has left an old pattern: one of its neighbours, or found by bisection."""
    if not has_left(w, b, old + 1, data):
        return old + 1
    if not has_left(w, b, max(old - 1, 0), data):
        return old - 1
    last = data.n_before.size - 2
    first_active = w * data.x[0] > -b
    if first_active == (w * data.x[last] > -b):
        return 0 if first_active else last + 1
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if (w * data.x[middle] > -b) == first_active:
            low = middle
        else:
            high = middle
    return data.x.size + high if first_active else high


@inlined
def look_up(w: Any, b: Any, old: Any, data: Data) -> Any:
    """Return the code of a unit that has left an old pattern, and how many samples of the problem changed sign.

    These are the samples that are active in exactly one of the two patterns.
    """
    n_before, prefix_offset = data.n_before, data.x.size
    n = n_before.size - 1
    code = assume_nonnegative(find_code(w, b, old, data))
    old_first, old_stop = (0, old - prefix_offset) if old > prefix_offset else (old, n)
    first, stop = (0, code - prefix_offset) if code > prefix_offset else (code, n)
    low = max(old_first, first)
    high = max(low, min(old_stop, stop))
    both = n_before[high] - n_before[low]
    return code, n_before[old_stop] - n_before[old_first] + n_before[stop] - n_before[first] - 2 * both


@inlined
def gradient_sum(code: Any, k: Any, sums: RunningSums, data: Data) -> Any:
    """Return S0 (k = 2 o) or S1 (k = 2 o + 1) of a pattern."""
    # Integers, not conditions: a scalar selection of floats is a branch, mispredicted every other time.
    n_lines = 2 * len(data.outputs)
    is_prefix = np.int64(code > data.x.size)
    at = assume_nonnegative(address_of(code - is_prefix * data.x.size, n_lines) + k * LANES)
    sign = (1.0 - data.negative_slope) * (2 * is_prefix - 1)
    return sums.totals[assume_nonnegative(is_prefix * n_lines + k)] + sign * sums.errors[at]


@inlined
def add_unit(units: Units, j: Any, code: Any, sums: RunningSums, data: Data) -> None:
    """Add the line of a unit, v w and v b, to that of its pattern."""
    at = assume_nonnegative(address_of(code, 2 * len(data.outputs)))
    gain = data.negative_slope + (1.0 - data.negative_slope) * np.int64(code > data.x.size)
    for o in range(len(data.outputs)):
        for row in range(2):
            term = units[2 + o][j] * units[row][j]
            sums.lines[at + (2 * o + row) * LANES] += term
            sums.first_line[2 * o + row] += gain * term


@inlined
def forward(sums: RunningSums, b2: Array, squared_error: Array, data: Data) -> Any:
    """Evaluate the net on all samples from the lines of its patterns, and overwrite the running sums of its errors.

    Left of all samples the active units are those of prefixes; at sample i the suffixes that begin at i join and the
    prefixes of length i leave. Overwrites squared_error (n_out,); returns what it adds up to, without the scatter.
    """
    n_out = len(data.outputs)
    lines, errors = sums.lines, sums.errors
    size = 2 * n_out * LANES
    prefix = assume_nonnegative(errors.size)
    gain = 1.0 - data.negative_slope
    worst = 0.0
    for o in range(n_out):
        a = sums.first_line[2 * o]
        c = sums.first_line[2 * o + 1] + b2[o]
        sum_e = 0.0
        sum_ex = 0.0
        total = 0.0
        for block in range(errors.size // size):
            at = assume_nonnegative(block * size + 2 * o * LANES)
            first = assume_nonnegative(block * LANES)
            for lane in range(np.uint64(min(data.n_before.size - block * LANES, LANES))):
                a += gain * (lines[at + lane] - lines[prefix + at + lane])
                c += gain * (lines[at + LANES + lane] - lines[prefix + at + LANES + lane])
                errors[at + lane] = sum_e
                errors[at + LANES + lane] = sum_ex
                x = data.x[first + lane]
                difference = a * x + c - data.y[o, first + lane]
                error = data.weight[first + lane] * difference
                total += error * difference
                sum_e += error
                sum_ex += error * x
        sums.totals[2 * o] = sum_e
        sums.totals[2 * o + 1] = sum_ex
        sums.totals[2 * (n_out + o)] = data.negative_slope * sum_e
        sums.totals[2 * (n_out + o) + 1] = data.negative_slope * sum_ex
        squared_error[o] = total + data.scatter[o]
        worst += total
    return worst

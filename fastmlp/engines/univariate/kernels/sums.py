"""Pattern look-up, running sums and outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined
from fastmlp.engines.univariate.kernels.layout import LANES


@inlined
def is_astray(w: Any, b: Any, code: Any, patterns: Any) -> Any:
    """Return whether a unit no longer has this pattern."""
    return ((w * patterns.beside[0, code] > -b) != patterns.active[0, code]) | (
        (w * patterns.beside[1, code] > -b) != patterns.active[1, code]
    )


@inlined
def pattern(w: Any, b: Any, old: Any, samples: Any, patterns: Any, plane: Any) -> Any:
    """Return the code of a unit's pattern that has left an old one: a neighbour of that, or found by bisection."""
    if not is_astray(w, b, old + 1, patterns):
        return old + 1
    if not is_astray(w, b, max(old - 1, 0), patterns):
        return old - 1
    x = samples.x
    last = samples.n_before.size - 2
    first_active = w * x[0] > -b
    if first_active == (w * x[last] > -b):
        return 0 if first_active else last + 1
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if (w * x[middle] > -b) == first_active:
            low = middle
        else:
            high = middle
    return plane + high if first_active else high


@inlined
def flips(code: Any, other: Any, n_before: Any, plane: Any) -> Any:
    """Return how many samples are active in one pattern and not in the other."""
    n = n_before.size - 1
    first, stop = (0, code - plane) if code > plane else (code, n)
    other_first, other_stop = (0, other - plane) if other > plane else (other, n)
    low = max(first, other_first)
    high = max(low, min(stop, other_stop))
    both = n_before[high] - n_before[low]
    return n_before[stop] - n_before[first] + n_before[other_stop] - n_before[other_first] - 2 * both


@inlined
def gradient_sum(code: Any, k: Any, passed: Any, plane: Any, rule: Any, outputs: Any) -> Any:
    """Return S0 (k = 2 o) or S1 (k = 2 o + 1) of a pattern."""
    # Integers, not conditions: a scalar selection of floats is a branch, mispredicted every other time.
    is_prefix = np.int64(code > plane)
    position = code - is_prefix * plane
    at = assume_nonnegative((position // LANES) * 2 * len(outputs) * LANES + position % LANES + k * LANES)
    sign = (1.0 - rule.slope) * (2 * is_prefix - 1)
    return passed.totals[assume_nonnegative(is_prefix * 2 * len(outputs) + k)] + sign * passed.errors[at]


@inlined
def add_outputs(units: Any, j: Any, code: Any, passed: Any, plane: Any, rule: Any, outputs: Any) -> None:
    """Add v w and v b of a unit to the sums of its pattern."""
    at = assume_nonnegative((code // LANES) * 2 * len(outputs) * LANES + code % LANES)
    gain = rule.slope + (1.0 - rule.slope) * np.int64(code > plane)
    for o in range(len(outputs)):
        for row in range(2):
            term = units[2 + o][j] * units[row][j]
            passed.sums[at + (2 * o + row) * LANES] += term
            passed.base[2 * o + row] += gain * term


@inlined
def forward(passed: Any, squared_error: Any, samples: Any, rule: Any, outputs: Any) -> Any:
    """Evaluate the net on all samples from the sums by pattern; write the sums of its errors.

    Left of all samples the active units are those of prefixes; at sample i the suffixes that begin at i join and the
    prefixes of length i leave. Returns the sum of squared_error (n_out,), which is written.
    """
    n_out = len(outputs)
    sums, errors = passed.sums, passed.errors
    size = 2 * n_out * LANES
    prefix = assume_nonnegative(errors.size)
    gain = 1.0 - rule.slope
    worst = 0.0
    for o in range(n_out):
        a = passed.base[2 * o]
        c = passed.base[2 * o + 1] + passed.b2[o]
        sum_e = 0.0
        sum_ex = 0.0
        total = 0.0
        for block in range(errors.size // size):
            at = assume_nonnegative(block * size + 2 * o * LANES)
            first = assume_nonnegative(block * LANES)
            for lane in range(np.uint64(min(samples.n_before.size - block * LANES, LANES))):
                a += gain * (sums[at + lane] - sums[prefix + at + lane])
                c += gain * (sums[at + LANES + lane] - sums[prefix + at + LANES + lane])
                errors[at + lane] = sum_e
                errors[at + LANES + lane] = sum_ex
                x = samples.x[first + lane]
                difference = a * x + c - samples.y[o, first + lane]
                error = samples.weight[first + lane] * difference
                total += error * difference
                sum_e += error
                sum_ex += error * x
        passed.totals[2 * o] = sum_e
        passed.totals[2 * o + 1] = sum_ex
        passed.totals[2 * (n_out + o)] = rule.slope * sum_e
        passed.totals[2 * (n_out + o) + 1] = rule.slope * sum_ex
        squared_error[o] = total + samples.scatter[o]
        worst += total
    return worst

"""Prefix sums: every unit by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined, njit
from fastmlp.engines.univariate.kernels.layout import CROSSINGS, Passed, Rule
from fastmlp.engines.univariate.kernels.sums import add_outputs, flips, forward, gradient_sum, is_astray, pattern


@inlined
def move_singly(
    units: Any,
    codes: Any,
    first: Any,
    stop: Any,
    passed: Any,
    samples: Any,
    patterns: Any,
    rule: Any,
    plane: Any,
    outputs: Any,
    is_moving: Any,
) -> Any:
    """Update units first .. stop one by one, and add them to the sums of their patterns; return their crossings.

    Without is_moving they are only added.
    """
    n_crossings = 0
    for j in range(np.uint64(first), np.uint64(stop)):
        code = assume_nonnegative(codes[j])
        if is_moving:
            w = units[0][j]
            b = units[1][j]
            t0 = 0.0
            t1 = 0.0
            for o in range(len(outputs)):
                s0 = gradient_sum(code, 2 * o, passed, plane, rule, outputs)
                s1 = gradient_sum(code, 2 * o + 1, passed, plane, rule, outputs)
                v = units[2 + o][j]
                t0 += v * s0
                t1 += v * s1
                units[2 + o][j] = v - rule.rate_v * (w * s1 + b * s0)
            step = rule.rate_w * (t1 + rule.centre * t0)
            w -= step
            b -= rule.rate_b * t0 + rule.centre * step
            units[0][j] = w
            units[1][j] = b
            if is_astray(w, b, code, patterns):
                old = code
                code = assume_nonnegative(pattern(w, b, old, samples, patterns, plane))
                n_crossings += flips(old, code, samples.n_before, plane)
                codes[j] = code
        add_outputs(units, j, code, passed, plane, rule, outputs)
    return n_crossings


@njit
def train_units(
    units: Any,
    codes: Any,
    b2: Any,
    rates: Any,
    ends: Any,
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
    """Train nets on the same samples, every unit by itself; return the epochs of the last before a non-finite error.

    Where all errors are finite that is n_epochs.

    Parameters
    ----------
    units (n_nets, 2 + n_out, n_hidden), codes (n_nets, n_hidden), b2 (n_nets, n_out)
        Rows w, b + centre w, v_0, v_1, ...; updated in place.
    rates (n_nets, 4)
        Of w, b, v, b2; those of `rule` are not read.
    ends (n_nets, 3, n_out)
        Written: the first error, the last, the largest.
    passed, counters (n_nets, N_COUNTERS)
        Updated in place; passed is of one net at a time, and its b2 is not read.
    squared_error (n_epochs, n_out), crossings (n_epochs,)
        Written: the error after each update, the crossings so far; of the last net.
    samples, patterns, rule
        Read.
    outputs : tuple of n_out integers
        Its length tells the compiler the number of outputs.
    is_moving : bool
        False: errors of 0 come before the first epoch, which therefore only evaluates the units.
    """
    n_out = len(outputs)
    plane = passed.errors.size // (2 * n_out)
    n_done = n_epochs
    for net in range(len(units)):
        own = Passed(passed.sums, passed.base, passed.errors, passed.totals, b2[net])
        n_done = n_epochs
        if not is_moving:
            own.errors[:] = 0
            own.totals[:] = 0
        for epoch in range(n_epochs):
            # Rates of 0 too: of a product of three LLVM may form an infinite one first.
            moves = is_moving or epoch > 0
            own_rule = Rule(
                rates[net, 0] if moves else 0.0,
                rates[net, 1] if moves else 0.0,
                rates[net, 2] if moves else 0.0,
                rates[net, 3] if moves else 0.0,
                rule.slope,
                rule.centre,
            )
            for o in range(n_out):
                own.b2[o] -= own_rule.rate_b2 * own.totals[2 * o]
            own.sums[:] = 0
            own.base[:] = 0
            counters[net, CROSSINGS] += move_singly(
                units[net], codes[net], 0, codes.shape[1], own, samples, patterns, own_rule, plane, outputs, True
            )
            error = forward(own, squared_error[epoch], samples, own_rule, outputs)
            crossings[epoch] = counters[net, CROSSINGS]
            if not np.isfinite(error):
                n_done = epoch
                break
        for o in range(n_out):
            ends[net, 0, o] = squared_error[0, o]
            ends[net, 1, o] = squared_error[n_epochs - 1, o]
            ends[net, 2, o] = 0.0 if n_done == n_epochs else np.inf
            for epoch in range(n_done):
                ends[net, 2, o] = max(ends[net, 2, o], squared_error[epoch, o])
    return n_done

"""Kernels that train the units of a net of one input by what they are active on: one by one, or pattern by pattern.

With the samples sorted, a unit z = w x + b is active on a prefix or a suffix of them: its *pattern*, one of 2 n. With
the weighted errors e_io = s_i (h2_io - y_io) its gradient needs only S0 = sum e and S1 = sum e x over its active
samples, which two running sums give for all patterns; and the outputs come back from running sums of sum v w and
sum v b by pattern. A leaky net is negative_slope times the linear net plus (1 - negative_slope) times the ReLU net, so
S = slope S_all + (1 - slope) S_active.

**Prefix sums** (`train_units`): every unit in turn, O(n_samples + n_hidden) per epoch::

    w -= rate_w sum_o v_o S1_o      b -= rate_b sum_o v_o S0_o      v_o -= rate_v (w S1_o + b S0_o)

An optimiser that needs no more than these gradients runs on the same sums (`train_optimized`).

**Pattern moments** (`train_moments`): this is one linear map for all units of a pattern, theta <- M theta with
theta = (w, b, v). So a pattern keeps the product P of its maps and the second moment Q = sum theta theta^T of its units
at its last rebuild: sum v w and sum v b are entries of P Q P^T. A unit is touched only when it may cross a sample:

*Bound.* Let x be one of the two samples beside the kinks of a pattern, z(0) and theta(0) a unit at the rebuild, P the
product since. Then z(t) = (x, 1, 0) P theta(0) = z(0) + sum_o delta_o v_o(0) + rest, with delta_o = x P_wo + P_bo and
rest = (x, 1) E (w(0), b(0))^T, E = [[P_ww - 1, P_wb], [P_bw, P_bb - 1]]. By Cauchy and Schwarz, and since the spectral
norm of a matrix does not exceed the sum of its moduli, |rest| <= sqrt(1 + x^2) excess |(w(0), b(0))| <= reach excess
with excess = sum |E| and reach = sqrt(1 + x^2) (|w(0)| + |b(0)|). Choose K > 0 with margin = |z(0)| - reach K > 0
(units for which there is none are live) and shares p_o >= 0 of sum 1. While excess < K and, for each o,
sgn(z(0)) v_o(0) delta_o >= -p_o margin, the sum over o gives
sgn(z(0)) z(t) >= |z(0)| - margin - reach excess = reach (K - excess) > 0: the unit has not crossed x. For a given o
this is a lower or an upper bound of delta_o, the same in all epochs; the strictest over the units of a pattern are two
numbers for each sample and output. They are checked on the true P of every epoch, so nothing is assumed of the errors
to come: K and p_o only decide how soon a bound is reached. Rounding of P moves z by 1e-16 of its terms in an epoch, as
it does in any engine. That the two samples beside the kink keep their signs is enough, since the rounded product w x is
monotone in x; "all" and "none" have the first and the last sample.

When a bound is reached (an *alarm*) the pattern applies P to its units, frees those that may cross, and starts anew.
*Live* units, those that may cross before the next rebuild, are trained in *classes*: the units on either side of
one sample share the sums of both their patterns, and their loop is SIMD. A unit that leaves its class is free and
trained one by one until the next rebuild.

Patterns have codes. The active samples k, k + 1, ... have code k (0: all, n: none); the first k (0 < k < n) have code
plane + k, where plane is n + 1 rounded up to LANES. Sums by pattern lie in blocks of LANES codes, [block][field][lane].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined, njit
from fastmlp.compiled.masks import mask_greater, mask_greater_equal, popcount, select
from fastmlp.compiled.reductions import largest, store_totals, total
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
    n_lanes,
    negative,
    store,
    subtract,
    zeros,
)

LANES = 16  # of a block: two vectors where there are the widest; blocks of one take 1.15 times as long
MAX_MAPS = 4  # outputs for which pattern moments pay: a map has (2 + n_out)^2 entries

SAFETY = 1.5  # bounds are set for this many times the drift expected until the next rebuild
SLACK = 0.1  # and for this part of it in the direction not expected
LEAST_EXCESS = 1e-5
WIDTH = n_lanes(np.dtype(np.float64))  # of a vector; the units of a class fill whole ones
LEAST_CLASS = 2  # units; one is trained by itself: 10 ns against 20 for a class
SHORTEST, LONGEST = 8, 2**16  # epochs between rebuilds

# Nanoseconds, measured (benchmarks/NOTES.md): they weigh counts, so that choices depend on nothing else.
COST_OF_BLOCK, COST_OF_FAR_BLOCK = 40.0, 80.0  # where all blocks fit into the second-level cache, and where not
NEAR_BLOCKS = 250
COST_OF_LIVE = 2.0  # in a class
COST_OF_REBUILD = 15.0  # per unit
COST_OF_CODE = 10.0  # of a rebuild, per code; measured 50, but with few units most live ones are single
COST_OF_UNIT = 7.0  # by itself

# Columns of `Classes`. ..._ON are of units that have the class's sample active, ..._OFF of those that have not: where
# their pattern lies among errors, sums, totals; its code. GUARDED: bit 0, 1 set if the sample below, above is active.
(
    ERROR_ON,
    ERROR_OFF,
    SUM_ON,
    SUM_OFF,
    TOTAL_ON,
    TOTAL_OFF,
    GUARDED,
    MULTIPLICITY,
    CODE_ON,
    CODE_OFF,
) = range(10)
N_PLACES = 10
SIGN_ON, SIGN_OFF, X, X_BELOW, X_ABOVE = range(5)
N_FACTORS = 8

# What the entries of `counters` count.
(
    CROSSINGS,
    EPOCH,
    NEXT_REBUILD,
    HORIZON,
    N_BLOCKS,
    N_CLASSES,
    N_CLASSED,
    N_LIVE,
    LEAVES,
    LAST_REBUILD,
    N_LOOSE,
) = range(11)
N_COUNTERS = 11


class Samples(NamedTuple):
    """Sorted samples: x, weight (plane,), y (n_out, plane), padded with zeros; scatter (n_out,), n_before (n + 1,)."""

    x: Any
    y: Any
    weight: Any
    scatter: Any
    n_before: Any


class Patterns(NamedTuple):
    """By side (left, right of the kinks) and code: the x beside them, whether it is active, sqrt(1 + x^2)."""

    beside: Any
    active: Any
    reach: Any


class Rule(NamedTuple):
    """The rates of w, b, v and b2, the negative slope, and the centre that x was shifted by."""

    rate_w: Any
    rate_b: Any
    rate_v: Any
    rate_b2: Any
    slope: Any
    centre: Any


class Optimizer(NamedTuple):
    """Which optimiser and its numbers; momentum is not Adam's, the last three are."""

    is_adam: Any
    weight_decay: Any
    momentum: Any
    is_nesterov: Any
    beta1: Any
    beta2: Any
    epsilon: Any


class Memory(NamedTuple):
    """Per row of parameters (w, b, v_0, ..., b2): the gradient, which is overwritten, and what an optimiser remembers.

    first: the velocity, or for Adam the mean gradient; second: for Adam the mean of its square.
    """

    gradient: Any
    first: Any
    second: Any


class Passed(NamedTuple):
    """One pass over the samples; all overwritten.

    sums [block of codes][2 o + (0: v w, 1: v b)][lane]: by pattern. base (2 n_out,): their sum as it acts left of all
    samples. errors [block][2 o + (0: e, 1: e x)][lane]: running sums over the samples before position k. totals
    (4 n_out,): over all samples, then negative_slope times these. b2 (n_out,).
    """

    sums: Any
    base: Any
    errors: Any
    totals: Any
    b2: Any


class Settled(NamedTuple):
    """Units trained through the maps of their patterns, as at the last rebuild, in the order of their codes.

    units: a tuple of arrays (n_hidden and a vector more,), w, b, v_0, ...; origin (n_hidden,): their places in the
    caller's order; first, count by code. maps [block][field][lane] holds P, Q and bounds (see `map_fields`), block_id
    the blocks in use.
    """

    units: Any
    origin: Any
    first: Any
    count: Any
    maps: Any
    block_id: Any


class Live(NamedTuple):
    """Units trained as such: N_CLASSED of them sorted into classes, the free ones behind them.

    units, origin as in `Settled`, twice as long; code of the free ones; class_id, class_first, class_count (2 n,).
    """

    units: Any
    origin: Any
    code: Any
    class_id: Any
    class_first: Any
    class_count: Any


class Classes(NamedTuple):
    """What does not change of each class: places (2 n, N_PLACES) and factors (2 n, N_FACTORS), rows of the table.

    gains (2 n, 4 n_out and more): how `Spare.moved` counts left of all samples.

    Class s < n holds suffixes that begin at s or s + 1, class n + s prefixes of length s + 1 or s. Units stay in it
    while two samples keep their signs: the neighbours of sample s; at an end, where one is missing, the sample at the
    other end. Where there is one sample only, nothing makes them leave.
    """

    places: Any
    factors: Any
    gains: Any


class Spare(NamedTuple):
    """Scratch: units, origin, code and looseness of all units; count by class; expected by code; alarms by block.

    moved [class in use][2 k + (0: active, 1: all)]: sums k of a class, over its active units and over all; filled up to
    whole vectors.
    """

    units: Any
    origin: Any
    code: Any
    looseness: Any
    class_count: Any
    expected: Any
    alarms: Any
    moved: Any


# Patterns


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


# Prefix sums


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


@inlined
def gradients(parameters: Any, codes: Any, gradient: Any, passed: Any, rule: Any, plane: Any, outputs: Any) -> None:
    """Write the gradient of each row of parameters."""
    n_out = len(outputs)
    for j in range(np.uint64(codes.size)):
        code = assume_nonnegative(codes[j])
        w = parameters[0][j]
        b = parameters[1][j]
        t0 = 0.0
        t1 = 0.0
        for o in range(n_out):
            s0 = gradient_sum(code, 2 * o, passed, plane, rule, outputs)
            s1 = gradient_sum(code, 2 * o + 1, passed, plane, rule, outputs)
            v = parameters[2 + o][j]
            t0 += v * s0
            t1 += v * s1
            gradient[2 + o][j] = w * s1 + b * s0
        gradient[0][j] = t1
        gradient[1][j] = t0
    for o in range(n_out):
        gradient[2 + n_out][o] = passed.totals[2 * o]


@inlined
def descend(row: Any, gradient: Any, first: Any, second: Any, rate: Any, step: Any, optimizer: Any) -> None:
    """Update one row of parameters from its gradient, as torch.optim.SGD or Adam does in its step-th step from 1 on."""
    decay = optimizer.weight_decay
    if optimizer.is_adam:
        beta1, beta2 = optimizer.beta1, optimizer.beta2
        adam_rate = rate / (1.0 - beta1 ** np.float64(step))
        scale = 1.0 / np.sqrt(1.0 - beta2 ** np.float64(step))
        for j in range(row.size):
            g = gradient[j] + decay * row[j]
            mean = beta1 * first[j] + (1.0 - beta1) * g
            square = beta2 * second[j] + (1.0 - beta2) * g * g
            first[j] = mean
            second[j] = square
            row[j] -= adam_rate * mean / (scale * np.sqrt(square) + optimizer.epsilon)
        return
    momentum = optimizer.momentum
    of_gradient = 1.0 if optimizer.is_nesterov else 0.0
    of_velocity = momentum if optimizer.is_nesterov else 1.0
    for j in range(row.size):
        g = gradient[j] + decay * row[j]
        velocity = momentum * first[j] + g
        first[j] = velocity
        row[j] -= rate * (of_gradient * g + of_velocity * velocity)


@inlined
def place_singly(units: Any, codes: Any, passed: Any, samples: Any, patterns: Any, rule: Any, outputs: Any) -> Any:
    """Look up anew the patterns of units that left theirs; overwrite the sums of all patterns; return the crossings.

    What they add up to left of all samples is taken from them at the end: added unit by unit, as `add_outputs` does,
    each had to wait for the one before (3.6 us for 1000 units, now 2.2).
    """
    n_out = len(outputs)
    plane = passed.errors.size // (2 * n_out)
    sums = passed.sums
    sums[:] = 0
    n_crossings = 0
    for j in range(np.uint64(codes.size)):
        code = assume_nonnegative(codes[j])
        w = units[0][j]
        b = units[1][j]
        if is_astray(w, b, code, patterns):
            old = code
            code = assume_nonnegative(pattern(w, b, old, samples, patterns, plane))
            n_crossings += flips(old, code, samples.n_before, plane)
            codes[j] = code
        at = assume_nonnegative((code // LANES) * 2 * n_out * LANES + code % LANES)
        for o in range(n_out):
            v = units[2 + o][j]
            sums[at + 2 * o * LANES] += v * w
            sums[at + (2 * o + 1) * LANES] += v * b
    for k in range(2 * n_out):
        suffixes = 0.0
        prefixes = 0.0
        for start in range(k * LANES, plane * 2 * n_out, 2 * n_out * LANES):
            suffixes += sums[start : start + LANES].sum()
            prefixes += sums[plane * 2 * n_out + start : plane * 2 * n_out + start + LANES].sum()
        passed.base[k] = rule.slope * suffixes + prefixes
    return n_crossings


@njit
def train_optimized(
    parameters: Any,
    codes: Any,
    memory: Any,
    optimizer: Any,
    factors: Any,
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
    """Do what `train_units` does with another optimiser than plain descent; x must not be centred.

    In three passes over the units, of which the second, the optimiser's, is SIMD.

    Parameters
    ----------
    parameters : tuple of arrays
        w, b, v_0, v_1, ... (n_hidden,) and b2 (n_out,), which is passed.b2; updated in place.
    codes, memory, passed, counters
        Updated in place. counters[EPOCH] counts the steps of the optimiser.
    optimizer
        Read.
    factors (n_epochs,)
        What the rates are multiplied by in each epoch.
    squared_error, crossings, samples, patterns, rule, outputs, is_moving
        As in `train_units`.
    """
    n_out = len(outputs)
    plane = passed.errors.size // (2 * n_out)
    for epoch in range(n_epochs):
        if is_moving:
            counters[EPOCH] += 1
            gradients(parameters, codes, memory.gradient, passed, rule, plane, outputs)
            for k in range(len(parameters)):
                layer_rate = rule.rate_v if k < 2 + n_out else rule.rate_b2
                rate = rule.rate_w if k == 0 else (rule.rate_b if k == 1 else layer_rate)
                if rate != 0.0:
                    row, gradient, first, second = parameters[k], memory.gradient[k], memory.first[k], memory.second[k]
                    descend(row, gradient, first, second, rate * factors[epoch], counters[EPOCH], optimizer)
        counters[CROSSINGS] += place_singly(parameters, codes, passed, samples, patterns, rule, outputs)
        total = forward(passed, squared_error[epoch], samples, rule, outputs)
        crossings[epoch] = counters[CROSSINGS]
        if not np.isfinite(total):
            return epoch
    return n_epochs


# Pattern moments


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


# Classes of live units


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


# Rebuilding


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


@njit
def gather_units(settled: Any, live: Any, spare: Any, counters: Any, classes: Any, outputs: Any) -> None:
    """Do what `gather` does, between two calls of `train_moments`."""
    gather(settled, live, spare, counters, classes, outputs)


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


@njit
def train_moments(
    settled: Any,
    live: Any,
    spare: Any,
    classes: Any,
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
    """Train through the maps of patterns; return the number of epochs before one with a non-finite error, or n_epochs.

    Returns early, with counters[LEAVES] set, where a rebuild finds that training every unit by itself is cheaper.

    Parameters
    ----------
    settled, live, passed, counters
        Updated in place.
    spare
        Overwritten.
    squared_error (n_epochs, n_out), crossings (n_epochs,)
        Written: the error after each update, the crossings so far.
    classes, samples, patterns, rule
        Read.
    outputs : tuple of n_out integers
        Its length tells the compiler the number of outputs.
    is_moving : bool
        False: one epoch that only evaluates the free units with the codes given.
    """
    n_out = len(outputs)
    plane = passed.errors.size // (2 * n_out)
    map_size = map_fields(outputs)[3] * LANES
    sum_size = 2 * n_out * LANES
    n_suffix_blocks = plane // LANES
    base = vectors(settled.maps, 8)
    for epoch in range(n_epochs):
        if is_moving:
            n_freed = counters[N_LIVE] - counters[N_LOOSE]
            most_freed = 16 + counters[N_LOOSE] // 2 + spare.code.size // 64
            if counters[EPOCH] >= counters[NEXT_REBUILD] or n_freed > most_freed:
                rebuild(settled, live, spare, counters, passed, samples, patterns, classes, rule, plane, outputs)
                if counters[LEAVES]:
                    return epoch
            counters[EPOCH] += 1
        n_live = counters[N_LIVE]
        passed.sums[:] = 0
        passed.base[:] = 0
        for k in range(2 * n_out):
            base[k] = zeros(settled.maps)
        any_alarm: Any = 0
        for index in range(counters[N_BLOCKS]):
            block = assume_nonnegative(settled.block_id[index])
            is_prefix = block >= n_suffix_blocks
            position = assume_nonnegative(block - n_suffix_blocks if is_prefix else block)
            z = settled.maps[block * map_size : (block + 1) * map_size]
            sums = passed.sums[block * sum_size : (block + 1) * sum_size]
            errors = passed.errors[position * sum_size : (position + 1) * sum_size]
            alarms = step_block(
                z, sums, errors, patterns.beside, position * LANES, base, passed, rule, is_prefix, outputs
            )
            spare.alarms[index] = alarms
            any_alarm |= alarms
        if any_alarm:  # not within the loop, where it would cost registers
            answer_alarms(settled, live, counters, spare, passed, samples, patterns, rule, plane, outputs)
        for j in range(n_live, counters[N_LIVE]):
            add_outputs(live.units, np.uint64(j), assume_nonnegative(live.code[j]), passed, plane, rule, outputs)
        for index in range(counters[N_CLASSES]):
            move_class(index, spare.moved, classes, live, counters, passed, samples, patterns, rule, plane, outputs)
        add_classes(spare.moved, classes, live, counters, passed, outputs)
        for k in range(2 * n_out):
            passed.base[k] += total(base[k])
        counters[CROSSINGS] += move_singly(
            live.units,
            live.code,
            counters[N_CLASSED],
            n_live,
            passed,
            samples,
            patterns,
            rule,
            plane,
            outputs,
            is_moving,
        )
        if is_moving:
            for o in range(n_out):
                passed.b2[o] -= rule.rate_b2 * passed.totals[2 * o]
        error = forward(passed, squared_error[epoch], samples, rule, outputs)
        crossings[epoch] = counters[CROSSINGS]
        if not np.isfinite(error):
            return epoch
    return n_epochs

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

from fastmlp.compiled.vectors import n_lanes

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

"""How the kernels of one input lay out their data: constants, bundles of arrays, and addresses.

With the n samples sorted, a unit z = w x + b is active on a suffix or a prefix of them, its *pattern*. A pattern has a
code: the active samples k, k + 1, ... have code k (0: all, n: none), the first k samples (0 < k < n) have code
prefix_offset + k, where prefix_offset is n + 1 rounded up to LANES. What is kept by code lies in blocks of LANES codes,
[block][field][lane].
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.jit import inlined
from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.engine import Array, Rates

LANES = 16  # of a block: two of the widest vectors; with blocks of one vector an epoch takes 1.15 times as long
WIDTH = n_lanes(np.dtype(np.float64))  # of a vector; the units of a class fill whole vectors
LEAST_CLASS = 2  # units in a class; a single one is trained by itself: 10 ns against 20 for a class

MAX_MAP_OUTPUTS = 4  # outputs up to which pattern moments pay: a map has (2 + n_out)^2 entries
# Room that kernels take on the stack for as many outputs.
MAX_ROWS = 2 + MAX_MAP_OUTPUTS  # of a unit: w, b, v_0, v_1, ...
MAX_LINES = 2 * MAX_MAP_OUTPUTS  # slope and intercept for each output
MAX_CLASS_LINES = 2 * MAX_LINES  # of active units and of inactive ones
MAX_STEPS = 4 * MAX_MAP_OUTPUTS  # entries of a map besides 1
MAX_ENTRIES = MAX_ROWS**2  # of a map
MAX_MOMENTS = MAX_ROWS * (MAX_ROWS + 1) // 2  # the upper triangle of a symmetric matrix

Units = Any  # rows w, b, v_0, v_1, ... of (n_hidden,): a tuple of arrays or an array
Vectors = Any  # room on the stack made by `vectors`

COUNTERS = np.dtype(
    [
        ("crossings", np.int64),  # sign changes so far
        ("epoch", np.int64),
        ("next_rebuild", np.int64),  # an epoch
        ("horizon", np.int64),  # epochs between rebuilds
        ("n_blocks", np.int64),  # of codes in use
        ("n_classes", np.int64),
        ("n_classed", np.int64),  # places that live units in classes take
        ("n_live", np.int64),  # places that all live units take
        ("leaves", np.int64),  # 1 if training every unit by itself is cheaper
        ("last_rebuild", np.int64),  # an epoch
        ("n_live_rebuilt", np.int64),  # n_live after the last rebuild
    ],
    align=True,
)

# What does not change of a class. ..._on is of units that have the class's sample active, ..._off of those that have
# not: the code of their pattern, the address of its sums and lines.
CLASS = np.dtype(
    [
        # The class's sample and its neighbours, times -1: a unit is active at x where b > w (-x), the same to the last
        # bit as w x > -b.
        ("minus_x", np.float64),
        ("minus_below", np.float64),
        ("minus_above", np.float64),
        ("below_active", np.int64),  # 1 if units of the class have the neighbour active, else 0
        ("above_active", np.int64),
        ("multiplicity", np.int64),  # samples of the problem merged into the class's
        ("code_on", np.int64),
        ("code_off", np.int64),
        ("address_on", np.int64),
        ("address_off", np.int64),
    ],
    align=True,
)


class Data(NamedTuple):
    """What training reads and never changes.

    Attributes
    ----------
    x, weight : ndarray, shape (prefix_offset,)
        Samples in ascending order and their weights, padded with zeros.
    y : ndarray, shape (n_out, prefix_offset)
        Targets, padded likewise.
    scatter : ndarray, shape (n_out,)
        Weighted mean square of the targets that were merged about their mean.
    n_before : ndarray of int64, shape (n_samples + 1,)
        How many samples of the problem lie before each merged one.
    neighbour_x, neighbour_active, neighbour_norm : ndarray, shape (2, 2 prefix_offset)
        By side (left, right of the kinks) and code: the sample x beside the kinks of a pattern, whether its units are
        active there, and sqrt(1 + x^2).
    negative_slope, centre : float
        The slope of the activation below 0, and what was subtracted from x.
    outputs : tuple of n_out integers
        Its length tells the compiler the number of outputs.
    """

    x: Array
    y: Array
    weight: Array
    scatter: Array
    n_before: Array
    neighbour_x: Array
    neighbour_active: Array
    neighbour_norm: Array
    negative_slope: float
    centre: float
    outputs: tuple[int, ...]


class Record(NamedTuple):
    """What an epoch writes: squared_error (n_epochs, n_out), crossings (n_epochs,), the sign changes so far."""

    squared_error: Array
    crossings: Array


class PatternSums(NamedTuple):
    """What `sums.forward` reads and writes by pattern.

    A unit adds v w to the slope and v b to the intercept of the line that an output is between two samples.

    Attributes
    ----------
    lines : ndarray, shape (2 prefix_offset * 2 n_out,)
        [block of codes][2 o + (0: slope, 1: intercept)][lane]: the sum over the units of a pattern.
    errors : ndarray, shape (2 prefix_offset * 2 n_out,)
        [block of codes][2 o + (0: e, 1: e x)][lane]: S0 and S1 of a pattern, the sums of the weighted errors over its
        active samples, plus negative_slope times those over its inactive ones. Code 0 has the sums over all samples.
    """

    lines: Array
    errors: Array


class Nets(NamedTuple):
    """Nets whose units are trained one by one.

    Attributes
    ----------
    units : ndarray, shape (n_nets, 2 + n_out, n_hidden)
        Rows w, b + centre w, v_0, v_1, ...
    codes : ndarray of int64, shape (n_nets, n_hidden)
    b2 : ndarray, shape (n_nets, n_out)
    rates : ndarray, shape (n_nets, n_pieces, 4)
        Of w1, b1, w2, b2, in each piece of the epochs.
    starts : ndarray of int64, shape (n_pieces,)
        The first epoch of each piece, counted in this call and ascending from 0.
    ends : ndarray, shape (n_nets, 3, n_out)
        Written: the first error, the last, and the largest, which is infinite if one is not finite.
    counters : recarray of COUNTERS, shape (n_nets,)
    """

    units: Array
    codes: Array
    b2: Array
    rates: Array
    starts: Array
    ends: Array
    counters: Any


class OptimizedNet(NamedTuple):
    """A net whose units are trained one by one by an optimiser.

    Attributes
    ----------
    parameters : tuple of ndarray
        w, b, v_0, v_1, ... of shape (n_hidden,) and b2 (n_out,).
    codes : ndarray of int64, shape (n_hidden,)
    gradient, first, second : tuple of ndarray
        As parameters: the gradient; the velocity, or for Adam the running mean of the gradient; for Adam that of its
        square.
    counters : recarray of COUNTERS, shape (1,)
        `epoch` counts the steps of the optimiser.
    """

    parameters: tuple[Array, ...]
    codes: Array
    gradient: tuple[Array, ...]
    first: tuple[Array, ...]
    second: tuple[Array, ...]
    counters: Any


class Optimizer(NamedTuple):
    """An optimiser and its numbers; momentum is SGD's, the three behind it are Adam's.

    factors (n_epochs,) is what a schedule multiplies the rates by in each epoch.
    """

    is_adam: bool
    weight_decay: Rates
    momentum: float
    is_nesterov: bool
    beta1: float
    beta2: float
    epsilon: float
    rates: Rates
    factors: Array


class MappedUnits(NamedTuple):
    """Units trained through the maps of their patterns, as they were at the last rebuild, in the order of their codes.

    Attributes
    ----------
    units : tuple of ndarray, shape (n_hidden and a vector more,)
        w, b, v_0, v_1, ...
    origin : ndarray of int64, shape (n_hidden,)
        The number of each unit in the caller's order.
    first, n_units : ndarray of int64, shape (2 prefix_offset,)
        The units of each code.
    maps : ndarray, shape (2 prefix_offset * n_fields,)
        [block][field][lane], see `maps.map_fields`.
    block_id : ndarray of int64
        The blocks in use.
    """

    units: tuple[Array, ...]
    origin: Array
    first: Array
    n_units: Array
    maps: Array
    block_id: Array


class LiveUnits(NamedTuple):
    """Units trained as such: counters.n_classed places are divided among classes, free units lie behind them.

    Class s < n holds suffixes that begin at s or s + 1, class n + s prefixes of length s + 1 or s. A unit stays in its
    class while two samples keep their signs: the neighbours of sample s; at an end, where one is missing, the sample at
    the other end. Where there is one sample only, no unit leaves.

    Attributes
    ----------
    units, origin
        As in `MappedUnits`, twice as long.
    code : ndarray of int64
        Of the free units.
    class_id, class_first, class_count : ndarray of int64, shape (2 n_samples,)
        The classes in use and their units.
    table : recarray of CLASS, shape (2 n_samples,)
    lines : ndarray, shape (2 n_samples, 4 n_out and more)
        [class in use][2 k + (0: active units, 1: inactive ones)], k as in `PatternSums.lines`; overwritten in an epoch.
    """

    units: tuple[Array, ...]
    origin: Array
    code: Array
    class_id: Array
    class_first: Array
    class_count: Array
    table: Any
    lines: Array


class Scratch(NamedTuple):
    """Arrays that a rebuild, or an epoch, overwrites.

    Attributes
    ----------
    units, origin, code
        All units as they are now.
    level : ndarray, shape (n_hidden and a vector more,)
        How soon each unit may cross a sample, see `maps.write_levels`.
    class_next : ndarray of int64, shape (2 n_samples,)
        Where the next unit of each class goes, -1 if its units stay free.
    forecast : ndarray, shape (1 + 2 n_out, 2 prefix_offset)
        What is expected of each map, see `maps.forecast_map`.
    alarms : ndarray of int64
        For each block in use one bit for each lane.
    """

    units: tuple[Array, ...]
    origin: Array
    code: Array
    level: Array
    class_next: Array
    forecast: Array
    alarms: Array


class MomentNet(NamedTuple):
    """A net whose units are divided into mapped and live ones; b2 (n_out,), counters a recarray (1,) of COUNTERS."""

    mapped: MappedUnits
    live: LiveUnits
    scratch: Scratch
    b2: Array
    counters: Any


@inlined
def address_of(code: Any, n_fields: Any) -> Any:
    """Return where the first field of a code lies in [block][field][lane]; the next follow at a distance of LANES."""
    return (code // LANES) * n_fields * LANES + code % LANES

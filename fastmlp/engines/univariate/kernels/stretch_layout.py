"""How units and stretches lie in memory, and the bundles of arrays that the kernels of stretches take.

The kinks of the units cut the sorted samples into stretches. Positions count units in the order of their kinks, and
stretch i ends at the kink of position i. Position 0 holds a unit of zeros with its kink left of all samples. The
positions after the last unit hold units of zeros with their kinks right of all samples; the first of them ends the
last stretch.

Positions lie in blocks of BLOCK_SIZE, and each field of a block is contiguous: LLVM vectorises loops over a block
because the distances between the fields are constants. An epoch of 1,000 units without a moved kink takes 8.9, 6.6
and 5.0 us with blocks of 16, 32 and 64, one of 10 units 0.17, 0.28 and 0.36.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.engines.engine import Array, Rates

BLOCK_SIZE = 64


def _block(*fields: str) -> np.dtype[Any]:
    return np.dtype((np.record, [(field, np.float64, BLOCK_SIZE) for field in fields]))


# A unit: w, beta = b + centre w, and its side: 1 if it is active right of its kink, -1 if left of it. Its guards, the
# samples beside its kink: which of them were active, and their x. Its stretch: sum of the weights, mean of x, and
# sum s (x - mean_x)^2.
BLOCK = _block("w", "beta", "side", "active_guards", "x_left", "x_right", "mass", "mean_x", "s_xx")
# For each output: the weight v of the unit, and the sums of r and r x left of its kink. Of its stretch: mean of y,
# slope of the line of least squares, and the squared error of that line.
OUTPUT_BLOCK = _block("v", "sum_r", "sum_rx", "mean_y", "fit_slope", "fit_error")

# Values of `active_guards`: 1 for an active left guard plus 2 for an active right one. Units whose kink lies outside
# the samples have the first and the last sample as guards.
NONE, PREFIX, SUFFIX, ALL = range(4)

# Sign changes so far; units moved in the last epoch; epochs and moved units since the costs were last compared; how
# often these were compared.
COUNTERS = np.dtype(
    (np.record, [(name, np.int64) for name in ("crossings", "n_moved", "n_since", "n_moved_since", "n_checks")])
)


class Units(NamedTuple):
    """Units in the order of their kinks, and the stretches between the kinks.

    blocks : (n_blocks,) of BLOCK
    outputs : (n_blocks, n_out) of OUTPUT_BLOCK
    block_fields, output_fields : (n_blocks, n_fields, BLOCK_SIZE) float64
        The memory of blocks and outputs.
    kink : (n_positions,) int64
        The number of samples left of each kink, ascending.
    caller_index : (n_positions,) int64
        The caller's number of the unit at each position.
    """

    blocks: Array
    outputs: Array
    block_fields: Array
    output_fields: Array
    kink: Array
    caller_index: Array


class State(NamedTuple):
    """What training changes.

    units : Units
    b2 : (n_out,)
    totals : (n_out, 2)
        The sums of r and r x over all samples; zeros before the first epoch.
    counters : (1,) of COUNTERS
        The kernel updates crossings, n_moved and n_moved_since.
    """

    units: Units
    b2: Array
    totals: Array
    counters: Array


class Scratch(NamedTuple):
    """Memory that a kernel needs and that does not carry over to its next call.

    moved : (n_positions,)
        1 where a kink may have moved across a sample; zeros between epochs.
    stale : (n_positions + 1,) int64
        1 where the moments of a stretch must be derived anew: ones before the first epoch, zeros after each.
    lanes : (3, BLOCK_SIZE)
        Sums over the positions of a block or over blocks.
    block_fields, output_fields : as in Units
    order, merged : (n_positions,) int64
    """

    moved: Array
    stale: Array
    lanes: Array
    block_fields: Array
    output_fields: Array
    order: Array
    merged: Array


class Data(NamedTuple):
    """The samples.

    x : (n_samples,)
        Ascending.
    n_before : (n_samples + 1,) int64
        How many samples of the problem lie before each of these.
    sums : (n_samples + 1, 1 + n_out, 3, 2)
        Their running sums, as `running_sums` writes them.
    scatter : (n_out,)
        What is added to the squared error because samples of equal x were merged.
    """

    x: Array
    n_before: Array
    sums: Array
    scatter: Array


class Descent(NamedTuple):
    """The learning rates of w, beta, v and b2; what was subtracted from x; the activation's slope below 0."""

    rates: Rates
    centre: float
    negative_slope: float


class EpochRecord(NamedTuple):
    """What is recorded after each update.

    squared_error : (n_epochs, n_out)
        The weighted mean of the squared error.
    crossings : (n_epochs,) int64
        The sign changes so far.
    """

    squared_error: Array
    crossings: Array


def zero_units(n_positions: int, n_out: int) -> Units:
    """Return room for units, all zeros; n_positions is a multiple of BLOCK_SIZE."""
    n_blocks = n_positions // BLOCK_SIZE
    blocks = np.zeros(n_blocks, BLOCK)
    outputs = np.zeros((n_blocks, n_out), OUTPUT_BLOCK)
    fields = (records.view(np.float64).reshape(n_blocks, -1, BLOCK_SIZE) for records in (blocks, outputs))
    return Units(blocks, outputs, *fields, *np.zeros((2, n_positions), np.int64))


def new_scratch(units: Units) -> Scratch:
    """Return scratch memory for the first epoch of units."""
    n_positions = units.kink.size
    return Scratch(
        moved=np.zeros(n_positions),
        stale=np.ones(n_positions + 1, np.int64),
        lanes=np.zeros((3, BLOCK_SIZE)),
        block_fields=np.zeros_like(units.block_fields),
        output_fields=np.zeros_like(units.output_fields),
        order=np.zeros(n_positions, np.int64),
        merged=np.zeros(n_positions, np.int64),
    )

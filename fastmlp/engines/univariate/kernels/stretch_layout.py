"""How units and stretches lie in memory, and the bundles of arrays that the kernels of stretches take.

The kinks of the units cut the sorted samples into stretches. Positions count units in the order of their kinks, and
stretch i ends at the kink of position i. Position 0 holds a unit of zeros with its kink left of all samples. The
positions after the last unit hold units of zeros with their kinks right of all samples; the first of them ends the
last stretch.

Positions lie in blocks of BLOCK_SIZE, and each field of a block is contiguous: LLVM vectorises loops over a block
because the distances between the fields are constants.

Within a block a field is a matrix of ROWS x COLUMNS, and the positions run down its columns, one column after the
other (`lane`). Running sums over the positions are then taken in vectors, down all columns of a block at once. An epoch
without a moved kink takes 2.8 us with 1,000 units and 0.22 us with 10; with one position after the other, and half as
many sums, it took 4.2 and 0.29.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined
from fastmlp.compiled.memory import aligned_zeros
from fastmlp.engines.engine import Array, Rates

ROWS, COLUMNS = 8, 8
BLOCK_SIZE = ROWS * COLUMNS


def _block(*fields: str) -> np.dtype[Any]:
    return np.dtype((np.record, [(field, np.float64, BLOCK_SIZE) for field in fields]))


# A unit: w, beta = b + centre w, and its side: 1 if it is active right of its kink, -1 if left of it. The slopes of the
# activation on both sides of the kink. Its guards, the samples beside its kink: which of them were active, and their x.
UNIT_FIELDS = ("w", "beta", "side", "slope_left", "slope_right", "active_guards", "x_left", "x_right")
N_UNIT_FIELDS = len(UNIT_FIELDS)
UNIT_BLOCK = _block(*UNIT_FIELDS)
# A stretch: sum of the weights, mean of x, and sum s (x - mean_x)^2.
STRETCH_BLOCK = _block("mass", "mean_x", "s_xx")
# A stretch for each output: mean of y, slope of the line of least squares, and the squared error of that line. The sums
# of r and of r x.
OUTPUT_BLOCK = _block("mean_y", "fit_slope", "fit_error", "sum_r", "sum_rx")

# Sums over samples, as pairs: of s, s x and s x^2, or for an output of s y, s x y and s y^2.
PAIR_SUMS = np.dtype((np.record, [(name, np.float64, 2) for name in ("plain", "times_x", "square")]))

# Values of `active_guards`: 1 for an active left guard plus 2 for an active right one. Units whose kink lies outside
# the samples have the first and the last sample as guards.
NONE, PREFIX, SUFFIX, ALL = range(4)

# Sign changes so far; units moved in the last epoch; epochs and moved units since the costs were last compared; how
# often these were compared.
COUNTERS = np.dtype(
    (np.record, [(name, np.int64) for name in ("crossings", "n_moved", "n_since", "n_moved_since", "n_checks")])
)


@inlined
def lane(position: int) -> int:
    """Return where the fields of a position lie in its block, which is block position // BLOCK_SIZE."""
    natural = assume_nonnegative(position)
    return natural % ROWS * COLUMNS + natural // ROWS % COLUMNS  # type: ignore[no-any-return]


@inlined
def position_of(block: int, i: int) -> int:
    """Return the position whose fields lie at i in a block."""
    return block * BLOCK_SIZE + i % COLUMNS * ROWS + i // COLUMNS


def in_lanes(values: Array) -> Array:
    """Return values (n_positions,) in the order of fields (n_blocks, BLOCK_SIZE)."""
    return values.reshape(-1, COLUMNS, ROWS).swapaxes(1, 2).reshape(-1, BLOCK_SIZE)


def in_positions(fields: Array) -> Array:
    """Undo `in_lanes`."""
    return fields.reshape(-1, ROWS, COLUMNS).swapaxes(1, 2).reshape(-1)


class Units(NamedTuple):
    """Units in the order of their kinks.

    blocks : (n_blocks,) of UNIT_BLOCK
    fields : (n_blocks, n_fields, BLOCK_SIZE)
        The memory of blocks.
    v : (n_blocks, n_out, BLOCK_SIZE)
    kink : (n_positions,) int64
        The number of samples left of each kink, ascending.
    caller_index : (n_positions,) int64
        The caller's number of the unit at each position.
    """

    blocks: Array
    fields: Array
    v: Array
    kink: Array
    caller_index: Array


class State(NamedTuple):
    """What training changes.

    units : Units
    stretches : (n_blocks,) of STRETCH_BLOCK
    outputs : (n_blocks, n_out) of OUTPUT_BLOCK
    b2 : (n_out,)
    column_sums : (n_out, 4, n_blocks COLUMNS)
        For each column of a block the sums of r and r x over all stretches left of it, and over those right of it.
    total_r : (n_out,)
        The sums of r over all samples. All sums are zero before the first epoch.
    counters : (1,) of COUNTERS
        The kernel updates crossings, n_moved and n_moved_since.
    """

    units: Units
    stretches: Array
    outputs: Array
    b2: Array
    column_sums: Array
    total_r: Array
    counters: Array


class Scratch(NamedTuple):
    """Memory that a kernel needs and that does not carry over to its next call.

    moved : (n_blocks, 2) int64
        Bit i % 32 of moved[block, i // 32] marks that the kink in lane i may have moved across a sample. Zeros between
        epochs.
    stale : (n_positions + 1,) int64
        1 where the moments of a stretch must be derived anew: ones before the first epoch, zeros after each.
    gradients : (2, BLOCK_SIZE)
        The sums of v S0 and v S1 over the outputs, for the units of a block.
    is_moved : (BLOCK_SIZE,)
        What `moved` is to mark, as numbers.
    line_starts : (4, n_blocks COLUMNS)
        For each column of a block the lines (rise and offset) of all units left of it, and of those right of it.
    order, merged : (n_positions,) int64
    """

    moved: Array
    stale: Array
    gradients: Array
    is_moved: Array
    line_starts: Array
    order: Array
    merged: Array


class Data(NamedTuple):
    """The samples.

    x : (n_samples,)
        Ascending.
    n_before : (n_samples + 1,) int64
        How many samples of the problem lie before each of these.
    sums : (n_samples + 1, 1 + n_out) of PAIR_SUMS
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


def zero_state(n_positions: int, n_out: int) -> State:
    """Return a state of zeros; n_positions is a multiple of BLOCK_SIZE."""
    n_blocks = n_positions // BLOCK_SIZE
    blocks = aligned_zeros((n_blocks,), UNIT_BLOCK)
    units = Units(
        blocks=blocks,
        fields=blocks.view(np.float64).reshape(n_blocks, -1, BLOCK_SIZE),
        v=aligned_zeros((n_blocks, n_out, BLOCK_SIZE)),
        kink=np.zeros(n_positions, np.int64),
        caller_index=np.zeros(n_positions, np.int64),
    )
    return State(
        units=units,
        stretches=aligned_zeros((n_blocks,), STRETCH_BLOCK),
        outputs=aligned_zeros((n_blocks, n_out), OUTPUT_BLOCK),
        b2=np.zeros(n_out),
        column_sums=aligned_zeros((n_out, 4, n_blocks * COLUMNS)),
        total_r=np.zeros(n_out),
        counters=np.zeros(1, COUNTERS),
    )


def new_scratch(units: Units) -> Scratch:
    """Return scratch memory for the first epoch of units."""
    n_positions = units.kink.size
    return Scratch(
        moved=np.zeros((units.blocks.size, 2), np.int64),
        stale=np.ones(n_positions + 1, np.int64),
        gradients=aligned_zeros((2, BLOCK_SIZE)),
        is_moved=aligned_zeros((BLOCK_SIZE,)),
        line_starts=aligned_zeros((4, units.blocks.size * COLUMNS)),
        order=np.zeros(n_positions, np.int64),
        merged=np.zeros(n_positions, np.int64),
    )

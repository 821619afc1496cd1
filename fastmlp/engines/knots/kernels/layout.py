"""The arrays that the kernels of free-knot splines take."""

from __future__ import annotations

from typing import Any, NamedTuple


class Samples(NamedTuple):
    """Distinct x in ascending order, y and sample_weight, all (n_samples,), and the moments of blocks of samples.

    Block i has the samples from i block_size to (i + 1) block_size. Its moments are row i of blocks (n_blocks, 6).
    """

    x: Any
    y: Any
    sample_weight: Any
    blocks: Any
    block_size: Any


class Spline(NamedTuple):
    """A continuous piecewise-linear function.

    knots (n_pieces + 1,) ascend from the first sample to the last, values (n_pieces + 1,) are those at the knots. Piece
    s has the samples first[s] to first[s + 1] - 1; first (n_pieces + 1,). moments (n_pieces, 6) are those of the
    samples of the pieces. squared_error (1,) is that of the spline.
    """

    knots: Any
    values: Any
    first: Any
    moments: Any
    squared_error: Any


class Scratch(NamedTuple):
    """What a step overwrites.

    rows (2 n_pieces + 2, 3) are the triangular system of a solve. from_left and from_right (n_pieces + 1, 2) are what
    the samples on either side of a knot say about its value. gain (n_pieces,) is the decrease of the squared error if a
    piece is split at sample `split` (n_pieces,), the best of n_splits places. ease (n_pieces,) is the inverse of the
    increase if the knot at its left end is removed. marks (n_pieces,) say what happens.
    """

    rows: Any
    from_left: Any
    from_right: Any
    ease: Any
    gain: Any
    split: Any
    marks: Any
    n_splits: Any


class Splines(NamedTuple):
    """The best spline so far, the one that steps go on from, and the one that is evaluated next."""

    best: Spline
    current: Spline
    trial: Spline

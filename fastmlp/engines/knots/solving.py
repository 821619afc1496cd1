"""The least-squares linear spline of sorted samples: the memory layout of the kernels, and their calls."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.engines.engine import Array
from fastmlp.engines.knots.kernels.descending import FEW, improve
from fastmlp.engines.knots.kernels.dividing import Division, divide
from fastmlp.engines.knots.kernels.layout import Samples, Scratch, Spline, Splines

SAMPLES_PER_PIECE = 3  # or more: with 2, exp(x) at 4 samples a piece has 1.9 times the error between the samples
MOST_EVALUATIONS = 400
GROUPS_PER_PIECE, LEAST_GROUPS = 8, 64  # of the division; finer groups gain less than 1 %
LONGEST = 32  # groups in a piece of the division: four times the average
FEW_SPLITS, MANY_SPLITS = 3, 32  # places at which a piece is tried to be split
MERGED_COST = 13  # of combining the moments of two blocks, in those of passing a sample


class Solution(NamedTuple):
    """A spline: its knots and values (n_pieces + 1,), the index of the first sample at or after each knot, and more.

    Attributes
    ----------
    squared_error : float
        Weighted mean of the squared errors.
    n_evaluations : int
        Number of splines that were evaluated.
    """

    knots: Array
    values: Array
    first: Array
    squared_error: float
    n_evaluations: int


@functools.cache
def compile_kernels() -> None:
    """Compile or load the kernels, so that later calls compile nothing."""
    x = np.arange(3.0)
    _solution(x, x, np.ones(3), 1, at_samples=True)


def free_knots(x: Array, y: Array, sample_weight: Array, n_pieces: int) -> Solution:
    """Return a spline with at least `SAMPLES_PER_PIECE` samples in every piece, near the best one."""
    return _solution(x, y, sample_weight, n_pieces, at_samples=False)


def knots_at_samples(x: Array, y: Array, sample_weight: Array, n_pieces: int) -> Solution:
    """Return a spline whose knots are samples, the best ones for straight lines from knot to knot."""
    return _solution(x, y, sample_weight, n_pieces, at_samples=True)


def _solution(x: Array, y: Array, sample_weight: Array, n_pieces: int, *, at_samples: bool) -> Solution:
    n_least, n_most = (1, 1) if at_samples else (SAMPLES_PER_PIECE, MOST_EVALUATIONS)
    samples = _samples(x, y, sample_weight, n_pieces)
    splines = Splines(*(_spline(n_pieces) for _ in Splines._fields))
    arguments = samples, _division(x.size, n_pieces, at_samples=at_samples), splines.trial, n_least, at_samples
    compiled(divide, arguments)(*arguments)
    search = samples, splines, _scratch(n_pieces), n_least, n_most
    n_evaluations = compiled(improve, search)(*search)
    best = splines.best
    return Solution(best.knots, best.values, best.first, float(best.squared_error[0]), n_evaluations)


def _samples(x: Array, y: Array, sample_weight: Array, n_pieces: int) -> Samples:
    """Return the samples, with blocks of the size with which a piece takes the least time."""
    size = 1 << max(2, int(np.sqrt(MERGED_COST * x.size / n_pieces)).bit_length() - 1)
    return Samples(x, y, sample_weight, np.zeros((x.size // size, 6)), size)


def _division(n_samples: int, n_pieces: int, *, at_samples: bool) -> Division:
    n_groups = n_samples - 1 if at_samples else min(n_samples, max(LEAST_GROUPS, GROUPS_PER_PIECE * n_pieces))
    longest = n_groups if n_groups <= LEAST_GROUPS else LONGEST
    ends = np.arange(n_samples) if at_samples else np.arange(n_groups + 1) * n_samples // n_groups
    errors = np.empty((n_groups + 1, longest + 1))
    total, length = np.empty(n_groups + 1), np.zeros(n_groups + 1, np.int64)
    return Division(ends.astype(np.int64), np.empty((n_groups, 6)), errors, total, length)


def _spline(n_pieces: int) -> Spline:
    n_knots = n_pieces + 1
    first = np.zeros(n_knots, np.int64)
    return Spline(np.zeros(n_knots), np.zeros(n_knots), first, np.zeros((n_pieces, 6)), np.zeros(1))


def _scratch(n_pieces: int) -> Scratch:
    return Scratch(
        rows=np.zeros((2 * n_pieces + 2, 3)),
        from_left=np.zeros((n_pieces + 1, 2)),
        from_right=np.zeros((n_pieces + 1, 2)),
        ease=np.zeros(n_pieces),
        gain=np.zeros(n_pieces),
        split=np.zeros(n_pieces, np.int64),
        marks=np.zeros(n_pieces, np.int64),
        n_splits=MANY_SPLITS if n_pieces <= FEW else FEW_SPLITS,
    )

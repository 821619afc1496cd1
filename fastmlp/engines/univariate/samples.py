"""The samples of a problem with one input, sorted, merged and centred for the univariate methods."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from fastmlp.engines.engine import Array, Problem
from fastmlp.engines.summation import weighted_sum
from fastmlp.engines.univariate.codes import Neighbours, neighbours, prefix_offset

MAX_OFFSET = 4.0  # of the mean of x from 0, in standard deviations; beyond, x is centred


@dataclass(frozen=True, eq=False)
class SortedSamples:
    """Distinct inputs in ascending order, in float64.

    A unit (w, b, v) is trained as (w, beta = b + centre w, v) on x - centre. The centre is 0 unless x lies far from 0
    compared with its spread: then an offset of 10^k times the spread would cost k digits, and 2 k in sums of x^2.

    Attributes
    ----------
    centre : float
        Subtracted from the inputs.
    raw_x, x : ndarray, shape (n_distinct,)
        Inputs as given, and minus the centre.
    y : ndarray, shape (n_distinct, n_out)
        Weighted mean of the targets at equal inputs.
    weight : ndarray, shape (n_distinct,)
        Sum of the weights at equal inputs; they sum to 1.
    scatter : ndarray, shape (n_out,)
        Weighted mean square of the targets about `y`, which no net can fit.
    n_before : ndarray of int64, shape (n_distinct + 1,)
        How many samples of the problem lie before each distinct input.
    """

    centre: float
    raw_x: Array
    x: Array
    y: Array
    weight: Array
    scatter: Array
    n_before: Array

    @functools.cached_property
    def padded(self) -> tuple[Array, Array, Array]:
        """x, y (n_out, ...) and weight, padded with zeros to whole blocks of codes."""
        n, n_out = self.y.shape
        rows = np.zeros((2 + n_out, prefix_offset(n)))
        rows[0, :n], rows[1, :n], rows[2:, :n] = self.x, self.weight, self.y.T
        return rows[0], rows[2:], rows[1]

    @functools.cached_property
    def neighbours(self) -> Neighbours:
        """The samples beside the kinks of each pattern."""
        return neighbours(self.x)


def sorted_samples(problem: Problem, *, may_centre: bool) -> SortedSamples:
    """Sort the samples of a problem of one input and merge those of equal x."""
    order = np.argsort(problem.x[:, 0], kind="stable")
    order = order[problem.sample_weight[order] > 0]  # a small weight may be 0 in float32
    x = problem.x[order, 0].astype(np.float64)
    y = problem.y[order].astype(np.float64)
    weight = problem.sample_weight[order].astype(np.float64)
    is_first = np.append(True, x[1:] > x[:-1])
    first = np.flatnonzero(is_first)
    n_before = np.append(first, x.size).astype(np.int64)
    merged_weight = np.add.reduceat(weight, first)
    if first.size == x.size:
        merged_y, scatter = y, np.zeros(y.shape[1])
    else:
        # About the first target of each group, so that equal targets average to themselves.
        group = np.cumsum(is_first) - 1
        offset = y - y[first][group]
        merged_y = y[first] + np.add.reduceat(weight[:, None] * offset, first) / merged_weight[:, None]
        scatter = weighted_sum(weight, (y - merged_y[group]) ** 2)
    x = x[first]
    centre = _centre(x, merged_weight) if may_centre else 0.0
    return SortedSamples(centre, x, x - centre, np.ascontiguousarray(merged_y), merged_weight, scatter, n_before)


def _centre(x: Array, weight: Array) -> float:
    """Return the mean of x, rounded to float32 so that x - centre is exact, or 0 where x is not far from 0."""
    middle = x[0] / 2 + x[-1] / 2
    mean = middle + float(weight @ (x - middle)) / float(weight.sum())
    largest = max(float(np.abs(x - mean).max()), np.finfo(float).tiny)
    spread = largest * float(np.sqrt(weight @ ((x - mean) / largest) ** 2 / weight.sum()))
    rounded = float(np.float32(mean)) if abs(mean) < np.finfo(np.float32).max else mean
    return rounded if abs(mean) > MAX_OFFSET * spread else 0.0

"""What a cross-validated fit knows of rows that its nets have not seen, and the intervals that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp.engines.engine import Array
from fastmlp.nets.net import Net

ROUNDING = 1e-12  # relative, of sums of weights


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """The nets of the folds of `fastmlp.fit_cv`, and their predictions of the samples that each has not seen.

    Attributes
    ----------
    nets : tuple of Net
        Net of each fold whose nets were trained.
    fold : ndarray of int64, shape (n_samples,)
        Fold of each sample; -1 for samples that no net predicted: those of weight 0, and those of folds that were not
        trained.
    predictions : ndarray of float64, shape (n_samples, n_out)
        Predictions by the net of the sample's fold; NaN where `fold` is -1.
    residuals : ndarray of float64, shape (n_samples, n_out)
        Targets minus predictions.
    sample_weight : ndarray of float64, shape (n_samples,)
        Weights of the samples.
    """

    nets: Sequence[Net]
    fold: Array
    predictions: Array
    residuals: Array
    sample_weight: Array

    def __post_init__(self) -> None:
        for array in (self.fold, self.predictions, self.residuals, self.sample_weight):
            array.flags.writeable = False

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.__post_init__()  # unpickled arrays are writeable

    def interval(self, predictions: Sequence[Array], coverage: float) -> tuple[Array, Array]:
        """Return the ends of CV+ intervals (n, n_out), for the predictions (n, n_out) of the net of each fold."""
        n_out = self.residuals.shape[1]
        ends = np.empty((2, *predictions[0].shape))
        for o in range(n_out):
            centres = np.stack([outputs[:, o] for outputs in predictions])
            lists = [self._sorted_errors(k, o) for k in range(len(self.nets))]
            # The lower end is the upper one of the mirrored problem.
            ends[0, :, o] = -_quantile_of_union(-centres, lists, coverage)
            ends[1, :, o] = _quantile_of_union(centres, lists, coverage)
        return ends[0], ends[1]

    def _sorted_errors(self, k: int, o: int) -> tuple[Array, Array]:
        """Return the absolute residuals of fold k in output o in ascending order, and the sums of weights up to each.

        Equal residuals are one entry. The sums begin with 0.
        """
        is_tested = self.fold == k
        errors, number = np.unique(np.abs(self.residuals[is_tested, o]), return_inverse=True)
        weights = np.bincount(number, self.sample_weight[is_tested])
        return errors, np.append(0.0, np.cumsum(weights))


def _quantile_of_union(centres: Array, lists: Sequence[tuple[Array, Array]], coverage: float) -> Array:
    """Return the smallest value v for which the weight of all c_k + r <= v is at least coverage (W + 1).

    centres (n_folds, m) holds the c_k for each of m points. lists has for each fold its errors r in ascending order and
    their cumulative weights; W is their total. The value is infinite where coverage (W + 1) exceeds W.

    The value is found by bisection: a step takes one binary search in each fold. No array has m times as many entries
    as there are errors. Numbers are compared as integers, so that 64 steps are always enough.
    """
    total = sum(float(weights[-1]) for _, weights in lists)
    wanted = coverage * (total + 1) * (1 - ROUNDING)
    values = np.full(centres.shape[1], np.inf)
    if wanted > total:
        return values
    # The quantile of all lies between the smallest and the largest of the quantiles of the folds.
    quantiles = np.array([errors[np.searchsorted(w, wanted / total * w[-1]) - 1] for errors, w in lists])
    ends = np.sort(centres + quantiles[:, None], axis=0)
    low, high = _as_integer(ends[0]) - 2, _as_integer(ends[-1]) + 2
    rows = np.arange(len(values))
    below = _counts(_as_float(low), centres, lists)
    up_to = _counts(_as_float(high), centres, lists)
    while rows.size:  # the wanted values lie in (low, high]
        is_last = high <= low + 1
        values[rows[is_last]] = _as_float(high[is_last])
        is_one = (up_to - below).sum(axis=0) == 1
        k = (up_to - below)[:, is_one].argmax(axis=0)
        first = below[k, is_one]
        values[rows[is_one]] = centres[k, is_one] + np.array([lists[i][0][j] for i, j in zip(k, first, strict=True)])
        going_on = ~(is_last | is_one)
        rows, low, high, centres = rows[going_on], low[going_on], high[going_on], centres[:, going_on]
        below, up_to = below[:, going_on], up_to[:, going_on]
        middle = (low & high) + ((low ^ high) >> 1)  # their mean, without overflow
        counts = _counts(_as_float(middle), centres, lists)
        weight = np.sum([weights[n] for n, (_, weights) in zip(counts, lists, strict=True)], axis=0)
        is_enough = weight >= wanted
        low, high = np.where(is_enough, low, middle), np.where(is_enough, middle, high)
        below, up_to = np.where(is_enough, below, counts), np.where(is_enough, counts, up_to)
    return values


def _counts(values: Array, centres: Array, lists: Sequence[tuple[Array, Array]]) -> Array:
    """Return how many errors r of each fold have c_k + r <= v, for each point: (n_folds, m)."""
    pairs = zip(centres, lists, strict=True)
    return np.array([np.searchsorted(errors, values - c, side="right") for c, (errors, _) in pairs])


def _as_integer(value: Array) -> Array:
    """Return integers that are in the same order as some finite numbers, one for each number of float64."""
    bits = (value + 0.0).view(np.int64)  # never -0.0
    return np.where(bits < 0, np.iinfo(np.int64).min - bits, bits)


def _as_float(integer: Array) -> Array:
    """Return the numbers that `_as_integer` maps to some integers."""
    return np.where(integer < 0, np.iinfo(np.int64).min - integer, integer).view(np.float64)

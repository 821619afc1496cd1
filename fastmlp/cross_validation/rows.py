"""The rows of a table in an order of their own, so that the result does not depend on the order in which they came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.engines.engine import Array


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of positive weight.

    Attributes
    ----------
    x, y : ndarray of float64, shapes (n_rows, n_in) and (n_rows, n_out)
        Inputs and targets.
    weight : ndarray of float64, shape (n_rows,)
        Weights, not rescaled.
    row_of : ndarray of int, shape (n_samples,)
        The row of each sample that the caller gave; -1 for samples of weight 0.
    sample_weight : ndarray of float64, shape (n_samples,)
        The weight of each of these samples.
    """

    x: Array
    y: Array
    weight: Array
    row_of: Array
    sample_weight: Array


def merged_rows(x: Array, y: Array, weight: Array, group: Array) -> Rows:
    """Return the samples of positive weight, sorted, with equal samples merged to one row that has their total weight.

    So a sample of weight 2 is the same as the sample twice, and no other fold holds a copy of it. Samples of different
    groups (n_samples,) are not merged.
    """
    counted = np.flatnonzero(weight > 0)
    columns = np.concatenate([x[counted], y[counted], group[counted, None]], axis=1) + 0.0  # never -0.0
    # Equal samples are sorted by their weights, so that the sum of these does not depend on the order either.
    order = np.lexsort((weight[counted], *columns.T))
    columns, sorted_weight = columns[order], weight[counted][order]
    is_new = np.append(True, (columns[1:] != columns[:-1]).any(axis=1))
    row_of = np.full(len(x), -1)
    row_of[counted[order]] = np.cumsum(is_new) - 1
    first = columns[is_new]
    n_in, n_out = x.shape[1], y.shape[1]
    total = np.add.reduceat(sorted_weight, np.flatnonzero(is_new))
    return Rows(
        np.ascontiguousarray(first[:, :n_in]),
        np.ascontiguousarray(first[:, n_in : n_in + n_out]),
        total,
        row_of,
        weight,
    )

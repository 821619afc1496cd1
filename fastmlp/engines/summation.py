"""Sums whose bits do not depend on the number of threads of BLAS."""

from __future__ import annotations

import numpy as np

from fastmlp.engines.engine import Array


def weighted_sum(weight: Array, rows: Array) -> Array:
    """Return the sum over i of weight_i rows_ij, for each j.

    BLAS is not used, because its order of summation depends on the number of threads.
    """
    return np.asarray(np.einsum("i,...ij->...j", weight, rows))

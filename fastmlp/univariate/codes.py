"""Codes of activation patterns, which every univariate method takes and gives.

Of n sorted samples the active ones are k, k + 1, ... (code k; 0 is "all", n is "none") or the first k, 0 < k < n (code
plane + k).
"""

from __future__ import annotations

import numpy as np

from fastmlp.engine import Array
from fastmlp.univariate.patterns import LANES


def round_up(size: int, multiple: int) -> int:
    """Return the least multiple that is not below a size."""
    return -(-size // multiple) * multiple


def plane_size(n: int) -> int:
    """Return where the codes of prefixes begin: n + 1, rounded up to what the kernels take at a time."""
    return round_up(n + 1, LANES)


def codes(first: Array, stop: Array, n: int) -> Array:
    """Return the codes of patterns given as ranges first <= i < stop of active samples."""
    is_prefix = (first == 0) & (stop > 0) & (stop < n)
    return np.where(is_prefix, plane_size(n) + stop, np.where(stop > first, first, n)).astype(np.int64)

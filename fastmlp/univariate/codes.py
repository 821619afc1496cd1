"""Codes of activation patterns, which every univariate method takes and gives.

Of n sorted samples the active ones are k, k + 1, ... (code k; 0 is "all", n is "none") or the first k, 0 < k < n (code
plane + k).
"""

from __future__ import annotations

import numpy as np

from fastmlp.engine import Array
from fastmlp.univariate.patterns import LANES, Patterns
from fastmlp.vectors import aligned_zeros


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


def tables(x: Array) -> Patterns:
    """Return the samples beside the kinks of each pattern; of "all" and "none" the first and the last sample."""
    n, plane = x.size, plane_size(x.size)
    beside = aligned_zeros(2, 2 * plane)
    active = np.empty((2, 2 * plane), np.bool_)
    active[:] = [[True], [False]]  # of codes without a pattern, to equal samples: no unit has these
    for start, left_active in ((0, False), (plane, True)):
        proper = slice(start + 1, start + n)
        beside[:, proper] = x[:-1], x[1:]
        active[0, proper], active[1, proper] = left_active, not left_active
    beside[:, [0, n]] = x[[0, -1], None]
    active[:, [0, n]] = True, False
    return Patterns(beside, active, np.sqrt(1 + beside**2))

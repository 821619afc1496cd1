"""Codes of activation patterns, which every univariate method takes and gives, and the samples beside their kinks.

`fastmlp.engines.univariate.kernels.layout` says which pattern has which code.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp.compiled.memory import aligned_zeros, round_up
from fastmlp.engines.engine import Array
from fastmlp.engines.univariate.kernels.layout import LANES


def prefix_offset(n: int) -> int:
    """Return where the codes of prefixes of n samples begin: n + 1, rounded up to whole blocks."""
    return round_up(n + 1, LANES)


def codes(first: Array, stop: Array, n: int) -> Array:
    """Return the codes of patterns given as ranges first <= i < stop of n samples."""
    is_prefix = (first == 0) & (stop > 0) & (stop < n)
    return np.where(is_prefix, prefix_offset(n) + stop, np.where(stop > first, first, n)).astype(np.int64)


class Neighbours(NamedTuple):
    """The samples beside the kinks of each pattern, by side (left, right) and code.

    x, the sample; active, whether units of the pattern are active there; norm, sqrt(1 + x^2). "all" and "none" have the
    first and the last sample.
    """

    x: Array
    active: Array
    norm: Array


def neighbours(x: Array) -> Neighbours:
    """Return the samples beside the kinks of each pattern of the sorted samples x."""
    n, offset = x.size, prefix_offset(x.size)
    beside = aligned_zeros((2, 2 * offset))
    active = np.empty((2, 2 * offset), np.bool_)
    active[:] = [[True], [False]]  # of codes without a pattern, whose samples are equal: no unit has these
    for start, left_active in ((0, False), (offset, True)):
        proper = slice(start + 1, start + n)
        beside[:, proper] = x[:-1], x[1:]
        active[0, proper], active[1, proper] = left_active, not left_active
    beside[:, [0, n]] = x[[0, -1], None]
    active[:, [0, n]] = True, False
    return Neighbours(beside, active, np.sqrt(1 + beside**2))

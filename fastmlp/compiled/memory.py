"""Arrays of zeros as kernels take them: aligned to cache lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

CACHE_LINE = 64  # bytes
FLOAT64 = np.dtype(np.float64)


def round_up(size: int, multiple: int) -> int:
    """Return the least multiple that is at least size."""
    return -(-size // multiple) * multiple


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype[Any] = FLOAT64) -> np.ndarray[Any, np.dtype[Any]]:
    """Return zeros that start on a cache line.

    NumPy aligns to 16 bytes only. Kernels take up to twice as long if most vectors of 64 bytes lie across two cache
    lines, because such a vector takes two loads.
    """
    room = np.zeros(math.prod(shape) * dtype.itemsize + CACHE_LINE, np.uint8)
    return np.ndarray(shape, dtype, room, -room.ctypes.data % CACHE_LINE)

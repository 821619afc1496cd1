"""Arrays as the kernels take them: they start on a cache line and are padded with zeros to whole vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.engine import Array

CACHE_LINE = 64  # bytes


def round_up(size: int, multiple: int) -> int:
    """Return the least multiple that is at least size."""
    return -(-size // multiple) * multiple


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return zeros that start on a cache line, because a vector across two lines takes two loads."""
    n_bytes = math.prod(shape) * dtype.itemsize
    room = np.zeros(n_bytes + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + n_bytes].view(dtype).reshape(shape)


def padded(array: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a copy of an array in the first corner of a larger one of zeros."""
    larger = aligned_zeros(shape, dtype)
    larger[tuple(slice(size) for size in array.shape)] = array
    return larger


def broadcast_to_lanes(b2: Array, dtype: np.dtype[Any]) -> Array:
    """Return the output biases (n_out,) as the kernels take them: (n_out, lanes), the same in every lane."""
    repeated = np.repeat(b2[:, None], n_lanes(dtype), axis=1)
    return padded(repeated, repeated.shape, dtype)

"""Arrays as the kernels take them: on cache lines, padded to whole vectors."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.engine import Array

CACHE_LINE = 64


def round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return zeros that start on a cache line: a vector across two lines takes two loads."""
    n_bytes = math.prod(shape) * dtype.itemsize
    room = np.zeros(n_bytes + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + n_bytes].view(dtype).reshape(shape)


def padded(array: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Copy an array into the first corner of a C-ordered array of zeros."""
    padded = zeros(shape, dtype)
    padded[tuple(slice(size) for size in array.shape)] = array
    return padded


def in_every_lane(b2: Array, dtype: np.dtype[Any]) -> Array:
    """Return the output biases (n_out,) as the kernels hold them, (n_out, lanes)."""
    return padded(np.repeat(b2[:, None], n_lanes(dtype), axis=1), (b2.size, n_lanes(dtype)), dtype)

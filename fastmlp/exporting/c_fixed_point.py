"""Fixed-point numbers in C sources: the scales of integers, and rounding to them."""

from __future__ import annotations

import math

import numpy as np

from fastmlp.engines.engine import Array

INT_BITS = 31  # of an int32 without its sign
FIXED_POINT = (
    "Fixed point: x[i] is input i times 2^X_BITS[i], rounded; y[k] is output k times 2^Y_BITS[k]. "
    "No input can overflow. "
    "The compiler must keep the sign in right shifts of negative integers, as all common compilers do."
)


def scale_bits(n_bits: int, size: float) -> int:
    """Return the largest b for which size * 2^b, rounded, is less than 2^n_bits."""
    return n_bits - 1 - math.floor(math.log2(size) + 1e-9) if size > 0 else n_bits


def scaled(array: Array, n_bits: int | Array) -> Array:
    """Return array * 2^n_bits, rounded to integers."""
    return np.rint(np.ldexp(array, n_bits)).astype(np.int64)


def rounding_offset(shift: int) -> int:
    """Return the integer to add before a right shift, so that the shift rounds to nearest."""
    return 1 << (shift - 1) if shift else 0

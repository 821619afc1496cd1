"""Checks of arrays of real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.checks.messages import counted, wording
from fastmlp.engines.engine import Array, Weights


def common_dtype(*arrays: Array) -> np.dtype[Any]:
    """Return float32 if all arrays are float32, in either byte order, and float64 otherwise."""
    return np.dtype(np.float32 if all(array.dtype.type is np.float32 for array in arrays) else np.float64)


def fractions(name: str, value: object) -> Array:
    """Check a number from 0 to 1, or a one-dimensional array of such numbers."""
    array = real_array(name, value)
    if array.ndim > 1:
        raise ValueError(wording(name, "a number or an array of one dimension", counted(array.ndim, "dimension")))
    outside = ~((array >= 0) & (array <= 1))
    if outside.any():
        raise ValueError(wording(name, "from 0 to 1", f"{np.atleast_1d(array)[np.argmax(outside)]}"))
    return array


def weights(given: Weights, name: str = "") -> Weights:
    """Check that four arrays are the weights of a network. Errors put `name` before w1, b1, w2 and b2."""
    names = [f"{name}{field}" for field in Weights._fields]
    arrays = Weights(*(real_array(label, array) for label, array in zip(names, given, strict=True)))
    if arrays.w1.ndim != 2 or not arrays.w1.size:
        raise ValueError(wording(names[0], "of shape (n_in, hidden)", f"shape {arrays.w1.shape}"))
    n_hidden = arrays.w1.shape[1]
    if arrays.w2.ndim != 2 or not arrays.w2.size or arrays.w2.shape[0] != n_hidden:
        raise ValueError(wording(names[2], f"of shape ({n_hidden}, n_out)", f"shape {arrays.w2.shape}"))
    for label, array, shape in ((names[1], arrays.b1, (n_hidden,)), (names[3], arrays.b2, (arrays.w2.shape[1],))):
        if array.shape != shape:
            raise ValueError(wording(label, f"of shape {shape}", f"shape {array.shape}"))
    for label, array in zip(names, arrays, strict=True):
        finite = np.isfinite(array)
        if not finite.all():
            first = np.unravel_index(int(np.argmin(finite)), array.shape)
            raise ValueError(wording(label, "finite", f"{array[first]} at {tuple(int(i) for i in first)}"))
    return arrays


def real_array(name: str, value: object) -> Array:
    """Check an array of real numbers, of any shape."""
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):  # numpy.asarray would ignore the mask
        got = f"{int(np.ma.getmaskarray(value).sum())} masked"
        raise ValueError(wording(name, "an array without masked entries", got, "Leave those samples out."))
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(wording(name, "a rectangular array of numbers", repr(value))) from error
    if array.dtype.kind not in "biuf":
        remedy = "Convert it, as numpy.asarray(..., dtype=float) does." if array.dtype == object and array.ndim else ""
        raise TypeError(wording(name, "an array of real numbers", f"dtype {array.dtype}", remedy))
    return array


def numbers_of(name: str, value: object) -> Array:
    """Check an array of real numbers with one or two dimensions."""
    array = real_array(name, value)
    if array.ndim not in (1, 2):
        raise ValueError(wording(name, "an array of one or two dimensions", counted(array.ndim, "dimension")))
    return array


def require_finite(name: str, array: Array) -> None:
    """Check that all entries are finite."""
    finite = np.isfinite(array)
    if not finite.all():
        position = np.unravel_index(int(np.argmin(finite)), array.shape)
        place = f"position {position[0]}" if array.ndim == 1 else f"row {position[0]}, column {position[1]}"
        raise ValueError(wording(name, "finite", f"{array[position]} at {place}"))

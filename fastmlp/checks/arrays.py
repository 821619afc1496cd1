"""Checks of arrays of real numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.checks.convertible import require_convertible
from fastmlp.checks.entries import Source, numbers_in, refused_dtype
from fastmlp.checks.frames import frame_columns, library_of
from fastmlp.checks.messages import counted, described, wording
from fastmlp.engines.engine import Array, Weights

REAL_KINDS = "biuf"  # kinds of dtypes: bool, signed and unsigned integers, floats


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


def real_array(name: str, value: Any) -> Array:
    """Check an array of real numbers, of any shape. Numbers may be Python objects, and columns of a data frame."""
    if type(value) is np.ndarray and value.dtype.kind in REAL_KINDS:
        return value
    require_convertible(name, value)
    library, columns = library_of(value), frame_columns(value)
    if columns:
        parts = [_converted(column.entries, Source(name, library, [column.name])) for column in columns]
        return np.column_stack(parts)
    return _converted(value, Source(name, library))


def _converted(value: Any, source: Source) -> Array:
    """Return an argument, or a column of a data frame, as an array of real numbers."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(wording(source.name, "a rectangular array of numbers", repr(value))) from error
    except Exception as error:  # libraries raise errors of their own
        got, remedy = described(value) + source.in_column(), f"numpy.asarray cannot convert it: {error}"
        raise TypeError(wording(source.name, "an array of real numbers", got, remedy)) from error
    if source.columns is not None and array.ndim != 1:
        raise TypeError(wording(source.name, "an array of real numbers", "several in an entry" + source.in_column()))
    if array.dtype.kind in REAL_KINDS:
        return array
    if array.dtype == object and array.ndim:
        return numbers_in(array, source)
    raise refused_dtype(array, source)


def numbers_of(name: str, value: object) -> Array:
    """Check an array of real numbers with one or two dimensions."""
    array = real_array(name, value)
    if array.ndim not in (1, 2):
        raise ValueError(wording(name, "an array of one or two dimensions", counted(array.ndim, "dimension")))
    return array


def require_finite(name: str, array: Array, value: object = None) -> None:
    """Check that all entries are finite. `value` is the argument that the array was made of."""
    finite = np.isfinite(array)
    if not finite.all():
        index = int(np.argmin(finite))
        columns = frame_columns(value)
        source = Source(name, library_of(value), columns and [column.name for column in columns])
        entry = array.ravel()[index]
        remedy = source.remedy("missing") if source.library and np.isnan(entry) else ""
        raise ValueError(wording(name, "finite", f"{entry} at {source.place(index, array.shape)}", remedy))

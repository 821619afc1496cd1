"""Checks of arguments.

Errors read ``<name> must be <rule>, got <value>.``, followed by a remedy if there is one. A wrong type is a TypeError,
a wrong value a ValueError, and a size beyond the physical memory a MemoryError.
"""

from __future__ import annotations

import math
import numbers
import operator
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array, Weights, scheduled_rate

MAX_SHOWN = 60  # characters of a wrong value
RATES = 'a positive number, a mapping from "w1", "b1", "w2", "b2", a function of the epoch, "auto" or "constant"'


@dataclass(frozen=True)
class Samples:
    """Checked copies of the samples of a fit.

    Attributes
    ----------
    x : ndarray of float64, shape (n, n_in)
        Inputs.
    y : ndarray of float64, shape (n, n_out)
        Targets.
    sample_weight : ndarray of float64, shape (n,)
        Weights, whose sum is 1.
    x_ndim, y_ndim : int
        Number of dimensions that x and y had before.
    dtype : numpy.dtype
        float32 if both x and y were float32, else float64.
    """

    x: Array
    y: Array
    sample_weight: Array
    x_ndim: int
    y_ndim: int
    dtype: np.dtype[Any]

    def of_positive_weight(self) -> Samples:
        """Return the samples of positive weight. The others may hold values that would overflow."""
        counted = self.sample_weight > 0
        if counted.all():
            return self
        return replace(self, x=self.x[counted], y=self.y[counted], sample_weight=self.sample_weight[counted])


def wording(name: str, rule: str, got: str, remedy: str = "") -> str:
    """Return the text of an error: "<name> must be <rule>, got <got>. <remedy>"."""
    return f"{name} must be {rule}, got {shortened(got)}.{' ' if remedy else ''}{remedy}"


def shortened(text: str) -> str:
    """Return the text, cut off after MAX_SHOWN characters."""
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "..."


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 row", "2 rows"."""
    return f"{number} {noun}{'s' * (number != 1)}"


def samples(x: object, y: object, sample_weight: object = None, *, name: str = "") -> Samples:
    """Check and copy the samples of a fit or of a score. Errors put `name` before x, y and sample_weight."""
    x_name, y_name, weight_name = f"{name}x", f"{name}y", f"{name}sample_weight"
    x_raw, y_raw = _numbers(x_name, x), _numbers(y_name, y)
    for label, array in ((x_name, x_raw), (y_name, y_raw)):
        if array.size == 0:
            rule = "an array of at least one sample and one column"
            raise ValueError(wording(label, rule, f"shape {array.shape}"))
    if len(y_raw) != len(x_raw):
        rule = f"of the same length as {x_name} ({counted(len(x_raw), 'sample')})"
        raise ValueError(wording(y_name, rule, f"{len(y_raw)}"))
    return Samples(
        _columns(x_name, x_raw),
        _columns(y_name, y_raw),
        _weights_of_samples(weight_name, sample_weight, len(x_raw)),
        x_raw.ndim,
        y_raw.ndim,
        common_dtype(x_raw, y_raw),
    )


def inputs(x: object, n_in: int, names: Sequence[str] | None = None) -> tuple[Array, int]:
    """Check the inputs of a trained network.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, n_in)
        Inputs. If x has names of columns, as a data frame has, they must be `names`.
    n_in : int
        Number of inputs of the network.
    names : sequence of str, optional
        Names of the inputs of the network.

    Returns
    -------
    ndarray of float64, shape (n, n_in)
        A copy of x.
    int
        Number of dimensions of x.
    """
    columns_of_x = getattr(x, "columns", None)
    if names is not None and columns_of_x is not None and all(isinstance(name, str) for name in columns_of_x):
        given = tuple(map(str, columns_of_x))
        if given != tuple(names):
            raise ValueError(wording("the columns of x", f"those of the fit in their order, {names}", f"{given}"))
    array = _numbers("x", x)
    if array.ndim == 1 and n_in > 1:
        raise ValueError(wording("x", f"of shape (n, {n_in})", f"shape {array.shape}", "Pass one sample as x[None]."))
    columns = _columns("x", array)
    if columns.shape[1] != n_in:
        raise ValueError(wording("x", f"of shape (n, {n_in})", f"shape {array.shape}"))
    return columns, array.ndim


def _real_array(name: str, value: object) -> Array:
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


def common_dtype(*arrays: Array) -> np.dtype[Any]:
    """Return float32 if all arrays are float32, in either byte order, and float64 otherwise."""
    return np.dtype(np.float32 if all(array.dtype.type is np.float32 for array in arrays) else np.float64)


def _numbers(name: str, value: object) -> Array:
    """Check an array of real numbers with one or two dimensions."""
    array = _real_array(name, value)
    if array.ndim not in (1, 2):
        raise ValueError(wording(name, "an array of one or two dimensions", counted(array.ndim, "dimension")))
    return array


def _columns(name: str, array: Array) -> Array:
    """Return a copy as finite float64 of shape (n, n_columns). Values beyond float64 count as infinite."""
    with np.errstate(over="ignore"):
        copied = np.array(array, dtype=np.float64, order="C")
    _require_finite(name, copied)
    return copied if copied.ndim == 2 else copied[:, None]


def _require_finite(name: str, array: Array) -> None:
    """Check that all entries are finite."""
    finite = np.isfinite(array)
    if not finite.all():
        position = np.unravel_index(int(np.argmin(finite)), array.shape)
        place = f"position {position[0]}" if array.ndim == 1 else f"row {position[0]}, column {position[1]}"
        raise ValueError(wording(name, "finite", f"{array[position]} at {place}"))


def _weights_of_samples(name: str, sample_weight: object, n_samples: int) -> Array:
    """Return weights of the samples as float64 with sum 1; equal weights for None."""
    if sample_weight is None:
        return np.full(n_samples, 1 / n_samples)
    weight = _numbers(name, sample_weight)
    if weight.shape != (n_samples,):
        raise ValueError(wording(name, f"of shape ({n_samples},)", f"shape {weight.shape}"))
    _require_finite(name, weight)
    if (weight < 0).any():
        position = int(np.argmax(weight < 0))
        raise ValueError(wording(name, "at least 0", f"{weight[position]} at position {position}"))
    if not weight.any():
        raise ValueError(wording(name, "positive for at least one sample", "zeros"))
    weight = weight.astype(np.float64) / float(weight.max())  # the sum cannot overflow then
    return np.asarray(weight / weight.sum())


def count(name: str, value: object, minimum: int = 1) -> int:
    """Check an integer that is at least `minimum`."""
    if isinstance(value, (bool, np.bool_, np.ndarray)) or not hasattr(value, "__index__"):
        raise TypeError(wording(name, "an integer", repr(value)))
    number = operator.index(value)
    if number < minimum:
        raise ValueError(wording(name, f"at least {minimum}", repr(number)))
    return number


def epoch_count(name: str, value: object) -> int:
    """Check a positive number of epochs. It must fit into int64, the type of `History.epoch`."""
    number = count(name, value)
    if number > np.iinfo(np.int64).max:
        raise ValueError(wording(name, f"at most {np.iinfo(np.int64).max}", repr(number)))
    return number


def real(name: str, value: object) -> float:
    """Check a finite real number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(wording(name, "a real number", repr(value)))
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(wording(name, "finite", repr(number)))
    return number


def at_least(name: str, value: object, minimum: float) -> float:
    """Check a finite real number that is at least `minimum`."""
    number = real(name, value)
    if number < minimum:
        raise ValueError(wording(name, f"at least {minimum:g}", repr(value)))
    return number


def fractions(name: str, value: object) -> Array:
    """Check a number from 0 to 1, or a one-dimensional array of such numbers."""
    array = _real_array(name, value)
    if array.ndim > 1:
        raise ValueError(wording(name, "a number or an array of one dimension", counted(array.ndim, "dimension")))
    outside = ~((array >= 0) & (array <= 1))
    if outside.any():
        raise ValueError(wording(name, "from 0 to 1", f"{np.atleast_1d(array)[np.argmax(outside)]}"))
    return array


def flag(name: str, value: object) -> bool:
    """Check True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(wording(name, "True or False", repr(value)))
    return bool(value)


def optional_flag(name: str, value: object) -> bool | None:
    """Check True, False or None."""
    if value is not None and not isinstance(value, (bool, np.bool_)):
        raise TypeError(wording(name, "True, False or None", repr(value)))
    return None if value is None else bool(value)


def optional_names(name: str, value: Any, n_names: int) -> tuple[str, ...] | None:
    """Check None, or a sequence of `n_names` strings."""
    if value is None:
        return None
    rule = f"None or a sequence of {counted(n_names, 'string')}"
    if isinstance(value, str | set | frozenset) or not isinstance(value, Iterable):  # sets have no order
        raise TypeError(wording(name, rule, repr(value)))
    given = tuple(value)
    if not all(isinstance(entry, str) for entry in given):
        raise TypeError(wording(name, rule, repr(value)))
    if len(given) != n_names:
        raise ValueError(wording(name, rule, f"{len(given)}"))
    return tuple(map(str, given))  # numpy.str_ becomes str


def dtype(name: str, value: Any) -> np.dtype[Any]:
    """Check a dtype that is numpy.float32 or numpy.float64."""
    rule = "numpy.float32 or numpy.float64"
    try:
        checked: np.dtype[Any] = np.dtype(value)
    except (TypeError, ValueError) as error:
        raise TypeError(wording(name, rule, repr(value))) from error
    if checked not in (np.float32, np.float64):
        raise ValueError(wording(name, rule, repr(value)))
    return checked


def generator(name: str, value: Any) -> np.random.Generator:
    """Return the Generator that `numpy.random.default_rng` makes of a value."""
    try:
        return np.random.default_rng(value)
    except (TypeError, ValueError) as error:
        raise type(error)(wording(name, "an argument of numpy.random.default_rng", repr(value))) from error


def choice(name: str, value: object, options: Iterable[str]) -> str:
    """Check that a value is one of some strings."""
    rule = "one of " + ", ".join(f'"{option}"' for option in options)
    if not isinstance(value, str):
        raise TypeError(wording(name, rule, repr(value)))
    if value not in options:
        raise ValueError(wording(name, rule, repr(value)))
    return value


def learning_rate(lr: Any, trained: Mapping[str, bool]) -> float | dict[str, float] | Callable[[int], float] | str:
    """Check the option lr. `trained` says which groups of parameters are trained."""
    if isinstance(lr, str):
        if lr not in ("auto", "constant"):
            raise ValueError(wording("lr", RATES, repr(lr)))
        return lr
    if callable(lr):
        scheduled_rate(lr, 0)
        return lr  # type: ignore[no-any-return]
    if not isinstance(lr, Mapping):
        if not isinstance(lr, numbers.Real):
            raise TypeError(wording("lr", RATES, repr(lr)))
        rate = real("lr", lr)
        if rate <= 0:
            raise ValueError(wording("lr", "positive", repr(rate)))
        return rate
    rates = {}
    for key, value in lr.items():
        if key not in trained:
            raise ValueError(wording("lr", 'a mapping from "w1", "b1", "w2", "b2"', f"the key {key!r}"))
        rates[key] = real(f"lr[{key!r}]", value)
        if rates[key] < 0:
            raise ValueError(wording(f"lr[{key!r}]", "at least 0", repr(rates[key])))
    groups = [key for key, is_trained in trained.items() if is_trained]
    missing = [key for key in groups if key not in rates]
    if missing:
        raise ValueError(wording("lr", "a mapping that names every trained group", f"none for {missing}"))
    if not any(rates[key] for key in groups):
        raise ValueError(wording("lr", "positive for at least one trained group", f"{lr}"))
    return rates


def weights(given: Weights, name: str = "") -> Weights:
    """Check that four arrays are the weights of a network. Errors put `name` before w1, b1, w2 and b2."""
    names = [f"{name}{field}" for field in Weights._fields]
    arrays = Weights(*(_real_array(label, array) for label, array in zip(names, given, strict=True)))
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


def snapshots(value: object, epochs: int, n_bytes: int) -> list[int]:
    """Check the epochs of snapshots that take n_bytes each; return them in ascending order without duplicates."""
    rule = f"integers from 0 to epochs ({epochs})"
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Iterable) or (isinstance(value, np.ndarray) and not value.ndim):
        raise TypeError(wording("snapshots", rule, repr(value)))
    most = physical_memory() / n_bytes
    kept = set()
    for epoch in value:
        if not 0 <= count("snapshots", epoch, minimum=0) <= epochs:
            raise ValueError(wording("snapshots", rule, repr(epoch)))
        kept.add(operator.index(epoch))
        if len(kept) > most:
            memory("snapshots", f"more than {most:.0f} epochs", len(kept) * n_bytes)
    return sorted(kept)


def memory(name: str, got: str, n_bytes: int) -> None:
    """Check that arrays of n_bytes fit into the physical memory."""
    if n_bytes > physical_memory():
        needs = f"it needs {n_bytes >> 30} GiB of {physical_memory() / 2**30:.3g}"
        raise MemoryError(wording(name, "small enough for memory", f"{got} ({needs})"))


def physical_memory() -> float:
    """Return the size of the physical memory in bytes, infinite if the system does not report it."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf

"""Checks of numbers, flags, names and other single options."""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from fastmlp.checks.messages import counted, wording


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

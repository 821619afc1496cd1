"""The kind of an argument of a kernel: all that its machine code depends on, as text."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

C_CONTIGUOUS, F_CONTIGUOUS, ALIGNED, WRITEABLE = 0x1, 0x2, 0x100, 0x400  # bits of `ndarray.flags.num`


def kind_of(argument: Any) -> str:
    """Return the kind of an argument: an array, a number, or a tuple of arguments.

    Numba gives two arguments of one kind the same type.
    """
    if isinstance(argument, np.ndarray):
        return f"{_name_of(argument.dtype)}{argument.ndim}{_layout(required_flags(argument))}"
    if isinstance(argument, tuple):
        class_ = type(argument)
        name = "" if class_ is tuple else f"{class_.__module__}.{class_.__qualname__}"
        return f"{name}({','.join(map(kind_of, argument))})"
    for kind, classes in _NUMBERS.items():
        if isinstance(argument, classes):
            return kind
    raise TypeError(f"a kernel takes no argument of type {type(argument).__name__}")


def required_flags(array: np.ndarray[Any, Any]) -> int:
    """Return the flags that machine code for an array relies on; where both orders are contiguous, C's."""
    flags = array.flags.num & (C_CONTIGUOUS | F_CONTIGUOUS | ALIGNED | WRITEABLE)
    return flags & ~F_CONTIGUOUS if flags & C_CONTIGUOUS else flags


# float contains np.float64, and bool comes before int because it is one.
_NUMBERS: dict[str, tuple[type, ...]] = {"b": (bool, np.bool), "i": (int, np.int64), "d": (float,), "f": (np.float32,)}


@functools.cache
def _layout(flags: int) -> str:
    """Return the layout of an array: contiguous in C's or Fortran's order or neither, and rights that it lacks."""
    order = "C" if flags & C_CONTIGUOUS else "F" if flags & F_CONTIGUOUS else "A"
    return order + ("" if flags & WRITEABLE else "r") + ("" if flags & ALIGNED else "u")


@functools.cache
def _name_of(dtype: np.dtype[Any]) -> str:
    return dtype.str if dtype.names is None else f"{dtype.descr}{dtype.itemsize}"

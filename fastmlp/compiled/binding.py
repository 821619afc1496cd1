"""Calls of machine code that was compiled when the package was built.

A kernel takes the address of one block of 8-byte slots: of an array its address and its shape, and its strides unless
it is contiguous; of a tuple its items; of a number itself. This depends neither on Python's version nor on Numba's.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.compiled.kinds import C_CONTIGUOUS, required_flags

FAILED = -(2**63)  # what a kernel returns where Numba would raise an exception


class Bound:
    """A kernel for arguments of the kinds of given ones. It keeps the arguments of the last call alive.

    Each call checks type, dtype, number of dimensions, layout and rights of every argument that is not the same object
    as in the last call. A call takes 2 us, and 1 us for each new array.
    """

    def __init__(self, function: Any, arguments: tuple[Any, ...]) -> None:
        function.argtypes, function.restype = [ctypes.c_char_p], ctypes.c_int64
        self._function = function
        self._packers = [_packer(argument) for argument in arguments]

    def __call__(self, *arguments: Any) -> int:
        """Call the kernel."""
        parts = [pack(argument) for pack, argument in zip(self._packers, arguments, strict=True)]
        returned: int = self._function(b"".join(parts))
        if returned == FAILED:
            raise RuntimeError("a kernel has failed; this is a bug of fastmlp")
        return returned


def _packer(argument: Any) -> Callable[[Any], bytes]:
    if isinstance(argument, np.ndarray):
        return _ArrayPacker(argument)
    if isinstance(argument, tuple):
        return _TuplePacker(argument)
    return struct.Struct("=d" if isinstance(argument, float | np.float32) else "=q").pack


class _ArrayPacker:
    """Packs arrays of one dtype, number of dimensions and layout."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._dtype, self._ndim, self._flags = array.dtype, array.ndim, required_flags(array)
        self._has_strides = not self._flags & C_CONTIGUOUS
        self._pack = struct.Struct("=" + "q" * (1 + self._ndim * (1 + self._has_strides))).pack
        self._last: tuple[Any, bytes] = object(), b""

    def __call__(self, array: Any) -> bytes:
        last, packed = self._last  # one object, so that another thread cannot change one of both
        if array is last:
            return packed
        if not isinstance(array, np.ndarray) or array.ndim != self._ndim or array.dtype != self._dtype:
            raise TypeError(f"a kernel for {self._dtype} of {self._ndim} dimensions got {_described(array)}")
        if array.flags.num & self._flags != self._flags:
            raise TypeError(f"a kernel for arrays with the flags {self._flags:#x} got {_described(array)}")
        address = array.__array_interface__["data"][0]
        packed = self._pack(address, *array.shape, *(array.strides if self._has_strides else ()))
        self._last = array, packed
        return packed


class _TuplePacker:
    """Packs tuples of one class, item by item."""

    def __init__(self, items: tuple[Any, ...]) -> None:
        self._class = type(items)
        self._packers = [_packer(item) for item in items]
        self._last: tuple[Any, bytes] = object(), b""

    def __call__(self, items: Any) -> bytes:
        last, packed = self._last
        if items is last:
            return packed
        if type(items) is not self._class:
            raise TypeError(f"a kernel for {self._class.__name__} got {_described(items)}")
        packed = b"".join([pack(item) for pack, item in zip(self._packers, items, strict=True)])
        self._last = items, packed
        return packed


def _described(argument: Any) -> str:
    if isinstance(argument, np.ndarray):
        return f"{argument.dtype} of {argument.ndim} dimensions with the flags {argument.flags.num:#x}"
    return type(argument).__name__

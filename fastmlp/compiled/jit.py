"""The decorators that compile kernels, and `compiled`, which works whatever the state of the compile cache.

A compiled function may use functions and constants of every module that its file imports at the top. An edit in any of
them recompiles the kernels of the file (see `stamps`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core.compiler import Compiler, Flags
from numba.extending import intrinsic

from fastmlp.compiled.stamps import stamp


class _Flags(Flags):  # type: ignore[misc]
    """A compiler's flags, compared as they were when copied.

    To find the type of one `array[index]` Numba compares flags some fifteen times, and to compare them reads every
    option through a property: 4 of the 17 seconds that the kernel of pattern moments took.
    """

    __slots__ = ("_settled",)

    def __init__(self, copied: Flags) -> None:
        super().__init__(copied)
        self._settled = self.values()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Flags) and self._settled == other._settled

    def __hash__(self) -> int:
        return hash(_Flags)


class _Compiler(Compiler):  # type: ignore[misc]
    """Numba's compiler, but for how it compares flags: it looks overloads up under a copy of those given here."""

    def __init__(
        self, typing: Any, target: Any, library: Any, arguments: Any, returned: Any, flags: Any, types: Any
    ) -> None:
        super().__init__(typing, target, library, arguments, returned, _Flags(flags), types)


# Compiled into others only: no wrappers, which took a third of the time to compile (22 -> 14 s for pattern moments).
INLINED: dict[str, Any] = {"forceinline": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
OPTIONS: dict[str, Any] = {
    "pipeline_class": _Compiler,
    # Other Python threads run while a kernel does.
    "nogil": True,
    # Kernels allocate nothing, so arrays need no reference counts: each slice and each field of a tuple would cost two
    # atomic operations (a class of one unit 150 ns instead of 30), and compiling three times as long.
    "_nrt": False,
    # No ZeroDivisionError branches: they block vectorisation.
    "error_model": "numpy",
    # What sums need to be vectorised. Never True: nnan and ninf would remove the check that sees a fit diverge.
    "fastmath": {"reassoc", "contract", "nsz"},
}

_ready: dict[tuple[Any, tuple[Any, ...]], Any] = {}


def njit(function: Callable[..., Any]) -> Any:
    """Compile a function of kernel arguments on first use and keep the machine code in Numba's file cache."""
    function.__qualname__ = f"{function.__name__}-{stamp(function.__module__)}"  # names its file in the cache
    try:
        return numba.njit(cache=True, no_cfunc_wrapper=True, **OPTIONS)(function)
    except RuntimeError:  # no place for a cache: read-only package and no home folder
        return numba.njit(**OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into the kernels of the same file that call it.

    Left to LLVM, a call may be bound to the function compiled by itself where the kernel is compiled, but to the copy
    within the kernel where that comes from the cache; the two round differently.
    """
    return numba.njit(**INLINED, **OPTIONS)(function)


def inline_ir(function: Callable[..., Any]) -> Any:
    """Compile a function as if its lines stood in its one caller.

    LLVM optimises what is `inlined` once at each level of calls; so that one level of the dense kernels costs nothing.
    """
    return numba.njit(inline="always", **OPTIONS)(function)


def plain(function: Any) -> Callable[..., Any]:
    """Return the Python function that `njit` or `inlined` was given."""
    return getattr(function, "py_func", function)  # type: ignore[no-any-return]


def strict_fp(function: Callable[..., Any]) -> Any:
    """Do what `inlined` does, but round every operation as written, whatever the options of the kernel.

    For numbers held as unevaluated sums of two: reassociation takes their low parts for zero.
    """
    return numba.njit(**INLINED, **(OPTIONS | {"fastmath": False}))(function)


@intrinsic  # type: ignore[untyped-decorator]
def registers(typing_context: Any, like: Any, length: Any) -> Any:
    """Return room on the stack for `length` (a literal) values of the dtype of `like`.

    Loops over it have constant bounds and are unrolled, whereupon LLVM replaces it by registers; an array would be
    memory that the vectoriser must take for aliased.
    """
    if not isinstance(length, numba.types.IntegerLiteral):
        return None
    signature = numba.types.CPointer(like.dtype)(like, length)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = context.get_data_type(signature.return_type.dtype)
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(value, length.literal_value))
        return builder.bitcast(room, value.as_pointer())

    return signature, codegen


@intrinsic  # type: ignore[untyped-decorator]
def assume_nonnegative(typing_context: Any, index: Any) -> Any:
    """Return an integer of which LLVM may assume that it is not negative, which spares an index the test for that.

    Not by `& (2**62 - 1)`: of that LLVM makes bzhi and puts the 62 into the low byte of a register by movb, which waits
    for what the register held before. That made each class of live units wait for the one before.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        is_natural = builder.icmp_signed(">=", arguments[0], ir.Constant(arguments[0].type, 0))
        builder.assume(is_natural)
        return arguments[0]

    return index(index), codegen


def _array(like: Any, length: int) -> Any:
    return np.empty(length, like.dtype)


if numba.config.DISABLE_JIT:  # no registers where nothing is compiled
    registers = _array
    assume_nonnegative = int


def compiled(kernel: Any, arguments: tuple[Any, ...]) -> Any:
    """Return a function compiled for exactly these arguments: the kernel, or its twin if its cache is damaged.

    Parameters
    ----------
    kernel : numba dispatcher
        A function decorated with `njit`.
    arguments : tuple
        Arguments of the types that it will be called with; their values are not read.
    """
    if numba.config.DISABLE_JIT:  # the tests measure coverage of the kernels' lines this way
        return kernel
    signature = tuple(numba.typeof(argument) for argument in arguments)
    key = (kernel, signature)
    if key not in _ready:
        with _alone(kernel.stats.cache_path):
            _ready[key] = next(ready for ready in _attempts(kernel, signature) if signature in ready.signatures)
    return _ready[key]


@contextlib.contextmanager
def _alone(cache_path: str | None) -> Iterator[None]:
    """Keep other processes with the same cache waiting: one compiles, they load.

    Without that each of them compiles, and where two do it for different types Numba's index can name the machine code
    of the other.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(ImportError, OSError):  # no such system call, no cache, or none to write to
            import fcntl

            lock = held.enter_context((Path(cache_path or os.devnull) / "lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)  # let go when the file is closed, by a killed process too
        yield


def _attempts(kernel: Any, signature: tuple[Any, ...]) -> Iterator[Any]:
    """Compile with the cache as it is, with a fresh one, and with none.

    A truncated cache file raises whatever unpickling happens to meet (EOFError on an empty one: numba issue 10434), a
    full disk an OSError after the compilation itself; so any exception leads on, and the last attempt may raise.
    """
    yield _tried(kernel, signature)
    yield _tried(_with_fresh_cache(kernel), signature)
    uncached = numba.njit(**OPTIONS)(kernel.py_func)
    uncached.compile(signature)
    yield uncached


def _tried(dispatcher: Any, signature: tuple[Any, ...]) -> Any:
    with contextlib.suppress(Exception):
        dispatcher.compile(signature)
    return dispatcher


def _with_fresh_cache(kernel: Any) -> Any:
    """Delete the cache index of one function, as far as that is allowed, and decorate the function anew."""
    function = kernel.py_func
    name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
    if kernel.stats.cache_path is not None:
        for index in Path(kernel.stats.cache_path).glob(f"{name}-{function.__code__.co_firstlineno}.*.nbi"):
            with contextlib.suppress(OSError):
                index.unlink()
    return njit(function)

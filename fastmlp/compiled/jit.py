"""The decorators that compile functions, and the options that they compile with.

`njit` is for kernels, which Python calls; `inlined`, `inline_ir` and `strict_fp` are for functions that kernels call.
All of them may use functions and constants of every module that their file imports at the top: an edit in any of
these recompiles the kernels of the file (see `stamps`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
from numba.core.compiler import Compiler, Flags

from fastmlp.compiled.stamps import stamp


class _Flags(Flags):  # type: ignore[misc]
    """The compiler's flags, compared by the values that they have when this copy is made.

    Numba compares flags about fifteen times to find the type of one `array[index]`, and each comparison reads every
    option through a property. This took 4 of the 17 seconds of compiling the kernel of pattern moments.
    """

    __slots__ = ("_values",)

    def __init__(self, copied: Flags) -> None:
        super().__init__(copied)
        self._values = self.values()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Flags) and self._values == other._values

    def __hash__(self) -> int:
        return hash(_Flags)


class _Compiler(Compiler):  # type: ignore[misc]
    """Numba's compiler with flags that compare fast."""

    def __init__(self, *arguments: Any) -> None:
        *others, flags, types = arguments
        super().__init__(*others, _Flags(flags), types)


# For functions that only compiled functions call: without wrappers, which took a third of the time to compile
# (22 -> 14 s for pattern moments).
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
    # The flags that vectorising sums requires. Never True: nnan and ninf would remove the check for divergence.
    "fastmath": {"reassoc", "contract", "nsz"},
}


def njit(function: Callable[..., Any]) -> Any:
    """Compile a kernel on its first call, and keep the machine code in Numba's file cache."""
    function.__qualname__ = f"{function.__name__}-{stamp(function.__module__)}"  # names its file in the cache
    try:
        return numba.njit(cache=True, no_cfunc_wrapper=True, **OPTIONS)(function)
    except RuntimeError:  # the cache has no place: the package is read-only and there is no home folder
        return numba.njit(**OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function into the kernels that call it.

    If LLVM were left to choose, a call could go to the separately compiled function in a kernel that was just
    compiled, but to a copy within a kernel that was loaded from the cache; the two round differently.
    """
    return numba.njit(**INLINED, **OPTIONS)(function)


def inline_ir(function: Callable[..., Any]) -> Any:
    """Put the statements of a function in place of its one call, before compilation.

    LLVM optimises a function that is `inlined` once for each level of calls. This level costs no compile time.
    """
    return numba.njit(inline="always", **OPTIONS)(function)


def strict_fp(function: Callable[..., Any]) -> Any:
    """Compile like `inlined`, but round every operation as written, whatever the options of the kernel.

    For numbers that are held as unevaluated sums of two: reassociation would simplify their low parts to zero.
    """
    return numba.njit(**INLINED, **(OPTIONS | {"fastmath": False}))(function)


def plain(function: Any) -> Callable[..., Any]:
    """Return the Python function that was decorated."""
    return getattr(function, "py_func", function)  # type: ignore[no-any-return]

"""What Numba compiles in place of each registered function, and the options that it compiles with.

A registered function and all that it calls are plain Python functions. Numba compiles copies of them, whose globals
have the compiled functions in the places of the plain ones.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable
from typing import Any

import numba
from numba.core.compiler import Compiler, Flags
from numba.extending import intrinsic

from fastmlp.compiled import inlining
from fastmlp.compiled.jit import REGISTRY, Role
from fastmlp.compiled.read_only_cache import WithReadOnly
from fastmlp.compiled.stamps import stamp

_PACKAGE = __name__.partition(".")[0]


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
    """Numba's compiler with flags that compare fast, and without machine code for functions that are inlined."""

    def __init__(self, *arguments: Any) -> None:
        typing, target, library, *others, flags, types = arguments
        if library is None and flags.forceinline and inlining.enabled:
            library = inlining.InlinedLibrary(target.codegen(), "inlined")
        super().__init__(typing, target, library, *others, _Flags(flags), types)


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


_compilable: dict[Callable[..., Any], Any] = {}
_copies: dict[int, types.ModuleType] = {}  # of namespaces, by their id


def compilable(function: Callable[..., Any]) -> Any:
    """Return what Numba compiles in place of a registered function: a dispatcher or an intrinsic."""
    _copied(function.__globals__)  # which makes those of all functions there
    if function not in _compilable:
        _compilable[function] = _made(function)
    return _compilable[function]


def _made(function: Callable[..., Any]) -> Any:
    registered = REGISTRY[function]
    if registered.role is Role.INSTRUCTION:
        return intrinsic(registered.generate)
    if registered.role is Role.KERNEL:
        return kernel_dispatcher(function)
    options = {
        Role.INLINED: INLINED | OPTIONS,
        Role.INLINE_IR: {"inline": "always"} | OPTIONS,
        Role.STRICT_FP: INLINED | OPTIONS | {"fastmath": False},
    }[registered.role]
    return dispatcher(function, options)


def kernel_dispatcher(kernel: Callable[..., Any]) -> Any:
    """Return a new dispatcher of a kernel, which keeps the machine code in Numba's file cache."""
    copy = with_compilable_globals(kernel)
    copy.__qualname__ = f"{kernel.__name__}-{stamp(kernel.__module__)}"  # names its file in the cache
    try:
        made = numba.njit(cache=True, no_cfunc_wrapper=True, **OPTIONS)(copy)
    except RuntimeError:  # no folder can be written: the package is read-only and there is no home folder
        made = numba.njit(**OPTIONS)(copy)
    made._cache = WithReadOnly(made._cache, copy)
    return made


def dispatcher(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    """Return a new dispatcher of a function, which keeps the machine code nowhere."""
    return numba.njit(**options)(with_compilable_globals(function))


def with_compilable_globals(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a copy of a function that sees the compilable functions in place of the registered ones."""
    closure = function.__closure__
    if closure is not None:
        closure = tuple(types.CellType(_replaced(cell.cell_contents)) for cell in closure)
    seen = _copied(function.__globals__).__dict__
    copy = types.FunctionType(function.__code__, seen, function.__name__, function.__defaults__, closure)
    return functools.update_wrapper(copy, function, updated=())


def _copied(namespace: dict[str, Any]) -> types.ModuleType:
    """Return a copy of a module, given its globals, with the compilable functions in place of the registered ones."""
    if id(namespace) not in _copies:
        copy = _copies[id(namespace)] = types.ModuleType(namespace["__name__"])
        copy.__dict__.update(namespace)
        for name, value in list(namespace.items()):
            copy.__dict__[name] = _replaced(value)
    return _copies[id(namespace)]


def _replaced(value: Any) -> Any:
    if isinstance(value, types.FunctionType) and value in REGISTRY:
        return compilable(value)
    if isinstance(value, types.ModuleType) and value.__name__.partition(".")[0] == _PACKAGE:
        return _copied(value.__dict__)
    return value

"""The kernels of the package and the types of the arguments that they are called with."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numba

import fastmlp
from building.calls import each_call
from fastmlp.compiled import cache
from fastmlp.compiled.jit import REGISTRY, Role
from fastmlp.compiled.kinds import kind_of
from fastmlp.compiled.shipped import symbol


class Signature(NamedTuple):
    """A kernel, the Numba types of its arguments, and its name in the library."""

    module: str
    kernel: str
    types: tuple[Any, ...]
    symbol: str


def signatures() -> list[Signature]:
    """Return what the public functions ask for. The kernels run as Python functions meanwhile, on tiny data."""
    found: dict[str, Signature] = {}

    def record(kernel: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        name = symbol(kernel, kind_of(arguments))
        if name not in found:
            kinds = tuple(map(numba.typeof, arguments))
            found[name] = Signature(kernel.__module__, kernel.__name__, kinds, name)

    os.environ["NUMBA_DISABLE_JIT"] = "1"
    cache.observers.append(record)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for call in each_call():
                with contextlib.suppress(ValueError, TypeError, ArithmeticError):  # options that exclude each other
                    call()
    finally:
        cache.observers.remove(record)
        del os.environ["NUMBA_DISABLE_JIT"]
    return list(found.values())


def registered_kernels() -> set[tuple[str, str]]:
    """Return the module and the name of every kernel of the package."""
    for module in pkgutil.walk_packages(fastmlp.__path__, "fastmlp."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # of an optional dependency
                importlib.import_module(module.name)
    kernels = (function for function, registered in REGISTRY.items() if registered.role is Role.KERNEL)
    return {(kernel.__module__, kernel.__name__) for kernel in kernels if kernel.__module__.startswith("fastmlp.")}

"""The decorators of functions that are compiled. They register a function and return it as it is.

`njit` is for kernels, which Python calls through `compiled`; `inlined`, `inline_ir` and `strict_fp` are for functions
that kernels call. A kernel is compiled when the package is built, or at its first use (`fastmlp.compiled.compiler`).
All of them may use functions and constants of every module that their file imports at the top: an edit in any of
these recompiles the kernels of the file (see `stamps`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


class Role(enum.Enum):
    """What a registered function is to the compiler."""

    KERNEL = enum.auto()
    INLINED = enum.auto()
    INLINE_IR = enum.auto()
    STRICT_FP = enum.auto()
    INSTRUCTION = enum.auto()


@dataclass(frozen=True)
class Registered:
    """How a function is compiled; `generate` writes the LLVM instructions of an INSTRUCTION."""

    role: Role
    generate: Callable[..., Any] | None = None


REGISTRY: dict[Callable[..., Any], Registered] = {}


def njit(function: Function) -> Function:
    """Register a kernel."""
    REGISTRY[function] = Registered(Role.KERNEL)
    return function


def inlined(function: Function) -> Function:
    """Register a function that is compiled into the kernels that call it.

    If LLVM were left to choose, a call could go to the separately compiled function in a kernel that was just
    compiled, but to a copy within a kernel that was loaded from the cache; the two round differently.
    """
    REGISTRY[function] = Registered(Role.INLINED)
    return function


def inline_ir(function: Function) -> Function:
    """Register a function whose statements are put in place of its one call, before compilation.

    LLVM optimises a function that is `inlined` once for each level of calls. This level costs no compile time.
    """
    REGISTRY[function] = Registered(Role.INLINE_IR)
    return function


def strict_fp(function: Function) -> Function:
    """Register like `inlined`, but round every operation as written, whatever the options of the kernel.

    For numbers that are held as unevaluated sums of two: reassociation would simplify their low parts to zero.
    """
    REGISTRY[function] = Registered(Role.STRICT_FP)
    return function

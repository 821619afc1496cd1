"""Machine code for a kernel, for the types of given arguments."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from fastmlp.compiled.shipped import library

# Called with each kernel that is asked for and its arguments: so the build finds the kernels that it compiles.
observers: list[Callable[[Callable[..., Any], tuple[Any, ...]], None]] = []

_compiled: dict[tuple[Callable[..., Any], bytes], Any] = {}
_lock = threading.RLock()


def compiled(kernel: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Return a kernel for the types of some arguments, so that a call of it compiles nothing.

    Parameters
    ----------
    kernel : callable
        A function decorated with `njit`.
    arguments : tuple
        Arguments of the types that the kernel will be called with. Their values are not read.

    Returns
    -------
    callable
        From the shipped library, or compiled now. It may keep the arguments of its last call alive: an engine asks for
        its own.
    """
    for observe in observers:
        observe(kernel, arguments)
    if is_interpreted():
        return kernel
    return library().find(kernel, arguments) or _compiled_now(kernel, arguments)


def _compiled_now(kernel: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    from numba._dispatcher import compute_fingerprint

    key = kernel, compute_fingerprint(arguments)  # of their types; takes 3 us, numba.typeof up to 1 ms
    with _lock:
        if key not in _compiled:
            from fastmlp.compiled.compiling import compile_kernel

            _compiled[key] = compile_kernel(kernel, arguments)
    return _compiled[key]


def has_compiled() -> bool:
    """Return whether this process has compiled a kernel, or loaded one from the compile cache."""
    return bool(_compiled)


def is_interpreted() -> bool:
    """Return whether kernels run as Python functions, because NUMBA_DISABLE_JIT is set."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")

"""Compile a kernel for given arguments, or load it from the compile cache, even if the cache is damaged."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
from numba._dispatcher import compute_fingerprint

from fastmlp.compiled.jit import OPTIONS, njit

_compiled: dict[tuple[Any, bytes], Any] = {}


def compiled(kernel: Any, arguments: tuple[Any, ...]) -> Any:
    """Return a kernel that is compiled for the types of some arguments, so that a call of it compiles nothing.

    If the cache of the kernel is damaged, a copy of the kernel is returned.

    Parameters
    ----------
    kernel : numba dispatcher
        A function decorated with `njit`.
    arguments : tuple
        Arguments of the types that the kernel will be called with. Their values are not read.
    """
    if numba.config.DISABLE_JIT:
        return kernel
    key = (kernel, compute_fingerprint(arguments))  # of their types; takes 3 us, numba.typeof up to 1 ms
    if key not in _compiled:
        signature = tuple(numba.typeof(argument) for argument in arguments)
        with _locked(kernel.stats.cache_path):
            _compiled[key] = next(tried for tried in _attempts(kernel, signature) if signature in tried.signatures)
    return _compiled[key]


@contextlib.contextmanager
def _locked(cache_path: str | None) -> Iterator[None]:
    """Hold a lock on a cache folder: one process compiles while the others wait, and then they load the kernel.

    Without the lock, each of them would compile. If two compile a kernel for different types at the same time, each
    may find the machine code of the other in Numba's index.
    """
    with contextlib.ExitStack() as held:
        with contextlib.suppress(ImportError, OSError):  # no such system call, no cache, or a read-only one
            import fcntl

            lock = held.enter_context((Path(cache_path or os.devnull) / "lock").open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file is closed, also by the death of the process
        yield


def _attempts(kernel: Any, signature: tuple[Any, ...]) -> Iterator[Any]:
    """Compile with the cache as it is, then with a new index, then without a cache.

    Unpickling a truncated cache file may raise any exception (EOFError for an empty one: numba issue 10434), and a full
    disk an OSError after compilation. So any exception leads to the next attempt; only the last attempt may raise.
    """
    yield _tried(kernel, signature)
    yield _tried(_with_new_index(kernel), signature)
    uncached = numba.njit(**OPTIONS)(kernel.py_func)
    uncached.compile(signature)
    yield uncached


def _tried(dispatcher: Any, signature: tuple[Any, ...]) -> Any:
    with contextlib.suppress(Exception):
        dispatcher.compile(signature)
    return dispatcher


def _with_new_index(kernel: Any) -> Any:
    """Delete a kernel's index in the cache, if that is permitted, and decorate its function anew."""
    function = kernel.py_func
    name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
    if kernel.stats.cache_path is not None:
        for index in Path(kernel.stats.cache_path).glob(f"{name}-{function.__code__.co_firstlineno}.*.nbi"):
            with contextlib.suppress(OSError):
                index.unlink()
    return njit(function)

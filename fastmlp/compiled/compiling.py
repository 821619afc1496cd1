"""Compile a kernel for given arguments, or load it from the compile cache, even if the cache is damaged."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba

from fastmlp.compiled import inlining
from fastmlp.compiled.compiler import OPTIONS, compilable, dispatcher, kernel_dispatcher


def compile_kernel(kernel: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Return a dispatcher of a kernel that is compiled for the types of some arguments.

    If the cache of the kernel is damaged, this is another dispatcher than `compilable(kernel)`.
    """
    signature = tuple(numba.typeof(argument) for argument in arguments)
    cache_path = compilable(kernel).stats.cache_path
    with _locked(cache_path), _without_collection():
        return next(tried for tried in _attempts(kernel, signature) if signature in tried.signatures)


def cache_folder(kernel: Callable[..., Any]) -> str | None:
    """Return the folder in which the machine code of a kernel is kept, or None if no folder can be written."""
    return compilable(kernel).stats.cache_path  # type: ignore[no-any-return]


@contextlib.contextmanager
def _without_collection() -> Iterator[None]:
    """Do not look for garbage: of the millions of objects of a compilation hardly any is (5.6 -> 5.1 s)."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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


def _attempts(kernel: Callable[..., Any], signature: tuple[Any, ...]) -> Iterator[Any]:
    """Compile with the cache as it is, then with a new index, then without a cache.

    Unpickling a truncated cache file may raise any exception (EOFError for an empty one: numba issue 10434), and a full
    disk an OSError after compilation. So any exception leads to the next attempt; only the last attempt may raise.
    """
    yield _tried(compilable(kernel), signature)
    _delete_index(compilable(kernel))
    yield _tried(kernel_dispatcher(kernel), signature)
    inlining.enabled = False
    uncached = dispatcher(kernel, OPTIONS)
    uncached.compile(signature)
    yield uncached


def _tried(dispatcher: Any, signature: tuple[Any, ...]) -> Any:
    with contextlib.suppress(Exception):
        dispatcher.compile(signature)
    return dispatcher


def _delete_index(dispatcher: Any) -> None:
    """Delete a kernel's index in the cache, if that is permitted."""
    function = dispatcher.py_func
    name = f"{Path(function.__code__.co_filename).stem}.{function.__qualname__}"
    if dispatcher.stats.cache_path is not None:
        for index in Path(dispatcher.stats.cache_path).glob(f"{name}-{function.__code__.co_firstlineno}.*.nbi"):
            with contextlib.suppress(OSError):
                index.unlink()

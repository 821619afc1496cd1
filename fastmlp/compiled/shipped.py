"""The library of kernels that were compiled when the package was built, one for each level of processors.

A library is used if the processor has all instructions of its level, and if it was built from the sources that are
installed. Otherwise, and for a kernel that it has not, Numba compiles at the first call.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fastmlp.compiled.binding import Bound
from fastmlp.compiled.kinds import kind_of

FOLDER = Path(__file__).parent / "libraries"
MANIFEST = "manifest.json"
VECTOR_BYTES = {"x86-64-v4": 64, "x86-64-v3": 32, "x86-64-v2": 16, "aarch64": 16}  # by level, the best first
CHOICE = "FASTMLP_KERNELS"  # the environment variable
_PACKAGE = Path(__file__).parent.parent


class Library:
    """An open library of a level; of none, with the reason, if Numba compiles all kernels."""

    def __init__(self, level: str | None, functions: Any, reason: str = "") -> None:
        self.level = level
        self.reason = reason
        self._functions = functions

    def find(self, kernel: Callable[..., Any], arguments: tuple[Any, ...]) -> Bound | None:
        """Return a kernel for arguments of the kinds of these, or None if it was not built."""
        if self.level is None:
            return None
        function = getattr(self._functions, symbol(kernel, kind_of(arguments)), None)
        return None if function is None else Bound(function, arguments)


def symbol(kernel: Callable[..., Any], kind: str) -> str:
    """Return the name of a kernel for arguments of a kind in a library."""
    name = f"{kernel.__module__}.{kernel.__name__}".replace(".", "_")
    return f"{name}_{hashlib.sha256(kind.encode()).hexdigest()[:16]}"


@functools.cache
def library() -> Library:
    """Return the library of the best level that this processor has.

    The environment variable FASTMLP_KERNELS may be "none", or name a level, which must then be there.
    """
    choice = os.environ.get(CHOICE, "all")
    if choice not in ("none", "native", "all", *VECTOR_BYTES):
        raise ValueError(f"{CHOICE} must be none, native, all or one of {', '.join(VECTOR_BYTES)}, got {choice!r}.")
    if choice == "none":
        return Library(None, None, f"{CHOICE}=none")
    found = _opened([choice] if choice in VECTOR_BYTES else list(VECTOR_BYTES))
    if choice in VECTOR_BYTES and found.level is None:
        rule = "a level that was built and that this processor has"
        raise ValueError(f"{CHOICE} must be {rule}, got {choice!r}: {found.reason}.")
    return found


def _opened(levels: list[str]) -> Library:
    """Return the library of the first level that was built from these sources and that the processor has."""
    try:
        manifest = json.loads((FOLDER / MANIFEST).read_text())
        sizes, sources = dict(manifest["sizes"]), list(manifest["sources"])
        # An installation without any source has nothing to compare.
        is_current = manifest["stamp"] == stamp(sources) if any((_PACKAGE / s).exists() for s in sources) else True
    except (OSError, ValueError, KeyError, TypeError):
        return Library(None, None, "no library was built")
    if not is_current:
        return Library(None, None, "the sources have changed since the library was built")
    reason = "no library for this processor"
    for level in levels:
        path = FOLDER / f"{level}.so"
        if level not in sizes:
            continue
        try:
            if path.stat().st_size != sizes[level]:  # to open a truncated library may end the process
                raise OSError("it has another size than when it was built")
            functions = ctypes.CDLL(str(path))
            if functions.fastmlp_is_supported():
                return Library(level, functions)
        except (OSError, AttributeError) as error:
            reason = f"{path.name} cannot be used: {error}"
    return Library(None, None, reason)


def stamp(sources: Iterable[str]) -> str:
    """Return a hash of source files of the package, named relative to its folder."""
    digest = hashlib.sha256()
    for name in sources:
        digest.update(f"{name}\n".encode())
        digest.update((_PACKAGE / name).read_bytes())
    return digest.hexdigest()

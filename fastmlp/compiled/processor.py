"""The width of the vectors that kernels are compiled for."""

from __future__ import annotations

import functools
import os
import platform
from collections.abc import Collection
from pathlib import Path

from fastmlp.compiled.shipped import VECTOR_BYTES, library


@functools.cache
def vector_bytes() -> int:
    """Return the number of bytes in a vector: of the library's level, or of what Numba compiles for.

    All kernels of a process have vectors of one width, because the arrays that they take depend on it.
    """
    level = library().level
    if level is not None:
        return VECTOR_BYTES[level]
    features = os.environ.get("NUMBA_CPU_FEATURES")
    names = _host_features() if features is None else [name.removeprefix("+") for name in features.split(",")]
    return 64 if "avx512f" in names else 32 if "avx" in names else 16


def _host_features() -> Collection[str]:
    """Return the features of this processor, of which only those of x86-64 matter here.

    Linux says them without the import of Numba, which takes 0.3 s; nothing may need Numba afterwards.
    """
    if platform.machine() not in ("x86_64", "AMD64"):
        return ()
    try:
        with Path("/proc/cpuinfo").open() as lines:
            return next(line.split() for line in lines if line.startswith("flags"))
    except (OSError, StopIteration):
        from numba.core.codegen import get_host_cpu_features

        return [name.removeprefix("+") for name in get_host_cpu_features().split(",")]

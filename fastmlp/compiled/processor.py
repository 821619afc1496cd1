"""The width of the vectors that kernels are compiled for."""

from __future__ import annotations

import functools

from fastmlp.compiled.later import Later

_codegen = Later("numba.core.codegen")
_config = Later("numba.core.config")


@functools.cache
def vector_bytes() -> int:
    """Return the number of bytes in a vector of what Numba compiles for: the host or what the environment says."""
    features = _config.CPU_FEATURES
    if features is None:
        features = _codegen.get_host_cpu_features()
    return 64 if "+avx512f" in features else 32 if "+avx" in features else 16

"""Levels of processors, as compilers name them, and what they have."""

from __future__ import annotations

import platform

# What LLVM knows as features of each level. Without prefer-256-bit, which it would take for AVX-512.
_X86_64_V2 = "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+cx16,+sahf"
_X86_64_V3 = f"{_X86_64_V2},+avx,+avx2,+bmi,+bmi2,+f16c,+fma,+lzcnt,+movbe,+xsave"
_X86_64_V4 = f"{_X86_64_V3},+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,-prefer-256-bit"
FEATURES = {"x86-64-v4": _X86_64_V4, "x86-64-v3": _X86_64_V3, "x86-64-v2": _X86_64_V2, "aarch64": "+neon"}
CPU_NAMES = {"aarch64": "generic"}  # where LLVM's name is not that of the level


def levels_here() -> list[str]:
    """Return the levels that can be built on this machine, the best first; those of AVX-512 on any x86-64."""
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return [level for level in FEATURES if level.startswith(machine.replace("_", "-"))]


def native_level() -> str | None:
    """Return the best level that this processor has."""
    from llvmlite.binding import get_host_cpu_features

    host = get_host_cpu_features()

    def has(level: str) -> bool:
        wanted = [feature[1:] for feature in FEATURES[level].split(",") if feature.startswith("+")]
        return all(host.get(feature, False) for feature in wanted)

    return next((level for level in levels_here() if has(level)), None)

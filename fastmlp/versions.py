"""Versions of the software and facts about the machine, for files and bug reports."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform

PACKAGES = ("fastmlp", "numpy", "numba", "llvmlite", "matplotlib", "tqdm", "joblib")


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of the software on which the result of a fit can depend, without importing it."""
    found = {name: importlib.metadata.version(name) for name in ("fastmlp", "numpy", "numba")}
    return found | {"python": platform.python_version()}


def show_versions() -> None:
    """Print the versions of the software, the processor and the compile cache, for a bug report.

    Examples
    --------
    >>> import fastmlp
    >>> fastmlp.show_versions()  # doctest: +ELLIPSIS
    fastmlp    ...
    """
    for name, fact in installation().items():
        print(f"{name:10} {fact}")


def installation() -> dict[str, str]:
    """Return the versions, the processor and the compile cache, by name."""
    import numba
    from llvmlite.binding import get_host_cpu_name

    facts = {name: _version(name) for name in PACKAGES}
    return facts | {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": f"{get_host_cpu_name()}, {os.cpu_count()} cores",
        "cache": numba.config.CACHE_DIR or "__pycache__ beside each module, else the user's cache folder",
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"

"""Versions of the software and facts about the machine, for files and bug reports."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform

from fastmlp.compiled.cache import has_compiled, is_interpreted
from fastmlp.compiled.shipped import library

PACKAGES = ("fastmlp", "numpy", "numba", "llvmlite", "matplotlib", "tqdm", "joblib")


def versions() -> dict[str, str]:
    """Return the versions of the software on which the result of a fit can depend, without importing it.

    "kernels" says where the kernels of this process come from.
    """
    return _installed_versions() | {"kernels": kernels()}


@functools.cache
def _installed_versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in ("fastmlp", "numpy", "numba")}
    return found | {"python": platform.python_version()}


def kernels() -> str:
    """Return where the kernels come from: "shipped" with the level of processors, "compiled" by Numba, or both."""
    if is_interpreted():
        return "interpreted"
    level = library().level
    if level is None:
        return "compiled"
    return f"shipped {level}" + (", others compiled" if has_compiled() else "")


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
    """Return the versions, the processor, the kernels and the folder of the compile cache, by name.

    Each folder of the package has its own folder in the cache; the one here is that of the engines for one input.
    """
    from llvmlite.binding import get_host_cpu_name

    from fastmlp.compiled.compiling import cache_folder
    from fastmlp.engines.univariate.outputs import evaluate

    facts = {name: _version(name) for name in PACKAGES}
    return facts | {
        "python": platform.python_version(),
        "system": platform.platform(),
        "processor": f"{get_host_cpu_name()}, {os.cpu_count()} cores",
        "kernels": kernels() if library().level else f"{kernels()} ({library().reason})",
        "cache": cache_folder(evaluate) or "none: no folder can be written",
    }


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"

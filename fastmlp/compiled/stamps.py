"""A stamp for each file with kernels: a hash of all sources that its kernels may depend on.

Numba's file cache notices an edit in a kernel's own file, but not in the files from which the kernel takes functions
and constants. `njit` therefore puts the stamp of the file into the name under which a kernel is cached.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import re
import sys
from collections.abc import Iterator

_PACKAGE = __name__.partition(".")[0]
# What every kernel depends on besides. Kernels do not import it, because it imports Numba.
_COMPILER = tuple(f"{_PACKAGE}.compiled.{name}" for name in ("compiler", "inlining", "vector_type"))
_FIRST_DEFINITION = re.compile(r"^(?:@|(?:async )?def |class )", re.MULTILINE)


@functools.cache
def stamp(module: str) -> str:
    """Return a hash of the sources of `closure(module)` and of the compiler.

    A module without source contributes nothing; Numba caches no kernel of such a module.
    """
    for name in _COMPILER:
        importlib.import_module(name)
    sources = "".join(f"{name}\n{_source(name)}\n" for name in sorted(closure(module).union(_COMPILER)))
    return hashlib.sha256(sources.encode()).hexdigest()[:12]


def closure(module: str) -> set[str]:
    """Return a module and all modules of the package that it imports, directly or through others."""
    reached, pending = {module}, [module]
    while pending:
        added = _imported(pending.pop()) - reached
        reached |= added
        pending += added
    return reached


@functools.cache
def _source(module: str) -> str:
    loader = getattr(getattr(sys.modules.get(module), "__spec__", None), "loader", None)
    try:
        return loader.get_source(module) or ""  # type: ignore[union-attr]
    except (AttributeError, ImportError):  # no loader, as in a notebook, or no source
        return ""


@functools.cache
def _imported(module: str) -> frozenset[str]:
    """Return the modules of the package that a module imports at its top level.

    A name is a module if it is in `sys.modules`, since a kernel is decorated after its file's imports have run. Imports
    inside functions and under TYPE_CHECKING bind no name that a kernel can use.
    """
    return frozenset(name for name in _named(_source(module)) if name in sys.modules)


def _named(source: str) -> Iterator[str]:
    for statement in _head(source):
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names if alias.name.partition(".")[0] == _PACKAGE)
        elif isinstance(statement, ast.ImportFrom) and str(statement.module).partition(".")[0] == _PACKAGE:
            for alias in statement.names:
                name = f"{statement.module}.{alias.name}"
                yield name if name in sys.modules else str(statement.module)


def _head(source: str) -> list[ast.stmt]:
    """Return the statements before the first definition: all imports, as ruff's rule E402 demands.

    For all files of the engines, parsing only these takes 2 ms instead of 41.
    """
    definition = _FIRST_DEFINITION.search(source)
    try:
        return ast.parse(source[: definition.start()] if definition else source).body
    except SyntaxError:  # "def" or "class" began a line of a text
        return ast.parse(source).body

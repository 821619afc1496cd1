"""Reading the compile cache of an installation where it cannot be written, as in an image that root has warmed up.

Numba takes only folders that it can write to. So another user, or a read-only installation, would compile everything
again, in every process if no other folder can be written.
"""

from __future__ import annotations

import contextlib
from typing import Any

from numba.core import caching, config


class _UserProvided(caching.UserProvidedCacheLocator):  # type: ignore[misc]
    """The folder that NUMBA_CACHE_DIR names, whether it can be written or not."""

    def ensure_cache_path(self) -> None:
        """Do nothing."""


class _InTree(caching.InTreeCacheLocator):  # type: ignore[misc]
    """The folder `__pycache__` beside a module, whether it can be written or not."""

    def ensure_cache_path(self) -> None:
        """Do nothing."""


class _UserProvidedImpl(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_UserProvided,)


class _InTreeImpl(caching.CompileResultCacheImpl):  # type: ignore[misc]
    _locator_classes = (_InTree,)


class _UserProvidedCache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _UserProvidedImpl


class _InTreeCache(caching.FunctionCache):  # type: ignore[misc]
    _impl_class = _InTreeImpl


class WithReadOnly:
    """The cache of a dispatcher, which also loads from folders that cannot be written."""

    def __init__(self, cache: Any, function: Any) -> None:
        self._cache = cache
        # With NUMBA_CACHE_DIR, no other folder counts: its user may have set options of Numba that change the code.
        class_ = _UserProvidedCache if config.CACHE_DIR else _InTreeCache
        self._read_only = None
        if not config.CACHE_LOCATOR_CLASSES:  # which replaces these folders
            with contextlib.suppress(RuntimeError, OSError):
                self._read_only = class_(function)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cache, name)

    def load_overload(self, signature: Any, target: Any) -> Any:
        """Return a compiled kernel from the first folder that has it, or None."""
        loaded = self._cache.load_overload(signature, target)
        other = self._read_only
        if loaded is None and other is not None and other.cache_path != self._cache.cache_path:
            with contextlib.suppress(Exception):  # a damaged file raises any exception
                loaded = other.load_overload(signature, target)
        return loaded

"""The LLVM code of functions that are only compiled into kernels.

Numba optimises each of them as a module, once for each level of calls, and makes machine code that nothing calls. Here
they are simplified function by function and linked into their callers, where LLVM optimises them once.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary

# Set to False where a version of Numba does not bear the classes below.
enabled = True


class _WithoutEnvironments:
    """Numba's code generator, for functions without machine code, which hold no environment."""

    def __init__(self, codegen: Any) -> None:
        self._codegen = codegen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codegen, name)

    def set_env(self, name: str, environment: Any) -> None:
        """Do nothing."""


class InlinedLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The LLVM code of one function."""

    @property
    def codegen(self) -> Any:
        """What made it."""
        return _WithoutEnvironments(self._codegen)

    def finalize(self) -> None:
        """Link what it calls."""
        self._raise_if_finalized()
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Return 0, which means that there is no machine code."""
        self._ensure_finalized()
        return 0

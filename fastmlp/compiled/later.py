"""Numba and LLVM, imported at their first use: never in a process whose kernels all come from a shipped library."""

from __future__ import annotations

import importlib
from typing import Any


class Later:
    """A module that is imported when one of its attributes is first read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        value = getattr(importlib.import_module(self._name), attribute)
        setattr(self, attribute, value)
        return value


numba: Any = Later("numba")
ir: Any = Later("llvmlite.ir")
cgutils: Any = Later("numba.core.cgutils")

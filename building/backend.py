"""The build backend: that of setuptools, and what it needs to compile the kernels."""

from __future__ import annotations

import sys
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  # the hooks of a build backend

sys.path.insert(0, str(Path(__file__).parent.parent))


def get_requires_for_build_wheel(config_settings: dict[str, str] | None = None) -> list[str]:
    """Return what a wheel needs to be built: Numba, unless no library is built."""
    from building.commands import REQUIREMENTS, obstacle

    required = build_meta.get_requires_for_build_wheel(config_settings)
    return [*required, *(REQUIREMENTS if obstacle() is None else ())]

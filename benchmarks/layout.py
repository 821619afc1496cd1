"""Former names of the modules that the suite of airspeed velocity imports.

asv runs the newest benchmarks with the package of each commit. This file makes modules of older commits importable
under their present names. If you move a module, add an entry: the present name, and then the former names, newest
first. A test requires an entry for every internal module that the suite imports.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec

FORMER_NAMES = {
    "fastmlp.engines.engine": ("fastmlp.engine",),
    "fastmlp.engines.dense.choice": ("fastmlp.engines.dense.engine", "fastmlp.dense.engine"),
    "fastmlp.engines.univariate": ("fastmlp.univariate",),
    "fastmlp.engines.univariate.choice": ("fastmlp.univariate.choice",),
    "fastmlp.engines.univariate.engine": ("fastmlp.univariate.engine",),
}


def import_former_modules() -> None:
    """Make modules of older commits importable under their present names; in this commit do nothing."""
    absent = [name for name in FORMER_NAMES if not exists(name)]  # all before any: aliased packages have submodules
    for name in absent:
        for former in FORMER_NAMES[name]:
            with suppress(ModuleNotFoundError):
                sys.modules[name] = import_module(former)
                break


def exists(name: str) -> bool:
    """Return whether there is a module of a name."""
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # nor its package
        return False

"""Checks of the memory that a fit needs."""

from __future__ import annotations

import functools
import math
import operator
import os
from collections.abc import Iterable

import numpy as np

from fastmlp.checks.messages import wording
from fastmlp.checks.scalars import count


def snapshots(value: object, epochs: int, n_bytes: int) -> list[int]:
    """Check the epochs of snapshots that take n_bytes each; return them in ascending order without duplicates."""
    rule = f"integers from 0 to epochs ({epochs})"
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Iterable) or (isinstance(value, np.ndarray) and not value.ndim):
        raise TypeError(wording("snapshots", rule, repr(value)))
    most = physical_memory() / n_bytes
    kept = set()
    for epoch in value:
        if not 0 <= count("snapshots", epoch, minimum=0) <= epochs:
            raise ValueError(wording("snapshots", rule, repr(epoch)))
        kept.add(operator.index(epoch))
        if len(kept) > most:
            memory("snapshots", f"more than {most:.0f} epochs", len(kept) * n_bytes)
    return sorted(kept)


def memory(name: str, got: str, n_bytes: int) -> None:
    """Check that arrays of n_bytes fit into the physical memory."""
    if n_bytes > physical_memory():
        needs = f"it needs {n_bytes >> 30} GiB of {physical_memory() / 2**30:.3g}"
        raise MemoryError(wording(name, "small enough for memory", f"{got} ({needs})"))


@functools.cache
def physical_memory() -> float:
    """Return the size of the physical memory in bytes, infinite if the system does not report it."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else math.inf

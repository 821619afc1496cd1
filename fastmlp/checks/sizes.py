"""Checks of sizes against the available memory."""

from __future__ import annotations

import operator
from collections.abc import Iterable

import numpy as np

from fastmlp.checks.available import available_memory
from fastmlp.checks.messages import shortened, wording
from fastmlp.checks.scalars import count

SMALL = 2**26  # bytes for which the available memory is not read, which takes 0.1 ms


def snapshots(value: object, epochs: int, n_bytes: int) -> list[int]:
    """Check the epochs of snapshots that take n_bytes each; return them in ascending order without duplicates."""
    rule = f"integers from 0 to epochs ({epochs})"
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Iterable) or (isinstance(value, np.ndarray) and not value.ndim):
        raise TypeError(wording("snapshots", rule, repr(value)))
    most: float | None = None
    kept = set()
    for epoch in value:
        if not 0 <= count("snapshots", epoch, minimum=0) <= epochs:
            raise ValueError(wording("snapshots", rule, repr(epoch)))
        kept.add(operator.index(epoch))
        if len(kept) * n_bytes > SMALL:
            most = available_memory() / n_bytes if most is None else most
            if len(kept) > most:
                memory("snapshots", f"more than {most:.0f} epochs", len(kept) * n_bytes)
    return sorted(kept)


def memory(name: str, got: str, n_bytes: int, seconds: float | None = None) -> None:
    """Check that arrays of n_bytes fit into the available memory; say how long the fit would take, if that is known."""
    if fits_memory(n_bytes):
        return
    time = "" if seconds is None else f" and about {duration(seconds)}"
    needs = f"This needs about {gigabytes(n_bytes)} of memory{time}; {gigabytes(available_memory())} are available."
    raise MemoryError(f"{name} must be small enough for memory, got {shortened(got)}. {needs}")


def fits_memory(n_bytes: int) -> bool:
    """Return whether arrays of n_bytes fit into the available memory."""
    return n_bytes <= SMALL or n_bytes <= available_memory()


def gigabytes(n_bytes: float) -> str:
    """Return a size in words: "2.4 GB"."""
    return f"{min(n_bytes, 10**30) / 1e9:.2g} GB" if n_bytes < 10**11 else f"{min(n_bytes, 10**30) / 1e9:,.0f} GB"


def duration(seconds: float) -> str:
    """Return a time in words, with the accuracy of an estimate: "40 s", "3 min", "2 h", "5 days"."""
    for unit, size in (("days", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{min(seconds, 1e15) / size:,.0f} {unit}"
    return f"{max(1.0, seconds):.0f} s"

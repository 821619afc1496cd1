"""Codes of activation patterns, which every univariate method takes and gives, and tables by code.

`fastmlp.engines.univariate.kernels.layout` says which pattern has which code.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.jit import plain
from fastmlp.compiled.vectors import aligned_zeros
from fastmlp.engines.engine import Array
from fastmlp.engines.univariate.kernels.layout import CLASS, LANES, address_of
from fastmlp.engines.univariate.samples import SortedSamples


def round_up(size: int, multiple: int) -> int:
    """Return the least multiple that is not below a size."""
    return -(-size // multiple) * multiple


def prefix_offset(n: int) -> int:
    """Return where the codes of prefixes of n samples begin: n + 1, rounded up to whole blocks."""
    return round_up(n + 1, LANES)


def codes(first: Array, stop: Array, n: int) -> Array:
    """Return the codes of patterns given as ranges first <= i < stop of n samples."""
    is_prefix = (first == 0) & (stop > 0) & (stop < n)
    return np.where(is_prefix, prefix_offset(n) + stop, np.where(stop > first, first, n)).astype(np.int64)


class Neighbours(NamedTuple):
    """The samples beside the kinks of each pattern, by side (left, right) and code.

    x, the sample; active, whether units of the pattern are active there; norm, sqrt(1 + x^2). "all" and "none" have the
    first and the last sample.
    """

    x: Array
    active: Array
    norm: Array


def neighbours(x: Array) -> Neighbours:
    """Return the samples beside the kinks of each pattern of the sorted samples x."""
    n, offset = x.size, prefix_offset(x.size)
    beside = aligned_zeros(2, 2 * offset)
    active = np.empty((2, 2 * offset), np.bool_)
    active[:] = [[True], [False]]  # of codes without a pattern, whose samples are equal: no unit has these
    for start, left_active in ((0, False), (offset, True)):
        proper = slice(start + 1, start + n)
        beside[:, proper] = x[:-1], x[1:]
        active[0, proper], active[1, proper] = left_active, not left_active
    beside[:, [0, n]] = x[[0, -1], None]
    active[:, [0, n]] = True, False
    return Neighbours(beside, active, np.sqrt(1 + beside**2))


def classes(samples: SortedSamples, n_out: int) -> Any:
    """Return the table of `LiveUnits`, of n classes of suffixes and n of prefixes."""
    n, offset = samples.x.size, prefix_offset(samples.x.size)
    s = np.tile(np.arange(n), 2)
    is_prefix = np.repeat([False, True], n)
    is_first, is_last = s == 0, s == n - 1
    table = np.zeros(2 * n, CLASS)
    code_on = np.where(is_prefix, np.where(is_last, 0, offset + s + 1), s)
    code_off = np.where(is_prefix, np.where(is_first, n, offset + s), s + 1)
    for side, code in (("on", code_on), ("off", code_off)):
        table[f"code_{side}"] = code
        table[f"address_{side}"] = plain(address_of)(code, 2 * n_out)
    below_active = is_prefix ^ is_first
    table["below_active"] = below_active
    table["above_active"] = np.where(is_last, below_active, ~is_prefix)
    table["multiplicity"] = np.diff(samples.n_before)[s]
    table["minus_x"] = -samples.x[s]
    table["minus_below"] = -samples.x[np.where(is_first, n - 1, s - 1)]
    table["minus_above"] = -samples.x[np.where(is_last, 0, s + 1)]
    if n == 1:  # no other sample keeps units in a class: none is active at NaN, and none is to be
        for name in ("below", "above"):
            table[f"{name}_active"] = 0
            table[f"minus_{name}"] = np.nan
    return table.view(np.recarray)

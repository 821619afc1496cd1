"""Codes of activation patterns, which every univariate method takes and gives.

Of n sorted samples the active ones are k, k + 1, ... (code k; 0 is "all", n is "none") or the first k, 0 < k < n (code
plane + k).
"""

from __future__ import annotations

import numpy as np

from fastmlp.compiled.vectors import aligned_zeros
from fastmlp.engines.engine import Array
from fastmlp.engines.univariate.kernels import layout
from fastmlp.engines.univariate.kernels.layout import LANES, Classes, Patterns
from fastmlp.engines.univariate.samples import SortedSamples


def round_up(size: int, multiple: int) -> int:
    """Return the least multiple that is not below a size."""
    return -(-size // multiple) * multiple


def plane_size(n: int) -> int:
    """Return where the codes of prefixes begin: n + 1, rounded up to what the kernels take at a time."""
    return round_up(n + 1, LANES)


def codes(first: Array, stop: Array, n: int) -> Array:
    """Return the codes of patterns given as ranges first <= i < stop of active samples."""
    is_prefix = (first == 0) & (stop > 0) & (stop < n)
    return np.where(is_prefix, plane_size(n) + stop, np.where(stop > first, first, n)).astype(np.int64)


def tables(x: Array) -> Patterns:
    """Return the samples beside the kinks of each pattern; of "all" and "none" the first and the last sample."""
    n, plane = x.size, plane_size(x.size)
    beside = aligned_zeros(2, 2 * plane)
    active = np.empty((2, 2 * plane), np.bool_)
    active[:] = [[True], [False]]  # of codes without a pattern, to equal samples: no unit has these
    for start, left_active in ((0, False), (plane, True)):
        proper = slice(start + 1, start + n)
        beside[:, proper] = x[:-1], x[1:]
        active[0, proper], active[1, proper] = left_active, not left_active
    beside[:, [0, n]] = x[[0, -1], None]
    active[:, [0, n]] = True, False
    return Patterns(beside, active, np.sqrt(1 + beside**2))


def classes(samples: SortedSamples, n_out: int, slope: float) -> Classes:
    """Return what does not change of the classes of live units: n of suffixes, n of prefixes."""
    n, plane = samples.x.size, plane_size(samples.x.size)
    s = np.tile(np.arange(n), 2)
    is_prefix = np.repeat([False, True], n)
    is_first, is_last = s == 0, s == n - 1
    code = {
        "ON": np.where(is_prefix, np.where(is_last, 0, plane + s + 1), s),
        "OFF": np.where(is_prefix, np.where(is_first, n, plane + s), s + 1),
    }
    below_active = is_prefix ^ is_first
    above_active = np.where(is_last, below_active, ~is_prefix)
    places = np.empty((2 * n, layout.N_PLACES), np.int64)
    factors = np.zeros((2 * n, layout.N_FACTORS))
    gain: dict[str, Array] = {}
    for side, its_code in code.items():
        in_prefixes = its_code > plane
        of_side = {
            "CODE": its_code,
            "SUM": _place(its_code, n_out),
            "ERROR": _place(its_code - plane * in_prefixes, n_out),
            "TOTAL": 2 * n_out * in_prefixes,
        }
        for name, column in of_side.items():
            places[:, getattr(layout, f"{name}_{side}")] = column
        factors[:, getattr(layout, f"SIGN_{side}")] = (1 - slope) * np.where(in_prefixes, 1, -1)
        gain[side] = np.where(in_prefixes, 1.0, slope)
    places[:, layout.GUARDED] = below_active + 2 * above_active
    places[:, layout.MULTIPLICITY] = np.diff(samples.n_before)[s]
    factors[:, layout.X] = samples.x[s]
    factors[:, layout.X_BELOW] = samples.x[np.where(is_first, n - 1, s - 1)]
    factors[:, layout.X_ABOVE] = samples.x[np.where(is_last, 0, s + 1)]
    if n == 1:  # no other sample to guard a class: none is active at NaN, and none is to be
        places[:, layout.GUARDED] = 0
        factors[:, [layout.X_BELOW, layout.X_ABOVE]] = np.nan
    gains = aligned_zeros(2 * n, round_up(4 * n_out, layout.WIDTH))
    gains[:, : 4 * n_out : 2] = (gain["ON"] - gain["OFF"])[:, None]
    gains[:, 1 : 4 * n_out : 2] = gain["OFF"][:, None]
    return Classes(places, factors, gains)


def _place(code: Array, n_out: int) -> Array:
    """Return where the first field of a code lies in blocks [2 n_out fields][LANES codes]."""
    return np.asarray(code // LANES * (2 * n_out * LANES) + code % LANES)

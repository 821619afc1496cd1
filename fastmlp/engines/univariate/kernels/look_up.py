"""The pattern of a unit: whether the unit has left it, and which it has now."""

from __future__ import annotations

from typing import Any

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined
from fastmlp.engines.univariate.kernels.layout import Data


@inlined
def has_left(w: Any, b: Any, code: Any, data: Data) -> Any:
    """Return whether a unit no longer has the pattern of this code.

    The two samples beside its kink decide, since the rounded product w x is monotone in x; "all" and "none" have the
    first and the last sample.
    """
    return ((w * data.neighbour_x[0, code] > -b) != data.neighbour_active[0, code]) | (
        (w * data.neighbour_x[1, code] > -b) != data.neighbour_active[1, code]
    )


@inlined
def find_code(w: Any, b: Any, old: Any, data: Data) -> Any:
    """Return the code of a unit that has left an old pattern: one of its neighbours, or found by bisection."""
    if not has_left(w, b, old + 1, data):
        return old + 1
    if not has_left(w, b, max(old - 1, 0), data):
        return old - 1
    last = data.n_before.size - 2
    first_active = w * data.x[0] > -b
    if first_active == (w * data.x[last] > -b):
        return 0 if first_active else last + 1
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if (w * data.x[middle] > -b) == first_active:
            low = middle
        else:
            high = middle
    return data.x.size + high if first_active else high


@inlined
def look_up(w: Any, b: Any, old: Any, data: Data) -> Any:
    """Return the code of a unit that has left an old pattern, and how many samples of the problem changed sign.

    These are the samples that are active in exactly one of the two patterns.
    """
    n_before, prefix_offset = data.n_before, data.x.size
    n = n_before.size - 1
    code = assume_nonnegative(find_code(w, b, old, data))
    old_first, old_stop = (0, old - prefix_offset) if old > prefix_offset else (old, n)
    first, stop = (0, code - prefix_offset) if code > prefix_offset else (code, n)
    low = max(old_first, first)
    high = max(low, min(old_stop, stop))
    both = n_before[high] - n_before[low]
    return code, n_before[old_stop] - n_before[old_first] + n_before[stop] - n_before[first] - 2 * both

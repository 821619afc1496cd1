"""Units in the order of their kinks."""

from __future__ import annotations

from typing import Any

from fastmlp.compiled.hints import prefetch
from fastmlp.compiled.jit import inlined
from fastmlp.engines.univariate.kernels.stretch_layout import (
    ALL,
    BETA,
    LANES,
    LEFT,
    NONE,
    PREFIX,
    RIGHT,
    SEEN,
    SIDE,
    SUFFIX,
    W,
)

# After so many exchanges per unit in an epoch units are left where they are and sorted by merging.
MAX_EXCHANGES = 4


@inlined
def find_kink(x: Any, w: Any, beta: Any, k: Any) -> Any:
    """Return how many samples of x lie left of the kink, from a guess k; only the unit's active side tells."""
    n = x.size
    rises = w > 0
    low, high = 0, n  # x[low - 1] is known to lie left of the kink and x[high] right
    step = 1
    if k < n and (w * x[k] > -beta) != rises:
        low = k + 1
        while low + step < n and (w * x[low + step - 1] > -beta) != rises:
            low += step
            step *= 2
        high = min(low + step, n)
    else:
        high = k
        while high - step > 0 and (w * x[high - step] > -beta) == rises:
            high -= step
            step *= 2
        low = max(high - step, 0)
    while low < high:
        middle = (low + high) >> 1
        if (w * x[middle] > -beta) == rises:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def exchange(units: Any, kink: Any, index: Any, moved: Any, a: Any, b: Any, n_fields: Any) -> None:
    """Exchange the units at two positions."""
    width = n_fields * LANES
    at_a = a // LANES * width + a % LANES
    at_b = b // LANES * width + b % LANES
    for j in range(n_fields):
        units[at_a + j * LANES], units[at_b + j * LANES] = units[at_b + j * LANES], units[at_a + j * LANES]
    kink[a], kink[b] = kink[b], kink[a]
    index[a], index[b] = index[b], index[a]
    moved[a], moved[b] = moved[b], moved[a]


@inlined
def sift(units: Any, kink: Any, index: Any, moved: Any, stale: Any, position: Any, n_fields: Any) -> Any:
    """Bring the one unit whose kink moved to its place in the order; return the number of exchanges.

    It changes places with the farthest unit of each kink that it passes: the order of units that share a kink is free,
    and where kinks are drawn to a sample dozens of them hop across it.
    """
    n_exchanges = 0
    k = kink[position]
    while position > 1 and kink[position - 1] > k:
        target = position - 1
        while kink[target - 1] == kink[target]:
            target -= 1
        exchange(units, kink, index, moved, position, target, n_fields)
        stale[position] = stale[position + 1] = 1
        position = target
        n_exchanges += 1
    while position + 1 < kink.size and kink[position + 1] < k:
        target = position + 1
        while target + 1 < kink.size and kink[target + 1] == kink[target]:
            target += 1
        exchange(units, kink, index, moved, position, target, n_fields)
        stale[position] = stale[position + 1] = 1
        position = target
        n_exchanges += 1
    stale[position] = stale[position + 1] = 1
    return n_exchanges


@inlined
def move(
    units: Any, kink: Any, index: Any, moved: Any, stale: Any, x: Any, n_before: Any, sums: Any, n_fields: Any
) -> Any:
    """Find the kinks of the units in moved (n_positions,) anew and bring them to their places; zeroes moved.

    Return the number of these units, the number of samples whose sign changed, and whether the order is still one.
    """
    width = n_fields * LANES
    n = x.size
    n_moved, n_crossings, n_exchanges = 0, 0, 0
    position = 0
    while position < moved.size:
        if moved[position] == 0.0:
            position += 1
            continue
        moved[position] = 0.0
        at = position // LANES * width + position % LANES
        w, beta, old_k = units[at + W * LANES], units[at + BETA * LANES], kink[position]
        old_side = units[at + SIDE * LANES]
        if w == 0.0:
            k, side = (0 if beta > 0 else n), 1.0
        else:
            k, side = find_kink(x, w, beta, old_k), (1.0 if w > 0 else -1.0)
        prefetch(sums, (k, 0))  # for `refresh`: from main memory
        prefetch(sums, (k, sums.shape[1] - 1))
        between = abs(n_before[k] - n_before[old_k])
        n_crossings += between if side == old_side else n_before[n] - between
        n_moved += 1
        kink[position] = k
        units[at + SIDE * LANES] = side
        if 0 < k < n:
            units[at + SEEN * LANES] = SUFFIX if side > 0 else PREFIX
            units[at + LEFT * LANES] = x[k - 1]
            units[at + RIGHT * LANES] = x[k]
        else:
            units[at + SEEN * LANES] = ALL if (k == 0) == (side > 0) else NONE
            units[at + LEFT * LANES] = x[0]
            units[at + RIGHT * LANES] = x[n - 1]
        stale[position] = stale[position + 1] = 1
        if n_exchanges < MAX_EXCHANGES * kink.size:
            n_exchanges += sift(units, kink, index, moved, stale, position, n_fields)
    return n_moved, n_crossings, n_exchanges < MAX_EXCHANGES * kink.size


@inlined
def copy_to(target: Any, source: Any) -> None:
    """Overwrite an array by another; an assignment to a slice would allocate, in case they overlap."""
    for i in range(target.size):
        target[i] = source[i]


@inlined
def merge_sort(units: Any, kink: Any, index: Any, stale: Any, n_fields: Any, old: Any, order: Any, merged: Any) -> None:
    """Sort the units by their kinks in O(n log n); old (units.size,), order and merged (n_positions,) are scratch."""
    size = kink.size
    for i in range(size):
        order[i] = i
    run = 1
    while run < size:
        for start in range(0, size, 2 * run):
            a, b = start, min(start + run, size)
            end_a, end = b, min(start + 2 * run, size)
            for i in range(start, end):
                if b == end or (a < end_a and kink[order[a]] <= kink[order[b]]):
                    merged[i] = order[a]
                    a += 1
                else:
                    merged[i] = order[b]
                    b += 1
        copy_to(order, merged)
        run *= 2
    width = n_fields * LANES
    copy_to(old, units)
    for i in range(size):
        source = order[i] // LANES * width + order[i] % LANES
        for j in range(n_fields):
            units[i // LANES * width + i % LANES + j * LANES] = old[source + j * LANES]
    for keys in (kink, index):
        copy_to(merged, keys)
        for i in range(size):
            keys[i] = merged[order[i]]
    stale[:] = 1

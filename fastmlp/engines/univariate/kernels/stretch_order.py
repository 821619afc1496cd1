"""The order of the units by their kinks, kept from epoch to epoch although kinks move.

The order is that of the number of samples left of a kink, an integer, and never that of -beta / w.
"""

from __future__ import annotations

from fastmlp.compiled.hints import prefetch
from fastmlp.compiled.jit import inline_ir, inlined
from fastmlp.compiled.masks import popcount
from fastmlp.engines.engine import Array
from fastmlp.engines.univariate.kernels.stretch_layout import (
    ALL,
    BLOCK_SIZE,
    N_UNIT_FIELDS,
    NONE,
    PREFIX,
    SUFFIX,
    Data,
    Scratch,
    State,
    Units,
    lane,
    position_of,
)

# After so many swaps per unit in one epoch the units are left where they are and sorted by merging.
MAX_SWAPS = 4


@inlined
def find_kink(x: Array, w: float, beta: float, guess: int) -> int:
    """Return how many samples of x lie left of the kink of a unit, which is active on the samples with w x > -beta.

    The search starts from a guess and doubles its steps until the kink lies between two of them.
    """
    n = x.size
    rises = w > 0
    low, high = 0, n  # x[low - 1] is known to lie left of the kink and x[high] right of it
    step = 1
    if guess < n and (w * x[guess] > -beta) != rises:
        low = guess + 1
        while low + step < n and (w * x[low + step - 1] > -beta) != rises:
            low += step
            step *= 2
        high = min(low + step, n)
    else:
        high = guess
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
def swap(units: Units, moved: Array, a: int, b: int) -> None:
    """Exchange the units at two positions; their stretches must be marked as stale."""
    block_a, i = a // BLOCK_SIZE, lane(a)
    block_b, j = b // BLOCK_SIZE, lane(b)
    fields_a, fields_b = units.fields[block_a], units.fields[block_b]
    for field in range(N_UNIT_FIELDS):
        fields_a[field, i], fields_b[field, j] = fields_b[field, j], fields_a[field, i]
    v_a, v_b = units.v[block_a], units.v[block_b]
    for o in range(v_a.shape[0]):
        v_a[o, i], v_b[o, j] = v_b[o, j], v_a[o, i]
    kink, caller_index = units.kink, units.caller_index
    kink[a], kink[b] = kink[b], kink[a]
    caller_index[a], caller_index[b] = caller_index[b], caller_index[a]
    differ = (moved[block_a, i // 32] >> i % 32 ^ moved[block_b, j // 32] >> j % 32) & 1
    moved[block_a, i // 32] ^= differ << i % 32
    moved[block_b, j // 32] ^= differ << j % 32


@inlined
def sift(units: Units, scratch: Scratch, position: int) -> int:
    """Bring the one unit whose kink moved to its place in the order; return the number of swaps.

    The unit changes places with the farthest unit of each group of equal kinks that it passes. The order within a group
    is free, and where kinks are drawn to a sample dozens of units move across it.
    """
    kink, stale = units.kink, scratch.stale
    n_swaps = 0
    k = kink[position]
    while position > 1 and kink[position - 1] > k:
        target = position - 1
        while kink[target - 1] == kink[target]:
            target -= 1
        swap(units, scratch.moved, position, target)
        stale[position] = stale[position + 1] = 1
        position = target
        n_swaps += 1
    while position + 1 < kink.size and kink[position + 1] < k:
        target = position + 1
        while target + 1 < kink.size and kink[target + 1] == kink[target]:
            target += 1
        swap(units, scratch.moved, position, target)
        stale[position] = stale[position + 1] = 1
        position = target
        n_swaps += 1
    stale[position] = stale[position + 1] = 1
    return n_swaps


@inlined
def move_kink(units: Units, position: int, data: Data, slope: float) -> int:
    """Find the kink of a unit anew; return on how many samples of the problem the sign of the unit changed."""
    unit, i = units.blocks[position // BLOCK_SIZE], lane(position)
    x, n_before = data.x, data.n_before
    n = x.size
    w, beta, old_k = unit.w[i], unit.beta[i], units.kink[position]
    old_side = unit.side[i]
    if w == 0.0:
        k, side = (0 if beta > 0 else n), 1.0
    else:
        k, side = find_kink(x, w, beta, old_k), (1.0 if w > 0 else -1.0)
    prefetch(data.sums[k, 0].plain, (0,))  # `refresh_moments` reads this row, which lies in main memory
    prefetch(data.sums[k, data.sums.shape[1] - 1].square, (1,))
    between: int = abs(n_before[k] - n_before[old_k])
    n_total: int = n_before[n]
    units.kink[position] = k
    unit.side[i] = side
    unit.slope_left[i] = 1.0 if side < 0 else slope
    unit.slope_right[i] = slope if side < 0 else 1.0
    if 0 < k < n:
        unit.active_guards[i] = SUFFIX if side > 0 else PREFIX
        unit.x_left[i] = x[k - 1]
        unit.x_right[i] = x[k]
    else:
        unit.active_guards[i] = ALL if (k == 0) == (side > 0) else NONE
        unit.x_left[i] = x[0]
        unit.x_right[i] = x[n - 1]
    return between if side == old_side else n_total - between


@inline_ir
def move_kinks(state: State, scratch: Scratch, data: Data, slope: float) -> bool:
    """Find the kinks of the units marked in scratch.moved anew and bring these units to their places; clears the marks.

    Return whether the units are in order again. If not, so many moved so far that `merge_sort` is faster.
    """
    units, moved, stale = state.units, scratch.moved, scratch.stale
    max_swaps = MAX_SWAPS * units.kink.size
    n_moved, n_crossings, n_swaps = 0, 0, 0
    for block in range(moved.shape[0]):
        while moved[block, 0] | moved[block, 1]:  # swaps bring marked units to this block and later ones only
            half = 0 if moved[block, 0] else 1
            marks = moved[block, half]
            moved[block, half] = marks & (marks - 1)
            position = position_of(block, 32 * half + popcount((marks & -marks) - 1))
            n_crossings += move_kink(units, position, data, slope)
            n_moved += 1
            stale[position] = stale[position + 1] = 1
            if n_swaps < max_swaps:
                n_swaps += sift(units, scratch, position)
    counters = state.counters[0]
    counters.crossings += n_crossings
    counters.n_moved = n_moved
    counters.n_moved_since += n_moved
    return n_swaps < max_swaps


@inline_ir
def merge_sort(units: Units, scratch: Scratch) -> None:
    """Sort the units by their kinks in O(n log n) and mark all stretches as stale."""
    kink, order, merged = units.kink, scratch.order, scratch.merged
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
        for i in range(size):  # an assignment to a slice would allocate, in case the arrays overlap
            order[i] = merged[i]
        run *= 2
    for i in range(size):
        source = order[i]
        while source < i:  # what was there has been exchanged with what order says
            source = order[source]
        swap(units, scratch.moved, i, source)
        scratch.stale[i] = 1

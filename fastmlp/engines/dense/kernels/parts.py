"""How the work of a kernel is divided into parts, and how what the parts computed is added.

Each part covers some of the samples in a forward and backward pass, and some of the units in an update. The number of
parts, not of threads, determines the order of summation and so the last bits of a result.
"""

from __future__ import annotations

from typing import Any

from fastmlp.compiled.jit import inlined, strict_fp
from fastmlp.compiled.vectors import add, broadcast_load, load, store, zeros


@inlined
def part_start(n: Any, part: Any, n_parts: Any) -> Any:
    """Return the first of n items that belongs to a part; the part ends where the next one starts."""
    return n * part // n_parts


@inlined
def batch_part(n: Any, batch: Any, n_batches: Any, part: Any, n_parts: Any) -> Any:
    """Return the start and the end of a part of a batch of n items; the batch number n_batches has all of them."""
    start, end = 0, n
    if batch < n_batches:
        start, end = part_start(n, batch, n_batches), part_start(n, batch + 1, n_batches)
    return start + part_start(end - start, part, n_parts), start + part_start(end - start, part + 1, n_parts)


@strict_fp
def take_sum(by_part: Any, index: Any) -> Any:
    """Return the vector at by_part[:, *index] summed over the first axis, and overwrite it with zeros."""
    total = load(by_part, (0, *index))
    store(by_part, (0, *index), zeros(by_part))
    for part in range(1, by_part.shape[0]):
        total = add(total, load(by_part, (part, *index)))
        store(by_part, (part, *index), zeros(by_part))
    return total


@strict_fp
def broadcast_sum(by_part: Any, column: Any) -> Any:
    """Return a vector with the sum of by_part[:, column] in every lane."""
    total = zeros(by_part)
    for part in range(by_part.shape[0]):
        total = add(total, broadcast_load(by_part, (part, column)))
    return total

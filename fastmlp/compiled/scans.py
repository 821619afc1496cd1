"""Running sums over the lanes of vectors, from either side.

Running sums of an array one by one take 4 cycles per entry, since each addition waits for the one before. A vector of 8
lanes takes three shuffles and three additions that wait for no other vector, and one addition that does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.compiled.intrinsics import instruction
from fastmlp.compiled.later import ir


def _shuffled(builder: Any, vector: Any, other: Any, lane: Callable[[int], int]) -> Any:
    """Return the vector with lane(k) of `vector` in each lane k, and the lanes n, n + 1, ... from `other`."""
    n = vector.type.count
    lanes = [lane(k) if 0 <= lane(k) < n else n + lane(k) % n for k in range(n)]
    return builder.shuffle_vector(vector, other, ir.Constant(ir.VectorType(ir.IntType(32), n), lanes))


def _running_sums(builder: Any, vector: Any, direction: int) -> Any:
    """Return the sums over each lane and those on one side of it: left (direction 1) or right (-1)."""
    zero = ir.Constant(vector.type, None)
    distance = 1
    while distance < vector.type.count:
        shift = direction * distance
        vector = builder.fadd(vector, _shuffled(builder, vector, zero, lambda k, shift=shift: k - shift))  # type: ignore[misc]
        distance *= 2
    return vector


@instruction(np.cumsum)
def sums_from_left(typing_context: Any, vector: Any) -> Any:
    """Return in each lane the sum over this lane and those left of it."""
    return vector(vector), lambda context, builder, signature, arguments: _running_sums(builder, arguments[0], 1)


@instruction(lambda vector: np.cumsum(vector[::-1])[::-1])
def sums_from_right(typing_context: Any, vector: Any) -> Any:
    """Return in each lane the sum over this lane and those right of it."""
    return vector(vector), lambda context, builder, signature, arguments: _running_sums(builder, arguments[0], -1)


@instruction(lambda vector: np.append(0.0, vector[:-1]))
def shifted_right(typing_context: Any, vector: Any) -> Any:
    """Return in each lane what lies left of it, and 0 in the first."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _shuffled(builder, arguments[0], ir.Constant(arguments[0].type, None), lambda k: k - 1)

    return vector(vector), codegen


@instruction(lambda vector: np.append(vector[1:], 0.0))
def shifted_left(typing_context: Any, vector: Any) -> Any:
    """Return in each lane what lies right of it, and 0 in the last."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _shuffled(builder, arguments[0], ir.Constant(arguments[0].type, None), lambda k: k + 1)

    return vector(vector), codegen


@instruction(lambda vector: np.full_like(vector, vector[0]))
def broadcast_first(typing_context: Any, vector: Any) -> Any:
    """Return a vector with the first lane in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _shuffled(builder, arguments[0], arguments[0], lambda k: 0)

    return vector(vector), codegen


@instruction(lambda vector: np.full_like(vector, vector[-1]))
def broadcast_last(typing_context: Any, vector: Any) -> Any:
    """Return a vector with the last lane in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _shuffled(builder, arguments[0], arguments[0], lambda k: arguments[0].type.count - 1)

    return vector(vector), codegen

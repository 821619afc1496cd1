"""Sums and maxima over the lanes of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.intrinsics import call, instruction, item_address
from fastmlp.compiled.later import ir, numba


@instruction(lambda vector: vector.sum())
def total(typing_context: Any, vector: Any) -> Any:
    """Return the sum over the lanes."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0].type.element
        name = f"llvm.vector.reduce.fadd.{vector.llvm_suffix}"
        return call(builder, name, value, [ir.Constant(value, -0.0), *arguments], fastmath=("reassoc",))

    return vector.dtype(vector), codegen


@instruction(lambda vector: np.fmax.reduce(vector))
def largest(typing_context: Any, vector: Any) -> Any:
    """Return the largest of the lanes that are not NaN; NaN if all are."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        name = f"llvm.vector.reduce.fmax.{vector.llvm_suffix}"
        return call(builder, name, arguments[0].type.element, arguments)

    return vector.dtype(vector), codegen


def _store_totals(array: Any, index: Any, room: Any, each: Any) -> None:
    array[index[:-1]][index[-1] : index[-1] + len(each)] = [vector.sum() for vector in room[: len(each)]]


@instruction(_store_totals)
def store_totals(typing_context: Any, array: Any, index: Any, room: Any, each: Any) -> Any:
    """Overwrite array[index + k] with the sum over the lanes of room[k], for k < len(each).

    `room` is an array of `vectors`, `each` a tuple that counts them. What follows in `array`, up to whole vectors, is
    overwritten too. The lanes of all vectors are added at once, in the steps of a transposition: 11 instructions for 4
    vectors of 8 lanes, where `total` takes 24.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        n_lanes = room.dtype.n_lanes
        address = item_address(context, builder, signature, arguments)
        for first in range(0, len(each), n_lanes):
            places = range(first, min(first + n_lanes, len(each)))
            rows = [builder.load(builder.gep(arguments[2], [ir.IntType(64)(k)])) for k in places]
            for level in range(n_lanes.bit_length() - 1):
                rows = [_half_summed(builder, rows[k : k + 2], level) for k in range(0, len(rows), 2)]
            place = builder.bitcast(builder.gep(address, [ir.IntType(64)(first)]), rows[0].type.as_pointer())
            builder.store(rows[0], place, align=array.dtype.bitwidth // 8)

    return numba.types.void(array, index, room, each), codegen


def _half_summed(builder: Any, rows: Any, level: int) -> Any:
    """Return one vector for one or two: the sums of pairs of lanes of the first, then of the last.

    At level 0 the pairs are neighbouring lanes, and the sums of both rows alternate; at later levels they are
    neighbouring pairs of lanes. AVX-512 has instructions for both shuffles.
    """
    n_lanes = rows[0].type.count
    parts = []
    for odd in (0, 1):
        if level == 0:
            lanes = [i - i % 2 + odd + (n_lanes if i % 2 else 0) for i in range(n_lanes)]
        else:
            lanes = [i for i in range(2 * n_lanes) if i // 2 % 2 == odd]
        mask = ir.Constant(ir.VectorType(ir.IntType(32), n_lanes), lanes)
        parts.append(builder.shuffle_vector(rows[0], rows[-1], mask))
    return builder.fadd(*parts)

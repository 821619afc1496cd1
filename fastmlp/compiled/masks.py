"""Comparisons of vectors, and selection by their results.

A mask is an integer with one bit for each lane, the lowest bit for the first lane. `mask_greater` and
`mask_greater_equal` return one; `mark_positive` stores one in an array of `mark_dtype`, where `where_marked` reads it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.intrinsics import instruction, item_address
from fastmlp.compiled.later import cgutils, ir, numba
from fastmlp.compiled.vectors import BYTES, n_lanes


def _mask(is_set: Any) -> int:
    return int(is_set @ (1 << np.arange(is_set.size)))


def _is_set(mask: Any, vector: Any) -> Any:
    return mask >> np.arange(vector.size) & 1 == 1


def _compare(builder: Any, operator: str, arguments: Any) -> Any:
    is_set = builder.fcmp_ordered(operator, *arguments)
    bits = builder.bitcast(is_set, ir.IntType(is_set.type.count))
    return builder.zext(bits, ir.IntType(64))


@instruction(lambda a, b: _mask(a > b))
def mask_greater(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the mask of the lanes where a > b; a NaN is not greater."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _compare(builder, ">", arguments)

    return numba.types.int64(a, b), codegen


@instruction(lambda a, b: _mask(a >= b))
def mask_greater_equal(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the mask of the lanes where a >= b; a NaN is neither greater nor equal."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _compare(builder, ">=", arguments)

    return numba.types.int64(a, b), codegen


@instruction(lambda mask, value, other: np.where(_is_set(mask, value), value, other))
def select(typing_context: Any, mask: Any, value: Any, other: Any) -> Any:
    """Return `value` in the lanes that a mask has set, and `other` in the rest."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.trunc(arguments[0], ir.IntType(value.n_lanes))
        is_set = builder.bitcast(bits, ir.VectorType(ir.IntType(1), value.n_lanes))
        return builder.select(is_set, arguments[1], arguments[2])

    return value(numba.types.int64, value, other), codegen


@instruction(lambda mask: (int(mask) % 2**64).bit_count())
def popcount(typing_context: Any, mask: Any) -> Any:
    """Return how many bits of a 64-bit integer are set."""
    signature = numba.types.int64(numba.types.int64)
    return signature, lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


def _is_positive(builder: Any, vector: Any) -> Any:
    """Compare with 0. NaN counts as positive: a sum with it turns NaN, which shows that a fit diverged."""
    return builder.fcmp_unordered(">", vector, ir.Constant(vector.type, None))


@instruction(lambda vector, value, other: np.where(~(vector <= 0), value, other))
def where_positive(typing_context: Any, vector: Any, value: Any, other: Any) -> Any:
    """Return `value` in the lanes where a vector is positive or NaN, and `other` in the rest."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.select(_is_positive(builder, arguments[0]), arguments[1], arguments[2])

    return value(vector, value, other), codegen


@instruction(lambda vector: np.where(vector < 0, 0, vector))
def positive_part(typing_context: Any, vector: Any) -> Any:
    """Return the larger of each lane and 0: one instruction, where `where_positive` takes two. NaN stays NaN."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(arguments[0].type, None)
        return builder.select(builder.fcmp_ordered(">", zero, arguments[0]), zero, arguments[0])

    return vector(vector), codegen


def mark_dtype(dtype: np.dtype[Any]) -> type[np.unsignedinteger[Any]]:
    """Return the integer dtype of stored masks for vectors of a dtype."""
    return np.uint8 if n_lanes(dtype) <= 8 else np.uint16


def _mark_positive(marks: Any, index: Any, vector: Any) -> None:
    marks[index] = _mask(~(vector <= 0))


@instruction(_mark_positive)
def mark_positive(typing_context: Any, marks: Any, index: Any, vector: Any) -> Any:
    """Overwrite marks[index] with the mask of the lanes that are positive or NaN."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mark = builder.bitcast(_is_positive(builder, arguments[2]), ir.IntType(vector.n_lanes))
        if vector.n_lanes < marks.dtype.bitwidth:
            mark = builder.zext(mark, ir.IntType(marks.dtype.bitwidth))
        builder.store(mark, item_address(context, builder, signature, arguments))

    return numba.types.void(marks, index, vector), codegen


@instruction(lambda marks, index, value: np.where(_is_set(marks[index], value), value, 0))
def where_marked(typing_context: Any, marks: Any, index: Any, value: Any) -> Any:
    """Return `value` in the lanes that the mask marks[index] has set, and 0 in the rest.

    Processors without mask registers look the mask up in a table of all masks, 8 KiB for 8 lanes: one instruction,
    where LLVM's own code takes three.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mark = builder.load(item_address(context, builder, signature, arguments))
        if BYTES == 64:
            is_marked = builder.bitcast(mark, ir.VectorType(ir.IntType(1), value.n_lanes))
            return builder.select(is_marked, arguments[2], ir.Constant(arguments[2].type, None))
        table = _table_of_masks(builder.module, value)
        row = builder.gep(table, [ir.IntType(64)(0), builder.zext(mark, ir.IntType(64))], inbounds=True)
        mask = builder.load(row, align=BYTES)
        return builder.bitcast(builder.and_(mask, builder.bitcast(arguments[2], mask.type)), arguments[2].type)

    return value(marks, index, value), codegen


def _table_of_masks(module: Any, vector: Any) -> Any:
    """Return a constant of an LLVM module: for each mask a vector of integers, all ones in the lanes that are set."""
    name = f"masks_of_{vector.n_lanes}_lanes"
    if name not in module.globals:
        masks = ir.VectorType(ir.IntType(vector.dtype.bitwidth), vector.n_lanes)
        rows = [
            ir.Constant(masks, [-(mark >> lane & 1) for lane in range(vector.n_lanes)])
            for mark in range(2**vector.n_lanes)
        ]
        cgutils.global_constant(module, name, ir.Constant(ir.ArrayType(masks, len(rows)), rows)).align = BYTES
    return module.globals[name]

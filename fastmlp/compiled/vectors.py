"""Vectors of the processor's width as values in kernels, so that a kernel says what lives in registers.

LLVM's vectoriser neither keeps a tile of sums in registers nor looks masks up in a table. Each function below is an
instruction or two, with a NumPy twin that runs where nothing is compiled. A vector is a number of lanes of one dtype;
an index is a tuple of integers that are not negative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic, models, register_model

# What Numba compiles for: the host, or what its environment variables say.
_features = get_host_cpu_features() if numba.config.CPU_FEATURES is None else numba.config.CPU_FEATURES
BYTES = 64 if "+avx512f" in _features else 32 if "+avx" in _features else 16
REGISTERS = 32 if BYTES == 64 else 16


def n_lanes(dtype: np.dtype[Any]) -> int:
    """Return the number of values in a vector."""
    return BYTES // dtype.itemsize


def aligned_zeros(*shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return an array of zeros in float64 that begins where a vector may without lying across two lines of the cache.

    NumPy's begin at multiples of 16 bytes; with most vectors of 64 across two lines kernels take up to twice as long.
    """
    size = int(np.prod(shape))
    room = np.zeros(size + BYTES // 8)
    skipped = -room.ctypes.data % BYTES // 8
    return room[skipped : skipped + size].reshape(shape)


class Vector(numba.types.Type):  # type: ignore[misc]
    """The type of a vector in kernels."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.n_lanes = 8 * BYTES // dtype.bitwidth
        super().__init__(f"Vector({dtype}, {self.n_lanes})")


@register_model(Vector)
class VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """A vector is LLVM's vector."""

    def __init__(self, manager: Any, vector: Any) -> None:
        super().__init__(manager, vector, ir.VectorType(manager[vector.dtype].get_value_type(), vector.n_lanes))


def instruction(twin: Callable[..., Any]) -> Callable[[Any], Any]:
    """Make an intrinsic, or its NumPy twin where nothing is compiled."""
    return lambda function: twin if numba.config.DISABLE_JIT else intrinsic(function)


def _pointer(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Return the address of an item from the types and values of an array and a tuple of indices."""
    array_type, index_type = signature.args[:2]
    array = context.make_array(array_type)(context, builder, arguments[0])
    indices = [
        context.cast(builder, index, of, numba.types.intp)
        for index, of in zip(cgutils.unpack_tuple(builder, arguments[1]), index_type, strict=True)
    ]
    return cgutils.get_item_pointer(context, builder, array_type, array, indices)


def _window(array: Any, index: Any) -> Any:
    return array[index[:-1]][index[-1] : index[-1] + n_lanes(array.dtype)]


@instruction(lambda array, index: _window(array, index).copy())
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """Return the vector that starts at array[index]."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = context.get_data_type(signature.return_type)
        pointer = builder.bitcast(_pointer(context, builder, signature, arguments), vector.as_pointer())
        return builder.load(pointer, align=array.dtype.bitwidth // 8)

    return Vector(array.dtype)(array, index), codegen


def _store(array: Any, index: Any, vector: Any) -> None:
    _window(array, index)[:] = vector


@instruction(_store)
def store(typing_context: Any, array: Any, index: Any, vector: Any) -> Any:
    """Overwrite what `load` would return."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _pointer(context, builder, signature, arguments)
        pointer = builder.bitcast(pointer, arguments[2].type.as_pointer())
        builder.store(arguments[2], pointer, align=array.dtype.bitwidth // 8)

    return numba.types.void(array, index, vector), codegen


@instruction(lambda array, index: np.full(n_lanes(array.dtype), array[index]))
def broadcast_load(typing_context: Any, array: Any, index: Any) -> Any:
    """Return a vector of array[index] in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = builder.load(_pointer(context, builder, signature, arguments))
        return _splat(context, builder, signature.return_type, value)

    return Vector(array.dtype)(array, index), codegen


@instruction(lambda like, value: np.full(n_lanes(like.dtype), value, like.dtype))
def broadcast_value(typing_context: Any, like: Any, value: Any) -> Any:
    """Return a vector of the dtype of an array with a number in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rounded = context.cast(builder, arguments[1], value, like.dtype)
        return _splat(context, builder, signature.return_type, rounded)

    return Vector(like.dtype)(like, value), codegen


def _splat(context: Any, builder: Any, vector: Any, value: Any) -> Any:
    poison = ir.Constant(context.get_data_type(vector), ir.Undefined)
    first = builder.insert_element(poison, value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.n_lanes), None)
    return builder.shuffle_vector(first, poison, mask)


@instruction(lambda value: np.full(n_lanes(np.dtype(type(value))), value))
def broadcast(typing_context: Any, value: Any) -> Any:
    """Return a vector of one value in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _splat(context, builder, signature.return_type, arguments[0])

    return Vector(value)(value), codegen


@instruction(lambda like: np.zeros(n_lanes(like.dtype), like.dtype))
def zeros(typing_context: Any, like: Any) -> Any:
    """Return a vector of zeros of the dtype of an array."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(context.get_data_type(signature.return_type), None)

    return Vector(like.dtype)(like), codegen


@instruction(lambda a, b: a + b)
def add(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a + b, rounded by itself."""
    return a(a, b), lambda context, builder, signature, arguments: builder.fadd(*arguments)


@instruction(lambda a, b: a - b)
def subtract(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a - b, rounded by itself."""
    return a(a, b), lambda context, builder, signature, arguments: builder.fsub(*arguments)


@instruction(lambda a, b: a * b)
def multiply(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a b, rounded by itself."""
    return a(a, b), lambda context, builder, signature, arguments: builder.fmul(*arguments)


def _multiply_add(builder: Any, a: Any, b: Any, c: Any) -> Any:
    name = f"llvm.fmuladd.v{a.type.count}f{64 if a.type.element == ir.DoubleType() else 32}"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, [a, b, c])


@instruction(lambda a, b, c: a * b + c)
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, rounded once where the processor can."""
    return a(a, b, c), lambda context, builder, signature, arguments: _multiply_add(builder, *arguments)


@instruction(lambda a, b, c: c - a * b)
def fnma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return c - a b, rounded once where the processor can."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _multiply_add(builder, builder.fneg(arguments[0]), *arguments[1:])

    return a(a, b, c), codegen


def _divide(a: Any, b: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):  # in lanes that are not looked at
        return a / b


@instruction(_divide)
def divide(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a / b."""
    return a(a, b), lambda context, builder, signature, arguments: builder.fdiv(*arguments)


@instruction(lambda a: -a)
def negative(typing_context: Any, a: Any) -> Any:
    """Return -a."""
    return a(a), lambda context, builder, signature, arguments: builder.fneg(arguments[0])


@instruction(lambda a: abs(a))
def absolute(typing_context: Any, a: Any) -> Any:
    """Return the moduli."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = arguments[0].type
        name = f"llvm.fabs.v{a.n_lanes}f{a.dtype.bitwidth}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector]), name)
        return builder.call(function, arguments)

    return a(a), codegen


@instruction(lambda vector: np.sqrt(vector))
def root(typing_context: Any, vector: Any) -> Any:
    """Return the square root."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(arguments[0].type, [arguments[0].type])
        name = f"llvm.sqrt.v{vector.n_lanes}f{vector.dtype.bitwidth}"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return vector(vector), codegen


@instruction(lambda vector: vector.sum())
def total(typing_context: Any, vector: Any) -> Any:
    """Return the sum over lanes."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0].type.element
        name = f"llvm.vector.reduce.fadd.v{vector.n_lanes}f{vector.dtype.bitwidth}"
        kind = ir.FunctionType(value, [value, arguments[0].type])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(function, [ir.Constant(value, -0.0), arguments[0]], fastmath=("reassoc",))

    return vector.dtype(vector), codegen


def _store_totals(array: Any, index: Any, room: Any, each: Any) -> None:
    array[index[:-1]][index[-1] : index[-1] + len(each)] = [vector.sum() for vector in room[: len(each)]]


@instruction(_store_totals)
def store_totals(typing_context: Any, array: Any, index: Any, room: Any, each: Any) -> Any:
    """Overwrite array[index + k] with the sum over lanes of the k-th of as many `vectors` as the tuple `each` is long.

    What follows, up to whole vectors, is overwritten too. The lanes of all are added at once, in the steps of a
    transposition: 11 instructions for 4 vectors of 8 lanes, 24 by `total`.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        n_lanes = room.dtype.n_lanes
        pointer = _pointer(context, builder, signature, arguments)
        for first in range(0, len(each), n_lanes):
            places = range(first, min(first + n_lanes, len(each)))
            rows = [builder.load(builder.gep(arguments[2], [ir.IntType(64)(k)])) for k in places]
            for level in range(n_lanes.bit_length() - 1):
                rows = [_added(builder, rows[k : k + 2], level) for k in range(0, len(rows), 2)]
            place = builder.bitcast(builder.gep(pointer, [ir.IntType(64)(first)]), rows[0].type.as_pointer())
            builder.store(rows[0], place, align=array.dtype.bitwidth // 8)

    return numba.types.void(array, index, room, each), codegen


def _added(builder: Any, rows: Any, level: int) -> Any:
    """Return half as many sums of each row, those of the first before those of the last.

    At level 0 of neighbouring lanes, laid in turn; then of neighbouring pairs of lanes. AVX-512 shuffles both ways.
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


@instruction(lambda vector: np.fmax.reduce(vector))
def largest(typing_context: Any, vector: Any) -> Any:
    """Return the largest of the lanes that are not NaN."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = arguments[0].type.element
        name = f"llvm.vector.reduce.fmax.v{vector.n_lanes}f{vector.dtype.bitwidth}"
        kind = ir.FunctionType(value, [arguments[0].type])
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return vector.dtype(vector), codegen


@instruction(lambda vector, value, other: np.where(~(vector <= 0), value, other))
def where_positive(typing_context: Any, vector: Any, value: Any, other: Any) -> Any:
    """Return value where the vector is positive or NaN, so that a NaN shows, and other elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        is_positive = builder.fcmp_unordered(">", arguments[0], ir.Constant(arguments[0].type, None))
        return builder.select(is_positive, arguments[1], arguments[2])

    return value(vector, value, other), codegen


def mark_dtype(dtype: np.dtype[Any]) -> type[np.unsignedinteger[Any]]:
    """Return the integers that hold one bit for each lane."""
    return np.uint8 if n_lanes(dtype) <= 8 else np.uint16


def _mark_positive(marks: Any, index: Any, vector: Any) -> None:
    marks[index] = ~(vector <= 0) @ (1 << np.arange(vector.size))


@instruction(_mark_positive)
def mark_positive(typing_context: Any, marks: Any, index: Any, vector: Any) -> Any:
    """Overwrite marks[index], of `mark_dtype`, with one bit for each lane: whether it is positive (or NaN)."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        is_positive = builder.fcmp_unordered(">", arguments[2], ir.Constant(arguments[2].type, None))
        mark = builder.bitcast(is_positive, ir.IntType(vector.n_lanes))
        if vector.n_lanes < marks.dtype.bitwidth:
            mark = builder.zext(mark, ir.IntType(marks.dtype.bitwidth))
        builder.store(mark, _pointer(context, builder, signature, arguments))

    return numba.types.void(marks, index, vector), codegen


def _bits(is_set: Any) -> int:
    return int(is_set @ (1 << np.arange(is_set.size)))


def _bits_where(builder: Any, operator: str, arguments: Any) -> Any:
    is_set = builder.fcmp_ordered(operator, *arguments)
    bits = builder.bitcast(is_set, ir.IntType(is_set.type.count))
    return builder.zext(bits, ir.IntType(64))


@instruction(lambda a, b: _bits(a > b))
def mask_greater(typing_context: Any, a: Any, b: Any) -> Any:
    """Return an integer with one bit for each lane: whether a > b, and neither is NaN."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _bits_where(builder, ">", arguments)

    return numba.types.int64(a, b), codegen


@instruction(lambda a, b: _bits(a >= b))
def mask_greater_equal(typing_context: Any, a: Any, b: Any) -> Any:
    """Return an integer with one bit for each lane: whether a >= b, and neither is NaN."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _bits_where(builder, ">=", arguments)

    return numba.types.int64(a, b), codegen


@instruction(lambda bits, value, other: np.where(bits >> np.arange(value.size) & 1, value, other))
def select(typing_context: Any, bits: Any, value: Any, other: Any) -> Any:
    """Return value in the lanes whose bits are set, and other elsewhere."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes_set = builder.trunc(arguments[0], ir.IntType(value.n_lanes))
        is_set = builder.bitcast(lanes_set, ir.VectorType(ir.IntType(1), value.n_lanes))
        return builder.select(is_set, arguments[1], arguments[2])

    return value(numba.types.int64, value, other), codegen


@instruction(lambda bits: int(bits).bit_count())
def popcount(typing_context: Any, bits: Any) -> Any:
    """Return how many bits of an integer are set."""
    signature = numba.types.int64(numba.types.int64)
    return signature, lambda context, builder, signature, arguments: builder.ctpop(arguments[0])


@instruction(lambda marks, index, value: np.where(marks[index] >> np.arange(value.size) & 1, value, 0))
def where_marked(typing_context: Any, marks: Any, index: Any, value: Any) -> Any:
    """Return value in the lanes marked by `mark_positive`, and 0 elsewhere.

    Without mask registers the masks come from a table, 8 KiB of it for 8 lanes: one instruction where LLVM takes three.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        mark = builder.load(_pointer(context, builder, signature, arguments))
        if BYTES == 64:
            is_marked = builder.bitcast(mark, ir.VectorType(ir.IntType(1), value.n_lanes))
            return builder.select(is_marked, arguments[2], ir.Constant(arguments[2].type, None))
        table = _table_of_masks(builder.module, value)
        row = builder.gep(table, [ir.IntType(64)(0), builder.zext(mark, ir.IntType(64))], inbounds=True)
        mask = builder.load(row, align=BYTES)
        return builder.bitcast(builder.and_(mask, builder.bitcast(arguments[2], mask.type)), arguments[2].type)

    return value(marks, index, value), codegen


def _table_of_masks(module: Any, vector: Any) -> Any:
    """Return a constant of a module: for each mark an integer per lane, all ones where it is set."""
    name = f"masks_of_{vector.n_lanes}_lanes"
    if name not in module.globals:
        masks = ir.VectorType(ir.IntType(vector.dtype.bitwidth), vector.n_lanes)
        rows = [
            ir.Constant(masks, [-(mark >> lane & 1) for lane in range(vector.n_lanes)])
            for mark in range(2**vector.n_lanes)
        ]
        cgutils.global_constant(module, name, ir.Constant(ir.ArrayType(masks, len(rows)), rows)).align = BYTES
    return module.globals[name]


@instruction(lambda like, length: np.empty((length, n_lanes(like.dtype)), like.dtype))
def vectors(typing_context: Any, like: Any, length: Any) -> Any:
    """Return room for `length` (a literal) vectors of the dtype of an array, as `registers` does for numbers."""
    if not isinstance(length, numba.types.IntegerLiteral):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = context.get_data_type(signature.return_type.dtype)
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(vector, length.literal_value))
        return builder.bitcast(room, vector.as_pointer())

    return numba.types.CPointer(Vector(like.dtype))(like, length), codegen


@instruction(lambda array, index: None)
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Let the cache begin to fetch array[index], which is read later."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, integer = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, integer, integer, integer])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        address = builder.bitcast(_pointer(context, builder, signature, arguments), byte)
        builder.call(function, [address, *(integer(choice) for choice in (0, 3, 1))])  # to read, to keep, data

    return numba.types.void(array, index), codegen


@instruction(lambda: None)
def in_order(typing_context: Any) -> Any:
    """Let no load or store be moved across here; no instruction.

    LLVM unrolls loops and starts the loads of the next round early, into registers that a full tile has not: with 5
    inputs it spilled 6 of 12 sums, which took 1.7 times longer.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("acq_rel", "singlethread")

    return numba.types.void(), codegen


@instruction(lambda like: n_lanes(like.dtype))
def lanes(typing_context: Any, like: Any) -> Any:
    """Return the number of lanes of a vector of the dtype of an array."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(numba.types.intp, Vector(like.dtype).n_lanes)

    return numba.types.intp(like), codegen

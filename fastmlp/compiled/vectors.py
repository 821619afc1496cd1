"""Vectors as values in kernels: their type, loads and stores, arithmetic.

A vector holds `n_lanes` values of one dtype and fills one register of the processor. A kernel with vectors decides
itself which values stay in registers. LLVM's vectoriser would not keep a tile of sums in registers, nor look masks up
in a table.
Each function below is one or two instructions. `array` is an array of float32 or float64, contiguous along its last
axis; `index` is a tuple with a non-negative integer for each of its axes. `like` is an array of the result's dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.intrinsics import call, instruction, item_address
from fastmlp.compiled.later import Later, ir, numba
from fastmlp.compiled.processor import vector_bytes

vector_type: Any = Later("fastmlp.compiled.vector_type")

BYTES = vector_bytes()
REGISTERS = 32 if BYTES == 64 else 16


def n_lanes(dtype: np.dtype[Any]) -> int:
    """Return the number of values in a vector of a dtype."""
    return BYTES // dtype.itemsize


@instruction(lambda like: n_lanes(like.dtype))
def lanes(typing_context: Any, like: Any) -> Any:
    """Return the number of lanes of a vector, in a kernel."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.get_constant(numba.types.intp, vector_type.Vector(like.dtype).n_lanes)

    return numba.types.intp(like), codegen


def _window(array: Any, index: Any) -> Any:
    return array[index[:-1]][index[-1] : index[-1] + n_lanes(array.dtype)]


@instruction(lambda array, index: _window(array, index).copy())
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """Return the vector that starts at array[index]."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = context.get_data_type(signature.return_type)
        address = builder.bitcast(item_address(context, builder, signature, arguments), vector.as_pointer())
        return builder.load(address, align=array.dtype.bitwidth // 8)

    return vector_type.Vector(array.dtype)(array, index), codegen


def _store(array: Any, index: Any, vector: Any) -> None:
    _window(array, index)[:] = vector


@instruction(_store)
def store(typing_context: Any, array: Any, index: Any, vector: Any) -> Any:
    """Overwrite the values that start at array[index] with a vector."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = item_address(context, builder, signature, arguments)
        address = builder.bitcast(address, arguments[2].type.as_pointer())
        builder.store(arguments[2], address, align=array.dtype.bitwidth // 8)

    return numba.types.void(array, index, vector), codegen


def _broadcast(context: Any, builder: Any, vector: Any, value: Any) -> Any:
    poison = ir.Constant(context.get_data_type(vector), ir.Undefined)
    first = builder.insert_element(poison, value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.n_lanes), None)
    return builder.shuffle_vector(first, poison, mask)


@instruction(lambda value: np.full(n_lanes(np.dtype(type(value))), value))
def broadcast(typing_context: Any, value: Any) -> Any:
    """Return a vector with one value in every lane, of the value's dtype."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _broadcast(context, builder, signature.return_type, arguments[0])

    return vector_type.Vector(value)(value), codegen


@instruction(lambda like, value: np.full(n_lanes(like.dtype), value, like.dtype))
def broadcast_value(typing_context: Any, like: Any, value: Any) -> Any:
    """Return a vector with one value, rounded to the dtype of `like`, in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rounded = context.cast(builder, arguments[1], value, like.dtype)
        return _broadcast(context, builder, signature.return_type, rounded)

    return vector_type.Vector(like.dtype)(like, value), codegen


@instruction(lambda array, index: np.full(n_lanes(array.dtype), array[index]))
def broadcast_load(typing_context: Any, array: Any, index: Any) -> Any:
    """Return a vector with array[index] in every lane."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = builder.load(item_address(context, builder, signature, arguments))
        return _broadcast(context, builder, signature.return_type, value)

    return vector_type.Vector(array.dtype)(array, index), codegen


@instruction(lambda like: np.zeros(n_lanes(like.dtype), like.dtype))
def zeros(typing_context: Any, like: Any) -> Any:
    """Return a vector of zeros."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return ir.Constant(context.get_data_type(signature.return_type), None)

    return vector_type.Vector(like.dtype)(like), codegen


@instruction(lambda a, b: a + b)
def add(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a + b."""
    return a(a, b), lambda context, builder, signature, arguments: builder.fadd(*arguments)


@instruction(lambda a, b: a - b)
def subtract(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a - b."""
    return a(a, b), lambda context, builder, signature, arguments: builder.fsub(*arguments)


@instruction(lambda a, b: a * b)
def multiply(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a b."""
    return a(a, b), lambda context, builder, signature, arguments: builder.fmul(*arguments)


@instruction(lambda a, b: a / b)
def divide(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a / b."""
    return a(a, b), lambda context, builder, signature, arguments: builder.fdiv(*arguments)


@instruction(lambda a, b, c: a * b + c)
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, rounded once if the processor can."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return call(builder, f"llvm.fmuladd.{a.llvm_suffix}", arguments[0].type, arguments)

    return a(a, b, c), codegen


@instruction(lambda a, b, c: c - a * b)
def fnma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return c - a b, rounded once if the processor can."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        negated = [builder.fneg(arguments[0]), *arguments[1:]]
        return call(builder, f"llvm.fmuladd.{a.llvm_suffix}", arguments[0].type, negated)

    return a(a, b, c), codegen


@instruction(lambda a: -a)
def negative(typing_context: Any, a: Any) -> Any:
    """Return -a."""
    return a(a), lambda context, builder, signature, arguments: builder.fneg(arguments[0])


@instruction(lambda a: abs(a))
def absolute(typing_context: Any, a: Any) -> Any:
    """Return the absolute values of a."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return call(builder, f"llvm.fabs.{a.llvm_suffix}", arguments[0].type, arguments)

    return a(a), codegen


@instruction(lambda a: np.sqrt(a))
def root(typing_context: Any, a: Any) -> Any:
    """Return the square roots of a."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return call(builder, f"llvm.sqrt.{a.llvm_suffix}", arguments[0].type, arguments)

    return a(a), codegen

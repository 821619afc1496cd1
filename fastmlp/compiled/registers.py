"""Short arrays for intermediate results, which LLVM keeps in registers.

They lie on the stack and have a constant length. Loops over them have constant bounds and are unrolled; LLVM then
replaces the memory by registers. A NumPy array would stay memory, which the vectoriser must assume to overlap others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.intrinsics import instruction
from fastmlp.compiled.later import ir, numba
from fastmlp.compiled.vectors import n_lanes, vector_type


def _stack_array(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Return the address of an array on the stack: of the type pointed to, of the length that the second type says."""
    item = context.get_data_type(signature.return_type.dtype)
    with builder.goto_entry_block():
        array = builder.alloca(ir.ArrayType(item, signature.args[1].literal_value))
    return builder.bitcast(array, item.as_pointer())


@instruction(lambda like, length: np.empty(length, like.dtype))
def registers(typing_context: Any, like: Any, length: Any) -> Any:
    """Return an uninitialised array of `length` (a literal) numbers of the dtype of `like`."""
    if not isinstance(length, numba.types.IntegerLiteral):
        return None
    return numba.types.CPointer(like.dtype)(like, length), _stack_array


@instruction(lambda like, length: np.empty((length, n_lanes(like.dtype)), like.dtype))
def vectors(typing_context: Any, like: Any, length: Any) -> Any:
    """Return an uninitialised array of `length` (a literal) vectors of the dtype of `like`."""
    if not isinstance(length, numba.types.IntegerLiteral):
        return None
    return numba.types.CPointer(vector_type.Vector(like.dtype))(like, length), _stack_array

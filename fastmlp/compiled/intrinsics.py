"""Tools for writing intrinsics: functions for kernels that generate their LLVM instructions themselves.

Each intrinsic is a Python function, which runs if nothing is compiled (NUMBA_DISABLE_JIT), for example to measure the
coverage of kernels. It is registered with another function, which generates the instructions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fastmlp.compiled.jit import REGISTRY, Registered, Role
from fastmlp.compiled.later import cgutils, ir, numba


def instruction(plain: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Replace the decorated function, which generates instructions, by a Python function that does the same.

    The Python function gives no warnings for overflow, NaN and division by zero, since compiled code gives none.
    """

    def register(generate: Callable[..., Any]) -> Any:
        quiet = np.errstate(all="ignore")(plain)
        quiet.__name__, quiet.__doc__ = generate.__name__, generate.__doc__
        REGISTRY[quiet] = Registered(Role.INSTRUCTION, generate)
        return quiet

    return register


def item_address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Return the address of array[index], where array and index are the first two arguments of an intrinsic."""
    array_type, index_type = signature.args[:2]
    array = context.make_array(array_type)(context, builder, arguments[0])
    indices = [
        context.cast(builder, index, of, numba.types.intp)
        for index, of in zip(cgutils.unpack_tuple(builder, arguments[1]), index_type, strict=True)
    ]
    return cgutils.get_item_pointer(context, builder, array_type, array, indices)


def call(builder: Any, name: str, returned: Any, arguments: Sequence[Any] = (), fastmath: Sequence[str] = ()) -> Any:
    """Call an LLVM intrinsic or a C function by its name; `returned` is the LLVM type of the result."""
    kind = ir.FunctionType(returned, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments, fastmath=fastmath)

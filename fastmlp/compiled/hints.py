"""Hints of kernels to the compiler and to the cache of the processor. They do not change results."""

from __future__ import annotations

from typing import Any

from fastmlp.compiled.intrinsics import call, instruction, item_address
from fastmlp.compiled.later import ir, numba


@instruction(lambda index: int(index))
def assume_nonnegative(typing_context: Any, index: Any) -> Any:
    """Return an integer that LLVM may assume to be non-negative, so that as an index it needs no test.

    `index & (2**62 - 1)` would have the same effect. But LLVM compiles it to bzhi, and a movb of 62 into the low byte
    of a register, which depends on the register's former contents. So each class of live units waited for the one
    before.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        is_nonnegative = builder.icmp_signed(">=", arguments[0], ir.Constant(arguments[0].type, 0))
        builder.assume(is_nonnegative)
        return arguments[0]

    return index(index), codegen


@instruction(lambda array, index: None)
def prefetch(typing_context: Any, array: Any, index: Any) -> Any:
    """Start to load array[index] into the cache, for a later read."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = builder.bitcast(item_address(context, builder, signature, arguments), ir.IntType(8).as_pointer())
        for_reading, keep, data = (ir.IntType(32)(choice) for choice in (0, 3, 1))
        call(builder, "llvm.prefetch.p0", ir.VoidType(), [address, for_reading, keep, data])

    return numba.types.void(array, index), codegen


@instruction(lambda: None)
def compiler_fence(typing_context: Any) -> Any:
    """Keep the compiler from moving loads and stores across this place. No instruction is generated.

    LLVM unrolls loops and starts the loads of the next iteration early. If a tile of sums fills the registers, it then
    spills sums to memory: with 5 inputs 6 of 12 sums, which took 1.7 times longer.
    """

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.fence("acq_rel", "singlethread")

    return numba.types.void(), codegen

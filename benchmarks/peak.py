"""The peak rate of multiply-adds on one core, measured in the process that compares with it."""

from __future__ import annotations

import time
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import njit
from numba.core import cgutils
from numba.extending import intrinsic

REGISTER_BYTES = 64 if get_host_cpu_features().get("avx512f") else 32
CHAINS = 12  # independent sums: two units, each with four or five cycles from operand to result, need ten at most
STEPS = 200_000  # about a millisecond
ROUNDS = 30


@intrinsic  # type: ignore[untyped-decorator]
def multiply_adds(typing_context: Any, factor: Any, n_steps: Any) -> Any:
    """Replace each of CHAINS registers by itself * factor + factor n_steps times; return their sum."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = context.get_data_type(signature.args[0])
        lanes = ir.VectorType(value, REGISTER_BYTES // context.get_abi_sizeof(value))
        spread = ir.Constant(lanes, ir.Undefined)
        for lane in range(lanes.count):
            spread = builder.insert_element(spread, arguments[0], ir.Constant(ir.IntType(32), lane))
        starts = [ir.Constant(lanes, [float(chain)] * lanes.count) for chain in range(CHAINS)]  # or they are made one
        sums = [cgutils.alloca_once_value(builder, start) for start in starts]
        with cgutils.for_range(builder, arguments[1]):
            for total in sums:
                product = builder.fmul(builder.load(total), spread, flags=("contract",))
                builder.store(builder.fadd(product, spread, flags=("contract",)), total)
        result = ir.Constant(value, 0.0)
        for total in sums:
            result = builder.fadd(result, builder.extract_element(builder.load(total), ir.Constant(ir.IntType(32), 0)))
        return result

    return factor(factor, n_steps), codegen


@njit
def chains(factor: Any, n_steps: int) -> Any:
    """Run the chains."""
    return multiply_adds(factor, n_steps)


def seconds_per_multiply_add(dtype: type[np.floating[Any]]) -> float:
    """Measure for about a millisecond."""
    started = time.perf_counter()
    chains(dtype(0.5), STEPS)
    return (time.perf_counter() - started) * np.dtype(dtype).itemsize / (STEPS * CHAINS * REGISTER_BYTES)


@cache
def multiply_adds_per_second(dtype: type[np.floating[Any]]) -> float:
    """Return the highest number of multiply-adds per second over many short measurements."""
    chains(dtype(0.5), 1)
    return 1 / min(seconds_per_multiply_add(dtype) for _ in range(ROUNDS))

"""Numbers as pairs of float64."""

from __future__ import annotations

from typing import Any

import numba
from numba.extending import intrinsic

from fastmlp.compiled.jit import strict_fp


@intrinsic  # type: ignore[untyped-decorator]
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return numba.float64(numba.float64, numba.float64, numba.float64), codegen


def _multiply_add(a: float, b: float, c: float) -> float:
    return a * b + c


if numba.config.DISABLE_JIT:  # rounded twice, which costs digits where nothing is compiled
    fma = _multiply_add


@strict_fp
def two_sum(a: Any, b: Any) -> Any:
    """Return a + b as a pair."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


@strict_fp
def two_product(a: Any, b: Any) -> Any:
    """Return a b as a pair."""
    product = a * b
    return product, fma(a, b, -product)


@strict_fp
def pair_sum(high: Any, low: Any, other_high: Any, other_low: Any) -> Any:
    """Return the sum of two pairs as a pair, to 2^-104 of the larger."""
    total, rest = two_sum(high, other_high)
    rest += low + other_low
    high = total + rest
    return high, rest - (high - total)


@strict_fp
def pair_times(high: Any, low: Any, factor: Any) -> Any:
    """Return a pair times a number as a pair."""
    product, rest = two_product(high, factor)
    return product, rest + low * factor


@strict_fp
def pair_difference(row: Any, before: Any, field: Any) -> Any:
    """Return the difference of a running sum between two kinks as a pair."""
    high, rest = two_sum(row[field], -before[field])
    return high, rest + (row[field + 1] - before[field + 1])

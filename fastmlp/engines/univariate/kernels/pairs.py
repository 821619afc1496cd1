"""Numbers held as unevaluated sums of two float64.

A pair (high, low) stands for high + low and holds about 104 bits, that is 31 digits. Arrays of two entries are taken
for pairs as well as tuples. The functions are compiled with `strict_fp`: if LLVM may reassociate, it proves all low
parts to be zero.

T. J. Dekker, "A floating-point technique for extending the available precision", Numer. Math. 18 (1971).
"""

from __future__ import annotations

from typing import Any

from fastmlp.compiled.intrinsics import instruction
from fastmlp.compiled.jit import strict_fp
from fastmlp.compiled.later import numba
from fastmlp.engines.engine import Array

Pair = tuple[float, float] | Array


@instruction(lambda a, b, c: a * b + c)  # Python rounds twice, so uncompiled pairs hold fewer digits
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c, rounded once."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return numba.float64(numba.float64, numba.float64, numba.float64), codegen


@strict_fp
def two_sum(a: float, b: float) -> Pair:
    """Return a + b without error."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


@strict_fp
def two_product(a: float, b: float) -> Pair:
    """Return a b without error."""
    product = a * b
    return product, fma(a, b, -product)


@strict_fp
def add_pairs(a: Pair, b: Pair) -> Pair:
    """Return a + b, to 2^-104 of the larger."""
    total, rest = two_sum(a[0], b[0])
    rest += a[1] + b[1]
    high = total + rest
    return high, rest - (high - total)


@strict_fp
def subtract_pairs(a: Pair, b: Pair) -> Pair:
    """Return a - b, to 2^-104 of the larger. The low part may be large where the high parts cancel."""
    high, rest = two_sum(a[0], -b[0])
    return high, rest + (a[1] - b[1])


@strict_fp
def difference(a: Pair, b: Pair) -> float:
    """Return a - b as one float64. The parts are subtracted side by side, sooner than `subtract_pairs` has its sum."""
    return (a[0] - b[0]) + (a[1] - b[1])


@strict_fp
def scale_pair(a: Pair, factor: float) -> Pair:
    """Return a factor."""
    product, rest = two_product(a[0], factor)
    return product, rest + a[1] * factor


@strict_fp
def subtract_scaled(a: Pair, factor: float, b: Pair, rest: float) -> Pair:
    """Return a - factor b - rest, where rest is small against a."""
    product, product_low = two_product(factor, b[0])
    high, low = two_sum(a[0], -product)
    return high, low + (a[1] - product_low - factor * b[1] - rest)


@strict_fp
def scaled_difference(a: Pair, factor: float, b: Pair) -> float:
    """Return a - factor b as one float64."""
    high: float = fma(-factor, b[0], a[0])
    return high + (a[1] - factor * b[1])

"""A net with several inputs as a C function: a loop over the units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.exporting.c_fixed_point import FIXED_POINT, INT_BITS, rounding_offset, scale_bits, scaled
from fastmlp.exporting.c_text import clip_statements, definition, description, floating_literal, row
from fastmlp.exporting.float32_weights import float32_weights
from fastmlp.nets.net import Net

SUM_BITS = 61  # of the largest sum without its sign: the rounding of its terms cannot make an int64 overflow


def floating_source(net: Net, name: str, number: str) -> str:
    """Return the source of a function that computes in float or double."""
    weights = float32_weights(net) if number == "float" else net.weights
    literal = floating_literal(number)
    n_bytes = sum(array.size for array in weights) * (4 if number == "float" else 8)
    slope = literal(weights.b1.dtype.type(net.negative_slope))
    dtype = np.float32 if number == "float" else np.float64
    limits, clip = "", ""
    if net.y_clip is not None:
        limits = "\n" + definition(number, f"{name}_limits", net.y_clip.astype(dtype), literal)
        clip = clip_statements(name, net.n_out)
    return f"""/* {description(net, "evaluated unit by unit")}
   Call {name}(x, y): reads x[{net.n_in}], writes y[{net.n_out}]. Tables: {n_bytes} bytes. */
{_tables(name, weights, dict.fromkeys(Weights._fields, number), literal)}{limits}

void {name}(const {number} x[{net.n_in}], {number} y[{net.n_out}])
{{
    int i, j, k;
    for (k = 0; k < {net.n_out}; k++)
        y[k] = {name}_b2[k];
    for (j = 0; j < {net.n_hidden}; j++) {{
        {number} h = {name}_b1[j];
        for (i = 0; i < {net.n_in}; i++)
            h += {name}_w1[j][i] * x[i];
        if (h < 0)
            {f"h *= {slope}" if net.negative_slope else "continue"};
        for (k = 0; k < {net.n_out}; k++)
            y[k] += h * {name}_w2[j][k];
    }}
{clip}}}
"""


@dataclass(frozen=True)
class _Fixed:
    """A net in integers: a value v of the net is the integer v * 2^bits, rounded.

    For all 32-bit integers x, no sum overflows, and every activation and output fits into 32 bits.
    """

    weights: Weights  # in int64
    x_bits: list[int]
    h_shift: int
    y_bits: list[int]
    y_shift: list[int]


def _fixed(net: Net, largest_x: Array) -> _Fixed:
    """Choose for each sum the largest number of bits that cannot overflow."""
    w1, b1, w2, b2 = (np.asarray(array, np.float64) for array in net.weights)
    x_bits = [scale_bits(INT_BITS - 1, size) for size in largest_x]  # inputs up to twice largest_x fit
    x_bound = np.ldexp(1.0, INT_BITS - np.array(x_bits))
    h_bound = x_bound @ np.abs(w1) + np.abs(b1)
    sum_bits = min(
        scale_bits(SUM_BITS, h_bound.max()),
        *(bits + scale_bits(INT_BITS, size) for bits, size in zip(x_bits, np.abs(w1).max(axis=1), strict=True)),
    )
    h_bound = h_bound * max(1.0, abs(net.negative_slope))
    h_bits = min(sum_bits, scale_bits(INT_BITS, h_bound.max()))
    y_bound = h_bound @ np.abs(w2) + np.abs(b2)
    y_sum_bits = [
        min(scale_bits(SUM_BITS, bound), h_bits + scale_bits(INT_BITS, size))
        for bound, size in zip(y_bound, np.abs(w2).max(axis=0), strict=True)
    ]
    y_bits = [min(bits, scale_bits(INT_BITS, bound)) for bits, bound in zip(y_sum_bits, y_bound, strict=True)]
    h_shift = sum_bits - h_bits
    y_shift = [bits - kept for bits, kept in zip(y_sum_bits, y_bits, strict=True)]
    weights = Weights(
        scaled(w1, sum_bits - np.array(x_bits)[:, None]),
        scaled(b1, sum_bits) + rounding_offset(h_shift),
        scaled(w2, np.array(y_sum_bits) - h_bits),
        scaled(b2, np.array(y_sum_bits)) + np.array([rounding_offset(shift) for shift in y_shift]),
    )
    return _Fixed(weights, x_bits, h_shift, y_bits, y_shift)


def fixed_source(net: Net, name: str, largest_x: Array) -> str:
    """Return the source of a function that computes in integers.

    largest_x (n_in,) holds the largest absolute value of each input.
    """
    fixed = _fixed(net, largest_x)
    types = {"w1": "int32_t", "b1": "int64_t", "w2": "int32_t", "b2": "int64_t"}
    n_bytes = sum(array.size * (4 if types[key] == "int32_t" else 8) for key, array in fixed.weights._asdict().items())
    slope_bits = min(60, max(0, scale_bits(INT_BITS - 1, abs(net.negative_slope))))
    slope = round(math.ldexp(net.negative_slope, slope_bits))
    limits, clip = "", ""
    if net.y_clip is not None:  # limits that no output reaches may be beyond 32 bits
        largest = 2**INT_BITS - 1
        integers = np.clip(np.rint(np.ldexp(net.y_clip, np.array(fixed.y_bits)[:, None])), -largest, largest)
        limits = "\n" + definition("int32_t", f"{name}_limits", integers.astype(np.int64))
        clip = clip_statements(name, net.n_out)
    return f"""/* {description(net, "evaluated unit by unit")}
   Call {name}(x, y): reads x[{net.n_in}], writes y[{net.n_out}]. Tables: {n_bytes + net.n_out} bytes.
   {FIXED_POINT} */
#include <stdint.h>

#define {name.upper()}_X_BITS {row(map(str, fixed.x_bits))}
#define {name.upper()}_Y_BITS {row(map(str, fixed.y_bits))}

{_tables(name, fixed.weights, types, str)}
static const unsigned char {name}_shift[{net.n_out}] = {row(map(str, fixed.y_shift))};{limits}

void {name}(const int32_t x[{net.n_in}], int32_t y[{net.n_out}])
{{
    int64_t sum[{net.n_out}];
    int i, j, k;
    for (k = 0; k < {net.n_out}; k++)
        sum[k] = {name}_b2[k];
    for (j = 0; j < {net.n_hidden}; j++) {{
        int64_t h = {name}_b1[j];
        for (i = 0; i < {net.n_in}; i++)
            h += (int64_t){name}_w1[j][i] * x[i];
        h >>= {fixed.h_shift};
        if (h < 0)
            {f"h = (h * {slope}) >> {slope_bits}" if net.negative_slope else "continue"};
        for (k = 0; k < {net.n_out}; k++)
            sum[k] += h * {name}_w2[j][k];
    }}
    for (k = 0; k < {net.n_out}; k++)
        y[k] = (int32_t)(sum[k] >> {name}_shift[k]);
{clip}}}
"""


def _tables(name: str, weights: Weights, types: Mapping[str, str], literal: Callable[[Any], str]) -> str:
    """Return the definitions of the tables w1[j][i], b1[j], w2[j][k], b2[k], in which j is the unit."""
    by_unit = weights._replace(w1=weights.w1.T)
    return "\n".join(
        definition(types[key], f"{name}_{key}", array, literal) for key, array in by_unit._asdict().items()
    )

"""A net of several inputs as a C function that goes through its units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.exporting.c_text import INT_BITS, definition, description, floating_literal, half, room, row, scaled
from fastmlp.exporting.formats import weights_in_float32

if TYPE_CHECKING:
    from fastmlp.models.model import Model

SUM_BITS = 61  # of the largest sum, so that rounding its terms cannot make an int64 overflow


def floating_source(model: Model, name: str, number: str) -> str:
    """Return C that computes in float or double."""
    weights = weights_in_float32(model) if number == "float" else model.weights
    literal = floating_literal(number)
    n_bytes = sum(array.size for array in weights) * (4 if number == "float" else 8)
    slope = literal(weights.b1.dtype.type(model.negative_slope))
    return f"""/* {description(model, "unit by unit")}
   Call {name}(x, y): reads x[{model.n_in}], writes y[{model.n_out}]. Tables: {n_bytes} bytes. */
{_tables(name, weights, dict.fromkeys(Weights._fields, number), literal)}

void {name}(const {number} x[{model.n_in}], {number} y[{model.n_out}])
{{
    int i, j, k;
    for (k = 0; k < {model.n_out}; k++)
        y[k] = {name}_b2[k];
    for (j = 0; j < {model.n_hidden}; j++) {{
        {number} h = {name}_b1[j];
        for (i = 0; i < {model.n_in}; i++)
            h += {name}_w1[j][i] * x[i];
        if (h < 0)
            {f"h *= {slope}" if model.negative_slope else "continue"};
        for (k = 0; k < {model.n_out}; k++)
            y[k] += h * {name}_w2[j][k];
    }}
}}
"""


@dataclass(frozen=True)
class _Fixed:
    """A net in integers: a value v of the net is the integer v * 2^bits, rounded.

    Whatever 32-bit integers x holds, no sum overflows and every activation and output fits into 32 bits.
    """

    weights: Weights  # of int64
    x_bits: list[int]
    h_shift: int
    y_bits: list[int]
    y_shift: list[int]


def _fixed(model: Model, largest_x: Array) -> _Fixed:
    """Choose for each sum the most bits that cannot overflow."""
    w1, b1, w2, b2 = (np.asarray(array, np.float64) for array in model.weights)
    x_bits = [room(INT_BITS - 1, size) for size in largest_x]  # twice the range fits
    x_bound = np.ldexp(1.0, INT_BITS - np.array(x_bits))
    h_bound = x_bound @ np.abs(w1) + np.abs(b1)
    sum_bits = min(
        room(SUM_BITS, h_bound.max()),
        *(bits + room(INT_BITS, size) for bits, size in zip(x_bits, np.abs(w1).max(axis=1), strict=True)),
    )
    h_bound = h_bound * max(1.0, abs(model.negative_slope))
    h_bits = min(sum_bits, room(INT_BITS, h_bound.max()))
    y_bound = h_bound @ np.abs(w2) + np.abs(b2)
    y_sum_bits = [
        min(room(SUM_BITS, bound), h_bits + room(INT_BITS, size))
        for bound, size in zip(y_bound, np.abs(w2).max(axis=0), strict=True)
    ]
    y_bits = [min(bits, room(INT_BITS, bound)) for bits, bound in zip(y_sum_bits, y_bound, strict=True)]
    h_shift = sum_bits - h_bits
    y_shift = [bits - kept for bits, kept in zip(y_sum_bits, y_bits, strict=True)]
    weights = Weights(
        scaled(w1, sum_bits - np.array(x_bits)[:, None]),
        scaled(b1, sum_bits) + half(h_shift),
        scaled(w2, np.array(y_sum_bits) - h_bits),
        scaled(b2, np.array(y_sum_bits)) + np.array([half(shift) for shift in y_shift]),
    )
    return _Fixed(weights, x_bits, h_shift, y_bits, y_shift)


def fixed_source(model: Model, name: str, largest_x: Array) -> str:
    """Return C that computes in integers, made for inputs of up to largest_x (n_in,)."""
    fixed = _fixed(model, largest_x)
    types = {"w1": "int32_t", "b1": "int64_t", "w2": "int32_t", "b2": "int64_t"}
    n_bytes = sum(array.size * (4 if types[key] == "int32_t" else 8) for key, array in fixed.weights._asdict().items())
    slope_bits = min(60, max(0, room(INT_BITS - 1, abs(model.negative_slope))))
    slope = round(math.ldexp(model.negative_slope, slope_bits))
    return f"""/* {description(model, "unit by unit")}
   Call {name}(x, y): reads x[{model.n_in}], writes y[{model.n_out}]. Tables: {n_bytes + model.n_out} bytes.
   In fixed point: x[i] is input i times 2 to the i-th of X_BITS, rounded; y[k] is output k times 2 to the k-th of
   Y_BITS. Whatever x holds, nothing overflows. Shifts to the right must keep the sign, as with every usual compiler. */
#include <stdint.h>

#define {name.upper()}_X_BITS {row(map(str, fixed.x_bits))}
#define {name.upper()}_Y_BITS {row(map(str, fixed.y_bits))}

{_tables(name, fixed.weights, types, str)}
static const unsigned char {name}_shift[{model.n_out}] = {row(map(str, fixed.y_shift))};

void {name}(const int32_t x[{model.n_in}], int32_t y[{model.n_out}])
{{
    int64_t sum[{model.n_out}];
    int i, j, k;
    for (k = 0; k < {model.n_out}; k++)
        sum[k] = {name}_b2[k];
    for (j = 0; j < {model.n_hidden}; j++) {{
        int64_t h = {name}_b1[j];
        for (i = 0; i < {model.n_in}; i++)
            h += (int64_t){name}_w1[j][i] * x[i];
        h >>= {fixed.h_shift};
        if (h < 0)
            {f"h = (h * {slope}) >> {slope_bits}" if model.negative_slope else "continue"};
        for (k = 0; k < {model.n_out}; k++)
            sum[k] += h * {name}_w2[j][k];
    }}
    for (k = 0; k < {model.n_out}; k++)
        y[k] = (int32_t)(sum[k] >> {name}_shift[k]);
}}
"""


def _tables(name: str, weights: Weights, types: Mapping[str, str], literal: Callable[[Any], str]) -> str:
    """Return the definitions of the tables, with a row for each unit: w1[j][i], b1[j], w2[j][k], b2[k]."""
    by_unit = weights._replace(w1=weights.w1.T)
    return "\n".join(
        definition(types[key], f"{name}_{key}", array, literal) for key, array in by_unit._asdict().items()
    )

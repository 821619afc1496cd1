"""A net as a C function that needs no library, no heap and, with fixed tables, no floating-point unit."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks import choice, wording
from fastmlp.engine import Array, Weights
from fastmlp.exporting import weights_in_float32

if TYPE_CHECKING:
    from fastmlp.model import Model

NUMBERS = ("float", "double", "fixed")
SUM_BITS = 61  # of the largest sum, so that rounding its terms cannot make an int64 overflow
INT_BITS = 31  # of a value in an int32, without its sign


def to_c(model: Model, name: str, numbers: str) -> str:
    """Return what `fastmlp.Model.to_c` says."""
    rule = "a C identifier"
    if not isinstance(name, str):
        raise TypeError(wording("name", rule, repr(name)))
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        raise ValueError(wording("name", rule, repr(name)))
    if choice("numbers", numbers, NUMBERS) == "fixed":
        return _fixed_source(model, name)
    return _floating_source(model, name, numbers)


def _floating_source(model: Model, name: str, number: str) -> str:
    weights = weights_in_float32(model) if number == "float" else model.weights
    size, suffix = (4, "f") if number == "float" else (8, "")

    def literal(value: np.floating[Any]) -> str:
        return np.format_float_scientific(value, trim="0") + suffix  # the fewest digits that give the number back

    n_bytes = size * sum(array.size for array in weights)
    slope = literal(weights.b1.dtype.type(model.negative_slope))
    return f"""/* {_description(model)}
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


def _fixed(model: Model) -> _Fixed:
    """Choose for each sum the most bits that cannot overflow."""
    if model.x_range is None:
        raise ValueError(wording("model", 'a fitted one for numbers="fixed"', "one whose range of inputs is unknown"))
    w1, b1, w2, b2 = (np.asarray(array, np.float64) for array in model.weights)
    largest_x = np.abs(model.x_range).max(axis=1)
    x_bits = [_bits(INT_BITS - 1, size) for size in largest_x]  # twice the range fits
    x_bound = np.ldexp(1.0, INT_BITS - np.array(x_bits))
    h_bound = x_bound @ np.abs(w1) + np.abs(b1)
    sum_bits = min(
        _bits(SUM_BITS, h_bound.max()),
        *(bits + _bits(INT_BITS, size) for bits, size in zip(x_bits, np.abs(w1).max(axis=1), strict=True)),
    )
    h_bound = h_bound * max(1.0, abs(model.negative_slope))
    h_bits = min(sum_bits, _bits(INT_BITS, h_bound.max()))
    y_bound = h_bound @ np.abs(w2) + np.abs(b2)
    y_sum_bits = [
        min(_bits(SUM_BITS, bound), h_bits + _bits(INT_BITS, size))
        for bound, size in zip(y_bound, np.abs(w2).max(axis=0), strict=True)
    ]
    y_bits = [min(bits, _bits(INT_BITS, bound)) for bits, bound in zip(y_sum_bits, y_bound, strict=True)]
    h_shift = sum_bits - h_bits
    y_shift = [bits - kept for bits, kept in zip(y_sum_bits, y_bits, strict=True)]
    weights = Weights(
        _scaled(w1, sum_bits - np.array(x_bits)[:, None]),
        _scaled(b1, sum_bits) + _half(h_shift),
        _scaled(w2, np.array(y_sum_bits) - h_bits),
        _scaled(b2, np.array(y_sum_bits)) + np.array([_half(shift) for shift in y_shift]),
    )
    return _Fixed(weights, x_bits, h_shift, y_bits, y_shift)


def _bits(room: int, size: float) -> int:
    """Return the most bits b for which size * 2^b, rounded, is below 2^room."""
    return room - 1 - math.floor(math.log2(size) + 1e-9) if size > 0 else room


def _scaled(array: Array, bits: int | Array) -> Array:
    return np.rint(np.ldexp(array, bits)).astype(np.int64)


def _half(shift: int) -> int:
    """Return what makes a shift to the right round to nearest."""
    return 1 << (shift - 1) if shift else 0


def _fixed_source(model: Model, name: str) -> str:
    fixed = _fixed(model)
    types = {"w1": "int32_t", "b1": "int64_t", "w2": "int32_t", "b2": "int64_t"}
    n_bytes = sum(array.size * (4 if types[key] == "int32_t" else 8) for key, array in fixed.weights._asdict().items())
    slope_bits = min(60, max(0, _bits(INT_BITS - 1, abs(model.negative_slope))))
    slope = round(math.ldexp(model.negative_slope, slope_bits))
    return f"""/* {_description(model)}
   Call {name}(x, y): reads x[{model.n_in}], writes y[{model.n_out}]. Tables: {n_bytes + model.n_out} bytes.
   In fixed point: x[i] is input i times 2 to the i-th of X_BITS, rounded; y[k] is output k times 2 to the k-th of
   Y_BITS. Whatever x holds, nothing overflows. Shifts to the right must keep the sign, as with every usual compiler. */
#include <stdint.h>

#define {name.upper()}_X_BITS {_row(map(str, fixed.x_bits))}
#define {name.upper()}_Y_BITS {_row(map(str, fixed.y_bits))}

{_tables(name, fixed.weights, types, str)}
static const unsigned char {name}_shift[{model.n_out}] = {_row(map(str, fixed.y_shift))};

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


def _description(model: Model) -> str:
    counts = {"input": model.n_in, "hidden unit": model.n_hidden, "output": model.n_out}
    sizes = ", ".join(f"{count} {noun}{'s' * (count != 1)}" for noun, count in counts.items())
    text = f"A two-layer ReLU net, made by fastmlp {version('fastmlp')}: {sizes}."
    if model.x_range is not None:
        text += f" Trained on inputs in {', '.join(f'[{low:.6g}, {high:.6g}]' for low, high in model.x_range)}."
    return textwrap.fill(text, 110, subsequent_indent="   ")


def _tables(name: str, weights: Weights, types: Mapping[str, str], literal: Callable[[Any], str]) -> str:
    """Return the definitions of the tables, with a row for each unit: w1[j][i], b1[j], w2[j][k], b2[k]."""
    by_unit = weights._replace(w1=weights.w1.T)
    tables = []
    for key, array in by_unit._asdict().items():
        sizes = "".join(f"[{size}]" for size in array.shape)
        rows = map(literal, array) if array.ndim == 1 else (_row(map(literal, row)) for row in array)
        lines = textwrap.wrap(", ".join(rows), 110, break_long_words=False, break_on_hyphens=False)
        values = "\n    ".join(lines)
        tables.append(f"static const {types[key]} {name}_{key}{sizes} = {{\n    {values}\n}};")
    return "\n".join(tables)


def _row(values: Iterable[str]) -> str:
    return "{" + ", ".join(values) + "}"

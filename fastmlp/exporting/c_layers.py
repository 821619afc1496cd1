"""A net with several inputs as a C function: a loop over the units."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.exporting.c_fixed_point import INT_BITS, rounding_offset, scale_bits, scaled
from fastmlp.exporting.c_function import Function, Request
from fastmlp.exporting.c_layers_error import Scales, fixed_error, floating_error
from fastmlp.exporting.c_text import clamp_statements, clip_statements, definition, floating_literal, row
from fastmlp.exporting.clamping import domain
from fastmlp.exporting.float32_weights import float32_weights
from fastmlp.nets.net import Net

SUM_BITS = 61  # of the largest sum without its sign: the rounding of its terms cannot make an int64 overflow


FORM = "evaluated unit by unit"


def floating(net: Net, request: Request) -> Function:
    """Return a function that computes in float or double."""
    name, number = request.name, request.numbers
    dtype: np.dtype[Any] = np.dtype(np.float32 if number == "float" else np.float64)
    weights = float32_weights(net) if number == "float" else net.weights
    literal = floating_literal(number)
    slope = literal(weights.b1.dtype.type(net.negative_slope))
    clip = _limits(name, number, "limits", net.y_clip, literal, dtype)
    clamp = _limits(name, number, "range", domain(net) if request.clamp else None, literal, dtype)
    tables = [_tables(name, weights, dict.fromkeys(Weights._fields, number), literal), clip, clamp]
    statements = clip_statements(name, net.n_out) if clip else ""
    definitions = f"""{chr(10).join(filter(None, tables))}

void {name}(const {number} x[{net.n_in}], {number} y[{net.n_out}])
{{
    int i, j, k;
{clamp_statements(name, net.n_in, number) if clamp else ""}\
    for (k = 0; k < {net.n_out}; k++)
        y[k] = {name}_b2[k];
    for (j = 0; j < {net.n_hidden}; j++) {{
        {number} h = {name}_b1[j];
        for (i = 0; i < {net.n_in}; i++)
            h += {name}_w1[j][i] * {"inside" if clamp else "x"}[i];
        if (h < 0)
            {f"h *= {slope}" if net.negative_slope else "continue"};
        for (k = 0; k < {net.n_out}; k++)
            y[k] += h * {name}_w2[j][k];
    }}
{statements}}}
"""
    n_entries = sum(array.size for array in weights) + 2 * (net.n_out * bool(clip) + net.n_in * bool(clamp))
    return Function(FORM, definitions, n_entries * dtype.itemsize, floating_error(net, dtype))


def _limits(
    name: str, kind: str, table: str, limits: Array | None, literal: Callable[[Any], str], dtype: np.dtype[Any]
) -> str:
    """Return the definition of a table of limits (n, 2), or nothing without limits."""
    return "" if limits is None else definition(kind, f"{name}_{table}", limits.astype(dtype), literal)


@dataclass(frozen=True)
class _Fixed:
    """A net in integers: a value v of the net is the integer v * 2^bits, rounded.

    For all 32-bit integers x, no sum overflows, and every activation and output fits into 32 bits.
    """

    weights: Weights  # in int64
    scales: Scales


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
    slope_bits = min(60, max(0, scale_bits(INT_BITS - 1, abs(net.negative_slope))))
    return _Fixed(weights, Scales(x_bits, h_bits, h_shift, y_bits, y_shift, slope_bits))


def fixed(net: Net, request: Request, largest_x: Array) -> Function:
    """Return a function that computes in integers.

    largest_x (n_in,) holds the largest absolute value of each input.
    """
    name = request.name
    found = _fixed(net, largest_x)
    weights, bits = found.weights, found.scales
    types = {"w1": "int32_t", "b1": "int64_t", "w2": "int32_t", "b2": "int64_t"}
    slope = round(math.ldexp(net.negative_slope, bits.slope_bits))
    clip = _integer_limits(name, "limits", net.y_clip, bits.y_bits)
    clamp = _integer_limits(name, "range", domain(net) if request.clamp else None, bits.x_bits)
    shifts = f"static const unsigned char {name}_shift[{net.n_out}] = {row(map(str, bits.y_shift))};"
    tables = [_tables(name, weights, types, str), shifts, clip, clamp]
    statements = clip_statements(name, net.n_out) if clip else ""
    definitions = f"""{chr(10).join(filter(None, tables))}

void {name}(const int32_t x[{net.n_in}], int32_t y[{net.n_out}])
{{
    int64_t sum[{net.n_out}];
    int i, j, k;
{clamp_statements(name, net.n_in, "int32_t") if clamp else ""}\
    for (k = 0; k < {net.n_out}; k++)
        sum[k] = {name}_b2[k];
    for (j = 0; j < {net.n_hidden}; j++) {{
        int64_t h = {name}_b1[j];
        for (i = 0; i < {net.n_in}; i++)
            h += (int64_t){name}_w1[j][i] * {"inside" if clamp else "x"}[i];
        h >>= {bits.h_shift};
        if (h < 0)
            {f"h = (h * {slope}) >> {bits.slope_bits}" if net.negative_slope else "continue"};
        for (k = 0; k < {net.n_out}; k++)
            sum[k] += h * {name}_w2[j][k];
    }}
    for (k = 0; k < {net.n_out}; k++)
        y[k] = (int32_t)(sum[k] >> {name}_shift[k]);
{statements}}}
"""
    n_bytes = sum(array.size * (4 if types[key] == "int32_t" else 8) for key, array in weights._asdict().items())
    n_bytes += net.n_out + 8 * (net.n_out * bool(clip) + net.n_in * bool(clamp))
    return Function(FORM, definitions, n_bytes, fixed_error(net, bits), bits.x_bits, bits.y_bits)


def _integer_limits(name: str, table: str, limits: Array | None, bits: list[int]) -> str:
    """Return the definition of a table of limits (n, 2) as integers, or nothing without limits."""
    if limits is None:
        return ""
    largest = 2**INT_BITS - 1  # limits that no value reaches may be beyond 32 bits
    integers = np.clip(np.rint(np.ldexp(limits, np.array(bits)[:, None])), -largest, largest)
    return definition("int32_t", f"{name}_{table}", integers.astype(np.int64))


def _tables(name: str, weights: Weights, types: Mapping[str, str], literal: Callable[[Any], str]) -> str:
    """Return the definitions of the tables w1[j][i], b1[j], w2[j][k], b2[k], in which j is the unit."""
    by_unit = weights._replace(w1=weights.w1.T)
    return "\n".join(
        definition(types[key], f"{name}_{key}", array, literal) for key, array in by_unit._asdict().items()
    )

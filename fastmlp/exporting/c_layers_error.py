"""Bounds on the rounding errors of a C function that evaluates a net unit by unit, for inputs in the domain."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.engines.engine import Array
from fastmlp.exporting.clamping import domain
from fastmlp.nets.net import Net


class Scales(NamedTuple):
    """The numbers of bits of a net in integers: a value v is the integer v * 2^bits, rounded.

    Sums of units have h_bits + h_shift bits before the right shift, and sums of outputs y_bits + y_shift.
    """

    x_bits: list[int]
    h_bits: int
    h_shift: int
    y_bits: list[int]
    y_shift: list[int]
    slope_bits: int


def _largest_activations(net: Net) -> Array:
    """Return the largest absolute activation of each unit in the domain (n_hidden,)."""
    limits = domain(net)
    middle = limits.mean(axis=1) @ net.w1 + net.b1
    reach = np.ptp(limits, axis=1) / 2 @ np.abs(net.w1)
    return np.asarray(
        np.maximum(np.maximum(middle + reach, 0), abs(net.negative_slope) * np.maximum(reach - middle, 0))
    )


def floating_error(net: Net, dtype: np.dtype[Any]) -> Array:
    """Return the bound (n_out,) for sums in floating point: n roundings change a sum by n eps / 2 times its terms."""
    w1, b1, w2, b2 = (np.abs(np.asarray(array, np.float64)) for array in net.weights)
    half = np.finfo(dtype).eps / 2
    h1_error = (net.n_in + 3) * half * (np.abs(domain(net)).max(axis=1) @ w1 + b1)
    a1_error = h1_error * max(1.0, abs(net.negative_slope))
    return np.asarray(a1_error @ w2 + (net.n_hidden + 4) * half * (_largest_activations(net) @ w2 + b2))


def fixed_error(net: Net, scales: Scales) -> Array:
    """Return the bound (n_out,) for sums of integers: each number is off by half a unit of its last bit."""
    w1, w2 = (np.asarray(array, np.float64) for array in (net.w1, net.w2))
    limits = domain(net)
    x_half, h_unit = np.ldexp(0.5, -np.array(scales.x_bits)), np.ldexp(1.0, -scales.h_bits)
    sum_bits = scales.h_bits + scales.h_shift
    w1_half = np.ldexp(0.5, np.array(scales.x_bits) - sum_bits)
    h1_error = x_half @ np.abs(w1) + (np.abs(limits).max(axis=1) + x_half) @ w1_half + h_unit
    a1, a1_error = _largest_activations(net), h1_error * max(1.0, abs(net.negative_slope))
    if net.negative_slope:  # itself off by half a unit; the product is shifted without rounding
        a1_error = a1_error + h_unit + a1 / abs(net.negative_slope) * np.ldexp(1.0, -scales.slope_bits)
    y_bits = np.array(scales.y_bits)
    w2_half = np.ldexp(0.5, scales.h_bits - y_bits - np.array(scales.y_shift))
    return np.asarray(a1_error @ np.abs(w2) + (a1 + a1_error).sum() * w2_half + np.ldexp(1.5, -y_bits))

"""The self-test of a C source: ten rows of inputs, the outputs that the net has for them, and a function to compare."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.engines.engine import Array
from fastmlp.exporting.c_function import Function, Request
from fastmlp.exporting.c_text import definition, floating_literal
from fastmlp.exporting.clamping import domain
from fastmlp.exporting.clipping import exported_curve
from fastmlp.nets.net import Net

N_ROWS = 10
OUTSIDE = 1.2  # length of the tested range in trained ranges if the function clamps its inputs


def self_test(net: Net, function: Function, request: Request) -> str:
    """Return the definition of the self-test, which is compiled if its macro is defined."""
    name, kind = request.name, "int32_t" if request.numbers == "fixed" else request.numbers
    x, expected, tolerance = _rows(net, function, request)
    literal = str if request.numbers == "fixed" else floating_literal(kind)
    arrays = {"x": x, "expected": expected, "tolerance": tolerance}
    tables = "\n".join(definition(kind, f"{name}_test_{part}", array, literal) for part, array in arrays.items())
    wide, cast = ("int64_t", "(int64_t)") if request.numbers == "fixed" else (kind, "")
    return f"""\

#ifdef {name.upper()}_SELF_TEST
{tables}

int {name}_self_test(void)
{{
    int row, k, failures = 0;
    for (row = 0; row < {N_ROWS}; row++) {{
        {kind} y[{net.n_out}];
        int agrees = 1;
        {name}({name}_test_x[row], y);
        for (k = 0; k < {net.n_out}; k++) {{
            const {wide} difference = {cast}y[k] - {name}_test_expected[row][k];
            agrees = agrees && difference <= {name}_test_tolerance[k] && -difference <= {name}_test_tolerance[k];
        }}
        failures += !agrees;
    }}
    return failures;
}}
#endif
"""


def _rows(net: Net, function: Function, request: Request) -> tuple[Array, Array, Array]:
    """Return inputs (N_ROWS, n_in), outputs (N_ROWS, n_out) and tolerances (n_out,) as the function takes them."""
    low, high = domain(net).T
    middle, reach = (low + high) / 2, (high - low) / 2 * (OUTSIDE if request.clamp else 1.0)
    places = np.linspace(-1.0, 1.0, N_ROWS)
    rng = np.random.default_rng(0)
    steps = np.stack([places, *(rng.permutation(places) for _ in range(net.n_in - 1))], axis=1)
    x = middle + reach * steps
    if not request.clamp:
        x = np.clip(x, low, high)  # rounding
    if function.x_bits is None or function.y_bits is None:
        dtype: np.dtype[Any] = np.dtype(np.float32 if request.numbers == "float" else np.float64)
        rows = x.astype(dtype)
        expected = _outputs(net, rows.astype(np.float64), request.clamp)
        smallest = np.finfo(dtype).tiny
        return rows, expected.astype(dtype), np.maximum(2 * function.error_bound, smallest).astype(dtype)
    largest = 2**31 - 1
    integers = np.clip(np.rint(np.ldexp(x, function.x_bits)), -largest, largest)
    expected = _outputs(net, np.ldexp(integers, -np.array(function.x_bits)), request.clamp)
    tolerance = np.ceil(np.ldexp(function.error_bound, function.y_bits)) + 1
    tables = integers, np.rint(np.ldexp(expected, function.y_bits)), np.minimum(tolerance, largest)
    return tables[0].astype(np.int64), tables[1].astype(np.int64), tables[2].astype(np.int64)


def _outputs(net: Net, x: Array, clamp: bool) -> Array:
    """Return the outputs of the net (n, n_out)."""
    if net.n_in == 1:  # from sums in long double, since predictions cancel with a large offset of x
        return exported_curve(net, clamp).evaluate(x).reshape(len(x), -1)
    inside = np.clip(x, *domain(net).T) if clamp else x
    return net.predict(inside).reshape(len(x), -1).astype(np.float64)

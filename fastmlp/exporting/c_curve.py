"""A net with one input as a C function: a binary search in the table of its breakpoints.

The breakpoints are rounded to the number type of the source. The values are those of the exact curve at the rounded
breakpoints, and the slopes connect them, so that the rounded curve is continuous too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array
from fastmlp.exporting.c_fixed_point import INT_BITS, rounding_offset, scale_bits, scaled
from fastmlp.exporting.c_function import Function, Request
from fastmlp.exporting.c_text import definition, floating_literal, row
from fastmlp.exporting.clamping import domain
from fastmlp.exporting.clipping import exported_curve
from fastmlp.nets.net import Net

SLOPE_BITS = 29  # of a slope without its sign: its product with a difference of two int32 fits into an int64
FORM = "stored as a table of its breakpoints"


@dataclass(frozen=True)
class _Table:
    """A curve with rounded breakpoints x (n,), values y (n, n_out) and slopes (n + 1, n_out), all float64.

    `moved` (n, n_out) bounds the difference from the exact curve on either side of a breakpoint. A kink with a jump J
    of the slope, rounded by d, changes the curve by at most J d.
    """

    x: Array
    y: Array
    slopes: Array
    moved: Array

    def distances(self, low: float, high: float) -> tuple[Array, Array]:
        """Return which pieces have inputs in [low, high] (n + 1,), and how far from a breakpoint these are at most."""
        left, right = np.append(-np.inf, self.x), np.append(self.x, np.inf)
        ends = np.array([max(0.0, self.x[0] - low), max(0.0, high - self.x[-1])])
        return (left <= high) & (right >= low), np.concatenate([ends[:1], np.diff(self.x) / 2, ends[1:]])

    def at_pieces(self, values: Array) -> tuple[Array, Array]:
        """Return values (n, n_out) at the left and the right breakpoint of each piece, once at the ends."""
        return np.concatenate([values[:1], values]), np.concatenate([values, values[-1:]])


def _table(net: Net, clamp: bool, rounded: Callable[[Array], Array], low: float, high: float) -> _Table:
    """Return the curve with rounded breakpoints, without those outside [low, high]."""
    exact = exported_curve(net, clamp)
    slopes = exact.slopes.reshape(len(exact.slopes), -1)
    breakpoints = rounded(exact.breakpoints)
    kept = np.flatnonzero((breakpoints >= low) & (breakpoints <= high))
    if kept.size:
        x, place = np.unique(breakpoints[kept], return_inverse=True)
        first, last = slopes[kept[0]], slopes[kept[-1] + 1]
    else:
        x, place = np.zeros(1), kept
        first = last = slopes[np.searchsorted(exact.breakpoints, 0.0)]
    y = exact.evaluate(x).reshape(len(x), -1)
    moved = np.zeros_like(y)
    distance = np.abs(breakpoints - exact.breakpoints)
    np.add.at(moved, place, (np.abs(np.diff(slopes, axis=0)) * distance[:, None])[kept])
    between = np.diff(y, axis=0) / np.diff(x)[:, None]
    return _Table(x, y, np.concatenate([first[None], between, last[None]]), moved)


def _error_bound(table: _Table, net: Net, of_piece: Callable[[Array], Array]) -> Array:
    """Return the largest error in the domain (n_out,).

    of_piece returns the errors of evaluating the table (n_pieces, n_out), given the distances from breakpoints.
    """
    is_reached, distance = table.distances(*domain(net)[0])
    errors = of_piece(distance[:, None]) + np.add(*table.at_pieces(table.moved))
    return np.asarray(errors[is_reached].max(axis=0))


def floating(net: Net, request: Request) -> Function:
    """Return a function that computes in float or double."""
    name, number = request.name, request.numbers
    dtype: np.dtype[Any] = np.dtype(np.float32 if number == "float" else np.float64)
    largest = 1e18 if number == "float" else 1e150  # values at larger breakpoints would overflow
    with np.errstate(over="ignore"):
        table = _table(net, request.clamp, lambda x: x.astype(dtype).astype(np.float64), -largest, largest)
        arrays = {part: getattr(table, part).astype(dtype) for part in ("x", "y", "slopes")}
    for array in arrays.values():
        if not np.isfinite(array).all():
            raise ValueError(f"The numbers of the net are too large for {number}. Rescale the data.")
    tables = "\n".join(
        definition(number, f"{name}_{part}", array, floating_literal(number)) for part, array in arrays.items()
    )
    definitions = f"""{tables}

void {name}(const {number} x[1], {number} y[{net.n_out}])
{{
    int k;
{_search(name, len(table.x), number, "")}
    for (k = 0; k < {net.n_out}; k++)
        y[k] = {name}_y[nearest][k] + {name}_slopes[piece][k] * (x[0] - {name}_x[nearest]);
}}
"""

    def rounding(distance: Array) -> Array:
        """Bound the errors of y + slope * (x - x_k): each of the five roundings is at most eps / 2 of its result."""
        size = np.maximum(*table.at_pieces(np.abs(table.y))) + np.abs(table.slopes) * distance
        return np.asarray(3 * np.finfo(dtype).eps * size)

    n_bytes = sum(array.nbytes for array in arrays.values())
    return Function(FORM, definitions, n_bytes, _error_bound(table, net, rounding))


def fixed(net: Net, request: Request, largest_x: Array) -> Function:
    """Return a function that computes in integers, for inputs of absolute value up to largest_x (1,)."""
    name = request.name
    x_bits = scale_bits(INT_BITS - 1, largest_x[0])  # inputs up to twice largest_x fit
    end = 2.0**INT_BITS - 1
    reach = float(np.ldexp(end, -x_bits))
    table = _table(net, request.clamp, lambda x: np.ldexp(np.rint(np.ldexp(x, x_bits)), -x_bits), -reach, reach)
    ends = np.stack(
        [table.y[0] + table.slopes[0] * (-reach - table.x[0]), table.y[-1] + table.slopes[-1] * (reach - table.x[-1])]
    )
    y_bits = np.array([scale_bits(INT_BITS - 1, size) for size in np.abs(np.concatenate([table.y, ends])).max(axis=0)])
    steps = np.ldexp(table.slopes, y_bits - x_bits)  # change of the integer y when the integer x increases by 1
    shift = np.clip([scale_bits(SLOPE_BITS, size) for size in np.abs(steps).max(axis=0)], 0, 2 * INT_BITS)
    tables = {
        "x": scaled(table.x, x_bits),
        "y": scaled(table.y, y_bits),
        "slopes": np.clip(scaled(steps, shift), -(2**SLOPE_BITS), 2**SLOPE_BITS),
    }
    arrays = "\n".join(definition("int32_t", f"{name}_{part}", array) for part, array in tables.items())
    definitions = f"""{arrays}
static const int64_t {name}_half[{net.n_out}] = {row(str(rounding_offset(int(n_bits))) for n_bits in shift)};
static const unsigned char {name}_shift[{net.n_out}] = {row(map(str, shift))};

void {name}(const int32_t x[1], int32_t y[{net.n_out}])
{{
    int k;
{_search(name, len(table.x), "int64_t", "(int64_t)")}
    for (k = 0; k < {net.n_out}; k++) {{
        const int64_t step = {name}_slopes[piece][k] * ((int64_t)x[0] - {name}_x[nearest]);
        y[k] = (int32_t)({name}_y[nearest][k] + ((step + {name}_half[k]) >> {name}_shift[k]));
    }}
}}
"""

    def rounding(distance: Array) -> Array:
        """Bound the errors: half a unit each for the value, the shift and the input, and the rounding of the slope."""
        of_slope = np.abs(steps - np.ldexp(tables["slopes"].astype(np.float64), -shift)) * np.ldexp(distance, x_bits)
        return np.asarray(np.ldexp(1.0 + of_slope + np.abs(steps) / 2, -y_bits))

    n_bytes = 4 * sum(array.size for array in tables.values()) + 9 * net.n_out
    bound = _error_bound(table, net, rounding)
    return Function(FORM, definitions, n_bytes, bound, [x_bits], [int(bits) for bits in y_bits])


def _search(name: str, n_breaks: int, wide: str, cast: str) -> str:
    """Return the statements that find the piece of x[0] and the nearer one of its breakpoints."""
    return f"""\
    int piece = 0, end = {n_breaks}, nearest;
    while (piece < end) {{
        const int middle = piece + (end - piece) / 2;
        if ({name}_x[middle] < x[0])
            piece = middle + 1;
        else
            end = middle;
    }}
    nearest = piece < {n_breaks} ? piece : {n_breaks - 1};
    if (piece > 0 && piece < {n_breaks}) {{
        const {wide} from_left = {cast}x[0] - {name}_x[piece - 1], from_right = {cast}{name}_x[piece] - x[0];
        if (from_left <= from_right)
            nearest = piece - 1;
    }}"""

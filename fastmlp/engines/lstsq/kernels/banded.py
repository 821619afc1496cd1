"""The system in a basis in which its Gram matrix is banded: its matrix, factors and solutions.

With A the matrix of all units in all rows, a change dv of smallest norm is A^T z with (A A^T + decay I) z = r. A has no
zeros, and A A^T a condition number of up to n_rows^4. Differences of three consecutive rows, D, that are 0 for lines
leave of each unit only two entries in D A, on either side of its kink. Both have a fixed sign, without cancellation. So
with z = D^T zeta + E^T eta, where E are the first and the last row, only the part of E is not banded.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inlined
from fastmlp.engines.lbfgs.kernels.univariate import Samples
from fastmlp.engines.lstsq.kernels.layout import Penalty, System

LEAST_PIVOT = 1e-13  # relative to the diagonal


@inlined
def cross(p: Any, q: Any) -> Any:
    """Return the determinant of two points."""
    return p[0] * q[1] - p[1] * q[0]


@inlined
def write_differences(n_rows: Any, system: System) -> None:
    """Overwrite the differences, scaled to length 1."""
    points, differences = system.points, system.differences
    for place in (0, n_rows - 1):
        for k in range(3):
            differences[place, k] = 0.0
    for i in range(n_rows - 2):
        a = cross(points[i + 1], points[i + 2])
        b = cross(points[i + 2], points[i])
        c = cross(points[i], points[i + 1])
        scale = 1.0 / np.sqrt(a * a + b * b + c * c)
        differences[i + 1, 0], differences[i + 1, 1], differences[i + 1, 2] = scale * a, scale * b, scale * c


@inlined
def write_penalty(n_rows: Any, penalty: Penalty, system: System) -> None:
    """Overwrite the matrix with the parts of the ridge and of b2."""
    d, band, border, corner = system.differences, system.band, system.border, system.corner
    decay = penalty.w2
    for i in range(n_rows):
        band[i, 0] = decay
        band[i, 1] = decay * (d[i, 1] * d[i + 1, 0] + d[i, 2] * d[i + 1, 1]) if i + 1 < n_rows else 0.0
        band[i, 2] = decay * d[i, 2] * d[i + 2, 0] if i + 2 < n_rows else 0.0
        border[i, 0] = border[i, 1] = 0.0
    border[1, 0] = decay * d[1, 0]
    border[n_rows - 2, 1] = decay * d[n_rows - 2, 2]
    first, last = system.points[0, 1], system.points[n_rows - 1, 1]
    corner[0, 0] = decay + penalty.bias * first * first
    corner[0, 1] = corner[1, 0] = penalty.bias * first * last
    corner[1, 1] = decay + penalty.bias * last * last


@inlined
def add_units(theta: Any, samples: Samples, arrays: Any, n_rows: Any, system: System) -> None:
    """Overwrite the parts of each unit and add them to the matrix."""
    scratch, stretches = arrays
    n_hidden, n = scratch.kinks.size, samples.x.size
    points, d, alpha = system.points, system.differences, samples.negative_slope
    for j in range(n_hidden):
        k = scratch.kinks[j]
        is_rising = scratch.sides[j] == 0
        w = theta[j]
        beta = theta[n_hidden + j] + samples.centre * w
        u = system.units[j]
        place = 0
        u[0] = u[1] = 0.0
        if 0 < k < n:
            place = stretches.last_row[scratch.stretches[k] - 1]
            step = 1.0 - alpha if is_rising else alpha - 1.0
            u[0] = step * d[place, 2] * (w * points[place + 1, 0] + beta * points[place + 1, 1])
            u[1] = -step * d[place + 1, 0] * (w * points[place, 0] + beta * points[place, 1])
            system.band[place, 0] += u[0] * u[0]
            system.band[place, 1] += u[0] * u[1]
            system.band[place + 1, 0] += u[1] * u[1]
        system.place[j] = place
        first_is_active = is_rising == (k == 0)
        last_is_active = is_rising != (k == n)
        u[2] = (1.0 if first_is_active else alpha) * (w * points[0, 0] + beta * points[0, 1])
        u[3] = (1.0 if last_is_active else alpha) * (w * points[n_rows - 1, 0] + beta * points[n_rows - 1, 1])
        for e in range(2):
            system.border[place, e] += u[0] * u[2 + e]
            system.border[place + 1, e] += u[1] * u[2 + e]
            for f in range(2):
                system.corner[e, f] += u[2 + e] * u[2 + f]


@inlined
def factor(n_rows: Any, system: System) -> Any:
    """Overwrite the matrix with its factors L P L^T; return whether all pivots P are far from 0.

    band becomes P and the two entries of L below them, border L^-1 border, corner what the elimination leaves of it.
    """
    band, border, corner = system.band, system.border, system.corner
    least_corner = LEAST_PIVOT * corner[0, 0], LEAST_PIVOT * corner[1, 1]
    is_regular = True
    for i in range(1, n_rows - 1):
        diagonal = band[i, 0]
        if i > 2:
            second = band[i - 2, 2] / band[i - 2, 0]
            band[i - 1, 1] -= band[i - 2, 2] * band[i - 2, 1]
            band[i, 0] -= second * band[i - 2, 2]
            band[i - 2, 2] = second
            for e in range(2):
                border[i, e] -= second * border[i - 2, e]
        if i > 1:
            first = band[i - 1, 1] / band[i - 1, 0]
            band[i, 0] -= first * band[i - 1, 1]
            band[i - 1, 1] = first
            for e in range(2):
                border[i, e] -= first * border[i - 1, e]
        is_regular = is_regular and band[i, 0] > LEAST_PIVOT * diagonal
        for e in range(2):
            for f in range(2):
                corner[e, f] -= border[i, e] * border[i, f] / band[i, 0]
    rest = corner[1, 1] - corner[0, 1] * corner[0, 1] / corner[0, 0]
    return is_regular and corner[0, 0] > least_corner[0] and rest > least_corner[1]


@inlined
def solve_ends(n_rows: Any, penalty: Penalty, system: System) -> Any:
    """Overwrite the multipliers of the first and the last row, and return b2, from the ends of the right side."""
    ends, corner = system.ends, system.corner
    first, last = system.points[0, 1], system.points[n_rows - 1, 1]
    if penalty.is_bias_free:  # the multipliers are orthogonal to the column of b2
        size = corner[0, 0] * last * last - 2.0 * corner[0, 1] * first * last + corner[1, 1] * first * first
        amount = (last * ends[0] - first * ends[1]) / size
        left_over = (
            ends[0] - amount * (corner[0, 0] * last - corner[0, 1] * first),
            ends[1] - amount * (corner[0, 1] * last - corner[1, 1] * first),
        )
        ends[0], ends[1] = amount * last, -amount * first
        return (first * left_over[0] + last * left_over[1]) / (first * first + last * last)
    factor = corner[0, 1] / corner[0, 0]
    ends[1] = (ends[1] - factor * ends[0]) / (corner[1, 1] - factor * corner[0, 1])
    ends[0] = ends[0] / corner[0, 0] - factor * ends[1]
    return penalty.bias * (first * ends[0] + last * ends[1])


@inlined
def solve(n_rows: Any, penalty: Penalty, system: System) -> Any:
    """Overwrite solution and ends, the multipliers of the differences and of the two rows, for the right side.

    The change of b2 is returned.
    """
    right, solution, ends = system.right, system.solution, system.ends
    d, band, border = system.differences, system.band, system.border
    ends[0], ends[1] = right[0], right[n_rows - 1]
    solution[0] = solution[n_rows - 1] = 0.0
    for i in range(1, n_rows - 1):
        entry = d[i, 0] * right[i - 1] + d[i, 1] * right[i] + d[i, 2] * right[i + 1]
        entry -= band[i - 1, 1] * solution[i - 1] if i > 1 else 0.0
        entry -= band[i - 2, 2] * solution[i - 2] if i > 2 else 0.0
        solution[i] = entry
        for e in range(2):
            ends[e] -= border[i, e] * entry / band[i, 0]
    b2 = solve_ends(n_rows, penalty, system)
    for i in range(n_rows - 2, 0, -1):
        entry = (solution[i] - border[i, 0] * ends[0] - border[i, 1] * ends[1]) / band[i, 0]
        entry -= band[i, 1] * solution[i + 1] if i < n_rows - 2 else 0.0
        entry -= band[i, 2] * solution[i + 2] if i < n_rows - 3 else 0.0
        solution[i] = entry
    return b2


@inlined
def add_change(o: Any, theta: Any, system: System) -> Any:
    """Add the change to w2 of output o; return its squared size, and that of the terms of which it is the sum."""
    n_hidden = system.place.size
    squared, terms = 0.0, 0.0
    for j in range(n_hidden):
        place = system.place[j]
        u = system.units[j]
        left, right = u[0] * system.solution[place], u[1] * system.solution[place + 1]
        first, last = u[2] * system.ends[0], u[3] * system.ends[1]
        change = (left + right) + (first + last)
        theta[(2 + o) * n_hidden + j] += change
        squared += change * change
        terms += (left * left + right * right) + (first * first + last * last)
    return squared, terms


@inlined
def add_multipliers(o: Any, n_rows: Any, system: System) -> None:
    """Add the change to the multipliers of the rows for output o."""
    d, solution, multipliers = system.differences, system.solution, system.multipliers[o]
    for i in range(1, n_rows - 1):
        for k in range(3):
            multipliers[i - 1 + k] += d[i, k] * solution[i]
    multipliers[0] += system.ends[0]
    multipliers[n_rows - 1] += system.ends[1]

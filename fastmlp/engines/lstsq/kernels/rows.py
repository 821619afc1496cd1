"""The rows of the system: which values of the net the change of w2 and b2 has to produce.

With a ridge, the samples of a stretch are replaced by at most two orthonormal combinations of them, a level and a
slope, because the net is a line there. Without one, the part of the residuals that no change can produce is taken out
first. Stretches whose lines join at kinks form a chain. In a chain of stretches with one sample each, the net can pass
through all samples, which are the rows. In any other chain the samples determine the polyline; its values at the ends
and at the kinks solve a least-squares problem with two unknowns in each row, and are the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inlined
from fastmlp.engines.lbfgs.kernels.univariate import Samples, Scratch
from fastmlp.engines.lstsq.kernels.layout import Stretches, System

MOST_CONDITION = 1e5  # of the polyline of a chain, up to which its rounding errors are below 1e-10


@inlined
def write_ridge_rows(last: Any, stretches: Stretches, system: System) -> Any:
    """Overwrite the rows for a problem with a ridge; return their number."""
    n_rows = 0
    for t in range(last):
        centre, root, spread = stretches.moments[t, 0], stretches.moments[t, 1], stretches.moments[t, 2]
        system.points[n_rows, 0], system.points[n_rows, 1] = root * centre, root
        n_rows += 1
        if spread > 0.0:
            system.points[n_rows, 0], system.points[n_rows, 1] = spread, 0.0
            n_rows += 1
        stretches.last_row[t] = n_rows - 1
    return n_rows


@inlined
def end_of_chain(t: Any, last: Any, stretches: Stretches) -> Any:
    """Return the end of the chain that begins with stretch t, minus it if each of its stretches has one sample."""
    end = t + 1
    is_exact = not stretches.moments[t, 2] > 0.0
    while end < last and stretches.is_rigid[end]:
        is_exact = is_exact and not stretches.moments[end, 2] > 0.0
        end += 1
    return -end if is_exact else end


@inlined
def write_exact_rows(last: Any, samples: Samples, scratch: Scratch, stretches: Stretches, system: System) -> Any:
    """Overwrite the rows for a problem without a ridge; return their number."""
    n_rows = 0
    t = 0
    while t < last:
        end = end_of_chain(t, last, stretches)
        if end > 0:  # the first node of the chain
            system.points[n_rows, 0] = samples.x[scratch.starts[t]]
            n_rows += 1
        for i in range(t, abs(end)):
            if end < 0 or i == end - 1:
                x = samples.x[scratch.starts[i + 1] - 1]
            else:  # the kink, where a line through (left, gap 0) and (right, gap 1) is 0
                k = scratch.starts[i + 1]
                low, high = stretches.gaps[i + 1, 0], stretches.gaps[i + 1, 1]
                x = samples.x[k - 1] + (samples.x[k] - samples.x[k - 1]) * (low / (low - high))
            system.points[n_rows, 0] = x
            stretches.last_row[i] = n_rows
            n_rows += 1
        t = abs(end)
    for row in range(n_rows):
        system.points[row, 1] = 1.0
    return n_rows


@inlined
def eliminate(triangle: Any, a: Any, b: Any, r: Any, carry: Any) -> Any:
    """Rotate the equation a f + b g = r into a row (a, b, r) of a triangle, and the rest of it into carry (g, r).

    carry is a tuple; the new one is returned.
    """
    length = np.sqrt(triangle[0] * triangle[0] + a * a)
    if length > 0.0:
        c, s = triangle[0] / length, a / length
        old_b, old_r = triangle[1], triangle[2]
        triangle[0], triangle[1], triangle[2] = length, c * old_b + s * b, c * old_r + s * r
        b, r = c * b - s * old_b, c * r - s * old_r
    length = np.sqrt(carry[0] * carry[0] + b * b)
    if length > 0.0:
        return length, (carry[0] * carry[1] + b * r) / length
    return carry


@inlined
def project_chain(t: Any, end: Any, stretches: Stretches, system: System) -> Any:
    """Overwrite the right side with the polyline of a chain that is next to the residuals; return its condition."""
    row = stretches.last_row[t] - 1
    carry = (0.0, 0.0)
    size = 0.0  # squared length of the column of the node
    for i in range(t, end):
        triangle = system.triangle[row]
        triangle[0], triangle[1], triangle[2] = carry[0], 0.0, carry[1]
        carry = (0.0, 0.0)
        width = system.points[row + 1, 0] - system.points[row, 0]
        root, spread = stretches.moments[i, 1], stretches.moments[i, 2] / width
        share = (stretches.moments[i, 0] - system.points[row, 0]) / width
        carry = eliminate(triangle, root * (1.0 - share), root * share, stretches.residuals[i, 0], carry)
        if spread > 0.0:
            carry = eliminate(triangle, -spread, spread, stretches.residuals[i, 1], carry)
        system.right[row] = size + (root * (1.0 - share)) ** 2 + spread**2
        size = (root * share) ** 2 + spread**2
        row += 1
    system.right[row] = size
    # Back substitution, for the polyline and for the norm of the inverse, of which the columns have length 1.
    inverse = np.sqrt(size) / carry[0]
    condition = inverse
    system.right[row] = carry[1] / carry[0]
    for i in range(row - 1, stretches.last_row[t] - 2, -1):
        triangle = system.triangle[i]
        scale = np.sqrt(system.right[i])
        inverse = (scale / triangle[0]) * (1.0 + abs(triangle[1]) * inverse / np.sqrt(size))
        condition = max(condition, inverse)
        size = system.right[i]
        system.right[i] = (triangle[2] - triangle[1] * system.right[i + 1]) / triangle[0]
    return condition


@inlined
def project(last: Any, stretches: Stretches, system: System) -> Any:
    """Overwrite the right side with what a change of w2 and b2 can produce; return whether it is accurate."""
    t = 0
    condition = 1.0
    while t < last:
        end = end_of_chain(t, last, stretches)
        if end > 0:
            found = project_chain(t, end, stretches, system)
            condition = condition if found <= condition else found
        else:
            for i in range(t, -end):
                system.right[stretches.last_row[i]] = stretches.residuals[i, 0] / stretches.moments[i, 1]
        t = abs(end)
    return condition <= MOST_CONDITION

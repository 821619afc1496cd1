"""Least squares for w2 and b2 of a net with one input, in O(n_samples + n_hidden log n_samples).

The net is a line on each stretch between kinks. `rows` says which values the change of w2 and b2 must produce, and
`banded` solves for the change. Both are repeated for the residuals that rounding leaves, and the size of these decides
whether the result is accepted: they bound the error of the predictions, whatever the condition of the system.
"""

from __future__ import annotations

from typing import Any

from fastmlp.compiled.jit import inlined, njit
from fastmlp.engines.lbfgs.kernels import univariate as lines
from fastmlp.engines.lbfgs.kernels.univariate import Samples
from fastmlp.engines.lstsq.kernels import banded, rows
from fastmlp.engines.lstsq.kernels.layout import Penalty
from fastmlp.engines.lstsq.kernels.stretches import find_dimensions, find_moments, find_residuals, find_trace

SOLUTIONS = 6  # at most; the first solves for the targets, the others for the residuals that rounding left
LEAST_GAIN = 0.5  # residuals that a solution does not reduce to this are rounding
TOLERANCE = 1e-11  # of the residuals that are left, relative to the targets
MOST_CANCELLATION = 1e6  # of the terms of the change, relative to w2: 1e-10 of it is rounding


@inlined
def prepare(theta: Any, last: Any, samples: Samples, arrays: Any, penalty: Penalty) -> Any:
    """Write the system and factor it; return the number of rows, or 0 if rounding decides what the rows are."""
    scratch, stretches, system = arrays
    if penalty.w2 > 0.0:
        n_rows = rows.write_ridge_rows(last, stretches, system)
    elif find_dimensions(theta, last, samples, scratch, stretches):
        n_rows = rows.write_exact_rows(last, samples, scratch, stretches, system)
    else:
        return 0
    if n_rows < 2:
        return 0
    banded.write_differences(n_rows, system)
    banded.write_penalty(n_rows, penalty, system)
    banded.add_units(theta, samples, (scratch, stretches), n_rows, system)
    return n_rows if banded.factor(n_rows, system) else 0


@inlined
def write_right(o: Any, last: Any, arrays: Any, penalty: Penalty) -> Any:
    """Overwrite the right side for output o; return whether it is accurate."""
    _, stretches, system = arrays
    if not penalty.w2 > 0.0:
        return rows.project(last, stretches, system)
    row = 0
    for t in range(last):
        for k in range(stretches.last_row[t] - row + 1):
            system.right[row] = stretches.residuals[t, k] - penalty.w2 * system.multipliers[o, row]
            row += 1
    return True


@inlined
def correct(o: Any, theta: Any, n_rows: Any, arrays: Any, penalty: Penalty) -> Any:
    """Change w2 and b2 of output o by the solution for the right side; return whether the change is accurate."""
    scratch, _, system = arrays
    n_hidden, n_out = scratch.kinks.size, scratch.lines.shape[0]
    theta[(2 + n_out) * n_hidden + o] += banded.solve(n_rows, penalty, system)
    size, terms = banded.add_change(o, theta, system)
    if penalty.w2 > 0.0:
        banded.add_multipliers(o, n_rows, system)
    return terms <= MOST_CANCELLATION**2 * size


@inlined
def largest(values: Any, n: Any) -> Any:
    """Return the largest absolute value of the first n; NaN if one is NaN."""
    result = 0.0
    for i in range(n):
        result = result if abs(values[i]) <= result else abs(values[i])
    return result


@inlined
def start_at_zero(theta: Any, arrays: Any, n_rows: Any) -> None:
    """Overwrite w2, b2 and the multipliers with zeros."""
    scratch, _, system = arrays
    n_out = scratch.lines.shape[0]
    for i in range(2 * scratch.kinks.size, theta.size):
        theta[i] = 0.0
    for o in range(n_out):
        for row in range(n_rows):
            system.multipliers[o, row] = 0.0


@njit
def solve(theta: Any, samples: Samples, arrays: Any, penalty: Penalty, outputs: Any) -> Any:
    """Overwrite w2 and b2 in theta with the solution; return whether it is accurate.

    theta has w (n_hidden,), b (n_hidden,), v (n_out, n_hidden) and b2 (n_out,). arrays are a `Scratch`, `Stretches` and
    a `System`. outputs (4, n_out) has the roots of the weighted mean squares of the targets in the first row. The next
    two rows are overwritten with the squared errors of the given net and of the solution.
    """
    scratch, stretches, system = arrays
    n_hidden, n_out = scratch.kinks.size, scratch.lines.shape[0]
    n_rows = 0
    first = 1 if penalty.w2 > 0.0 else 0
    for i in range(SOLUTIONS + 1 + first):
        lines.add_units(theta, samples, scratch)
        last = lines.find_stretches(scratch)
        if i == 0:
            find_moments(last, samples, scratch, stretches)
            if penalty.is_relative:
                trace = find_trace(theta, last, samples, (scratch, stretches)) + (1.0 if penalty.bias > 0.0 else 0.0)
                penalty = Penalty(penalty.w2 * trace, penalty.bias, penalty.is_bias_free, penalty.is_relative)
            n_rows = prepare(theta, last, samples, arrays, penalty)
        n_improved = 0
        for o in range(n_out):
            lines.add_lines(o, last, scratch, samples.negative_slope)
            b2 = theta[(2 + n_out) * n_hidden + o]
            outputs[2, o] = find_residuals(o, b2, last, samples, (scratch, stretches))
            if i == 0:
                outputs[1, o] = outputs[2, o]
            if i < first:
                n_improved += 1
            elif n_rows > 0:
                is_accurate = write_right(o, last, arrays, penalty)
                size = largest(system.right, n_rows)
                if i == first:
                    outputs[0, o] = TOLERANCE * max(size, outputs[0, o])
                if i < SOLUTIONS + first and (i == first or size < LEAST_GAIN * outputs[3, o]):
                    is_accurate = correct(o, theta, n_rows, arrays, penalty) and (is_accurate or i > first)
                    n_improved += 1
                else:
                    is_accurate = is_accurate and size <= outputs[0, o]
                outputs[3, o] = size
                if not is_accurate:
                    n_rows = 0
        if n_rows == 0 or n_improved == 0:
            break
        if i < first:
            start_at_zero(theta, arrays, n_rows)
    return n_rows > 0

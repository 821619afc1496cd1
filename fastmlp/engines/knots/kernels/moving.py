"""A step of all knots: Levenberg and Marquardt's method in the values of a discontinuous function."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inlined
from fastmlp.engines.knots.kernels.elimination import eliminated, rotation, solved
from fastmlp.engines.knots.kernels.layout import Scratch, Spline
from fastmlp.engines.knots.kernels.moments import stored

LONGEST = 0.5  # step, as a part of the distance to the next knot


@inlined
def solve_lines(spline: Spline, damping: Any, scratch: Scratch) -> None:
    """Overwrite the first rows entries with the values of the lines at both ends of each piece."""
    knots, rows = spline.knots, scratch.rows
    n_pieces = knots.size - 1
    weight = 0.0
    target = 0.0
    for s in range(n_pieces):
        moments = stored(spline.moments[s])
        done = eliminated(weight, target, moments, knots[s], knots[s + 1])
        rows[2 * s, 0] = done.diagonal
        rows[2 * s, 1] = done.other
        rows[2 * s, 2] = done.right_side
        weight = done.weight
        target = done.target
        if s < n_pieces - 1:
            bond = np.sqrt(damping * (moments.weight + spline.moments[s + 1, 0]))
            cosine, sine, diagonal = rotation(weight, -bond)
            rows[2 * s + 1, 0] = diagonal
            rows[2 * s + 1, 1] = sine * bond
            rows[2 * s + 1, 2] = cosine * target
            weight = cosine * bond
            target = -sine * target
    value = solved(target, weight)
    rows[2 * n_pieces - 1, 0] = value
    for j in range(2 * n_pieces - 2, -1, -1):
        value = solved(rows[j, 2] - rows[j, 1] * value, rows[j, 0])
        rows[j, 0] = value


@inlined
def move_knots(spline: Spline, scratch: Scratch, trial: Spline) -> None:
    """Overwrite the knots of the trial: each moves to the intersection of the lines on either side of it."""
    knots, lines = spline.knots, scratch.rows
    n_pieces = knots.size - 1
    trial.knots[0] = knots[0]
    trial.knots[n_pieces] = knots[n_pieces]
    trial.first[0] = spline.first[0]
    trial.first[n_pieces] = spline.first[n_pieces]
    for s in range(1, n_pieces):
        left, right = knots[s] - knots[s - 1], knots[s + 1] - knots[s]
        slope_left = (lines[2 * s - 1, 0] - lines[2 * s - 2, 0]) / left
        slope_right = (lines[2 * s + 1, 0] - lines[2 * s, 0]) / right
        step = solved(lines[2 * s - 1, 0] - lines[2 * s, 0], slope_right - slope_left)
        trial.knots[s] = knots[s] + min(max(step, -LONGEST * left), LONGEST * right)
        trial.first[s] = spline.first[s]

"""One step of a QR decomposition along the pieces of a spline, from either end.

What the samples on one side of a knot say about its value g is one row: weight g = target. The next piece is a line, so
its samples are two rows in g and in the value h at its other end:

    sqrt(m) ((1 - t) g + t h) = sqrt(m) d        with t = (c - left) / (right - left)
    sqrt(v) (h - g) / (right - left) = sqrt(v) k

Givens rotations turn the three rows into one for the solution of g, one for h alone, and a residual. In this form, a
sample of weight 1e12 costs no digits of the others, as it would in the normal equations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.jit import inlined


class Eliminated(NamedTuple):
    """The row diagonal g + other h = right_side, the row weight h = target, and the square of the residual."""

    diagonal: Any
    other: Any
    right_side: Any
    weight: Any
    target: Any
    residual: Any


@inlined
def rotation(a: Any, b: Any) -> Any:
    """Return the rotation (cosine, sine) that turns (a, b) to (r, 0), and r."""
    r = np.sqrt(a * a + b * b)
    if r > 0.0:
        return a / r, b / r, r
    return 1.0, 0.0, 0.0


@inlined
def eliminated(weight: Any, target: Any, moments: Any, near: Any, far: Any) -> Any:
    """Eliminate the value at the knot `near` of a piece, about which weight and target are known; `far` is next."""
    length = far - near
    t = (moments.x - near) / length
    root = np.sqrt(moments.weight)
    steep = np.sqrt(moments.spread)

    cosine, sine, diagonal = rotation(weight, root * (1.0 - t))
    other, right_side = sine * root * t, cosine * target + sine * root * moments.y
    other_1, right_side_1 = cosine * root * t, cosine * root * moments.y - sine * target

    cosine, sine, diagonal = rotation(diagonal, -steep / length)
    other_2, right_side_2 = cosine * steep / length - sine * other, cosine * steep * moments.slope - sine * right_side
    other, right_side = cosine * other + sine * steep / length, cosine * right_side + sine * steep * moments.slope

    cosine, sine, weight = rotation(other_1, other_2)
    target = cosine * right_side_1 + sine * right_side_2
    residual = cosine * right_side_2 - sine * right_side_1
    return Eliminated(diagonal, other, right_side, weight, target, residual * residual)


@inlined
def solved(right_side: Any, diagonal: Any) -> Any:
    """Return right_side / diagonal, or 0 where nothing is known."""
    return right_side / diagonal if diagonal != 0.0 else 0.0

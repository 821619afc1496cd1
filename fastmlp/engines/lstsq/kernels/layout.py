"""The arrays that the kernels of least squares for one input share."""

from __future__ import annotations

from typing import Any, NamedTuple


class Penalty(NamedTuple):
    """The ridge of the problem.

    w2 is the weight decay of w2. bias is that of b2 as a prior variance relative to that of w2: 0 for a disabled bias,
    w2 / b2 for a penalised one, 1 if nothing is penalised. is_bias_free tells that b2 alone is not penalised. If
    is_relative, w2 is in units of the trace of the Gram matrix.
    """

    w2: Any
    bias: Any
    is_bias_free: Any
    is_relative: Any


class Stretches(NamedTuple):
    """The samples of each stretch (n_stretches,), of which there may be as many as samples.

    moments (n_samples, 3) are the weighted mean c of x, the root of the sum of the weights, and the root of the
    weighted sum of (x - c)^2. residuals (n_samples, 2) are the residuals on these two orthonormal directions: sums of
    s r and of s (x - c) r, divided by the roots. gaps (n_samples, 3) describe the units whose kinks lie before the
    stretch: the values of the first such unit at the two neighbouring samples, scaled to length 1, and the largest sine
    of the angle between these values and those of another unit. last_row (n_samples,) is the last row of the system
    that belongs to the stretch, is_rigid (n_samples,) whether its line joins that of the stretch before at the kink.
    """

    moments: Any
    residuals: Any
    gaps: Any
    last_row: Any
    is_rigid: Any


class System(NamedTuple):
    """Equations for the change of w2 and b2, in a basis in which their Gram matrix is banded.

    A row of the system is a value p.(slope, offset) of the net's line on a stretch: points (n_rows, 2). A difference is
    the combination (n_rows, 3) of three consecutive rows that is 0 for every line; difference i + 1 begins at row i,
    and the first and the last entry are 0. band (n_rows, 3) is the Gram matrix of the differences, its diagonal and
    the two next to it, later its factors; border (n_rows, 2) is that of the differences with the first and the last
    row, corner (2, 2) that of these two rows. right and solution (n_rows,) are in the same basis, ends (2,) the same
    for the two rows. units (n_hidden, 4) are the unit's parts in two differences, from place (n_hidden,) on, and in the
    two rows. multipliers (n_out, n_rows) are those of the rows. triangle (n_rows, 3) is scratch of the projection.
    """

    points: Any
    differences: Any
    band: Any
    border: Any
    corner: Any
    right: Any
    solution: Any
    ends: Any
    units: Any
    place: Any
    multipliers: Any
    triangle: Any

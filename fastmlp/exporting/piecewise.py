"""A network with one input as a piecewise-linear curve: its breakpoints, values and slopes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.nets.net import Net


@dataclass(frozen=True, eq=False)
class PiecewiseLinear:
    """A continuous piecewise-linear curve, such as a calibration table.

    `Model.to_piecewise` returns it.

    Attributes
    ----------
    breakpoints : ndarray of float64, shape (n_breaks,)
        Inputs at which the slope changes, in ascending order without repetition.
        If the slope changes nowhere, there is one breakpoint at 0.
    values : ndarray of float64, shape (n_breaks,) or (n_breaks, n_out)
        Values of the curve at the breakpoints.
        They have the number of dimensions of the predictions.
    slopes : ndarray of float64, shape (n_breaks + 1,) or (n_breaks + 1, n_out)
        Slopes of the pieces.
        ``slopes[0]`` is the slope below ``breakpoints[0]``, ``slopes[i]`` the slope between ``breakpoints[i - 1]`` and
        ``breakpoints[i]``, and ``slopes[-1]`` the slope above the last breakpoint.

    Examples
    --------
    >>> import fastmlp
    >>> table = fastmlp.Model([[1.0, -1.0]], [0.0, 2.0], [[1.0], [1.0]], [0.5]).to_piecewise()
    >>> table.breakpoints, table.values, table.slopes
    (array([0., 2.]), array([2.5, 2.5]), array([-1.,  0.,  1.]))
    """

    breakpoints: Array
    values: Array
    slopes: Array

    def __post_init__(self) -> None:
        for array in (self.breakpoints, self.values, self.slopes):
            array.flags.writeable = False

    def evaluate(self, x: npt.ArrayLike) -> Array:
        """Return the values of the curve.

        Each value is computed from the nearer breakpoint of its piece.

        Parameters
        ----------
        x : array_like of shape (n,) or (n, 1)
            Inputs.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_out)
            Values of the curve.

        Raises
        ------
        TypeError, ValueError
            If x has the wrong type or shape or is not finite.

        Examples
        --------
        >>> import fastmlp
        >>> table = fastmlp.Model([[1.0, -1.0]], [0.0, 2.0], [[1.0], [1.0]], [0.5]).to_piecewise()
        >>> table.evaluate([-1.0, 1.0, 4.0])
        array([3.5, 2.5, 4.5])
        """
        columns, _ = checks.inputs(x, 1)
        column = columns[:, 0]
        piece = np.searchsorted(self.breakpoints, column)
        left = np.maximum(piece - 1, 0)
        right = np.minimum(piece, self.breakpoints.size - 1)
        left_is_nearer = column - self.breakpoints[left] <= self.breakpoints[right] - column
        anchor = np.where(left_is_nearer, left, right)
        distance = column - self.breakpoints[anchor]
        if self.values.ndim == 2:
            distance = distance[:, None]
        return np.asarray(self.values[anchor] + self.slopes[piece] * distance)


def piecewise_linear(net: Net) -> PiecewiseLinear:
    """Return a network with one input as a curve, without `y_clip`.

    A unit adds v act(w x + b) to the output. That is a straight line on either side of the kink. The lines to the right
    of the kinks are summed from the left, those to the left of the kinks from the right. Subtracting units from a total
    would lose digits, because the lines of distant kinks are large.
    """
    if net.n_in != 1:
        raise ValueError(f"Model.to_piecewise supports one input; this net has {net.n_in}.")
    # The sums run over many units, so they use the longest floating-point type.
    w, b = (np.asarray(array, np.longdouble) for array in (net.w1[0], net.b1))
    v = np.asarray(net.w2, np.longdouble)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        kinks = (-b / w).astype(np.float64) + 0.0  # never -0.0
    kinked = np.isfinite(kinks)
    # A unit without a finite kink is active everywhere or nowhere, so it adds a straight line.
    slope = np.longdouble(net.negative_slope)
    line = np.where(kinked, 0, np.where(b > 0, 1, slope))[:, None] * v
    breakpoints, breakpoint_of_unit = np.unique(kinks[kinked], return_inverse=True)
    if not breakpoints.size:
        breakpoints = np.zeros(1)

    def sums(factor: Array) -> tuple[Array, Array]:
        """Return the sums over units of factor (n_hidden,) times slope, at each breakpoint and in each piece."""
        from_left, from_right = np.zeros((2, len(breakpoints) + 1, net.n_out), np.longdouble)
        for lines, sign in ((from_left, 1), (from_right, -1)):
            act = np.where(sign * w > 0, 1, slope)
            np.add.at(lines, breakpoint_of_unit + (sign > 0), ((factor * act)[:, None] * v)[kinked])
        from_left, from_right = np.cumsum(from_left, axis=0), np.cumsum(from_right[::-1], axis=0)[::-1]
        pieces = factor @ line + from_left + from_right
        return factor @ line + from_left[:-1] + from_right[1:], pieces

    slopes_at, slopes = sums(w)
    offsets_at, _ = sums(b)
    values = (offsets_at + slopes_at * breakpoints[:, None] + net.b2).astype(np.float64)
    slopes = slopes.astype(np.float64)
    if net.y_ndim == 1:
        values, slopes = values[:, 0], slopes[:, 0]
    return PiecewiseLinear(breakpoints, np.ascontiguousarray(values), np.ascontiguousarray(slopes))

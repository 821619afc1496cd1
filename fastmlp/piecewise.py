"""The net of one input as what it is: a piecewise-linear curve with its breakpoints, values and slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engine import Array

if TYPE_CHECKING:
    from fastmlp.model import Model


@dataclass(frozen=True, eq=False)
class PiecewiseLinear:
    """A continuous piecewise-linear curve: a calibration table.

    Attributes
    ----------
    breakpoints : ndarray of float64, shape (n_breaks,)
        Where the slope changes, ascending, each once; there is always one, 0 if the slope changes nowhere.
    values : ndarray of float64, shape (n_breaks,) or (n_breaks, n_out)
        The curve at the breakpoints, in as many dimensions as the net answers in.
    slopes : ndarray of float64, shape (n_breaks + 1,) or (n_breaks + 1, n_out)
        slopes[0] holds below breakpoints[0], slopes[i] between breakpoints[i - 1] and breakpoints[i], and the last
        beyond the last breakpoint.

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
        """Evaluate the curve, from the nearer breakpoint of the piece that x is in.

        Parameters
        ----------
        x : array_like of shape (n,) or (n, 1)
            Where.

        Returns
        -------
        ndarray of float64, shape (n,) or (n, n_out)

        Raises
        ------
        TypeError, ValueError
            If x is of the wrong kind or shape, or not finite.

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


def to_piecewise(model: Model) -> PiecewiseLinear:
    """Return what `fastmlp.Model.to_piecewise` says.

    A unit contributes v act(w x + b). With act(z) = slope z + (1 - slope) max(z, 0) that is a straight line, plus a
    ramp of slope (1 - slope) v |w| that begins at the kink and, for w < 0, another straight line.
    """
    if model.n_in != 1:
        raise ValueError(checks.wording("to_piecewise", "asked of a net of one input", f"{model.n_in} inputs"))
    # Sums over units in the longest type there is: the sums of many units would lose digits to their cancellation.
    w, b = (np.asarray(array, np.longdouble) for array in (model.w1[0], model.b1))
    v = np.asarray(model.w2, np.longdouble)
    ramp = (1 - np.longdouble(model.negative_slope)) * v
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        kinks = (-b / w).astype(np.float64) + 0.0  # never -0.0
    kinked = np.isfinite(kinks)
    # A unit without a kink is a straight line: all active, or all inactive. One whose kink is beyond float64 as well.
    lines = np.where((~kinked & (b > 0) | kinked & (w < 0))[:, None], ramp, 0) + model.negative_slope * v
    line_slope = w @ lines
    line_offset = b @ lines + model.b2

    order = np.flatnonzero(kinked)[np.argsort(kinks[kinked], kind="stable")]
    breakpoints, first = np.unique(kinks[order], return_index=True)
    if not order.size:
        return _table(model, np.zeros(1), line_offset[None], np.stack([line_slope, line_slope]))
    turn = np.abs(w[order])[:, None] * ramp[order]
    lift = np.sign(w[order])[:, None] * b[order, None] * ramp[order]
    slopes = line_slope + np.concatenate([np.zeros((1, model.n_out)), np.cumsum(np.add.reduceat(turn, first), axis=0)])
    offsets = line_offset + np.cumsum(np.add.reduceat(lift, first), axis=0)
    return _table(model, breakpoints, offsets + slopes[1:] * breakpoints[:, None], slopes)


def _table(model: Model, breakpoints: Array, values: Array, slopes: Array) -> PiecewiseLinear:
    values, slopes = values.astype(np.float64), slopes.astype(np.float64)
    if model.y_ndim == 1:
        values, slopes = values[:, 0], slopes[:, 0]
    return PiecewiseLinear(breakpoints, np.ascontiguousarray(values), np.ascontiguousarray(slopes))

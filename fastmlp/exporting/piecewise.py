"""The net of one input as what it is: a piecewise-linear curve with its breakpoints, values and slopes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array

if TYPE_CHECKING:
    from fastmlp.models.model import Model


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

    A unit contributes v act(w x + b). With act(z) = slope z + (1 - slope) max(z, 0) that is a straight line and a ramp,
    which begins at the kink and goes up to the right if w > 0 and to the left if w < 0. Only the ramps that have begun
    are summed: those of kinks far away are large, and would take digits with them when they are subtracted again.
    """
    if model.n_in != 1:
        raise ValueError(checks.wording("to_piecewise", "asked of a net of one input", f"{model.n_in} inputs"))
    # Sums over units in the longest type there is, for there may be many.
    w, b = (np.asarray(array, np.longdouble) for array in (model.w1[0], model.b1))
    v = np.asarray(model.w2, np.longdouble)
    ramp = (1 - np.longdouble(model.negative_slope)) * v
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        kinks = (-b / w).astype(np.float64) + 0.0  # never -0.0
    kinked = np.isfinite(kinks)
    # A unit whose kink is beyond float64, or that has none, is a line too: active everywhere or nowhere.
    line = model.negative_slope * v + np.where((~kinked & (b > 0))[:, None], ramp, 0)
    breakpoints, of_unit = np.unique(kinks[kinked], return_inverse=True)
    if not breakpoints.size:
        breakpoints = np.zeros(1)

    def sums(factor: Array) -> tuple[Array, Array]:
        """Return the sums of factor (n_hidden,) times ramp that are active at each breakpoint and in each piece."""
        rising, falling = np.zeros((2, len(breakpoints) + 1, model.n_out), np.longdouble)
        for begun, sign in ((rising, 1), (falling, -1)):
            np.add.at(begun, of_unit + (sign > 0), ((factor * (sign * w > 0))[:, None] * ramp)[kinked])
        from_left, from_right = np.cumsum(rising, axis=0), np.cumsum(falling[::-1], axis=0)[::-1]
        pieces = factor @ line + from_left + from_right
        return factor @ line + from_left[:-1] + from_right[1:], pieces

    slopes_at, slopes = sums(w)
    offsets_at, _ = sums(b)
    values = (offsets_at + slopes_at * breakpoints[:, None] + model.b2).astype(np.float64)
    slopes = slopes.astype(np.float64)
    if model.y_ndim == 1:
        values, slopes = values[:, 0], slopes[:, 0]
    return PiecewiseLinear(breakpoints, np.ascontiguousarray(values), np.ascontiguousarray(slopes))

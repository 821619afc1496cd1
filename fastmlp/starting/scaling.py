"""Standardised data: the maps between the units of the data and the coordinates of the training.

A network of standardised inputs and targets is a network of the data as given, with other weights. With
x' = (x - x_shift) / x_scale and y' = (y - y_shift) / y_scale::

    w1 = w1' / x_scale     b1 = b1' - x_shift w1     w2 = w2' y_scale     b2 = b2' y_scale + y_shift
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.summation import weighted_sum

FLOAT64 = np.dtype(np.float64)
CONSTANT_ULPS = 4  # by which the entries of a constant column may differ


@dataclass(frozen=True, eq=False)
class Standardization:
    """Shifts and scales of standardised inputs and targets.

    Attributes
    ----------
    x_shift, x_scale : ndarray of float64, shape (n_in,)
        Shift and scale of each input.
        The standardised inputs are ``(x - x_shift) / x_scale``.
    y_shift, y_scale : ndarray of float64, shape (n_out,)
        Shift and scale of each output.
        The standardised targets are ``(y - y_shift) / y_scale``.

    Examples
    --------
    >>> import fastmlp
    >>> info = fastmlp.fit([1.0, 3.0], [0.0, 8.0], hidden=5, epochs=10, rng=0, algorithm="reference").info
    >>> info.standardization.x_shift, info.standardization.y_scale
    (array([2.]), array([4.]))
    """

    x_shift: Array
    x_scale: Array
    y_shift: Array
    y_scale: Array

    def __post_init__(self) -> None:
        for array in self._arrays():
            array.flags.writeable = False

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__post_init__()  # unpickled arrays are writeable

    def _arrays(self) -> tuple[Array, ...]:
        return self.x_shift, self.x_scale, self.y_shift, self.y_scale

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Standardization):
            return NotImplemented
        return all(map(np.array_equal, self._arrays(), other._arrays()))

    def __hash__(self) -> int:
        return hash(tuple(array.tobytes() for array in self._arrays()))

    def inputs(self, x: Array) -> Array:
        """Return x (n_samples, n_in) in the coordinates of the training."""
        return np.asarray((x - self.x_shift) / self.x_scale)

    def targets(self, y: Array) -> Array:
        """Return y (n_samples, n_out) in the coordinates of the training."""
        return np.asarray((y - self.y_shift) / self.y_scale)

    def fold(self, weights: Weights, dtype: np.dtype[Any] = FLOAT64) -> Weights:
        """Return the weights that act on the data as given, computed in float64, and b1 in long double.

        The weights of several networks may be stacked along a first axis.
        """
        w1, b1, w2, b2 = (w.astype(np.float64, copy=False) for w in weights)
        w1 = w1 / self.x_scale[:, None]
        folded = w1, _with_shift(b1, -self.x_shift, w1), w2 * self.y_scale, b2 * self.y_scale + self.y_shift
        return Weights(*(array.astype(dtype, copy=False) for array in folded))

    def unfold(self, weights: Weights) -> Weights:
        """Return the weights that act on standardised data: the inverse of `fold`, in the same precision."""
        w1, b1, w2, b2 = (w.astype(np.float64, copy=False) for w in weights)
        trained_w1 = w1 * self.x_scale[:, None]
        trained_b1 = _with_shift(b1, self.x_shift, w1)
        return Weights(trained_w1, trained_b1, w2 / self.y_scale, (b2 - self.y_shift) / self.y_scale)


def identity(n_in: int, n_out: int) -> Standardization:
    """Return the maps that change nothing."""
    return Standardization(np.zeros(n_in), np.ones(n_in), np.zeros(n_out), np.ones(n_out))


def _with_shift(b1: Array, shift: Array, w1: Array) -> Array:
    """Return b1 + shift w1 in float64, summed in long double.

    Far from 0 the two nearly cancel. At an offset of 1e6 times the spread of x, sums in float64 changed the outputs of
    a start by 1e-10, and those in long double change them by 9e-14. Where long double is no wider than float64, as on
    Windows, the loss remains.
    """
    if not shift.any():
        return b1
    wide = b1 + weighted_sum(shift.astype(np.longdouble), w1.astype(np.longdouble))
    return np.asarray(wide.astype(np.float64))


def column_maps(
    columns: Array, sample_weight: Array, dtype: np.dtype[Any], *, shift: bool
) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """Return shift and scale to mean 0 and standard deviation 1 (ddof 0) of each column, and which are constant.

    The means are weighted. Columns that are not shifted, because there is no bias to undo it, are scaled to root mean
    square 1. A constant column is not scaled: its largest and smallest entry differ by at most 4 units in the last
    place of the dtype, as 0.3 and 0.1 + 0.2 do. Scaled to 1, such rounding would become data.
    """
    low, high = columns.min(axis=0), columns.max(axis=0)
    constant = high - low <= CONSTANT_ULPS * np.spacing(np.maximum(-low, high).astype(dtype)).astype(np.float64)
    mean = np.where(constant, columns[0], weighted_sum(sample_weight, columns)) if shift else np.zeros(columns.shape[1])
    centred = columns - mean
    # Squares of values above 1e154 overflow and below 1e-162 vanish, so the largest is taken out first.
    largest = np.abs(centred).max(axis=0)
    unit = np.where(largest > 0, largest, 1.0)
    scale = unit * np.sqrt(weighted_sum(sample_weight, (centred / unit) ** 2))
    return mean, np.where(constant | (scale == 0), 1.0, scale), constant

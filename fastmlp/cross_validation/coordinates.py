"""Standardised tables: those of the folds, each by its own training rows, and the one of all rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.net_batches.batch import TableRows
from fastmlp.starting.scaling import Standardization, standardization

ROUNDING = 16 * np.finfo(np.float64).eps  # a column whose range is smaller than this part of its size is constant


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The coordinates in which nets are trained on some rows.

    Attributes
    ----------
    maps : Standardization
        Shifts and scales of inputs and targets.
    x_factor : ndarray, shape (n_in,)
        What the standardised inputs are multiplied by; 0 for inputs that are constant.
    y_factor : ndarray, shape (n_out,)
        1, or 0 for targets that are constant, and for all if no input varies: a net's outputs are multiplied by it.
    y_range : ndarray, shape (n_out, 2)
        Smallest and largest target.
    total_weight : float
        The sum of the weights.
    """

    maps: Standardization
    x_factor: Array
    y_factor: Array
    y_range: Array
    total_weight: float

    def inputs(self, x: Array) -> Array:
        """Return x (n_rows, n_in) in these coordinates."""
        return np.asarray(self.maps.inputs(x) * self.x_factor)

    def table(self, x: Array, y: Array, weight: Array) -> TableRows:
        """Return rows in these coordinates, with weights of sum 1."""
        return TableRows(self.inputs(x), self.maps.targets(y) * self.y_factor, weight / weight.sum())

    def outputs(self, h2: Array) -> Array:
        """Return the outputs of a net (n_rows, n_out) in the units of y."""
        return np.asarray(h2 * (self.y_factor * self.maps.y_scale) + self.maps.y_shift)

    def fold(self, weights: Weights) -> Weights:
        """Return stacked weights as they act on the data as given."""
        w1, b1, w2, b2 = weights
        return self.maps.fold(Weights(w1 * self.x_factor[:, None], b1, w2 * self.y_factor, b2 * self.y_factor))

    def scaled(self, factor: Array) -> Coordinates:
        """Return coordinates in which each input is multiplied by a factor (n_in,)."""
        return Coordinates(self.maps, self.x_factor * factor, self.y_factor, self.y_range, self.total_weight)


def find_coordinates(x: Array, y: Array, weight: Array) -> Coordinates:
    """Return the coordinates of training rows: mean 0 and standard deviation 1, weighted."""
    maps = standardization(x, y, weight / weight.sum(), shift_inputs=True, shift_targets=True)
    y_range = np.stack([y.min(axis=0), y.max(axis=0)], axis=1)
    x_factor = _varies(x)
    return Coordinates(maps, x_factor, _varies(y) * x_factor.any(), y_range, float(weight.sum()))


def _varies(columns: Array) -> Array:
    """Return 1 for each column that varies by more than rounding, 0 for the others."""
    size = np.abs(columns).max(axis=0)
    # Halved, because the range of values near the largest float64 would overflow.
    half_range = columns.max(axis=0) / 2 - columns.min(axis=0) / 2
    return np.asarray(half_range > ROUNDING / 2 * size, np.float64)

"""Standardised tables: those of the folds, each by its own training rows, and the one of all rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.net_batches.batch import TableRows
from fastmlp.starting.scaling import FLOAT64, Standardization, column_maps


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
    shares = weight / weight.sum()
    x_shift, x_scale, constant_inputs = column_maps(x, shares, FLOAT64, shift=True)
    y_shift, y_scale, constant_targets = column_maps(y, shares, FLOAT64, shift=True)
    maps = Standardization(x_shift, x_scale, y_shift, y_scale)
    y_range = np.stack([y.min(axis=0), y.max(axis=0)], axis=1)
    is_learnable = ~constant_targets & ~constant_inputs.all()
    factors = (~constant_inputs).astype(np.float64), is_learnable.astype(np.float64)
    return Coordinates(maps, *factors, y_range, float(weight.sum()))

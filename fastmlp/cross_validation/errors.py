"""Errors of rows that the nets have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fastmlp.cross_validation.coordinates import Coordinates
from fastmlp.cross_validation.folds import Fold
from fastmlp.cross_validation.rows import Rows
from fastmlp.engines.engine import Array
from fastmlp.engines.summation import weighted_sum


@dataclass(frozen=True, eq=False)
class FoldErrors:
    """The targets of the folds, and how errors are measured.

    Attributes
    ----------
    y, weight : ndarray, shapes (n_tested, n_out) and (n_tested,)
        Targets and weights of the test rows of all folds, one fold after another. The weights sum to 1.
    limits : list of ndarray, shape (n_out, 2)
        What the predictions of each fold are clipped to; infinite without clipping.
    per_unit : ndarray, shape (n_out,)
        The factors of the errors of each output in the score: the inverse of its standard deviation, or 0 if it is
        constant.
    unit : float
        What the root of the score is multiplied by: the standard deviation of a single output, 1 for several.
    """

    y: Array
    weight: Array
    limits: list[Array]
    per_unit: Array
    unit: float

    def clipped(self, predictions: Sequence[Array]) -> Array:
        """Return the predictions of the test rows of each fold, clipped and concatenated."""
        pairs = zip(predictions, self.limits, strict=True)
        return np.concatenate([np.clip(outputs, low_high[:, 0], low_high[:, 1]) for outputs, low_high in pairs])

    def score(self, predictions: Sequence[Array]) -> tuple[float, float, float]:
        """Return the mean squared error in units of the variance, its root in units of y, and the latter's SE."""
        with np.errstate(over="ignore", invalid="ignore"):
            squares = (((self.clipped(predictions) - self.y) * self.per_unit) ** 2).sum(axis=1)
            squares /= max(1, np.count_nonzero(self.per_unit))
            mean = float(weighted_sum(self.weight, squares[:, None])[0])
            if not np.isfinite(mean):
                return np.inf, np.inf, np.inf
            variance = float(weighted_sum(self.weight, ((squares - mean) ** 2)[:, None])[0])
        root = float(np.sqrt(mean))
        error_of_mean = float(np.sqrt(variance / len(squares)))
        return mean, self.unit * root, self.unit * error_of_mean / (2 * root) if root > 0 else 0.0


def fold_errors(rows: Rows, folds: Sequence[Fold], coordinates: Sequence[Coordinates], clip: bool) -> FoldErrors:
    """Return the errors to measure; coordinates are those of all rows, then those within each fold."""
    all_rows, *within = coordinates
    tested = np.concatenate([fold.test for fold in folds])
    weight = rows.weight[tested]
    unlimited = np.tile([-np.inf, np.inf], (rows.y.shape[1], 1))
    y_scale = all_rows.maps.y_scale
    return FoldErrors(
        rows.y[tested],
        weight / weight.sum(),
        [own.y_range if clip else unlimited for own in within],
        all_rows.y_factor / y_scale,
        float(y_scale[0]) if y_scale.size == 1 else 1.0,
    )

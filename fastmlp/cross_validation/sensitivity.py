"""The sensitivity of nets to each input, and the factors of the second round that follow from it."""

from __future__ import annotations

import numpy as np

from fastmlp.cross_validation.coordinates import Coordinates
from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.net_batches.batch import TableRows, evaluate

SMALLEST = 0.001  # added, in parts of the largest sensitivity, so that no input is lost


def sensitivity(nets: Weights, table: TableRows, coordinates: Coordinates) -> Array:
    """Return the root mean square of the derivatives with respect to each input (n_in,), in standardised units.

    The mean is that over the rows of the table, weighted, over the outputs and over some stacked nets.
    """
    varying = nets._replace(w2=nets.w2 * coordinates.y_factor)
    _, squares = evaluate([table], varying, np.zeros(len(nets.b1), np.int64), is_sensitive=True)
    return np.asarray(np.sqrt(squares.mean(axis=0) / nets.b2.shape[1]))


def input_factors(sensitivities: Array, is_used: Array) -> Array:
    """Return the factors (n_in,) of the inputs: roots of the sensitivities, of root mean square 1 over the used inputs.

    The penalty of an input that is multiplied by a larger factor is smaller, since smaller weights do the same.
    """
    largest = float((sensitivities * is_used).max())
    if largest == 0.0:  # the nets are constant
        return np.ones(is_used.size)
    factors = np.sqrt(sensitivities / largest + SMALLEST) * is_used
    return np.asarray(factors / np.sqrt(np.mean(factors[is_used] ** 2)))

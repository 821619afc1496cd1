"""The sensitivity of nets to each input, and the factors of the second round that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.cross_validation.coordinates import Coordinates
from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.net_batches.batch import TableRows, evaluate

SMALLEST = 0.001  # added, in parts of the largest sensitivity, so that no input is lost


def sensitivities(
    nets: Sequence[Weights], tables: Sequence[TableRows], coordinates: Sequence[Coordinates]
) -> list[Array]:
    """Return the root mean square of the derivatives with respect to each input (n_in,), for stacks of nets.

    The mean of a stack is that over the rows of its table, weighted, over the outputs and over the nets. Inputs and
    outputs are standardised.
    """
    varying = [stack._replace(w2=stack.w2 * own.y_factor) for stack, own in zip(nets, coordinates, strict=True)]
    number = np.repeat(np.arange(len(nets)), [len(stack.b1) for stack in nets])
    joined = Weights(*(np.concatenate(parts) for parts in zip(*varying, strict=True)))
    _, squares = evaluate(tables, joined, number, is_sensitive=True)
    n_out = joined.b2.shape[1]
    return [np.asarray(np.sqrt(squares[number == k].mean(axis=0) / n_out)) for k in range(len(nets))]


def input_factors(sensitivity: Array, is_used: Array) -> Array:
    """Return the factors (n_in,) of the inputs: roots of the sensitivities, of root mean square 1 over the used inputs.

    The penalty of an input that is multiplied by a larger factor is smaller, since smaller weights do the same.
    """
    largest = float((sensitivity * is_used).max())
    if largest == 0.0:  # the nets are constant
        return np.ones(is_used.size)
    factors = np.sqrt(sensitivity / largest + SMALLEST) * is_used
    return np.asarray(factors / np.sqrt(np.mean(factors[is_used] ** 2)))

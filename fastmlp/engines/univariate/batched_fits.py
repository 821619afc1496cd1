"""Small nets on the same samples, trained by one call of a kernel. The samples are sorted and scaled only once.

The results are bitwise those of `Univariate` for each net that it trains by prefix sums from beginning to end: the
kernel is the same, and all other arithmetic is elementwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.engines.engine import Array, PiecewiseRate, Problem, Settings, Shape, Weights
from fastmlp.engines.univariate import choice
from fastmlp.engines.univariate.centring import centred_units, uncentred_weights
from fastmlp.engines.univariate.samples import sorted_samples
from fastmlp.engines.univariate.unit_by_unit import PrefixSums


def trains_by_prefix_sums(shape: Shape) -> bool:
    """Return whether nets of this shape are trained by prefix sums from beginning to end."""
    return choice.first_method(shape) is PrefixSums


@dataclass(frozen=True, eq=False)
class TrainedBatch:
    """Trained nets.

    Attributes
    ----------
    weights : Weights
        Stacked along a first axis.
    squared_error : ndarray, shape (n_nets, 2, n_out)
        Squared errors at the start and at the end.
    crossings : ndarray of int64, shape (n_nets,)
        Number of sign changes of a unit at a sample.
    is_finite : ndarray of bool, shape (n_nets,)
        Whether all errors are finite in the dtype. If not, the other entries of this net are undefined.
    method : str
        Name of the method.
    """

    weights: Weights
    squared_error: Array
    crossings: Array
    is_finite: Array
    method: str


def train_batch(problem: Problem, weights: Weights, settings: Settings, rates: Array, n_epochs: int) -> TrainedBatch:
    """Train nets by plain gradient descent.

    Parameters
    ----------
    problem : Problem
        Samples with one input.
    weights : Weights
        Initial weights, stacked: w1 (n_nets, 1, n_hidden), b1 (n_nets, n_hidden), w2 (n_nets, n_hidden, n_out),
        b2 (n_nets, n_out).
    settings : Settings
        Its rates only say which groups are trained; its schedule, if there is one, is a `PiecewiseRate`.
    rates : ndarray, shape (n_nets, 4)
        Learning rates of w1, b1, w2 and b2. A rate that is 0 for one net must be 0 for all.
    n_epochs : int
        Number of epochs.
    """
    dtype = problem.x.dtype
    samples = sorted_samples(problem, may_centre=settings.rates.b1 != 0)
    start = centred_units(samples, weights, dtype)
    method = PrefixSums(samples, start.units[0], start.code[0], start.b2[0], settings)
    pieces = settings.schedule if isinstance(settings.schedule, PiecewiseRate) else PiecewiseRate((0,), (1.0,))
    ends, crossings = method.train_each(start.units, start.code, start.b2, rates, pieces, n_epochs)
    trained = uncentred_weights(samples, start, dtype)
    with np.errstate(invalid="ignore"):
        is_finite = np.all(np.sqrt(ends[:, 2]) <= float(np.finfo(dtype).max), axis=1)
    return TrainedBatch(trained, ends[:, :2], crossings, is_finite, method.method)

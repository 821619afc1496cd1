"""Small nets on the same samples, trained one after the other without what each engine would prepare anew.

Bitwise what `Univariate` does with each net that it trains by prefix sums from beginning to end: the same kernel, and
elementwise arithmetic on all nets at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.engines.engine import Array, Problem, Settings, Shape, Weights
from fastmlp.engines.kinks import active_ranges
from fastmlp.engines.univariate import choice
from fastmlp.engines.univariate.codes import codes
from fastmlp.engines.univariate.engine import centred, uncentred
from fastmlp.engines.univariate.methods import PrefixSums
from fastmlp.engines.univariate.samples import sorted_samples


def is_for(shape: Shape) -> bool:
    """Return whether nets of this shape are trained by prefix sums from beginning to end."""
    return choice.first_method(shape) is PrefixSums


@dataclass(frozen=True, eq=False)
class Trained:
    """What became of n nets: their weights, stacked; by net the rest.

    squared_error (n, 2, n_out), at the start and at the end; crossings (n,); is_sound (n,): no error was too large for
    the dtype, else nothing here is meant.
    """

    weights: Weights
    squared_error: Array
    crossings: Array
    is_sound: Array
    method: str


def train_alike(problem: Problem, weights: Weights, settings: Settings, rates: Array, n_epochs: int) -> Trained:
    """Train nets by plain gradient descent.

    weights are stacked: w1 (n, 1, n_hidden), b1 (n, n_hidden), w2 (n, n_hidden, n_out), b2 (n, n_out). rates (n, 4) are
    of w1, b1, w2, b2, and one that is 0 for one net is 0 for all; those of settings say no more than this.
    """
    dtype = problem.x.dtype
    samples = sorted_samples(problem, may_centre=settings.rates.b1 != 0)
    w1, b1, w2, b2 = (np.asarray(w, dtype).astype(np.float64) for w in weights)
    code = codes(*active_ranges(samples.raw_x, w1.ravel(), b1.ravel()), samples.x.size)
    with np.errstate(over="ignore", invalid="ignore"):
        beta, rest = centred(samples, w1.ravel(), b1.ravel(), code)
    units = np.concatenate([w1, beta.reshape(b1.shape)[:, None], w2.transpose(0, 2, 1)], axis=1)
    code = code.reshape(b1.shape)
    method = PrefixSums(samples, units[0], code[0], b2[0], settings)
    ends, crossings = method.train_each(units, code, b2, rates, n_epochs)
    with np.errstate(over="ignore", invalid="ignore"):
        b1 = (uncentred(samples, units[:, 0].ravel(), units[:, 1].ravel()) + rest).reshape(b1.shape)
        trained = Weights(
            *(np.ascontiguousarray(w, dtype) for w in (units[:, :1], b1, units[:, 2:].transpose(0, 2, 1), b2))
        )
        is_sound = np.all(np.sqrt(ends[:, 2]) <= float(np.finfo(dtype).max), axis=1)
    return Trained(trained, ends[:, :2], crossings, is_sound, method.method)

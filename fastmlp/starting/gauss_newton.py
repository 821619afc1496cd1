"""Products of a vector with the Gauss-Newton matrix J^T S J of the objective.

J is the Jacobian of all outputs with respect to all parameters, and S holds the sample weights. Vectors have the shape
of the weights.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.kinks import active_ranges
from fastmlp.engines.reference import backward_hidden, hidden_forward

GaussNewton = Callable[[Weights], Weights]  # v -> J^T S J v

# Samples times units times inputs and outputs from which the compiled product is used. 1000 x 100 x 9 takes 0.33 ms
# compiled and 0.66 by NumPy, 20,000 x 1000 x 9 takes 51 and 1,600; on a busy machine the threads of BLAS wait for each
# other, and 10,000 x 32 x 5 took 140. Below, NumPy saves compiling a kernel (1.5 s).
COMPILED_WORK = 2**20


def gauss_newton(x: Array, sample_weight: Array, weights: Weights, negative_slope: float) -> GaussNewton:
    """Return the function that multiplies a vector by the matrix at these weights.

    Parameters
    ----------
    x : ndarray of float64, shape (n_samples, n_in)
        Inputs.
    sample_weight : ndarray of float64, shape (n_samples,)
        Weights of the samples.
    weights : Weights
        Where the matrix is taken.
    negative_slope : float
        Slope of the activation below 0.
    """
    if x.shape[1] == 1:
        return UnivariateProduct(x[:, 0], sample_weight, weights, negative_slope)
    if len(x) * weights.b1.size * (x.shape[1] + weights.b2.size) < COMPILED_WORK:
        return DirectProduct(x, sample_weight, weights, negative_slope)
    from fastmlp.engines.dense.gauss_newton import DenseProduct  # imports numba

    return DenseProduct(x, sample_weight, weights, negative_slope)


class DirectProduct:
    """The product for any number of inputs by NumPy: forward along v, times the sample weights, and backward."""

    def __init__(self, x: Array, sample_weight: Array, weights: Weights, negative_slope: float) -> None:
        self._x, self._sample_weight, self._w2 = x, sample_weight, weights.w2
        self._relu, _, self._slope = hidden_forward(x, weights.w1, weights.b1, negative_slope)

    def __call__(self, vector: Weights) -> Weights:
        """Return J^T S J v."""
        along = self._relu @ vector.w2 + ((self._x @ vector.w1 + vector.b1) * self._slope) @ self._w2 + vector.b2
        dh2 = self._sample_weight[:, None] * along
        dh1 = backward_hidden(dh2, self._slope, self._w2)
        return Weights(self._x.T @ dh1, dh1.sum(axis=0), self._relu.T @ dh2, dh2.sum(axis=0))


class UnivariateProduct:
    """The product for one input, from moments of the samples.

    Between two neighbouring kinks the outputs along v are linear in x, so the moments of the samples there suffice. A
    product takes O(n_hidden); the moments take O(n_samples log n_samples) once. Inputs are measured as
    t = (x - centre) / scale, because raw moments cancel if x is far from 0 and overflow if its square does.

    Each sum runs from its own side: units whose kinks lie left of an interval are summed from the left, the others from
    the right, and likewise the samples left and right of a kink. To subtract from a total would leave its rounding in
    small sums.
    """

    def __init__(self, x: Array, sample_weight: Array, weights: Weights, negative_slope: float) -> None:
        order = np.argsort(x, kind="stable")
        x, sample_weight = x[order], sample_weight[order]
        w1, b1 = weights.w1[0], weights.b1
        self._w2 = weights.w2
        self._centre = x[x.size // 2]
        self._scale = np.abs(x - self._centre).max() or 1.0
        self._w_t = (w1 * self._scale)[:, None]  # a unit's h1 is w_t t + b_t
        self._b_t = (b1 + w1 * self._centre)[:, None]

        is_rising = w1 > 0
        first, stop = active_ranges(x, w1, b1)
        kinks = np.where(is_rising, first, stop)
        edges, ends = np.unique(np.append(kinks, [0, x.size]), return_inverse=True)
        self._kink = ends[:-2]  # how many intervals between kinks lie left of each unit's
        self._right = np.where(is_rising, 1.0, negative_slope)[:, None]  # slope of the activation right of the kink
        self._left = np.where(is_rising, negative_slope, 1.0)[:, None]
        t = (x - self._centre) / self._scale
        powers = np.stack([sample_weight, sample_weight * t, sample_weight * t**2])
        self._moments = np.add.reduceat(powers, edges[:-1], axis=1)[:, :, None]

    def __call__(self, vector: Weights) -> Weights:
        """Return J^T S J v."""
        w1, b1, w2, b2 = vector
        dw_t, db_t = w1.T * self._scale, (b1 + w1[0] * self._centre)[:, None]
        slope = self._over_units(self._w_t * w2 + dw_t * self._w2)
        intercept = self._over_units(self._b_t * w2 + db_t * self._w2) + b2
        m0, m1, m2 = self._moments
        error = intercept * m0 + slope * m1
        error_t = intercept * m1 + slope * m2
        sum_, sum_t = self._over_samples(error), self._over_samples(error_t)
        db1 = (self._w2 * sum_).sum(axis=1)
        dw1 = self._scale * (self._w2 * sum_t).sum(axis=1) + self._centre * db1
        return Weights(dw1[None], db1, self._w_t * sum_t + self._b_t * sum_, error.sum(axis=0))

    def _over_units(self, terms: Array) -> Array:
        """Sum (n_hidden, n_out) terms over units, each times its slope in the interval: (n_intervals, n_out)."""
        right_of_kink, left_of_kink = (self._by_kink(terms * factor) for factor in (self._right, self._left))
        return np.asarray(right_of_kink.cumsum(axis=0)[:-1] + left_of_kink[::-1].cumsum(axis=0)[-2::-1])

    def _by_kink(self, terms: Array) -> Array:
        """Sum (n_hidden, n_out) terms over the units of each kink: (n_intervals + 1, n_out)."""
        n_kinks = self._moments.shape[1] + 1
        return np.stack([np.bincount(self._kink, term, n_kinks) for term in terms.T], axis=1)

    def _over_samples(self, terms: Array) -> Array:
        """Sum (n_intervals, n_out) terms over intervals, each times the unit's slope there: (n_hidden, n_out)."""
        zero = np.zeros((1, terms.shape[1]))
        left_of_kink = np.concatenate([zero, terms.cumsum(axis=0)])[self._kink]
        right_of_kink = np.concatenate([zero, terms[::-1].cumsum(axis=0)])[::-1][self._kink]
        return np.asarray(self._right * right_of_kink + self._left * left_of_kink)

"""Products of a vector with the Gauss-Newton matrix J^T S J of the objective.

J is the Jacobian of all outputs with respect to all parameters, and S holds the sample weights. Vectors have the shape
of the weights.
"""

from __future__ import annotations

import math
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
    from fastmlp.engines.dense.gauss_newton import DenseProduct  # kernels make the import slower

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
        # A unit's h1 is w_t t + b_t.
        self._lines = np.stack([w1 * self._scale, b1 + w1 * self._centre])[:, :, None]

        is_rising = w1 > 0
        first, stop = active_ranges(x, w1, b1)
        kinks = np.where(is_rising, first, stop)
        is_edge = np.zeros(x.size + 1, bool)  # np.unique takes 35 us
        is_edge[kinks] = is_edge[[0, -1]] = True
        edges = np.flatnonzero(is_edge)
        self._kink = is_edge.cumsum()[kinks] - 1  # how many intervals between kinks lie left of each unit's
        # Slopes of the activation right of the kink and left of it, (2, n_hidden, 1).
        self._slopes = np.where(np.stack([is_rising, ~is_rising]), 1.0, negative_slope)[:, :, None]
        t = (x - self._centre) / self._scale
        powers = np.stack([sample_weight, sample_weight * t, sample_weight * t**2])
        self._moments = np.add.reduceat(powers, edges[:-1], axis=1)[:, :, None]
        # Where `_over_units` counts what a unit adds: [right, left][slope, intercept][kink][output].
        n_out = weights.b2.size
        self._counts = 2, 2, edges.size, n_out
        kinds = np.arange(4).reshape(2, 2, 1, 1) * edges.size
        self._bins = ((kinds + self._kink[:, None]) * n_out + np.arange(n_out)).ravel()

    def __call__(self, vector: Weights) -> Weights:
        """Return J^T S J v."""
        w1, b1, w2, b2 = vector
        along = np.stack([w1[0] * self._scale, b1 + w1[0] * self._centre])[:, :, None]
        slope, intercept = self._over_units(self._lines * w2 + along * self._w2)
        errors = (intercept + b2) * self._moments[:2] + slope * self._moments[1:]  # e and e t
        sums = self._over_samples(errors)
        db1, dw_t = (self._w2 * sums).sum(axis=2)
        dw1 = self._scale * dw_t + self._centre * db1
        return Weights(dw1[None], db1, self._lines[0] * sums[1] + self._lines[1] * sums[0], errors[0].sum(axis=0))

    def _over_units(self, terms: Array) -> Array:
        """Sum (2, n_hidden, n_out) terms over units, each times its slope in the interval: (2, n_intervals, n_out)."""
        by_kink = np.bincount(self._bins, (self._slopes[:, None] * terms).ravel(), math.prod(self._counts))
        right_of_kink, left_of_kink = by_kink.reshape(self._counts)
        return np.asarray(right_of_kink.cumsum(axis=1)[:, :-1] + left_of_kink[:, ::-1].cumsum(axis=1)[:, -2::-1])

    def _over_samples(self, terms: Array) -> Array:
        """Sum (2, n_intervals, n_out) terms over intervals, each times the unit's slope there: (2, n_hidden, n_out)."""
        left_of_kink, right_of_kink = np.zeros((2, 2, terms.shape[1] + 1, terms.shape[2]))
        terms.cumsum(axis=1, out=left_of_kink[:, 1:])
        terms[:, ::-1].cumsum(axis=1, out=right_of_kink[:, -2::-1])
        right, left = self._slopes
        return np.asarray(right * right_of_kink[:, self._kink] + left * left_of_kink[:, self._kink])

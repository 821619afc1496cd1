"""The solve for the output layer from which L-BFGS starts, in one thread."""

from __future__ import annotations

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.memory import aligned_zeros, round_up
from fastmlp.engines.engine import Array, Problem, Weights
from fastmlp.engines.lstsq.kernels import gram
from fastmlp.engines.lstsq.kernels.layout import Penalty
from fastmlp.engines.lstsq.univariate import Stretched

MOST_COLUMNS, MOST_ENTRIES = 2000, 2**25  # of the smaller side of A, and of A, up to which a start is solved


def ridge_start(problem: Problem, weights: Weights, negative_slope: float, ridge: float, *, has_bias: bool) -> Weights:
    """Return weights whose w2 and b2 minimise the objective with a ridge, relative to the trace of A^T S A.

    A are the outputs of the hidden layer, and ones for b2, S the sample weights. Weights of a hidden layer too large
    for `MOST_ENTRIES`, or that overflows, are returned as they are.
    """
    n_hidden = weights.b1.size
    size = len(problem.x), n_hidden + has_bias
    if problem.x.shape[1] == 1:
        wide = Weights(*(np.asarray(w, np.float64) for w in weights))
        penalty = Penalty(ridge, float(has_bias), False, True)
        with np.errstate(all="ignore"):
            _, solution, _ = Stretched(problem, n_hidden, negative_slope).solved(wide, penalty)
        if solution is not None:
            return weights._replace(w2=solution.w2, b2=solution.b2)
    if min(size) > MOST_COLUMNS or size[0] * size[1] > MOST_ENTRIES:
        return weights
    v = _solved(problem, weights, negative_slope, ridge, has_bias=has_bias)
    if not np.isfinite(v).all():
        return weights
    return weights._replace(w2=v[:, :n_hidden].T.copy(), b2=v[:, n_hidden].copy() if has_bias else weights.b2)


def _solved(problem: Problem, weights: Weights, negative_slope: float, ridge: float, *, has_bias: bool) -> Array:
    """Return the solutions (n_out, n_hidden + has_bias), NaN if the hidden layer is 0 or overflows."""
    with np.errstate(all="ignore"):
        n_in, n_hidden = weights.w1.shape
        root = np.sqrt(problem.sample_weight, dtype=np.float64)
        samples = np.concatenate([problem.x, np.ones((len(root), 1))], axis=1) * root[:, None]
        units = np.zeros((n_in + 1, n_hidden + has_bias))  # b2 belongs to a unit that is 1 everywhere
        units[:n_in, :n_hidden], units[n_in, :n_hidden], units[n_in, n_hidden:] = weights.w1, weights.b1, 1.0
        target = np.ascontiguousarray((problem.y * root[:, None]).T, np.float64)
        n_units, n_out = units.shape[1], len(target)
        is_wide = len(root) < n_units
        rows, columns = (units.T, samples.T) if is_wide else (samples, units)
        extra = np.zeros((len(rows), 0)) if is_wide else target.T
        system = tuple(np.ascontiguousarray(array, np.float64) for array in (rows, columns, extra))
        right = target.copy() if is_wide else np.zeros((n_out, n_units))
        n_padded = round_up(right.shape[1] + n_out, gram.COLUMNS)
        scratch = aligned_zeros((gram.BLOCK_ROWS, n_padded)), aligned_zeros((n_padded, n_padded))
        arguments = system, float(negative_slope), ridge, right, scratch
        if not compiled(gram.solve, arguments)(*arguments):
            return np.full((n_out, n_units), np.nan)
        if not is_wide:
            return right
        products = np.zeros((n_out, n_units))
        factors = system, float(negative_slope), right, np.zeros(len(root)), products
        compiled(gram.multiply, factors)(*factors)
        return products


def compile_start() -> None:
    """Compile or load the kernels, so that later calls compile nothing."""
    for shape in ((1, 1), (1, 2), (3, 2)):  # one input; more units than samples; fewer
        problem = Problem(np.ones(shape), np.ones((shape[0], 1)), np.full(shape[0], 1 / shape[0]))
        net = Weights(np.ones((shape[1], 1)), np.ones(1), np.zeros((1, 1)), np.zeros(1))
        ridge_start(problem, net, 0.0, 1.0, has_bias=True)

"""Linear least squares for the output layer of a net: its weights w2 and its biases b2.

The columns of A are the outputs of the hidden units and, for b2, ones. With the sample weights s the objective is::

    1/2 sum_i s_i |(A v)_i - y_i|^2 + 1/2 sum_j decay_j |v_j|^2

A is reduced to a square matrix of its smaller side by QR, of which the singular values are found. The Gram matrix would
be faster, but its condition number is the square of that of A: 1e-8 of the solution would be rounding.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp.engines.engine import Array, Problem, Weights

SOLUTIONS = 3  # the second and the third solve for the residual that rounding left


class Decay(NamedTuple):
    """The weight decay of w2 and of b2."""

    w2: float
    b2: float


def solved_output_layer(
    problem: Problem, weights: Weights, negative_slope: float, decay: Decay, *, has_bias: bool
) -> Weights:
    """Return weights whose w2 and b2 minimise the objective.

    Where they are not unique, the change from the given ones has the smallest norm.
    """
    a, target = _weighted_system(problem, weights, negative_slope, has_bias=has_bias)
    if decay.w2 == 0:
        if decay.b2 and has_bias:  # as one more sample
            row = np.zeros((1, a.shape[1]))
            row[0, -1] = np.sqrt(decay.b2)
            a, target = np.concatenate([a, row]), np.concatenate([target, np.zeros((1, target.shape[1]))])
        v = _smallest_change(a, target, np.concatenate([weights.w2, weights.b2[None]])[: a.shape[1]])
    else:
        v = _ridge(a, target, decay, has_bias=has_bias)
    n_hidden = weights.b1.size
    b2 = v[n_hidden] if has_bias else np.zeros(target.shape[1])
    return weights._replace(w2=v[:n_hidden].copy(), b2=b2.copy())


def _weighted_system(
    problem: Problem, weights: Weights, negative_slope: float, *, has_bias: bool
) -> tuple[Array, Array]:
    """Return A (n_samples, n_hidden + has_bias) and y, both in float64 and times the roots of the sample weights."""
    n_hidden = weights.b1.size
    root = np.sqrt(problem.sample_weight.astype(np.float64))[:, None]
    a = np.empty((len(problem.x), n_hidden + has_bias))
    a[:, n_hidden:] = 1.0
    h1 = a[:, :n_hidden]
    np.matmul(problem.x.astype(np.float64, copy=False), weights.w1, out=h1)
    h1 += weights.b1
    if negative_slope:
        np.multiply(h1, negative_slope, out=h1, where=~(h1 > 0))
    else:
        np.maximum(h1, 0.0, out=h1)
    a *= root
    return a, root * problem.y.astype(np.float64, copy=False)


def _smallest_change(a: Array, target: Array, v: Array) -> Array:
    """Return a solution without penalty, the one next to v."""
    left, singular, right = _decomposed(a)
    keeps = singular > singular.max(initial=0.0) * max(a.shape) * np.finfo(float).eps
    gain = np.divide(1.0, singular, out=np.zeros_like(singular), where=keeps)[:, None]
    residual = target - a @ v
    for _ in range(SOLUTIONS):
        changed = v + right @ (gain * (left.T @ residual))
        changed_residual = target - a @ changed
        if not np.linalg.norm(changed_residual) < np.linalg.norm(residual):
            break
        v, residual = changed, changed_residual
    return v


def _ridge(a: Array, target: Array, decay: Decay, *, has_bias: bool) -> Array:
    """Return the solution with a penalty on w2, and on b2 if its decay is not 0."""
    scale = np.ones((a.shape[1], 1))
    bias = None
    if has_bias and decay.b2 == 0:  # take out what b2 can fit, then all that is left is penalised
        bias = a[:, -1:] / np.linalg.norm(a[:, -1])
        full, full_target = a, target
        a, target = a - bias * (bias.T @ a), target - bias * (bias.T @ target)
        a[:, -1] = 0.0
    elif has_bias:
        scale[-1] = np.sqrt(decay.w2 / decay.b2)
    left, singular, right = _decomposed(a * scale.T)
    v = scale * (right @ ((singular / (singular**2 + decay.w2))[:, None] * (left.T @ target)))
    if bias is not None:
        v[-1] = bias.T @ (full_target - full @ v) / np.linalg.norm(full[:, -1])
    return np.asarray(v)


def _decomposed(a: Array) -> tuple[Array, Array, Array]:
    """Return U, s and V of the thin singular value decomposition a = U diag(s) V^T, by QR of the larger side first."""
    if len(a) < a.shape[1]:
        q, r = np.linalg.qr(a.T)
        right, singular, left_t = np.linalg.svd(r, full_matrices=False)
        return left_t.T, singular, q @ right
    q, r = np.linalg.qr(a)
    left, singular, right_t = np.linalg.svd(r, full_matrices=False)
    return q @ left, singular, right_t.T

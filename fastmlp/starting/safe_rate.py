"""A base rate that mini-batches and new samples do not make too large.

1 / lambda_max is a safe rate for the gradient of all samples. The gradient of a random batch of B of n samples has, at
the worst, the smoothness L(B) between lambda_max (B = n) and the largest of a single sample, L_max (B = 1)::

    L(B) = n (B - 1) / (B (n - 1)) lambda_max + (n - B) / (B (n - 1)) L_max

L_max is bounded by the largest |J_i|^2, where J_i is the Jacobian of the outputs at a sample::

    |J_i|^2 <= |act(h1_i)|^2 + 1 + |act'(h1_i) w2|^2 (|x_i|^2 + 1)

Expected smoothness: R. M. Gower et al., "SGD: general analysis and improved rates", ICML 2019.
"""

from __future__ import annotations

import hashlib

import numpy as np

from fastmlp.checks import Samples
from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.reference import hidden_forward
from fastmlp.starting.architecture import Architecture

SAFETY = 0.5  # of 1 / L(B): the weights of a network move, and L(B) with them
_BLOCK = 2**22  # entries of a (samples, units) block: 32 MiB


def batch_rate(rate: float, batch_size: int | None, x: Array, weights: Weights, architecture: Architecture) -> float:
    """Return a base rate for mini-batches.

    Parameters
    ----------
    rate : float
        1 / lambda_max for all samples.
    batch_size : int or None
        Samples in a batch; None for all samples at once, for which the rate stays as it is.
    x : ndarray of shape (n_samples, n_in)
        Inputs, in the coordinates trained in.
    weights : Weights
        Initial weights, in the same coordinates.
    architecture : Architecture
        The form of the network.
    """
    if batch_size is None:
        return rate
    n, size = len(x), batch_size
    with np.errstate(over="ignore", invalid="ignore"):
        of_all, of_single = n * (size - 1) / (size * (n - 1)), (n - size) / (size * (n - 1))
        smoothness = of_all / rate + of_single * largest_sample_norm(x, weights, architecture)
    # 24 bits, as 1 / lambda_max itself: the last bits depend on BLAS.
    return float(np.float32(SAFETY / smoothness)) if 0 < smoothness < np.inf else rate


def largest_sample_norm(x: Array, weights: Weights, architecture: Architecture) -> float:
    """Return the largest bound of |J_i|^2 over the samples."""
    n_rows = max(1, _BLOCK // weights.b1.size)
    squared_w2 = (weights.w2**2).sum(axis=1)
    largest = 0.0
    for first in range(0, len(x), n_rows):
        rows = x[first : first + n_rows]
        relu, _, slope = hidden_forward(rows, weights.w1, weights.b1, architecture.negative_slope)
        of_second = (relu**2).sum(axis=1) + architecture.output_bias
        of_first = (slope**2 @ squared_w2) * ((rows**2).sum(axis=1) + architecture.hidden_bias)
        largest = max(largest, float((of_second + of_first).max()))
    return largest


def data_digest(data: Samples, batch_size: int | None) -> str:
    """Return a hash of samples and batch size, by which a fit that goes on recognises them."""
    known = hashlib.blake2b(repr((data.x.shape, data.y.shape, batch_size)).encode(), digest_size=16)
    for array in (data.x, data.y, data.sample_weight):
        known.update(np.ascontiguousarray(array).data)
    return known.hexdigest()

"""The report's training loop in NumPy, for timings and comparisons. This module is imported, not run.

Both loops train on [x, 1] (n_samples, n_in + 1) and y (n_samples, 1), starting from w1 (n_in + 1, n_hidden) and w2
(n_hidden, 1). All arrays have the same dtype, and none is changed. The loops return the RMSE before each update. The
importing script sets the number of BLAS threads.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

import fastmlp

FloatArray = npt.NDArray[np.float64]
Loop = Callable[[FloatArray, FloatArray, FloatArray, FloatArray, float, int], FloatArray]


def report_loop(x: FloatArray, y: FloatArray, w1: FloatArray, w2: FloatArray, lr: float, epochs: int) -> FloatArray:
    """Train as the report does, with new arrays in every epoch."""
    n_samples, w1, w2 = len(x), w1.copy(), w2.copy()
    rmse = np.empty(epochs)
    for epoch in range(epochs):
        h = x @ w1
        r = np.maximum(h, 0)
        d = r @ w2 - y
        rmse[epoch] = np.sqrt(np.mean(d * d))
        g2 = r.T @ d / n_samples
        gh = (d @ w2.T) * (h > 0)
        g1 = x.T @ gh / n_samples
        w1 -= lr * g1
        w2 -= lr * g2
    return rmse


def preallocated_loop(
    x: FloatArray, y: FloatArray, w1: FloatArray, w2: FloatArray, lr: float, epochs: int
) -> FloatArray:
    """Train bitwise as `report_loop`, with preallocated (n_samples, n_hidden) arrays."""
    n_samples, w1, w2 = len(x), w1.copy(), w2.copy()
    r, gh = np.empty((2, n_samples, w1.shape[1]), x.dtype)
    active = np.empty(r.shape, dtype=bool)
    rmse = np.empty(epochs)
    for epoch in range(epochs):
        np.matmul(x, w1, out=r)
        np.maximum(r, 0, out=r)
        d = r @ w2 - y
        rmse[epoch] = np.sqrt(np.mean(d * d))
        g2 = r.T @ d / n_samples
        np.multiply(d, w2.T, out=gh)  # the matrix product for one output, faster than with BLAS
        np.multiply(gh, np.greater(r, 0, out=active), out=gh)
        g1 = x.T @ gh / n_samples
        w1 -= lr * g1
        w2 -= lr * g2
    return rmse


def draw_start(hidden: int, std: float, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw w1 (2, hidden) and w2 (hidden, 1) from a normal distribution, as the report does."""
    return std * rng.standard_normal((2, hidden)), std * rng.standard_normal((hidden, 1))


def seconds_per_epoch(loop: Loop, x: FloatArray, y: FloatArray, hidden: int, epochs: int) -> float:
    """Time a loop once on samples x and y (n_samples,), from any weights."""
    w1, w2 = draw_start(hidden, 0.3, np.random.default_rng(0))
    inputs, targets = np.column_stack([x, np.ones_like(x)]), y[:, None]
    start = time.perf_counter()
    loop(inputs, targets, w1, w2, 1e-5, epochs)
    return (time.perf_counter() - start) / epochs


def difference_from_fastmlp(loop: Loop, x: FloatArray, y: FloatArray, hidden: int, epochs: int) -> float:
    """Return the largest relative difference between the RMSE curves of a loop and of fastmlp from the same start."""
    w1, w2 = draw_start(hidden, 0.3, np.random.default_rng(0))
    inputs, targets = np.column_stack([x, np.ones_like(x)]), y[:, None]
    expected = loop(inputs, targets, w1, w2, 1e-5, epochs)
    init = (w1[:1], w1[1], w2, np.zeros(1))
    model = fastmlp.fit(x, y, init=init, epochs=epochs, lr=1e-5, output_bias=False, progress=False)
    return float(np.max(np.abs(model.history.rmse[:-1] / expected - 1)))

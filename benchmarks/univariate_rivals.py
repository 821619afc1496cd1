"""What fastmlp is timed against: the report's NumPy loop, one that allocates nothing large, and JAX where installed.

All are loops as in `scripts/numpy_loop.py`: they train [x, 1] on y and return the RMSE before each update.
"""

from __future__ import annotations

from functools import cache, partial
from importlib.util import find_spec

import numpy as np
from numpy_loop import FloatArray, Loop, preallocated_loop, report_loop

REPORT, PREALLOCATED, JAX = "NumPy, the report's loop", "NumPy, preallocated", "JAX, both cores"


def rivals(negative_slope: float) -> dict[str, Loop]:
    """Return the loops by name; JAX is left out where it is not installed."""
    loops: dict[str, Loop] = {REPORT: report_loop, PREALLOCATED: preallocated_loop}
    if negative_slope != 0:
        loops = {
            REPORT: partial(leaky_loop, negative_slope),
            PREALLOCATED: partial(preallocated_leaky_loop, negative_slope),
        }
    return loops | ({JAX: jax_loop(negative_slope)} if find_spec("jax") else {})


def leaky_loop(
    negative_slope: float, x: FloatArray, y: FloatArray, w1: FloatArray, w2: FloatArray, lr: float, epochs: int
) -> FloatArray:
    """Train as `report_loop` with a slope below 0."""
    n_samples, w1, w2 = len(x), w1.copy(), w2.copy()
    rmse = np.empty(epochs)
    for epoch in range(epochs):
        h = x @ w1
        slope = np.where(h > 0, 1.0, negative_slope)
        r = h * slope
        d = r @ w2 - y
        rmse[epoch] = np.sqrt(np.mean(d * d))
        g2 = r.T @ d / n_samples
        gh = (d @ w2.T) * slope
        g1 = x.T @ gh / n_samples
        w1 -= lr * g1
        w2 -= lr * g2
    return rmse


def preallocated_leaky_loop(
    negative_slope: float, x: FloatArray, y: FloatArray, w1: FloatArray, w2: FloatArray, lr: float, epochs: int
) -> FloatArray:
    """Do the arithmetic of `leaky_loop` in buffers for the (n_samples, n_hidden) arrays."""
    n_samples, w1, w2 = len(x), w1.copy(), w2.copy()
    r, slope, gh = np.empty((3, n_samples, w1.shape[1]))
    active = np.empty(r.shape, dtype=bool)
    rmse = np.empty(epochs)
    for epoch in range(epochs):
        np.matmul(x, w1, out=r)
        slope[...] = negative_slope
        np.copyto(slope, 1.0, where=np.greater(r, 0, out=active))
        np.multiply(r, slope, out=r)
        d = r @ w2 - y
        rmse[epoch] = np.sqrt(np.mean(d * d))
        g2 = r.T @ d / n_samples
        np.multiply(d, w2.T, out=gh)
        np.multiply(gh, slope, out=gh)
        g1 = x.T @ gh / n_samples
        w1 -= lr * g1
        w2 -= lr * g2
    return rmse


@cache
def jax_loop(negative_slope: float) -> Loop:
    """Return the loop as a jitted scan over value_and_grad; it compiles anew for each number of epochs."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    @partial(jax.jit, static_argnames="epochs")
    def train(x, y, weights, lr, epochs):  # type: ignore[no-untyped-def]
        def loss(weights):  # type: ignore[no-untyped-def]
            h = x @ weights[0]
            return jnp.mean((jnp.where(h > 0, h, negative_slope * h) @ weights[1] - y) ** 2) / 2

        def update(weights, _):  # type: ignore[no-untyped-def]
            value, gradient = jax.value_and_grad(loss)(weights)
            return jax.tree.map(lambda w, g: w - lr * g, weights, gradient), jnp.sqrt(2 * value)

        return jax.lax.scan(update, weights, length=epochs)[1]

    def loop(x: FloatArray, y: FloatArray, w1: FloatArray, w2: FloatArray, lr: float, epochs: int) -> FloatArray:
        return np.asarray(train(x, y, (w1, w2), lr, epochs))

    return loop

"""Arrays as the kernels take them, aligned to cache lines and padded to whole vectors; sums of what parts computed."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from fastmlp.compiled.memory import aligned_zeros, round_up
from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.engine import Array, Weights


def padded(array: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a copy of an array in the first corner of a larger one of zeros."""
    larger = aligned_zeros(shape, dtype)
    larger[tuple(slice(size) for size in array.shape)] = array
    return larger


def packed_panels(weights: Weights, n_in: int, units: int, dtype: np.dtype[Any]) -> Array:
    """Return w1, b1 and w2 as `ManyInputs` takes them: (n_panels, n_in + 1 + n_out, units), padded with zeros."""
    n_hidden = weights.b1.size
    rows = np.zeros((n_in + 1 + weights.b2.size, round_up(n_hidden, units)), dtype)
    rows[: len(weights.w1), :n_hidden] = weights.w1
    rows[n_in, :n_hidden] = weights.b1
    rows[n_in + 1 :, :n_hidden] = weights.w2.T
    panels = rows.reshape(len(rows), -1, units).swapaxes(0, 1)
    return padded(panels, panels.shape, dtype)


def unpacked_panels(panels: Array, b2: Array, n_in: int, n_hidden: int) -> Weights:
    """Return copies of the weights of a net with n_in inputs, which the panels hold, and of b2 (n_out,)."""
    rows = panels.swapaxes(0, 1).reshape(panels.shape[1], -1)[:, :n_hidden]
    n_padded = len(rows) - 1 - b2.size
    return Weights(rows[:n_in].copy(), rows[n_padded].copy(), rows[n_padded + 1 :].T.copy(), b2.copy())


def sum_of_parts(by_part: Array) -> Array:
    """Return the sum over the first axis, added one by one: the order of NumPy's sum depends on the shape."""
    return functools.reduce(np.add, by_part)


def broadcast_to_lanes(b2: Array, dtype: np.dtype[Any]) -> Array:
    """Return the output biases (n_out,) as the kernels take them: (n_out, lanes), the same in every lane."""
    repeated = np.repeat(b2[:, None], n_lanes(dtype), axis=1)
    return padded(repeated, repeated.shape, dtype)

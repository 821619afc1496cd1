"""The network and its gradient descent in plain NumPy: the oracle of the tests and a baseline of the benchmarks.

It is written to be read beside the report's formulas, not to be fast. `Model` evaluates a net with the same functions.

===============  ====================================================================================
second layer     dL/dw2 = relu(h1)^T dL/dh2,  dL/db2 = sum dL/dh2,  dL/drelu = dL/dh2 w2^T
ReLU mask        dL/dh1 = dL/drelu * (h1 > 0), strictly greater; leaky: the slope elsewhere
first layer      dL/dw1 = x^T dL/dh1,  dL/db1 = sum dL/dh1,  dL/dx = dL/dh1 w1^T
update           w <- w - lr * dL/dw, all parameters at once
===============  ====================================================================================

The error signal dL/dh2 = s_i (h2 - y) carries the sample weights s_i, which sum to 1 (1 / n_samples by default).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastmlp.engine import Array, Problem, Rates, Record, Shape, Status, Weights


class Forward(NamedTuple):
    """One forward pass: relu, active and slope (n_samples, n_hidden), h2 (n_samples, n_out)."""

    relu: Array
    active: Array
    slope: Array
    h2: Array


def hidden_forward(x: Array, w1: Array, b1: Array, negative_slope: float) -> tuple[Array, Array, Array]:
    """Return act(h1), its mask h1 > 0 and its derivative, all (n_samples, n_hidden), for h1 = x w1 + b1.

    The mask is decided as ``x w1 > -b1``: with one input that is one rounding, so that every engine puts a kink that
    lies exactly on a sample on the same side, whether or not its compiler contracts x w1 + b1 to one operation.
    """
    product = x @ w1
    active = product > -b1
    slope = np.where(active, product.dtype.type(1), product.dtype.type(negative_slope))
    return (product + b1) * slope, active, slope


def forward(x: Array, weights: Weights, negative_slope: float) -> Forward:
    """Evaluate the net at x (n_samples, n_in)."""
    relu, active, slope = hidden_forward(x, weights.w1, weights.b1, negative_slope)
    return Forward(relu, active, slope, relu @ weights.w2 + weights.b2)


def backward_hidden(dh2: Array, slope: Array, w2: Array) -> Array:
    """Return dL/dh1 (n_samples, n_hidden): the error signal through the second layer and the ReLU mask."""
    return (dh2 @ w2.T) * slope


def gradients(x: Array, dh2: Array, passed: Forward, weights: Weights) -> tuple[Weights, Array]:
    """Return dL/d(w1, b1, w2, b2) and dL/dx (n_samples, n_in) from the error signal dh2 (n_samples, n_out)."""
    dw2 = passed.relu.T @ dh2
    db2 = dh2.sum(axis=0)
    dh1 = backward_hidden(dh2, passed.slope, weights.w2)
    dw1 = x.T @ dh1
    db1 = dh1.sum(axis=0)
    return Weights(dw1, db1, dw2, db2), dh1 @ weights.w1.T


def squared_error(error: Array, sample_weight: Array) -> Array:
    """Return the weighted mean of the squared error (n_samples, n_out) over samples, per output, in float64."""
    wide = error.astype(np.float64)
    return sample_weight.astype(np.float64) @ (wide * wide)


class ReferenceEngine:
    """Gradient descent in plain NumPy behind the seam of `fastmlp.engine`."""

    method = "NumPy"
    counts_crossings = True
    live_units = None

    def __init__(self, problem: Problem, weights: Weights, rates: Rates, negative_slope: float) -> None:
        dtype = problem.x.dtype
        self._problem = problem
        self._rates = [dtype.type(rate) for rate in rates]
        self._negative_slope = negative_slope
        self._weights = Weights(*(w.astype(dtype) for w in weights))
        self._passed = self._forward()
        self._crossings = 0

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any]) -> None:
        """Do nothing: NumPy is compiled."""

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engine.Engine.advance` says."""
        x, y, s = self._problem.x, self._problem.y, self._problem.sample_weight
        with np.errstate(over="ignore", invalid="ignore"):
            error = self._passed.h2 - y
            record.squared_error[0] = squared_error(error, s)
            record.crossings[0] = self._crossings
            for epoch in range(n_epochs):
                grads, _ = gradients(x, s[:, None] * error, self._passed, self._weights)
                self._weights = Weights(
                    *(w - rate * dw for w, rate, dw in zip(self._weights, self._rates, grads, strict=True))
                )
                was_active = self._passed.active
                self._passed = self._forward()
                self._crossings += int(np.count_nonzero(self._passed.active != was_active))
                error = self._passed.h2 - y
                record.squared_error[epoch + 1] = squared_error(error, s)
                record.crossings[epoch + 1] = self._crossings
                if not np.isfinite(record.squared_error[epoch + 1]).all():
                    return epoch, Status.DIVERGED
        return n_epochs, Status.TRAINED

    def weights(self) -> Weights:
        """Return copies of the weights."""
        return Weights(*(w.copy() for w in self._weights))

    def state(self) -> Mapping[str, Array]:
        """Return the weights by name and the crossings: NumPy recomputes the rest bitwise."""
        return self.weights()._asdict() | {"crossings": np.array(self._crossings)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        self._weights = Weights(*(state[name].copy() for name in Weights._fields))
        self._passed = self._forward()
        self._crossings = int(state["crossings"])

    def _forward(self) -> Forward:
        with np.errstate(over="ignore", invalid="ignore"):
            return forward(self._problem.x, self._weights, self._negative_slope)

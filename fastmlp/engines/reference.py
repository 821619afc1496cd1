"""The network and its gradient descent in plain NumPy: the oracle of the tests and a baseline of the benchmarks.

It is written to be read beside the report's formulas, not to be fast. `Model` evaluates a net with the same functions.

===============  ====================================================================================
second layer     dL/dw2 = relu(h1)^T dL/dh2,  dL/db2 = sum dL/dh2,  dL/drelu = dL/dh2 w2^T
ReLU mask        dL/dh1 = dL/drelu * (h1 > 0), strictly greater; leaky: the slope elsewhere
first layer      dL/dw1 = x^T dL/dh1,  dL/db1 = sum dL/dh1,  dL/dx = dL/dh1 w1^T
update           w <- w - lr * dL/dw, all parameters at once
===============  ====================================================================================

The error signal dL/dh2 = s_i (h2 - y) carries the sample weights s_i, which sum to 1 (1 / n_samples by default). With
momentum, weight decay, Adam or mini-batches the update is another: `descended` and `ReferenceEngine` have them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastmlp.engines.adam import BETA1, BETA2, EPSILON
from fastmlp.engines.engine import (
    Array,
    Problem,
    Rates,
    Record,
    Settings,
    Shape,
    Status,
    Weights,
)


class Forward(NamedTuple):
    """One forward pass: relu, active and slope (n_samples, n_hidden), h2 (n_samples, n_out)."""

    relu: Array
    active: Array
    slope: Array
    h2: Array


class Memory(NamedTuple):
    """What an optimiser remembers of each parameter: the velocity, or for Adam the mean gradient and its square."""

    first: Weights
    second: Weights


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


def descended(
    weights: Weights, grads: Weights, memory: Memory, rates: Rates, settings: Settings, step: int
) -> tuple[Weights, Memory]:
    """Return the weights and what the optimiser remembers after an update, the step-th from 1 on.

    torch.optim.SGD and torch.optim.Adam, with L2 decay in the gradient. Groups of rate 0 stay as they are.
    """
    updated, first, second = [], [], []
    for w, dw, m, v, group_rate in zip(weights, grads, memory.first, memory.second, rates, strict=True):
        rate = w.dtype.type(group_rate)
        gradient = dw + w.dtype.type(settings.weight_decay) * w
        if settings.optimizer == "adam":
            m = w.dtype.type(BETA1) * m + w.dtype.type(1 - BETA1) * gradient
            v = w.dtype.type(BETA2) * v + w.dtype.type(1 - BETA2) * gradient * gradient
            size = np.sqrt(v) / w.dtype.type(np.sqrt(1 - BETA2**step)) + w.dtype.type(EPSILON)
            change = m / (w.dtype.type(1 - BETA1**step) * size)
        else:
            m = w.dtype.type(settings.momentum) * m + gradient
            change = gradient + w.dtype.type(settings.momentum) * m if settings.nesterov else m
        updated.append(w - rate * change if rate else w)
        first.append(m)
        second.append(v)
    return Weights(*updated), Memory(Weights(*first), Weights(*second))


class ReferenceEngine:
    """Gradient descent in plain NumPy behind the seam of `fastmlp.engines.engine`."""

    method = "NumPy"
    live_units = None

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        self._problem = problem
        self._settings = settings
        self._weights = Weights(*(w.astype(problem.x.dtype) for w in weights))
        nothing = Weights(*(np.zeros_like(w) for w in self._weights))
        self._memory = Memory(nothing, nothing)
        self._passed = self._forward()
        self._epoch = 0
        self._step = 0
        self._crossings = 0
        # Between two batches nobody looks at the other samples.
        self.counts_crossings = settings.batch_size is None

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Do nothing: NumPy is compiled."""

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engines.engine.Engine.advance` says."""
        y, s = self._problem.y, self._problem.sample_weight
        factors = self._settings.factors(self._epoch, n_epochs)
        with np.errstate(over="ignore", invalid="ignore"):
            record.squared_error[0] = squared_error(self._passed.h2 - y, s)
            record.crossings[0] = self._crossings
            for epoch in range(n_epochs):
                was_active = self._passed.active
                self._train_epoch(factors[epoch])
                if self.counts_crossings:
                    self._crossings += int(np.count_nonzero(self._passed.active != was_active))
                record.squared_error[epoch + 1] = squared_error(self._passed.h2 - y, s)
                record.crossings[epoch + 1] = self._crossings
                if not np.isfinite(record.squared_error[epoch + 1]).all():
                    return epoch, Status.DIVERGED
        return n_epochs, Status.TRAINED

    def _train_epoch(self, factor: float) -> None:
        x, y, s = self._problem.x, self._problem.y, self._problem.sample_weight
        if self._settings.batch_size is None:
            self._update(x, s[:, None] * (self._passed.h2 - y), self._passed, factor)
        else:
            for batch in self._settings.batches(self._epoch, len(x)):
                passed = forward(x[batch], self._weights, self._settings.negative_slope)
                weight = s[batch, None] / s[batch].sum()
                self._update(x[batch], weight * (passed.h2 - y[batch]), passed, factor)
        self._passed = self._forward()
        self._epoch += 1

    def _update(self, x: Array, dh2: Array, passed: Forward, factor: float) -> None:
        grads, _ = gradients(x, dh2, passed, self._weights)
        rates = Rates(*(rate * factor for rate in self._settings.rates))
        self._step += 1
        self._weights, self._memory = descended(self._weights, grads, self._memory, rates, self._settings, self._step)

    def weights(self) -> Weights:
        """Return copies of the weights."""
        return Weights(*(w.copy() for w in self._weights))

    def state(self) -> Mapping[str, Array]:
        """Return the weights, what the optimiser remembers, and the counts: NumPy recomputes the rest bitwise."""
        named = self.weights()._asdict()
        for name, kept in (("first", self._memory.first), ("second", self._memory.second)):
            named |= {f"{name}_{field}": array.copy() for field, array in kept._asdict().items()}
        return named | {"counts": np.array([self._epoch, self._step, self._crossings])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        self._weights = Weights(*(state[name].copy() for name in Weights._fields))
        self._memory = Memory(
            *(Weights(*(state[f"{name}_{field}"].copy() for field in Weights._fields)) for name in Memory._fields)
        )
        self._passed = self._forward()
        self._epoch, self._step, self._crossings = (int(count) for count in state["counts"])

    def _forward(self) -> Forward:
        with np.errstate(over="ignore", invalid="ignore"):
            return forward(self._problem.x, self._weights, self._settings.negative_slope)

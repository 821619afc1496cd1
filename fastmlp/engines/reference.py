"""Gradient descent on a two-layer ReLU network in plain NumPy: the definition of what every engine computes.

The tests compare the other engines with this one, and the benchmarks use it as a baseline. It is written to be read
beside the formulas, not to be fast. Nets are evaluated with its functions too. The weights are w1 (n_in, n_hidden), b1
(n_hidden,), w2 (n_hidden, n_out) and b2 (n_out,); the samples are x (n_samples, n_in) and y (n_samples, n_out) with
sample weights s (n_samples,) that sum to 1, 1 / n_samples each by default.

=================  ==================================================================================================
forward            h1 = x w1 + b1,  h2 = act(h1) w2 + b2,  with act(z) = z if z > 0 else negative_slope * z
objective          L = 1/2 sum_i s_i |h2_i - y_i|^2
error signal       dL/dh2 = s (h2 - y)
second layer       dL/dw2 = act(h1)^T dL/dh2,  dL/db2 = sum_i dL/dh2,  dL/dact = dL/dh2 w2^T
activation         dL/dh1 = dL/dact act'(h1),  with act'(z) = 1 if z > 0 else negative_slope
first layer        dL/dw1 = x^T dL/dh1,  dL/db1 = sum_i dL/dh1,  dL/dx = dL/dh1 w1^T
gradient descent   w <- w - rate * dL/dw, all weights at once, from the same forward pass
=================  ==================================================================================================

`update` adds momentum, weight decay and Adam; `ReferenceEngine` adds mini-batches and schedules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fastmlp.engines.adam import BETA1, BETA2, EPSILON
from fastmlp.engines.engine import Array, Memory, Problem, Rates, Record, Settings, Shape, Status, Weights


class Forward(NamedTuple):
    """A forward pass.

    relu is act(h1), active is h1 > 0 and slope is act'(h1), all (n_samples, n_hidden); h2 is (n_samples, n_out).
    """

    relu: Array
    active: Array
    slope: Array
    h2: Array


class Moments(NamedTuple):
    """The moments of every weight: for SGD m is the velocity, for Adam m and v are the means of g and of g^2."""

    m: Weights
    v: Weights


def hidden_forward(x: Array, w1: Array, b1: Array, negative_slope: float) -> tuple[Array, Array, Array]:
    """Return act(h1), h1 > 0 and act'(h1) for h1 = x w1 + b1, all (n_samples, n_hidden).

    h1 > 0 is computed as ``x w1 > -b1``. With one input that rounds once, so all engines agree on a kink that lies
    exactly on a sample, whether or not a compiler contracts x w1 + b1 to one operation. They agree for the same w1 and
    b1: updates by two engines differ by rounding, so a kink on a sample may afterwards lie on either side of it.
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
    """Return dL/dh1 (n_samples, n_hidden) from dL/dh2 (n_samples, n_out)."""
    return (dh2 @ w2.T) * slope


def gradients(x: Array, dh2: Array, forward_pass: Forward, weights: Weights) -> tuple[Weights, Array]:
    """Return dL/d(w1, b1, w2, b2) and dL/dx (n_samples, n_in) from dL/dh2 (n_samples, n_out) and the forward pass."""
    dw2 = forward_pass.relu.T @ dh2
    db2 = dh2.sum(axis=0)
    dh1 = backward_hidden(dh2, forward_pass.slope, weights.w2)
    dw1 = x.T @ dh1
    db1 = dh1.sum(axis=0)
    return Weights(dw1, db1, dw2, db2), dh1 @ weights.w1.T


def squared_error(error: Array, sample_weight: Array) -> Array:
    """Return the weighted mean over samples of the squared error (n_samples, n_out), for each output, in float64."""
    wide = error.astype(np.float64)
    return sample_weight.astype(np.float64) @ (wide * wide)


def update(
    weights: Weights, grads: Weights, moments: Moments, rates: Rates, settings: Settings, t: int
) -> tuple[Weights, Moments]:
    """Return the weights and moments after update number t, counted from 1, by torch.optim.SGD or torch.optim.Adam.

    Weight decay is part of the gradient. A group with rate 0 keeps its weights.
    """
    new_weights, new_m, new_v = [], [], []
    groups = zip(weights, grads, moments.m, moments.v, rates, settings.decays, strict=True)
    for w, dw, m, v, rate, decay in groups:
        real = w.dtype.type  # constants are rounded to the dtype of the weights
        g = dw + real(decay) * w
        if settings.optimizer == "adam":
            m = real(BETA1) * m + real(1 - BETA1) * g
            v = real(BETA2) * v + real(1 - BETA2) * g * g
            root = np.sqrt(v) / real(np.sqrt(1 - BETA2**t)) + real(EPSILON)
            change = m / (real(1 - BETA1**t) * root)
        else:
            m = real(settings.momentum) * m + g
            change = g + real(settings.momentum) * m if settings.nesterov else m
        new_weights.append(w - real(rate) * change if real(rate) else w)
        new_m.append(m)
        new_v.append(v)
    return Weights(*new_weights), Moments(Weights(*new_m), Weights(*new_v))


class ReferenceEngine:
    """The engine that computes with the functions of this file; see `fastmlp.engines.engine.Engine`."""

    method = "NumPy"
    live_units = None

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        self._problem = problem
        self._settings = settings
        self._weights = Weights(*(w.astype(problem.x.dtype) for w in weights))
        zeros = Weights(*(np.zeros_like(w) for w in self._weights))
        self._moments = Moments(zeros, zeros)
        self._forward_pass = self._forward()
        self._epoch = 0
        self._n_updates = 0
        self._crossings = 0
        # With mini-batches an update is not followed by a pass over all samples, so crossings cannot be counted.
        self.counts_crossings = settings.batch_size is None

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Do nothing, because NumPy needs no compilation."""

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engines.engine.Engine.advance` describes."""
        y, s = self._problem.y, self._problem.sample_weight
        factors = self._settings.factors(self._epoch, n_epochs)
        with np.errstate(over="ignore", invalid="ignore"):
            record.squared_error[0] = squared_error(self._forward_pass.h2 - y, s)
            record.crossings[0] = self._crossings
            for epoch in range(n_epochs):
                was_active = self._forward_pass.active
                self._train_epoch(factors[epoch])
                if self.counts_crossings:
                    self._crossings += int(np.count_nonzero(self._forward_pass.active != was_active))
                record.squared_error[epoch + 1] = squared_error(self._forward_pass.h2 - y, s)
                record.crossings[epoch + 1] = self._crossings
                if not np.isfinite(record.squared_error[epoch + 1]).all():
                    return epoch, Status.DIVERGED
        return n_epochs, Status.TRAINED

    def _train_epoch(self, factor: float) -> None:
        """Train one epoch, at the rates of the settings times a factor."""
        x, y, s = self._problem.x, self._problem.y, self._problem.sample_weight
        if self._settings.batch_size is None:
            self._update(x, s[:, None] * (self._forward_pass.h2 - y), self._forward_pass, factor)
        else:
            for batch in self._settings.batches(self._epoch, len(x)):
                forward_pass = forward(x[batch], self._weights, self._settings.negative_slope)
                s_batch = s[batch, None] / s[batch].sum()
                self._update(x[batch], s_batch * (forward_pass.h2 - y[batch]), forward_pass, factor)
        self._forward_pass = self._forward()
        self._epoch += 1

    def _update(self, x: Array, dh2: Array, forward_pass: Forward, factor: float) -> None:
        """Update the weights from a forward pass over the samples x and its error signal dh2."""
        grads, _ = gradients(x, dh2, forward_pass, self._weights)
        rates = Rates(*(rate * factor for rate in self._settings.rates))
        self._n_updates += 1
        self._weights, self._moments = update(
            self._weights, grads, self._moments, rates, self._settings, self._n_updates
        )

    def weights(self) -> Weights:
        """Return copies of the weights."""
        return Weights(*(w.copy() for w in self._weights))

    def state(self) -> Mapping[str, Array]:
        """Return the weights, the moments and the counts. The forward pass is repeated with the same bits."""
        arrays = self.weights()._asdict()
        for name, moment in self._moments._asdict().items():
            arrays |= {f"{name}_{group}": array.copy() for group, array in moment._asdict().items()}
        return arrays | {"counts": np.array([self._epoch, self._n_updates]), "crossings": np.array([self._crossings])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        self._weights = Weights(*(state[group].copy() for group in Weights._fields))
        self._moments = Moments(
            *(Weights(*(state[f"{name}_{group}"].copy() for group in Weights._fields)) for name in Moments._fields)
        )
        self._forward_pass = self._forward()
        self._epoch, self._n_updates = (int(count) for count in state["counts"])
        self._crossings = int(state["crossings"][0])

    def memory(self) -> Memory | None:
        """Return copies of the moments, and the number of updates."""
        if not self._settings.has_memory:
            return None
        m, v = (Weights(*(array.copy() for array in moment)) for moment in self._moments)
        return Memory(self._n_updates, m, v if self._settings.optimizer == "adam" else None)

    def remember(self, memory: Memory) -> None:
        """Take over a memory."""
        dtype = self._problem.x.dtype
        m, v = (
            zeros if moment is None else Weights(*(array.astype(dtype) for array in moment))
            for moment, zeros in zip(memory[1:], self._moments, strict=True)
        )
        self._moments, self._n_updates = Moments(m, v), memory.n_updates

    def _forward(self) -> Forward:
        """Return a forward pass over all samples."""
        with np.errstate(over="ignore", invalid="ignore"):
            return forward(self._problem.x, self._weights, self._settings.negative_slope)

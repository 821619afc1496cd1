"""An independent implementation of what `fastmlp.fit` computes, in plain NumPy.

It shares no code with the package. It keeps every (n_samples, n_hidden) array, sums samples and units in an order that
the caller chooses, and runs in float32, float64 or long double. If the results depend on the order or the precision,
the training is chaotic, and a difference is not a fault of the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ROUNDINGS = 16  # how many units in the last place of its terms a sum may be off before its sign is certain
Net = tuple[Array, Array, Array, Array]  # w1 (n_in, n_hidden), b1 (n_hidden,), w2 (n_hidden, n_out), b2 (n_out,)
GROUPS = ("w1", "b1", "w2", "b2")


@dataclass(frozen=True)
class Maps:
    """x' = (x - x_shift) / x_scale, and y likewise."""

    x_shift: Array
    x_scale: Array
    y_shift: Array
    y_scale: Array


@dataclass(frozen=True)
class Training:
    """A training: data, initial weights and update rule, in the coordinates of the training."""

    x: Array
    y: Array
    weight: Array  # sums to 1
    start: Net
    rates: tuple[float, float, float, float]
    epochs: int
    slope: float = 0.0
    optimizer: str = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # of w1, b1, w2, b2
    schedule: Callable[[int], float] | None = None
    batches: Callable[[int], list[Array]] | None = None


@dataclass(frozen=True)
class Course:
    """The result of a training: the net, and the squared error per output and the crossings after each epoch.

    `undecided` counts the signs of w x + b that rounding alone decides after an update. Each of them may add two
    crossings, or take away two.
    """

    net: Net
    squared_error: Array  # (n_epochs + 1, n_out)
    crossings: Array  # (n_epochs + 1,)
    undecided: Array  # (n_epochs + 1,)


def mask(x: Array, w1: Array, b1: Array) -> Array:
    """Return (n_samples, n_hidden) whether each unit is active: w x > -b by one rounding in float64 at most."""
    if x.shape[1] == 1:
        narrow = np.float64 if x.dtype == np.longdouble else x.dtype
        return np.asarray(x.astype(narrow) * w1.astype(narrow) > -b1.astype(narrow))
    return np.asarray(x @ w1 > -b1)


def outputs(x: Array, net: Net, slope: float) -> tuple[Array, Array, Array]:
    """Return the outputs, the hidden layer after the activation, and its derivative."""
    w1, b1, w2, b2 = net
    active = mask(x, w1, b1)
    derivative = np.where(active, x.dtype.type(1), x.dtype.type(slope))
    hidden = (x * w1 if x.shape[1] == 1 else x @ w1) + b1
    hidden = hidden * derivative
    return hidden @ w2 + b2, hidden, derivative


def gradient(x: Array, error: Array, net: Net, slope: float) -> Net:
    """Return the derivatives of sum_i error_i h2_i by w1, b1, w2, b2."""
    _, hidden, derivative = outputs(x, net, slope)
    back = (error @ net[2].T) * derivative
    return x.T @ back, back.sum(axis=0), hidden.T @ error, error.sum(axis=0)


def train(what: Training, dtype: Any, order: np.random.Generator | None = None) -> Course:
    """Train in a dtype; sum samples and units in a random order or in the given order."""
    n, n_hidden = len(what.x), what.start[1].size
    rows = np.arange(n) if order is None else order.permutation(n)
    units = np.arange(n_hidden) if order is None else order.permutation(n_hidden)
    back = np.argsort(units)
    where = np.argsort(rows)  # where each sample went
    x, y, s = (a[rows].astype(dtype) for a in (what.x, what.y, what.weight))
    w1, b1, w2, b2 = (a.astype(dtype) for a in what.start)
    net: Net = (w1[:, units], b1[units], w2[units], b2)
    first = [np.zeros_like(w) for w in net]
    second = [np.zeros_like(w) for w in net]
    squared = np.empty((what.epochs + 1, y.shape[1]), np.longdouble)
    crossings, undecided = np.zeros((2, what.epochs + 1), np.int64)
    moved = np.abs(net[1]).astype(np.float64)  # the terms of which b1 is the sum
    squared[0] = _squared(x, y, s, net, what.slope)
    active = mask(x, net[0], net[1])
    step = 0
    for epoch in range(what.epochs):
        parts = [np.arange(n)] if what.batches is None else [where[part] for part in what.batches(epoch)]
        factor = 1.0 if what.schedule is None else what.schedule(epoch)
        for part in parts:
            share = s[part] if what.batches is None else s[part] / s[part].sum()
            error = share[:, None] * (outputs(x[part], net, what.slope)[0] - y[part])
            step += 1
            moved += what.rates[1] * factor * np.abs(error @ net[2].T).sum(axis=0).astype(np.float64)
            net = _updated(what, net, gradient(x[part], error, net, what.slope), first, second, factor, step)
        was_active, active = active, mask(x, net[0], net[1])
        crossings[epoch + 1] = crossings[epoch] + np.count_nonzero(active != was_active)
        undecided[epoch + 1] = undecided[epoch] + _undecided(x, net, moved)
        squared[epoch + 1] = _squared(x, y, s, net, what.slope)
        if not np.isfinite(squared[epoch + 1]).all():
            squared, crossings, undecided = (a[: epoch + 2] for a in (squared, crossings, undecided))
            break
    return Course((net[0][:, back], net[1][back], net[2][back], net[3]), squared, crossings, undecided)


def _undecided(x: Array, net: Net, moved: Array) -> int:
    """Return how many signs of w x + b are uncertain in float64, where b1 is a sum of terms of the size `moved`."""
    size = np.abs(x) @ np.abs(net[0]) + np.abs(net[1]) + moved
    return np.count_nonzero(np.abs(x @ net[0] + net[1]) <= ROUNDINGS * np.finfo(np.float64).eps * size)


def _squared(x: Array, y: Array, s: Array, net: Net, slope: float) -> Array:
    """Return the weighted mean of the squared error per output, summed in long double."""
    error = (outputs(x, net, slope)[0] - y).astype(np.longdouble)
    return np.asarray(s.astype(np.longdouble) @ error**2)


def _updated(
    what: Training, net: Net, grads: Net, first: list[Array], second: list[Array], factor: float, step: int
) -> Net:
    new = []
    for k, (w, dw) in enumerate(zip(net, grads, strict=True)):
        number = w.dtype.type
        rate = number(what.rates[k]) * number(factor)
        if not what.rates[k]:
            new.append(w)
            continue
        dw = dw + number(what.weight_decay[k]) * w
        if what.optimizer == "adam":
            first[k] = number(0.9) * first[k] + number(1 - 0.9) * dw
            second[k] = number(0.999) * second[k] + number(1 - 0.999) * dw * dw
            size = np.sqrt(second[k] / number(1 - 0.999**step)) + number(1e-8)
            new.append(w - rate * (first[k] / number(1 - 0.9**step)) / size)
            continue
        first[k] = number(what.momentum) * first[k] + dw
        new.append(w - rate * (dw + number(what.momentum) * first[k] if what.nesterov else first[k]))
    return tuple(new)  # type: ignore[return-value]


def largest_eigenvalue(x: Array, s: Array, net: Net, slope: float, trained: tuple[bool, ...]) -> float:
    """Return an estimate of the largest eigenvalue of J^T S J at a net, by forty power iterations."""
    rng = np.random.default_rng(0)
    vector = [rng.normal(size=w.shape) * kept for w, kept in zip(net, trained, strict=True)]
    _, hidden, derivative = outputs(x, net, slope)
    value = 0.0
    for _ in range(40):
        value = float(np.sqrt(sum(np.sum(part**2) for part in vector)))
        if not 0 < value < np.inf:
            return 0.0
        v1, c1, v2, c2 = (part / value for part in vector)
        along = hidden @ v2 + ((x @ v1 + c1) * derivative) @ net[2] + c2
        vector = [g * kept for g, kept in zip(gradient(x, s[:, None] * along, net, slope), trained, strict=True)]
    return value


def standardization(x: Array, y: Array, s: Array, *, shift_x: bool, shift_y: bool) -> Maps:
    """Return the maps to weighted mean 0 and standard deviation 1, in long double."""

    def columns(a: Array, shift: bool) -> tuple[Array, Array]:
        a, weight = a.astype(np.longdouble), s.astype(np.longdouble)
        mean = weight @ a if shift else np.zeros(a.shape[1], np.longdouble)
        mean = np.where(constant(a) & shift, a[0], mean)
        scale = np.sqrt(weight @ (a - mean) ** 2)
        return mean, np.where(constant(a) | (scale == 0), 1, scale)

    return Maps(*columns(x, shift_x), *columns(y, shift_y))


def constant(a: Array) -> Array:
    """Return which columns are constant."""
    return (a == a[0]).all(axis=0)


def fold(net: Net, maps: Maps) -> Net:
    """Return the weights that act on the data."""
    w1, b1, w2, b2 = (a.astype(np.longdouble) for a in net)
    w1 = w1 / maps.x_scale[:, None]
    return w1, b1 - maps.x_shift @ w1, w2 * maps.y_scale, b2 * maps.y_scale + maps.y_shift


def unfold(net: Net, maps: Maps) -> Net:
    """Return the weights that act on the data in the coordinates of the maps."""
    w1, b1, w2, b2 = (a.astype(np.longdouble) for a in net)
    return w1 * maps.x_scale[:, None], b1 + maps.x_shift @ w1, w2 / maps.y_scale, (b2 - maps.y_shift) / maps.y_scale


def draw(init: str | float, n_in: int, n_hidden: int, n_out: int, seed: int, *, hidden_bias: bool) -> Net:
    """Return the named start: normal numbers in the order w1, b1, w2."""
    rng = np.random.default_rng(seed)
    if init == "balanced":
        std1 = std_b = std2 = (n_hidden * (n_in + 1)) ** -0.25
    elif init == "he":
        std1, std_b, std2 = np.sqrt(2 / n_in), 0.0, np.sqrt(2 / n_hidden)
    elif init == "glorot":
        std1, std_b, std2 = np.sqrt(2 / (n_in + n_hidden)), 0.0, np.sqrt(2 / (n_hidden + n_out))
    else:
        std1 = std_b = std2 = float(init)
    w1 = std1 * rng.standard_normal((n_in, n_hidden))
    b1 = std_b * rng.standard_normal(n_hidden) if std_b and hidden_bias else np.zeros(n_hidden)
    return w1, b1, std2 * rng.standard_normal((n_hidden, n_out)), np.zeros(n_out)

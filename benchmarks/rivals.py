"""Rivals of fastmlp in the benchmarks: training loops in NumPy, PyTorch, JAX and scikit-learn, in their usual form.

A rival is created from a `Task`. Each call trains for a number of epochs from the same initial weights, and returns the
RMSE before each update. The package of a rival is imported when the rival is created. NumPy and scikit-learn use one
thread, which `benchmarks/__init__.py` sets. PyTorch uses the number of threads in its name. JAX uses all cores, which
is its default.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy_loop import FloatArray, preallocated_loop, report_loop

from fastmlp.engines.engine import Weights

REPORT, PREALLOCATED = "NumPy, the report's loop", "NumPy, preallocated"
TORCH, TORCH_BOTH, COMPILED = "PyTorch, 1 thread", "PyTorch, 2 threads", "torch.compile, 1 thread"
JAX, SCIKIT_LEARN = "JAX, both cores", "scikit-learn"
PACKAGES = {TORCH: "torch", TORCH_BOTH: "torch", COMPILED: "torch", JAX: "jax", SCIKIT_LEARN: "sklearn"}

Trainer = Callable[[int], FloatArray]


@dataclass(frozen=True, eq=False)
class Task:
    """A training task: x (n_samples, n_in), y (n_samples, n_out), initial weights and rate, all of one dtype.

    The output bias of `weights` is 0 and is not trained.
    """

    x: FloatArray
    y: FloatArray
    weights: Weights
    lr: float

    def as_the_report(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, float]:
        """Return [x, 1], y, w1 with b1 as its last row, w2 and the rate."""
        w1, b1, w2, _ = self.weights
        return np.column_stack([self.x, np.ones(len(self.x), self.x.dtype)]), self.y, np.vstack([w1, b1]), w2, self.lr


def left_out(names: Iterable[str]) -> dict[str, str]:
    """Return the rivals that cannot run here, with the reasons."""
    reasons = {name: f"{PACKAGES[name]} is not installed" for name in names if _is_missing(PACKAGES.get(name))}
    if COMPILED in names and COMPILED not in reasons:
        import torch

        try:
            torch.compile(lambda x: x + 1)(torch.ones(2))
        except RuntimeError as error:  # no C++ compiler, or no headers of Python
            reasons[COMPILED] = str(error).partition("\n")[0]
    return reasons


def _is_missing(package: str | None) -> bool:
    return package is not None and find_spec(package) is None


def report(task: Task, negative_slope: float = 0.0) -> Trainer:
    """Return the loop of the report, unchanged."""
    loop = partial(leaky_loop, negative_slope) if negative_slope else report_loop
    return partial(loop, *task.as_the_report())


def preallocated(task: Task, negative_slope: float = 0.0) -> Trainer:
    """Return the loop of the report with preallocated arrays."""
    loop = partial(preallocated_leaky_loop, negative_slope) if negative_slope else preallocated_loop
    return partial(loop, *task.as_the_report())


def leaky_loop(
    negative_slope: float, x: FloatArray, y: FloatArray, w1: FloatArray, w2: FloatArray, lr: float, epochs: int
) -> FloatArray:
    """Train as `report_loop`, with a leaky ReLU."""
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
    """Train as `leaky_loop`, with preallocated (n_samples, n_hidden) arrays."""
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


def jax_scan(task: Task, negative_slope: float = 0.0) -> Trainer:
    """Return a jitted scan over value_and_grad; JAX compiles it for each number of epochs."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)  # float32 stays float32

    @partial(jax.jit, static_argnames="epochs")
    def train(x, y, w1, w2, lr, epochs):  # type: ignore[no-untyped-def]
        def loss(weights):  # type: ignore[no-untyped-def]
            h = x @ weights[0]
            return jnp.mean((jnp.where(h > 0, h, negative_slope * h) @ weights[1] - y) ** 2) / 2

        def update(weights, _):  # type: ignore[no-untyped-def]
            value, gradient = jax.value_and_grad(loss)(weights)
            return jax.tree.map(lambda w, g: w - lr * g, weights, gradient), jnp.sqrt(2 * value)

        return jax.lax.scan(update, (w1, w2), length=epochs)[1]

    arguments = task.as_the_report()
    return lambda epochs: np.asarray(train(*arguments, epochs=epochs))


def torch_eager(task: Task, threads: int) -> Trainer:
    """Return the usual loop with a Sequential and optim.SGD."""
    import torch
    from torch import nn

    x, y, w1, b1, w2 = map(torch.tensor, (task.x, task.y, *task.weights[:3]))
    first, second = nn.Linear(*w1.shape), nn.Linear(*w2.shape, bias=False)
    model = nn.Sequential(first, nn.ReLU(), second).to(x.dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=task.lr)

    def train(epochs: int) -> FloatArray:
        torch.set_num_threads(threads)
        with torch.no_grad():
            for parameter, start in ((first.weight, w1.T), (first.bias, b1), (second.weight, w2.T)):
                parameter.copy_(start)
        losses = np.empty(epochs)
        for epoch in range(epochs):
            optimizer.zero_grad()
            loss = ((model(x) - y) ** 2).mean() / 2
            loss.backward()
            optimizer.step()
            losses[epoch] = loss.item()
        return np.sqrt(2 * losses)

    return train


def torch_compiled(task: Task) -> Trainer:
    """Return a loop over a training step compiled as a whole: loss, gradient and update.

    At 64 units, this is twice as fast as compiling only the model.
    """
    import torch

    step = _compiled_step()
    x, y, lr, *start = map(torch.tensor, (task.x, task.y, task.x.dtype.type(task.lr), *task.weights[:3]))

    def train(epochs: int) -> FloatArray:
        torch.set_num_threads(1)
        weights = tuple(w.clone() for w in start)
        return np.sqrt(2 * np.array([step(weights, x, y, lr).item() for _ in range(epochs)]))

    return train


@cache
def _compiled_step() -> Any:
    """Compile the step once for nets with one input and once for all other nets, in each dtype.

    Shapes are dynamic. Compiling for fixed shapes would take 5 s for each size. It would save a third of the time at 64
    units and 256 samples, and less at larger sizes.
    """
    import torch

    def loss(weights, x, y):  # type: ignore[no-untyped-def]
        w1, b1, w2 = weights
        return ((torch.relu(torch.addmm(b1, x, w1)) @ w2 - y) ** 2).mean() / 2

    @torch.compile(dynamic=True, fullgraph=True)
    def step(weights, x, y, lr):  # type: ignore[no-untyped-def]
        gradients, value = torch.func.grad_and_value(loss)(weights, x, y)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.sub_(lr * gradient)
        return value

    return step


def scikit_learn(task: Task) -> Trainer:
    """Return MLPRegressor.fit with a warm start; it also trains an output bias, which cannot be disabled."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPRegressor

    w1, b1, w2, b2 = task.weights
    regressor = MLPRegressor(
        hidden_layer_sizes=b1.shape,
        solver="sgd",
        learning_rate_init=task.lr,
        momentum=0,
        nesterovs_momentum=False,
        alpha=0,
        batch_size=len(task.x),
        shuffle=False,
        tol=0,
        n_iter_no_change=np.inf,
        warm_start=True,
    )

    def train(epochs: int) -> FloatArray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it has not, and need not
            if not hasattr(regressor, "coefs_"):
                regressor.set_params(max_iter=1).fit(task.x, task.y[:, 0])
            regressor.coefs_, regressor.intercepts_ = [w1.copy(), w2.copy()], [b1.copy(), b2.copy()]
            regressor.set_params(max_iter=epochs).fit(task.x, task.y[:, 0])
        return np.sqrt(2 * np.array(regressor.loss_curve_[-epochs:]))

    return train


RIVALS: dict[str, Callable[[Task], Trainer]] = {
    REPORT: report,
    PREALLOCATED: preallocated,
    TORCH: partial(torch_eager, threads=1),
    TORCH_BOTH: partial(torch_eager, threads=2),
    COMPILED: torch_compiled,
    JAX: jax_scan,
    SCIKIT_LEARN: scikit_learn,
}

"""The cases of the table of `univariate.py`: the report and published experiments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import fastmlp
from fastmlp.engines.engine import Array, Weights


@dataclass(frozen=True, eq=False)
class Case:
    """A net with one input and no output bias, and the settings of its training.

    Attributes
    ----------
    name : str
        Name in the table.
    x, y : ndarray, shape (n_samples,)
    weights : Weights
        Initial weights.
    lr : float
        Learning rate for the objective 1/2 mean(error^2); the rate for mean(error^2) is half of it.
    epochs : int
    negative_slope : float
    published : float or None
        Time per step of the authors' own code in seconds, measured on another machine with AVX-512.
    rounds : int
        Number of timings of each competitor.
    """

    name: str
    x: Array
    y: Array
    weights: Weights
    lr: float
    epochs: int
    negative_slope: float = 0.0
    published: float | None = None
    rounds: int = 5

    @property
    def n_pairs(self) -> int:
        """Number of pairs of a sample and a unit."""
        return self.x.size * self.weights.b1.size


def cases(limit: int, shorter: int) -> Iterator[Case]:
    """Yield the cases with no more than `limit` samples or units, and epochs divided by `shorter`."""
    rng = np.random.default_rng(0)
    x = np.linspace(-np.pi, np.pi, min(100, limit))
    for n_hidden, std, lr, epochs in (
        (1000, 0.3, 1e-5, 32_000),
        (1000, 0.1, 1e-3, 32_000),
        (100_000, 0.1, 1e-5, 16_000),
    ):
        weights = normal_start(min(n_hidden, limit), std, rng)
        name = f"sine, N = {x.size}, H = {weights.b1.size:,}, init {std}, lr {lr:g}"
        yield Case(name, x, np.sin(x), weights, lr, epochs // shorter)
    yield from _many_samples(limit, shorter, rng)
    yield _stewart(limit, shorter, rng)
    yield _leaky(limit, shorter, rng)


def normal_start(n_hidden: int, std: float, rng: np.random.Generator) -> Weights:
    """Draw all weights but the output bias, which is 0, from a normal distribution."""
    w1, b1, w2 = std * rng.standard_normal((3, n_hidden))
    return Weights(w1[None], b1, w2[:, None], np.zeros(1))


def rate_of(x: Array, weights: Weights, *, output_bias: bool) -> float:
    """Return the automatic rate, 1 / lambda_max at the initial weights, which does not depend on y."""
    options = {"output_bias": output_bias, "standardize": False, "progress": False}
    return float(fastmlp.fit(x, np.zeros(x.size), init=tuple(weights), epochs=1, **options).info.lr)


def _many_samples(limit: int, shorter: int, rng: np.random.Generator) -> Iterator[Case]:
    n, n_hidden = min(100_000, limit), min(1000, limit)
    x = rng.uniform(-np.pi, np.pi, n)
    weights = normal_start(n_hidden, (2 * n_hidden) ** -0.25, rng)
    for factor in (1.0, 0.1):
        name = f"sine at uniform x, N = {n:,}, H = {n_hidden:,}, init (2H)^(-1/4), lr {factor:g} / lambda_max"
        lr = factor * rate_of(x, weights, output_bias=False)
        yield Case(name, x, np.sin(x), weights, lr, 10_000 // shorter, rounds=3)


def _stewart(limit: int, shorter: int, rng: np.random.Generator) -> Case:
    """Return the unbalanced case of "early alignment"; the authors minimise mean(error^2) in float32."""
    n, n_hidden = 40, min(200_000, limit)
    x = rng.uniform(-1, 1, n)
    knots = (-1, -0.7, -0.55, -0.4, 0, 0.5, 0.6, 0.7, 1)
    y = np.interp(x, knots, (0, 0.7, 0.5, 1, 0, 1, 0.6, 0.7, 0))
    name = f"Stewart, N = {n}, H = {n_hidden:,}, unbalanced 1e-3 / sqrt(H), lr 2e-3"
    weights = normal_start(n_hidden, 1e-3 / np.sqrt(n_hidden), rng)
    return Case(name, x, y, weights, 2e-3, 100_000 // shorter, published=50e-3)


def _leaky(limit: int, shorter: int, rng: np.random.Generator) -> Case:
    """Return the published leaky net on a zigzag of scale 1; the authors minimise mean(error^2) in float32."""
    n, n_hidden = 9, min(100, limit)
    w1, b1, w2 = rng.uniform(-1, 1, (3, n_hidden))
    weights = Weights(w1[None], np.sort(b1), w2[:, None] / np.sqrt(n_hidden), np.zeros(1))
    name = f"leaky 0.01 on a zigzag, N = {n}, H = {n_hidden}, uniform start, lr 2e-3"
    x, y = np.linspace(-1, 1, n), np.arange(n) % 2.0
    return Case(name, x, y, weights, 2e-3, 1_000_000 // shorter, negative_slope=0.01, published=238e-6)

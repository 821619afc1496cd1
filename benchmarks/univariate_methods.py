"""Timing of the methods of the univariate engine, each forced, and of the engine's own choice.

Times are processor times. All competitors run in one thread, and other processes affect processor time less than
elapsed time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol
from unittest.mock import patch

import numpy as np
from numpy_loop import report_loop

from benchmarks.rivals import REPORT
from benchmarks.univariate_cases import normal_start, rate_of
from fastmlp.engines.dense.choice import dense_engine
from fastmlp.engines.engine import Array, Problem, Rates, Record, Settings, Status, Weights
from fastmlp.engines.univariate import choice
from fastmlp.engines.univariate.engine import Univariate

AUTO, DENSE = "auto", "dense"
BY_NAME = {method.method: method for method in choice.METHODS}
WARM_UP_EPOCHS = 1000  # before anything is timed
LEAST_EPOCHS = 256  # of a round: pattern moments take turns of about as many
ROUND_SECONDS = 0.02
SLOWER = 4.0  # a method slower than the fastest by more is timed over fewer epochs


class Start:
    """y = sin x at given inputs, weights of standard deviation (2H)^(-1/4), and a rate relative to 1 / lambda_max."""

    def __init__(self, x: Array, n_hidden: int, rate: float) -> None:
        weights = normal_start(n_hidden, (2 * n_hidden) ** -0.25, np.random.default_rng(n_hidden))
        self.problem = Problem(x[:, None], np.sin(x)[:, None], np.full(x.size, 1 / x.size))
        self.weights = weights
        self.lr = rate * rate_of(x, weights, output_bias=True)
        self.n_pairs = x.size * n_hidden


class Run(Protocol):
    """A training that can be continued."""

    def train(self, n_epochs: int) -> float:
        """Train for n_epochs more; return the processor time per epoch in seconds."""


class EngineRun:
    """An engine with a forced method, or with its own choice."""

    def __init__(self, name: str, start: Start, weights: Weights) -> None:
        self._name = name
        engine_type = dense_engine(1, 1) if name == DENSE else Univariate
        with self._forced():
            self._engine = engine_type(start.problem, weights, Settings(Rates(*(start.lr,) * 4)))

    @contextmanager
    def _forced(self) -> Iterator[None]:
        """Restrict the choice of the engine to the named method, if there is one."""
        method = BY_NAME.get(self._name)
        if method is None:
            yield
            return
        with patch.multiple(choice, first_method=lambda shape: method, next_method=lambda before, shape: method):
            yield

    @property
    def method(self) -> str:
        """The current method."""
        return self._engine.method

    def weights(self) -> Weights:
        """Return the current weights."""
        return self._engine.weights()

    def train(self, n_epochs: int) -> float:
        """Train as `Run` says."""
        record = Record.empty(n_epochs, 1)
        with self._forced():
            started = time.process_time()
            _, status = self._engine.advance(n_epochs, record)
            seconds = time.process_time() - started
        if status is not Status.TRAINED:
            raise ArithmeticError(f"{self._name} diverged")
        return seconds / n_epochs


class NumpyRun:
    """The loop of the report, without output bias. Every call starts again, because all epochs take the same time."""

    def __init__(self, start: Start, weights: Weights) -> None:
        x = start.problem.x
        w1 = np.vstack([weights.w1, weights.b1])
        self._arguments = np.hstack([x, np.ones_like(x)]), start.problem.y, w1, weights.w2, start.lr

    def train(self, n_epochs: int) -> float:
        """Train as `Run` says."""
        started = time.process_time()
        report_loop(*self._arguments, n_epochs)
        return (time.process_time() - started) / n_epochs


def compile_all() -> None:
    """Compile every method, or load it from the cache."""
    start = Start(np.linspace(-1, 1, 4), 4, 0.1)
    for name in (AUTO, *BY_NAME, DENSE):
        EngineRun(name, start, start.weights).train(8)


def seconds_per_epoch(start: Start, names: Sequence[str], rounds: int) -> tuple[dict[str, float], str]:
    """Return the median time per epoch by name, after the first epochs, and the method that the engine chose.

    All univariate methods compute the same training, so they are timed over the same epochs, in turn. The time of the
    dense engine and of NumPy does not depend on the epoch. They start from the weights that the engine has reached.
    """
    chosen = EngineRun(AUTO, start, start.weights)
    runs: dict[str, Run] = {AUTO: chosen}
    runs |= {name: EngineRun(name, start, start.weights) for name in names if name in BY_NAME}
    for run in runs.values():
        run.train(WARM_UP_EPOCHS // 2)
    pace = {name: run.train(WARM_UP_EPOCHS // 2) for name, run in runs.items()}
    if DENSE in names:
        runs[DENSE] = EngineRun(DENSE, start, chosen.weights())
    if REPORT in names:
        runs[REPORT] = NumpyRun(start, chosen.weights())
    pace |= {name: runs[name].train(1) for name in (DENSE, REPORT) if name in runs}

    fastest = min(pace.values())
    n_epochs = max(LEAST_EPOCHS, int(ROUND_SECONDS / max(fastest, 1e-9)))
    epochs = {name: int(np.ceil(n_epochs * min(1.0, SLOWER * fastest / pace[name]))) for name in runs}
    timed = [{name: run.train(epochs[name]) for name, run in runs.items()} for _ in range(rounds)]
    return {name: statistics.median(row[name] for row in timed) for name in runs}, chosen.method

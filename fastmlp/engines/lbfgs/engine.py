"""What the compiled engines of L-BFGS share: they hold the parameters and the pairs and call the kernel."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from fastmlp.compiled.memory import aligned_zeros
from fastmlp.engines.engine import Array, Problem, Rates, Record, Settings, Shape, Status, Weights, WithoutMemory
from fastmlp.engines.lbfgs.kernels.steps import Iterate, Pairs, Run
from fastmlp.engines.lbfgs.rules import (
    BETWEEN,
    BLOCK,
    MAX_SMALL_DECREASES,
    SMALL_DECREASE,
    STATUS,
    TRAINED,
    n_pairs_of,
    new_searches,
)


class Objective(Protocol):
    """The objective of a problem, without its penalty, in the memory layout of a kernel."""

    method: str
    scatter: Array
    """The part of the squared errors (n_out,) that no net can change and that the kernel leaves out."""

    def __init__(self, problem: Problem, n_hidden: int, settings: Settings) -> None: ...

    def flattened(self, weights: Weights) -> Array:
        """Return weights as one vector, with zeros as padding."""

    def unflattened(self, vector: Array) -> Weights:
        """Return copies of the weights in a vector."""

    def bind(self, trial: Array) -> None:
        """Take the vector at which to evaluate the objective."""

    def minimise(self, run: Run) -> None:
        """Call the kernel."""


class LBFGS(WithoutMemory):
    """L-BFGS on the objective that a subclass names, in float64. An epoch is an accepted step."""

    counts_crossings = False
    live_units = None
    _objective_class: type[Objective]

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        """Evaluate the objective at the start."""
        n_hidden, n_out = weights.b1.size, weights.b2.size
        wide = Problem(*(np.asarray(array, np.float64) for array in (problem.x, problem.y, problem.sample_weight)))
        self._objective = self._objective_class(wide, n_hidden, settings)
        theta = self._objective.flattened(Weights(*(np.asarray(w, np.float64) for w in weights)))
        like = Weights(*(np.ones(w.shape) for w in weights))
        decay, is_trained = (self._by_parameter(like, groups) for groups in (settings.decays, settings.rates))
        n_pairs = n_pairs_of(sum(w.size for w in weights))
        self._run = Run(
            iterate=Iterate(theta, *(aligned_zeros(theta.shape) for _ in range(4))),
            pairs=Pairs(
                s=aligned_zeros((n_pairs, theta.size)),
                y=aligned_zeros((n_pairs, theta.size)),
                rho=aligned_zeros((n_pairs,)),
                alpha=aligned_zeros((n_pairs,)),
                cross=aligned_zeros((n_pairs, BLOCK - 1)),
            ),
            search=new_searches(1, n_pairs, SMALL_DECREASE, MAX_SMALL_DECREASES),
            decay=decay * (is_trained != 0),
            is_trained=(is_trained != 0).astype(np.float64),
            trial_error=aligned_zeros((n_out,)),
            squared_error=np.empty((0, n_out)),
        )
        self._objective.bind(self._run.iterate.trial)
        self._minimise(self._run.squared_error)
        self._squared_error = self._run.trial_error + self._objective.scatter
        is_held = np.sqrt(self._squared_error) <= np.finfo(problem.x.dtype).max
        if not (is_held.all() and np.isfinite(self._run.search["objective"][0])):  # the penalty may overflow
            self._squared_error[:] = np.inf

    def _by_parameter(self, like: Weights, groups: Rates) -> Array:
        """Return a vector of parameters with the number of each one's group."""
        return self._objective.flattened(Weights(*(ones * value for ones, value in zip(like, groups, strict=True))))

    def _minimise(self, squared_error: Array) -> None:
        """Train an epoch for each row of squared_error, which is overwritten, or until the search ends."""
        self._run.search["is_searching"] = 1
        self._run.search["n_done"] = 0
        self._objective.minimise(self._run._replace(squared_error=squared_error))

    @property
    def method(self) -> str:
        """The kernel that computes the gradient."""
        return self._objective.method

    @property
    def n_evaluations(self) -> int:
        """How often the objective was evaluated."""
        return int(self._run.search["n_evaluations"][0])

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel, or load it."""
        engine: Any = cls
        _compile(engine, shape.n_in)

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engines.engine.Engine.advance` describes."""
        record.squared_error[0] = self._squared_error
        squared_error = np.empty((n_epochs, self._squared_error.size))
        self._minimise(squared_error)
        n_done = int(self._run.search["n_done"][0])
        record.squared_error[1 : n_done + 1] = squared_error[:n_done] + self._objective.scatter
        self._squared_error = record.squared_error[n_done].copy()
        return n_done, STATUS[int(self._run.search["status"][0])]

    def weights(self) -> Weights:
        """Return copies of the weights."""
        return self._objective.unflattened(self._run.iterate.theta)

    def _arrays(self) -> Mapping[str, Array]:
        """Return the arrays of the search that last from step to step."""
        iterate, pairs = self._run.iterate, self._run.pairs
        kept = {"theta": iterate.theta, "gradient": iterate.gradient}
        return kept | {"s": pairs.s, "y": pairs.y, "rho": pairs.rho, "cross": pairs.cross}

    def state(self) -> Mapping[str, Array]:
        """Return copies of the parameters, the gradient, the pairs, the squared error and the numbers of the search."""
        copies = {name: array.copy() for name, array in self._arrays().items()}
        numbers = np.array(self._run.search[0].tolist(), np.float64)
        return copies | {"squared_error": self._squared_error.copy(), "search": numbers}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for name, array in self._arrays().items():
            array[...] = state[name]
        self._squared_error = state["squared_error"].copy()
        self._run.search[0] = tuple(state["search"])
        self._run.search["stage"] = BETWEEN
        self._run.search["status"] = TRAINED


@functools.cache
def _compile(engine: Any, n_in: int) -> None:
    """Compile the kernel for a number of inputs by evaluating the smallest net."""
    one_sample = Problem(np.zeros((1, n_in)), np.zeros((1, 1)), np.ones(1))
    one_unit = Weights(np.zeros((n_in, 1)), np.zeros(1), np.zeros((1, 1)), np.zeros(1))
    engine(one_sample, one_unit, Settings(Rates(0.0, 0.0, 0.0, 0.0), optimizer="lbfgs"))

"""Least squares for any number of inputs: one epoch that solves for w2 and b2, given w1 and b1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array, Problem, Record, Settings, Shape, Status, Weights, WithoutMemory
from fastmlp.engines.lstsq.solving import Decay, solved_output_layer
from fastmlp.engines.reference import forward, squared_error


class LeastSquares(WithoutMemory):
    """Linear least squares for the output layer, in float64 whatever the dtype of the problem."""

    counts_crossings = False
    live_units = None
    method = "least squares"

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        self._problem = problem
        self._settings = settings
        self._weights = Weights(*(np.array(w, np.float64) for w in weights))
        self._is_solved = False
        self._squared_error = self._start_error()

    def _start_error(self) -> Array:
        """Return the squared errors (n_out,) of the weights that are given."""
        return self._evaluate(self._weights)

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Do nothing, because LAPACK needs no compilation."""

    def _evaluate(self, weights: Weights) -> Array:
        """Return the squared errors (n_out,) of a net."""
        with np.errstate(over="ignore", invalid="ignore"):
            h2 = forward(self._problem.x.astype(np.float64), weights, self._settings.negative_slope).h2
            return squared_error(h2 - self._problem.y, self._problem.sample_weight)

    def _solution(self) -> tuple[Weights, Array]:
        """Return the solution and its squared errors (n_out,)."""
        decays, slope = self._settings.decays, self._settings.negative_slope
        has_bias = self._settings.rates.b2 != 0
        with np.errstate(all="ignore"):
            decay = Decay(decays.w2, decays.b2)
            solved = solved_output_layer(self._problem, self._weights, slope, decay, has_bias=has_bias)
        return solved, self._evaluate(solved)

    def _solve(self) -> Status:
        """Solve for the output layer; keep the weights if rounding leaves no better ones."""
        try:
            solved, error = self._solution()
        except np.linalg.LinAlgError:  # the hidden layer overflows
            return Status.STALLED
        if not all(np.isfinite(array).all() for array in (*solved, error)):
            return Status.STALLED
        self._weights, self._squared_error, self._is_solved = solved, error, True
        return Status.TRAINED

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engines.engine.Engine.advance` describes."""
        record.squared_error[0] = self._squared_error
        if n_epochs == 0:
            return 0, Status.TRAINED
        if self._is_solved:
            return 0, Status.CONVERGED
        if self._solve() is Status.STALLED:
            return 0, Status.STALLED
        record.squared_error[1] = self._squared_error
        return 1, Status.CONVERGED

    def weights(self) -> Weights:
        """Return copies of the weights."""
        return Weights(*(w.copy() for w in self._weights))

    def state(self) -> Mapping[str, Array]:
        """Return copies of the weights, and whether they are solved for."""
        return self.weights()._asdict() | {"is_solved": np.array([self._is_solved])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        self._weights = Weights(*(state[group].copy() for group in Weights._fields))
        self._is_solved = bool(state["is_solved"][0])
        self._squared_error = self._evaluate(self._weights)

"""L-BFGS in plain NumPy: the definition of what the compiled engines of L-BFGS compute."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array, Problem, Rates, Record, Settings, Shape, Status, Weights, WithoutMemory
from fastmlp.engines.lbfgs.rules import C1, C2, MAX_SMALL_DECREASES, MAX_TRIALS, SMALL_DECREASE, n_pairs_of
from fastmlp.engines.reference import forward, gradients, squared_error


class Point:
    """A point of the search: the parameters theta, the squared errors, the objective and its gradient there."""

    def __init__(self, theta: Array, error: Array, objective: float, gradient: Array) -> None:
        self.theta = theta
        self.error = error
        self.objective = objective
        self.gradient = gradient


class ReferenceLBFGS(WithoutMemory):
    """The engine that computes with the functions of `fastmlp.engines.reference`, in float64."""

    counts_crossings = False
    live_units = None
    method = "L-BFGS in NumPy"

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        arrays = problem.x, problem.y, problem.sample_weight
        self._problem = Problem(*(np.asarray(array, np.float64) for array in arrays))
        self._settings = settings
        self._shapes = [w.shape for w in weights]
        self._decay, self._is_trained = self._by_parameter(settings.decays), self._by_parameter(settings.rates) != 0
        theta = np.concatenate([np.asarray(w, np.float64).ravel() for w in weights])
        self._n_pairs = n_pairs_of(theta.size)
        self._point = self._evaluate(theta)
        self._pairs: list[tuple[Array, Array]] = []  # changes of theta and of the gradient, the newest last
        self._n_small_decreases = 0

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Do nothing, because NumPy needs no compilation."""

    def _by_parameter(self, groups: Rates) -> Array:
        """Return a vector of parameters with the number of each one's group."""
        sizes = [int(np.prod(shape)) for shape in self._shapes]
        return np.repeat(np.array(groups, np.float64), sizes)

    def _weights(self, theta: Array) -> Weights:
        """Return the weights in a vector of parameters."""
        ends = np.cumsum([int(np.prod(shape)) for shape in self._shapes])
        parts = np.split(theta, ends[:-1])
        return Weights(*(part.reshape(shape) for part, shape in zip(parts, self._shapes, strict=True)))

    def _evaluate(self, theta: Array) -> Point:
        """Evaluate the objective, penalty included."""
        x, y, s = self._problem.x, self._problem.y, self._problem.sample_weight
        weights = self._weights(theta)
        with np.errstate(all="ignore"):
            passed = forward(x, weights, self._settings.negative_slope)
            grads, _ = gradients(x, s[:, None] * (passed.h2 - y), passed, weights)
            gradient = np.concatenate([g.ravel() for g in grads]) + self._decay * theta
            error = squared_error(passed.h2 - y, s)
            penalty = float((self._is_trained * self._decay * theta) @ theta)
            objective = 0.5 * (float(error.sum()) + penalty)
        if not np.isfinite(objective):  # the penalty may overflow
            error = np.full_like(error, np.inf)
        return Point(theta, error, objective, np.where(self._is_trained, gradient, 0.0))

    def _direction(self) -> Array:
        """Return minus the gradient times the inverse Hessian that the pairs imply: the two-loop recursion."""
        d = -self._point.gradient
        alphas = []
        for s, y in reversed(self._pairs):
            alphas.append((s @ d) / (s @ y))
            d = d - alphas[-1] * y
        if self._pairs:
            s, y = self._pairs[-1]
            d = d * ((s @ y) / (y @ y))
        for (s, y), alpha in zip(self._pairs, reversed(alphas), strict=True):
            d = d + (alpha - (y @ d) / (s @ y)) * s
        return d

    def _search(self, direction: Array, slope: float) -> Point | None:
        """Return a point that satisfies the weak Wolfe conditions, by bisection; None if the search fails."""
        low, high = 0.0, np.inf
        step = 1.0 if self._pairs else 1.0 / np.sqrt(-slope)
        for _ in range(MAX_TRIALS):
            trial = self._evaluate(self._point.theta + step * direction)
            trial_slope = float(trial.gradient @ direction)
            if not (trial.objective <= self._point.objective + C1 * step * slope and np.isfinite(trial_slope)):
                high = step
            elif trial_slope < C2 * slope:
                low = step
            else:
                return trial
            step = 0.5 * (low + high) if high < np.inf else 2.0 * low
        return None

    def _step(self) -> Status:
        """Take a step, or return why none is taken."""
        if self._n_small_decreases >= MAX_SMALL_DECREASES:
            return Status.CONVERGED
        while True:
            with np.errstate(all="ignore"):
                direction = self._direction()
                slope = float(self._point.gradient @ direction)
                is_descent = -np.inf < slope < 0
                trial = self._search(direction, slope) if is_descent else None
            if trial is not None:
                self._accept(trial)
                return Status.TRAINED
            if not self._pairs:
                return Status.CONVERGED if slope == 0 else Status.STALLED
            self._pairs = []

    def _accept(self, trial: Point) -> None:
        """Make the trial the iterate, and remember the change if the slope rose along it."""
        before = self._point
        s, y = trial.theta - before.theta, trial.gradient - before.gradient
        if s @ y > 0:
            self._pairs = [*self._pairs, (s, y)][-self._n_pairs :]
        is_small = not before.objective - trial.objective > SMALL_DECREASE * before.objective
        self._n_small_decreases = self._n_small_decreases + 1 if is_small else 0
        self._point = trial

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engines.engine.Engine.advance` describes."""
        record.squared_error[0] = self._point.error
        for epoch in range(n_epochs):
            status = self._step()
            if status is not Status.TRAINED:
                return epoch, status
            record.squared_error[epoch + 1] = self._point.error
        return n_epochs, Status.TRAINED

    def weights(self) -> Weights:
        """Return copies of the weights."""
        return Weights(*(w.copy() for w in self._weights(self._point.theta)))

    def state(self) -> Mapping[str, Array]:
        """Return the parameters and the pairs. The objective is evaluated again with the same bits."""
        s, y = (np.array([pair[i] for pair in self._pairs]).reshape(-1, self._point.theta.size) for i in range(2))
        return {"theta": self._point.theta.copy(), "s": s, "y": y, "counts": np.array([self._n_small_decreases])}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        self._point = self._evaluate(state["theta"].copy())
        self._pairs = list(zip(state["s"].copy(), state["y"].copy(), strict=True))
        self._n_small_decreases = int(state["counts"][0])

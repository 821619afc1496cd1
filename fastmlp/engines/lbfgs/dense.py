"""L-BFGS for any number of inputs: the gradients of the dense engines at the trial of a search."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.memory import aligned_zeros, round_up
from fastmlp.compiled.threads import run_together
from fastmlp.engines.dense.engine import DenseEngine
from fastmlp.engines.dense.few_inputs import FewInputs
from fastmlp.engines.dense.many_inputs import ManyInputs
from fastmlp.engines.engine import Array, Problem, Rates, Settings, Weights
from fastmlp.engines.lbfgs.engine import LBFGS
from fastmlp.engines.lbfgs.kernels import dense
from fastmlp.engines.lbfgs.kernels.steps import Run

LANES = 8  # parameters are padded to a multiple of it


class DensePass(DenseEngine):
    """The objective as a dense engine computes it: with the arrays of its samples and sums, and its layout of weights.

    `FewInputsPass` and `ManyInputsPass` inherit the layout from an engine.
    """

    _minimise: Any
    _theta: Any
    _weights: Any

    def __init__(self, problem: Problem, n_hidden: int, settings: Settings) -> None:
        n_in, n_out = problem.x.shape[1], problem.y.shape[1]
        zeros = Weights(np.zeros((n_in, n_hidden)), np.zeros(n_hidden), np.zeros((n_hidden, n_out)), np.zeros(n_out))
        self.scatter = np.zeros(n_out)
        self._bound: Any = None
        slope, threads, parts = settings.negative_slope, settings.threads, settings.parts
        plain = Settings(Rates(0.0, 0.0, 0.0, 0.0), slope, threads=threads, parts=parts)
        super().__init__(problem, zeros, plain)  # type: ignore[call-arg, arg-type]

    def _evaluate_start(self) -> None:
        """Do nothing: the search evaluates the start."""

    def flattened(self, weights: Weights) -> Array:
        """Return weights as one vector: theta of the engine, then b2."""
        theta = self._theta(weights, np.dtype(np.float64))
        vector = aligned_zeros((theta.size + round_up(weights.b2.size, LANES),), theta.dtype)
        vector[: theta.size] = theta.ravel()
        vector[theta.size : theta.size + weights.b2.size] = weights.b2
        return vector

    def unflattened(self, vector: Array) -> Weights:
        """Return copies of the weights in a vector."""
        theta = self._state["theta"]
        b2 = vector[theta.size : theta.size + self.scatter.size]
        return self._weights(vector[: theta.size].reshape(theta.shape), b2)  # type: ignore[no-any-return]

    def bind(self, trial: Array) -> None:
        """Let theta be the first part of the trial."""
        theta = self._state["theta"]
        self._parameters = self._parameters._replace(theta=trial[: theta.size].reshape(theta.shape))
        self._by_part = np.zeros((1, self._n_parts, self.scatter.size))

    def minimise(self, run: Run) -> None:
        """Call the kernel in as many threads as the settings say."""
        work, progress = self._arguments(self._by_part, self._rates, n_batches=0), self._progress
        if self._bound is None:  # to find the types of the arguments takes 0.2 ms
            self._bound = compiled(self._minimise, (run, work, progress, 0))
        kernel = self._bound
        run_together(lambda thread: kernel(run, work, progress, thread), self._n_threads, progress)


class FewInputsPass(DensePass, FewInputs):
    """The objective for at most 8 inputs and one output."""

    method = "L-BFGS on few inputs"
    _minimise = staticmethod(dense.minimise_few_inputs)


class ManyInputsPass(DensePass, ManyInputs):
    """The objective for any number of inputs and outputs."""

    method = "L-BFGS on many inputs"
    _minimise = staticmethod(dense.minimise_many_inputs)


class FewInputsLBFGS(LBFGS):
    """L-BFGS for at most 8 inputs and one output."""

    _objective_class = FewInputsPass


class ManyInputsLBFGS(LBFGS):
    """L-BFGS for any number of inputs and outputs."""

    _objective_class = ManyInputsPass

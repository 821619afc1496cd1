"""L-BFGS for one input: the memory layout of `fastmlp.engines.lbfgs.kernels.univariate`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.memory import aligned_zeros, round_up
from fastmlp.engines.engine import Array, Problem, Settings, Weights
from fastmlp.engines.lbfgs.engine import LBFGS
from fastmlp.engines.lbfgs.kernels.steps import Run
from fastmlp.engines.lbfgs.kernels.univariate import Samples, Scratch, minimise
from fastmlp.engines.univariate.samples import sorted_samples

LANES = 8  # parameters are padded to a multiple of it


class RunningSums:
    """The objective for one input, by running sums over the sorted samples."""

    method = "L-BFGS on prefix sums"

    def __init__(self, problem: Problem, n_hidden: int, settings: Settings) -> None:
        data = sorted_samples(problem, may_centre=True)
        n, n_out = data.y.shape
        self.scatter = data.scatter
        self._kernel: Any = None
        self._n_hidden, self._n_out = n_hidden, n_out
        y = np.ascontiguousarray(data.y.T)
        self.samples = Samples(data.raw_x, data.x, y, data.weight, data.centre, float(settings.negative_slope))
        self.scratch = Scratch(
            kinks=np.zeros(n_hidden, np.int64),
            sides=np.zeros(n_hidden, np.int64),
            has_units=np.zeros(n + 1, np.int64),
            stretches=np.zeros(n + 1, np.int64),
            lines=aligned_zeros((n_out, 2, n + 1, 2)),
            starts=np.zeros(n + 1, np.int64),
            sums=aligned_zeros((2, n + 1, 4)),
            unit_sums=aligned_zeros((n_out, 2, n + 1, 2)),
        )

    def flattened(self, weights: Weights) -> Array:
        """Return weights as one vector."""
        parts = np.concatenate([weights.w1.ravel(), weights.b1, weights.w2.T.ravel(), weights.b2])
        vector = aligned_zeros((round_up(parts.size, LANES),))
        vector[: parts.size] = parts
        return vector

    def unflattened(self, vector: Array) -> Weights:
        """Return copies of the weights in a vector."""
        n_rows = 2 + self._n_out
        rows = vector[: n_rows * self._n_hidden].reshape(n_rows, self._n_hidden)
        b2 = vector[rows.size : rows.size + self._n_out]
        return Weights(rows[:1].copy(), rows[1].copy(), rows[2:].T.copy(), b2.copy())

    def bind(self, trial: Array) -> None:
        """Do nothing: the kernel takes the trial from the run."""

    def minimise(self, run: Run) -> None:
        """Call the kernel."""
        if self._kernel is None:  # to find the types of the arguments takes 0.2 ms
            self._kernel = compiled(minimise, (run, self.samples, self.scratch))
        self._kernel(run, self.samples, self.scratch)


class UnivariateLBFGS(LBFGS):
    """L-BFGS for one input."""

    _objective_class = RunningSums

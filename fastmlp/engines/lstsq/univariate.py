"""Least squares for one input: the memory of `fastmlp.engines.lstsq.kernels.univariate`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.engines.engine import Array, Problem, Rates, Settings, Shape, Weights
from fastmlp.engines.lbfgs.univariate import RunningSums
from fastmlp.engines.lstsq.engine import LeastSquares
from fastmlp.engines.lstsq.kernels.layout import Penalty, Stretches, System
from fastmlp.engines.lstsq.kernels.univariate import solve


def penalty_of(decay_w2: float, decay_b2: float, *, has_bias: bool) -> Penalty:
    """Return the ridge as the kernel takes it."""
    is_bias_free = has_bias and decay_w2 > 0 and decay_b2 == 0
    if not has_bias or is_bias_free:
        return Penalty(float(decay_w2), 0.0, is_bias_free, False)
    return Penalty(float(decay_w2), decay_w2 / decay_b2 if decay_w2 > 0 else 1.0, is_bias_free, False)


class Stretched:
    """A problem with one input in the memory layout of the kernel."""

    def __init__(self, problem: Problem, n_hidden: int, negative_slope: float) -> None:
        settings = Settings(Rates(1.0, 1.0, 1.0, 1.0), negative_slope)
        self._sums = RunningSums(problem, n_hidden, settings)
        n, n_out = self._sums.samples.x.size, problem.y.shape[1]
        self._stretches = Stretches(*(np.empty((n, k)) for k in (3, 2, 3)), *np.empty((2, n), np.int64))
        self._system = System(
            points=np.empty((n, 2)),
            differences=np.empty((n, 3)),
            band=np.empty((n, 3)),
            border=np.empty((n, 2)),
            corner=np.empty((2, 2)),
            right=np.empty(n),
            solution=np.empty(n),
            ends=np.empty(2),
            units=np.empty((n_hidden, 4)),
            place=np.empty(n_hidden, np.int64),
            multipliers=np.empty((n_out, n)),
            triangle=np.empty((n, 3)),
        )

    def solved(self, weights: Weights, penalty: Penalty) -> tuple[Array, Weights | None, Array]:
        """Return the squared errors of weights, the solution and its squared errors.

        The solution is None if it may be inaccurate.
        """
        samples = self._sums.samples
        theta = self._sums.flattened(weights)
        outputs = np.empty((4, samples.y.shape[0]))
        outputs[0] = np.sqrt(samples.y**2 @ samples.sample_weight)
        arrays = self._sums.scratch, self._stretches, self._system
        arguments = theta, samples, arrays, penalty, outputs
        is_accurate = _kernel(arguments)(*arguments)
        solution = self._sums.unflattened(theta) if is_accurate else None
        return outputs[1] + self._sums.scatter, solution, outputs[2] + self._sums.scatter


_kernels: list[Any] = []


def _kernel(arguments: tuple[Any, ...]) -> Any:
    """Return the compiled kernel. The types of its arguments, which take 0.2 ms to find, are always the same."""
    if not _kernels:
        _kernels.append(compiled(solve, arguments))
    return _kernels[0]


class UnivariateLeastSquares(LeastSquares):
    """Linear least squares for nets with one input, by LAPACK where the fast solution may be inaccurate."""

    method = "least squares on stretches"

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel, or load it."""
        if not _kernels:
            one = np.ones((1, 1))
            cls(Problem(one, one, np.ones(1)), Weights(one, np.zeros(1), one, np.zeros(1)), settings)

    def _start_error(self) -> Array:
        """Evaluate the weights and solve for the output layer, in one call of the kernel."""
        decays, has_bias = self._settings.decays, self._settings.rates.b2 != 0
        penalty = penalty_of(decays.w2, decays.b2, has_bias=has_bias)
        system = Stretched(self._problem, self._weights.b1.size, self._settings.negative_slope)
        with np.errstate(all="ignore"):
            error, self._solved, self._solved_error = system.solved(self._weights, penalty)
        if has_bias and decays.w2 == 0 and decays.b2 > 0:  # only b2 is penalised
            self._solved = None
        return error

    def _solution(self) -> tuple[Weights, Array]:
        """Return the solution and its squared errors (n_out,)."""
        if self._solved is None:
            return super()._solution()
        return self._solved._replace(w1=self._weights.w1, b1=self._weights.b1), self._solved_error

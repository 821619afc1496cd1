"""The engine for any number of inputs and outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.dense.engine import DenseEngine, n_batches_of, n_parts_of, smallest_problem
from fastmlp.engines.dense.kernels import many_inputs
from fastmlp.engines.dense.layout import in_every_lane, padded, round_up, zeros
from fastmlp.engines.engine import Array, Problem, Settings, Shape, Weights

# Samples in a block of the kernel for many inputs: of 24, 48, 96, 144, 192 and 288 these were the fastest or within 2 %
# for 64 to 1024 units. The hidden layer of 48 samples and 1000 units takes 384 KiB of a second-level cache of 512.
BLOCK_SAMPLES = 8 * many_inputs.ROWS


class ManyInputs(DenseEngine):
    """Any number of inputs and outputs."""

    method = "many inputs"
    _kernels = many_inputs

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        n_samples, self._n_in = problem.x.shape
        self._n_hidden = weights.b1.size
        n_out = problem.y.shape[1]
        dtype = problem.x.dtype
        units = many_inputs.PANEL * n_lanes(dtype)
        n_in = max(4, round_up(self._n_in, 2))
        n_places = round_up(min(n_samples, settings.batch_size or n_samples), many_inputs.ROWS)
        n_parts = n_parts_of(settings, n_places // many_inputs.ROWS)
        n_padded = n_places * max(1, n_batches_of(n_samples, settings))
        block = min(BLOCK_SAMPLES, n_places)

        rows = np.zeros((n_in + 1 + n_out, round_up(self._n_hidden, units)), dtype)
        rows[: self._n_in, : self._n_hidden] = weights.w1
        rows[n_in, : self._n_hidden] = weights.b1
        rows[n_in + 1 :, : self._n_hidden] = weights.w2.T
        panels = rows.reshape(len(rows), -1, units).swapaxes(0, 1)
        theta = padded(panels, panels.shape, dtype)
        super().__init__(
            problem,
            settings,
            {
                "theta": theta,
                "b2": in_every_lane(weights.b2, dtype),
            },
            {
                "dtheta": zeros((n_parts, *theta.shape), dtype),
                "db2": zeros((n_parts, n_out), dtype),
            },
            [
                zeros((n_parts, len(theta), block, units), dtype),
                zeros((n_parts, block, units), dtype),
                zeros((n_parts, block, n_out, n_lanes(dtype)), dtype),
                zeros((n_parts, block, n_out), dtype),
            ],
            [
                zeros((n_padded, n_in), dtype),
                zeros((n_padded, n_out), dtype),
                zeros((2 if settings.batch_size else 1, n_padded), dtype),
            ],
            n_places,
        )

    def _arrange_inputs(self, x: Array, order: Array) -> None:
        x[:, : self._n_in] = self._problem.x[order]

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel, plain or remembering, one for all sizes, by training the smallest net there is."""
        cls(*smallest_problem(1, dtype, settings))

    def weights(self) -> Weights:
        """Return copies of the weights."""
        theta, b2 = self._kept["theta"], self._kept["b2"][:, 0]
        rows = theta.swapaxes(0, 1).reshape(theta.shape[1], -1)[:, : self._n_hidden]
        n_rows = len(rows) - b2.size
        return Weights(rows[: self._n_in].copy(), rows[n_rows - 1].copy(), rows[n_rows:].T.copy(), b2.copy())

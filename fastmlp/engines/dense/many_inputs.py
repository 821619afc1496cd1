"""The engine for any number of inputs and outputs: the memory layout of `fastmlp.engines.dense.kernels.many_inputs`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.memory import aligned_zeros, round_up
from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.dense.engine import DenseEngine, n_batches_of, n_parts_of, smallest_problem
from fastmlp.engines.dense.kernels import many_inputs
from fastmlp.engines.dense.layout import broadcast_to_lanes, packed_panels, unpacked_panels
from fastmlp.engines.engine import Array, Problem, Settings, Shape, Weights

# Samples in a block: of 24, 48, 96, 144, 192 and 288 these were the fastest or within 2 % for 64 to 1024 units. The
# hidden layer of 48 samples and 1000 units takes 384 KiB of a second-level cache of 512.
BLOCK_SAMPLES = 8 * many_inputs.TILE_ROWS


class ManyInputs(DenseEngine):
    """Any number of inputs and outputs."""

    method = "many inputs"
    _kernels = many_inputs

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        n_samples, self._n_in = problem.x.shape
        self._n_hidden = weights.b1.size
        n_out = problem.y.shape[1]
        dtype = problem.x.dtype
        lanes = n_lanes(dtype)
        theta = self._theta(weights, dtype)
        units = theta.shape[2]  # of a panel
        n_in = many_inputs.padded_inputs(self._n_in)

        samples_per_batch = round_up(min(n_samples, settings.batch_size or n_samples), many_inputs.TILE_ROWS)
        n_parts = n_parts_of(settings, samples_per_batch // many_inputs.TILE_ROWS)
        n_padded = samples_per_batch * max(1, n_batches_of(n_samples, settings))
        block = min(BLOCK_SAMPLES, samples_per_batch)
        n_weights = 2 if settings.batch_size else 1

        super().__init__(
            problem,
            settings,
            {"theta": theta, "b2": broadcast_to_lanes(weights.b2, dtype)},
            many_inputs.Gradients(
                dtheta=aligned_zeros((n_parts, *theta.shape), dtype),
                db2=aligned_zeros((n_parts, n_out), dtype),
            ),
            many_inputs.Scratch(
                h1=aligned_zeros((n_parts, len(theta), block, units), dtype),
                dh1=aligned_zeros((n_parts, block, units), dtype),
                h2=aligned_zeros((n_parts, block, n_out, lanes), dtype),
                error=aligned_zeros((n_parts, block, n_out), dtype),
            ),
            many_inputs.Samples(
                x=aligned_zeros((n_padded, n_in), dtype),
                y=aligned_zeros((n_padded, n_out), dtype),
                sample_weight=aligned_zeros((n_weights, n_padded), dtype),
            ),
        )

    def _copy_x(self, padded_order: Array) -> None:
        self._samples.x[:, : self._n_in] = self._problem.x[padded_order]

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel, one for all sizes, without or with moments."""
        cls(*smallest_problem(1, dtype, settings))

    def _theta(self, weights: Weights, dtype: np.dtype[Any]) -> Array:
        """Return w1, b1 and w2 in the layout of the kernel."""
        units = many_inputs.PANEL_VECTORS * n_lanes(dtype)
        return packed_panels(weights, many_inputs.padded_inputs(self._n_in), units, dtype)

    def _weights(self, theta: Array, b2: Array) -> Weights:
        """Return copies of the weights in theta and b2 (n_out,)."""
        return unpacked_panels(theta, b2, self._n_in, self._n_hidden)

"""The engine for few inputs and one output: the memory layout of `fastmlp.engines.dense.kernels.few_inputs`."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.masks import mark_dtype
from fastmlp.compiled.memory import aligned_zeros, round_up
from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.dense.engine import DenseEngine, n_batches_of, n_parts_of, smallest_problem
from fastmlp.engines.dense.kernels import few_inputs
from fastmlp.engines.dense.layout import broadcast_to_lanes, padded
from fastmlp.engines.engine import Array, Problem, Settings, Shape, Weights

# Size of a block of samples. Of 8, 12, 16, 20, 24, 32 and 48 KiB, 24 and 32 were the fastest with 3, 4, 7 and 8 inputs,
# 8 slower by up to 1.2 times, because the sums over lanes after each block take longer.
BLOCK_BYTES = 32 * 1024


class FewInputs(DenseEngine):
    """At most 8 inputs and one output."""

    method = "few inputs"
    _kernels = few_inputs

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        n_samples, n_in = problem.x.shape
        dtype = problem.x.dtype
        lanes = n_lanes(dtype)
        self._n_hidden = weights.b1.size
        n_units = round_up(self._n_hidden, few_inputs.units_at_once(n_in))
        n_padded = round_up(n_units, lanes)

        multiple = few_inputs.SAMPLE_VECTORS * lanes
        n_at_once = min(n_samples, settings.batch_size or n_samples)
        n_parts = n_parts_of(settings, -(-n_at_once // multiple))
        bytes_per_sample = (n_in + 3) * dtype.itemsize  # x, y, sample_weight and error
        blocks_per_batch = round_up(-(-n_at_once * bytes_per_sample // BLOCK_BYTES), n_parts)
        block = round_up(-(-n_at_once // blocks_per_batch), multiple)
        n_blocks = blocks_per_batch * max(1, n_batches_of(n_samples, settings))
        n_weights = 2 if settings.batch_size else 1

        self._theta_shape = n_in + 2, n_padded
        super().__init__(
            problem,
            settings,
            {"theta": self._theta(weights, dtype), "b2": broadcast_to_lanes(weights.b2, dtype)},
            few_inputs.Gradients(
                active_sums=aligned_zeros((n_parts, n_in + 1, n_padded), dtype),
                all_sums=aligned_zeros((n_parts, n_in + 1), dtype),
            ),
            few_inputs.Scratch(
                error=aligned_zeros((n_parts, block), dtype),
                active=aligned_zeros((n_parts, n_units, block // lanes), np.dtype(mark_dtype(dtype))),
            ),
            few_inputs.Samples(
                x=aligned_zeros((n_blocks, n_in, block), dtype),
                y=aligned_zeros((n_blocks, block), dtype),
                sample_weight=aligned_zeros((n_weights, n_blocks, block), dtype),
                inputs=tuple(range(n_in)),
            ),
        )

    def _copy_x(self, padded_order: Array) -> None:
        n_blocks, n_in, block = self._samples.x.shape
        self._samples.x[...] = self._problem.x[padded_order].reshape(n_blocks, block, n_in).swapaxes(1, 2)

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel for this number of inputs, without or with moments."""
        cls(*smallest_problem(shape.n_in, dtype, settings))

    def _theta(self, weights: Weights, dtype: np.dtype[Any]) -> Array:
        """Return w1, b1 and w2 in the layout of the kernel."""
        rows = np.concatenate([weights.w1, weights.b1[None], weights.w2.T])  # (n_in + 2, n_hidden)
        return padded(rows, self._theta_shape, dtype)

    def _weights(self, theta: Array, b2: Array) -> Weights:
        """Return copies of the weights in theta and b2 (n_out,)."""
        *w1, b1, w2 = theta[:, : self._n_hidden]
        return Weights(np.array(w1), b1.copy(), w2[:, None].copy(), b2.copy())

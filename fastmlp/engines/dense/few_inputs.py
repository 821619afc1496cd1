"""The engine for few inputs and one output."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.masks import mark_dtype
from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.dense.engine import DenseEngine, n_batches_of, n_parts_of, smallest_problem
from fastmlp.engines.dense.kernels import few_inputs
from fastmlp.engines.dense.layout import in_every_lane, padded, round_up, zeros
from fastmlp.engines.engine import Array, Problem, Settings, Shape, Weights

# What a block of samples occupies in the kernel for few inputs. Of 8, 12, 16, 20, 24, 32 and 48 KiB, 24 and 32 were the
# fastest with 3, 4, 7 and 8 inputs, 8 slower by up to 1.2 times: then the sums over lanes after each block tell.
BLOCK_BYTES = 32 * 1024


class FewInputs(DenseEngine):
    """At most 8 inputs and one output."""

    method = "few inputs"
    _kernels = few_inputs

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        n_samples, n_in = problem.x.shape
        dtype = problem.x.dtype
        multiple = few_inputs.SAMPLE_VECTORS * n_lanes(dtype)
        n_at_once = min(n_samples, settings.batch_size or n_samples)
        n_parts = n_parts_of(settings, -(-n_at_once // multiple))
        n_arrays = n_in + 3  # x, and y, sample_weight, error
        n_blocks = round_up(-(-n_at_once * n_arrays * dtype.itemsize // BLOCK_BYTES), n_parts)
        block = round_up(-(-n_at_once // n_blocks), multiple)
        n_places = n_blocks * block
        n_blocks *= max(1, n_batches_of(n_samples, settings))

        self._n_hidden = weights.b1.size
        n_units = round_up(self._n_hidden, few_inputs.units_at_once(n_in))
        theta = np.concatenate([weights.w1, weights.b1[None], weights.w2.T])
        theta = padded(theta, (n_in + 2, round_up(n_units, n_lanes(dtype))), dtype)
        super().__init__(
            problem,
            settings,
            {
                "theta": theta,
                "b2": in_every_lane(weights.b2, dtype),
            },
            {
                "sums": zeros((n_parts, n_in + 1, theta.shape[1]), dtype),
                "linear": zeros((n_parts, n_in + 1), dtype),
            },
            [
                zeros((n_parts, block), dtype),
                zeros((n_parts, n_units, block // n_lanes(dtype)), np.dtype(mark_dtype(dtype))),
            ],
            [
                zeros((n_blocks, n_in, block), dtype),
                zeros((n_blocks, block), dtype),
                zeros((2 if settings.batch_size else 1, n_blocks, block), dtype),
            ],
            n_places,
            tuple(range(n_in)),
        )

    def _arrange_inputs(self, x: Array, order: Array) -> None:
        n_blocks, n_in, block = x.shape
        x[...] = self._problem.x[order].reshape(n_blocks, block, n_in).swapaxes(1, 2)

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel for so many inputs, plain or remembering, by training the smallest net there is."""
        cls(*smallest_problem(shape.n_in, dtype, settings))

    def weights(self) -> Weights:
        """Return copies of the weights."""
        *w1, b1, w2 = self._kept["theta"][:, : self._n_hidden]
        return Weights(np.array(w1), b1.copy(), w2[:, None].copy(), self._kept["b2"][:, 0].copy())

"""Compiled, threaded products with the Gauss-Newton matrix: the memory layout of the kernel."""

from __future__ import annotations

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.memory import aligned_zeros, round_up
from fastmlp.compiled.threads import may_use_all_cores, progress_counters, run_together, usable_cores
from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.dense.kernels.gauss_newton import Direction, Matrix, multiply_part
from fastmlp.engines.dense.kernels.many_inputs import PANEL_VECTORS, TILE_ROWS, Gradients, Scratch, padded_inputs
from fastmlp.engines.dense.layout import packed_panels, padded, sum_of_parts, unpacked_panels
from fastmlp.engines.dense.many_inputs import BLOCK_SAMPLES
from fastmlp.engines.engine import Array, Weights

N_PARTS = 8  # of the samples; on any number of cores, so that the bits of a product do not depend on it
DTYPE = np.dtype(np.float64)


class DenseProduct:
    """The product v -> J^T S J v at some weights, for any number of inputs and outputs."""

    def __init__(self, x: Array, sample_weight: Array, weights: Weights, negative_slope: float) -> None:
        n_samples, self._n_in = x.shape
        n_out = weights.b2.size
        self._n_hidden = weights.b1.size
        n_rows, lanes = round_up(n_samples, TILE_ROWS), n_lanes(DTYPE)
        self._n_padded = padded_inputs(self._n_in)
        self._units = PANEL_VECTORS * lanes  # of a panel
        block = min(BLOCK_SAMPLES, n_rows)
        theta = self._panels(weights)
        self._matrix = Matrix(
            padded(x, (n_rows, self._n_padded), DTYPE),
            padded(sample_weight, (n_rows,), DTYPE),
            theta,
            float(negative_slope),
        )
        self._gradients = Gradients(aligned_zeros((N_PARTS, *theta.shape), DTYPE), np.zeros((N_PARTS, n_out)))
        self._scratch = Scratch(
            h1=aligned_zeros((N_PARTS, len(theta), block, self._units), DTYPE),
            dh1=aligned_zeros((N_PARTS, block, self._units), DTYPE),
            h2=aligned_zeros((N_PARTS, block, n_out, lanes), DTYPE),
            error=aligned_zeros((N_PARTS, block, n_out), DTYPE),
        )
        vector = Direction(theta, weights.b2)
        self._kernel = compiled(multiply_part, (self._matrix, vector, self._gradients, self._scratch, 0))
        self._n_threads = min(usable_cores(), N_PARTS) if may_use_all_cores() else 1
        self._progress = progress_counters(N_PARTS)

    def __call__(self, vector: Weights) -> Weights:
        """Return J^T S J v."""
        packed = Direction(self._panels(vector), np.ascontiguousarray(vector.b2))

        def multiply(thread: int) -> int:
            for part in range(thread, N_PARTS, self._n_threads):
                self._kernel(self._matrix, packed, self._gradients, self._scratch, part)
            return 0

        run_together(multiply, self._n_threads, self._progress)
        dtheta, db2 = sum_of_parts(self._gradients.dtheta), sum_of_parts(self._gradients.db2)
        return unpacked_panels(dtheta, db2, self._n_in, self._n_hidden)

    def _panels(self, weights: Weights) -> Array:
        return packed_panels(weights, self._n_padded, self._units, DTYPE)


def compile_product() -> None:
    """Compile the kernel, or load it from the cache."""
    one = np.ones((1, 1))
    DenseProduct(one, one[0], Weights(one, one[0], one, one[0]), 0.0)

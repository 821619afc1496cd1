"""Which of the two dense engines trains a net, and in how many threads."""

from __future__ import annotations

from collections.abc import Iterator

from fastmlp.engines.dense.few_inputs import FewInputs
from fastmlp.engines.dense.kernels import few_inputs
from fastmlp.engines.dense.many_inputs import ManyInputs
from fastmlp.engines.engine import Engine, Shape

# Samples below which the kernel for many inputs is faster for few as well: the other one sums over the samples of each
# batch; 600 us against 340 for an epoch of 1024 samples in batches of 8 (one input, 256 units, float32).
SMALL_BATCH = 32
# Multiply-adds of one update: about 20 us in float32, which the ends of two phases hardly lengthen.
WORK_OF_A_THREAD = 2**20


def dense_engine(n_in: int, n_out: int, batch_size: int | None = None) -> type[Engine]:
    """Return the engine for a net of this many inputs and outputs, trained on so many samples at once."""
    is_small = batch_size is not None and batch_size < SMALL_BATCH
    return FewInputs if n_in <= few_inputs.MAX_INPUTS and n_out == 1 and not is_small else ManyInputs


def worthwhile_threads(shape: Shape, batch_size: int | None, usable: int) -> int:
    """Return how many of the usable threads a fit of this shape takes, unless it is told."""
    n_at_once = min(shape.n_samples, batch_size or shape.n_samples)
    work = (2 * shape.n_in + 3 * shape.n_out) * shape.n_hidden * n_at_once
    return max(1, min(usable, work // WORK_OF_A_THREAD))


def each_kernel() -> Iterator[tuple[type[Engine], Shape]]:
    """Yield an engine and a shape for each kernel that a fit may compile."""
    for n_in in range(1, few_inputs.MAX_INPUTS + 1):
        yield FewInputs, Shape(1, n_in, 1, 1)
    yield ManyInputs, Shape(1, 1, 1, 1)

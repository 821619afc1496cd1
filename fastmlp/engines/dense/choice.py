"""The choice of the dense engine that trains a net, and of the number of threads."""

from __future__ import annotations

from collections.abc import Iterator

from fastmlp.engines.dense.few_inputs import FewInputs
from fastmlp.engines.dense.kernels.few_inputs import MAX_INPUTS
from fastmlp.engines.dense.many_inputs import ManyInputs
from fastmlp.engines.engine import Engine, Shape

# Batch size below which `ManyInputs` is faster with few inputs too, because the kernel of `FewInputs` sums over lanes
# once for each batch: 340 us against 600 for an epoch of 1024 samples in batches of 8 (one input, 256 units, float32).
SMALL_BATCH = 32
# Multiply-adds per update for which another thread is worth starting: about 20 us in float32, much longer than the
# barriers after the update and the pass.
MIN_WORK_PER_THREAD = 2**20


def dense_engine(n_in: int, n_out: int, batch_size: int | None = None) -> type[Engine]:
    """Return the faster engine for a number of inputs and outputs and a batch size (None: no mini-batches)."""
    is_small = batch_size is not None and batch_size < SMALL_BATCH
    return FewInputs if n_in <= MAX_INPUTS and n_out == 1 and not is_small else ManyInputs


def worthwhile_threads(shape: Shape, batch_size: int | None, usable: int) -> int:
    """Return the number of threads that a fit takes by default, at most the usable ones."""
    n_at_once = min(shape.n_samples, batch_size or shape.n_samples)
    work = (2 * shape.n_in + 3 * shape.n_out) * shape.n_hidden * n_at_once
    return max(1, min(usable, work // MIN_WORK_PER_THREAD))


def each_kernel() -> Iterator[tuple[type[Engine], Shape]]:
    """Yield an engine and a shape for every kernel that a fit may compile."""
    for n_in in range(1, MAX_INPUTS + 1):
        yield FewInputs, Shape(1, n_in, 1, 1)
    yield ManyInputs, Shape(1, 1, 1, 1)

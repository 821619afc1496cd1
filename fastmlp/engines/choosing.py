"""The choice of the engine, by the sizes of the network and the data."""

from __future__ import annotations

from fastmlp.engines.engine import Engine, Shape
from fastmlp.engines.optimizers import OPTIMIZERS
from fastmlp.engines.reference import ReferenceEngine

ALGORITHMS = ("auto", "univariate", "dense", "reference")
MOST_OUTPUTS = 32  # of "univariate", whose kernels are compiled for each number: 3.5 s for 10, 9 s for 128


def chosen_algorithm(algorithm: str, n_in: int, n_out: int, batch_size: int | None) -> str | None:
    """Return the algorithm that "auto" means, or the one given; None if it cannot train such a network."""
    is_univariate = n_in == 1 and n_out <= MOST_OUTPUTS and batch_size is None
    if algorithm == "auto":
        return "univariate" if is_univariate else "dense"
    return None if algorithm == "univariate" and not is_univariate else algorithm


def engine_class(algorithm: str, shape: Shape, batch_size: int | None, optimizer: str = "sgd") -> type[Engine]:
    """Return the engine of an algorithm and an optimizer. Only the compiled ones import Numba."""
    if optimizer in OPTIMIZERS:
        return OPTIMIZERS[optimizer].engine_class(algorithm, shape)
    if algorithm == "reference":
        return ReferenceEngine
    if algorithm == "univariate":
        from fastmlp.engines.univariate.engine import Univariate

        return Univariate
    from fastmlp.engines.dense.choice import dense_engine

    return dense_engine(shape.n_in, shape.n_out, batch_size)


def threads_and_parts(
    algorithm: str, shape: Shape, batch_size: int | None, threads: int | None
) -> tuple[int, int | None]:
    """Return the number of threads of an engine, and of the parts of an update, as in `Settings`.

    The number of parts decides the last bits of the result. If `threads` is None it depends on the cores only, so that
    a fit that may not use them all, for example outside the main thread, has the same bits.
    """
    if algorithm != "dense":
        return 1, None
    if threads is not None:
        return threads, None
    from fastmlp.compiled.threads import may_use_all_cores, usable_cores
    from fastmlp.engines.dense.choice import worthwhile_threads

    parts = worthwhile_threads(shape, batch_size, usable_cores())
    return (parts if may_use_all_cores() else 1), parts

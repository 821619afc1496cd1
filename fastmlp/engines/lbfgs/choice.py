"""The choice among the engines of L-BFGS. Only the compiled ones import Numba."""

from __future__ import annotations

from collections.abc import Iterator

from fastmlp.engines.engine import Engine, Shape
from fastmlp.engines.lbfgs.reference import ReferenceLBFGS


def engine_class(algorithm: str, shape: Shape) -> type[Engine]:
    """Return the engine of an algorithm."""
    if algorithm == "reference":
        return ReferenceLBFGS
    if algorithm == "univariate":
        from fastmlp.engines.lbfgs.univariate import UnivariateLBFGS

        return UnivariateLBFGS
    from fastmlp.engines.dense.choice import dense_engine
    from fastmlp.engines.dense.few_inputs import FewInputs
    from fastmlp.engines.lbfgs.dense import FewInputsLBFGS, ManyInputsLBFGS

    return FewInputsLBFGS if dense_engine(shape.n_in, shape.n_out) is FewInputs else ManyInputsLBFGS


def each_kernel() -> Iterator[tuple[type[Engine], Shape]]:
    """Yield an engine and a shape for every kernel that a fit may compile."""
    from fastmlp.engines.dense.kernels.few_inputs import MAX_INPUTS

    few_inputs = [Shape(1, n_in, 1, 1) for n_in in range(1, MAX_INPUTS + 1)]
    yield engine_class("univariate", few_inputs[0]), few_inputs[0]
    for shape in (*few_inputs, Shape(1, 1, 1, 2)):
        yield engine_class("dense", shape), shape

"""The choice between the engines of least squares. Only the one for one input imports Numba."""

from __future__ import annotations

from fastmlp.engines.engine import Engine, Shape
from fastmlp.engines.lstsq.engine import LeastSquares


def engine_class(algorithm: str, shape: Shape) -> type[Engine]:
    """Return the engine of an algorithm."""
    if algorithm == "univariate":
        from fastmlp.engines.lstsq.univariate import UnivariateLeastSquares

        return UnivariateLeastSquares
    return LeastSquares

"""The problem that an engine solves: the data in the coordinates and the dtype of the training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from fastmlp.checks import wording
from fastmlp.engines.engine import Array, Problem, Shape, Weights
from fastmlp.starting.coordinates import Coordinates
from fastmlp.starting.scaling import Standardization


def make_problem(coordinates: Coordinates, dtype: np.dtype[Any]) -> Problem:
    """Return the data in a dtype; raise a ValueError if it overflows."""
    with np.errstate(over="ignore"):
        x, y = coordinates.x.astype(dtype, copy=False), coordinates.y.astype(dtype, copy=False)
    if not _are_finite((x, y)):
        raise _overflow(dtype)
    return Problem(x, y, coordinates.sample_weight.astype(dtype, copy=False))


def require_finite_model(maps: Standardization, weights: Weights, dtype: np.dtype[Any]) -> None:
    """Raise a ValueError if the model of the initial weights, given in coordinates of the training, overflows."""
    if not is_finite_model(maps, weights, dtype):
        raise _overflow(dtype)


def is_finite_model(maps: Standardization, weights: Weights, dtype: np.dtype[Any]) -> bool:
    """Return whether the model of weights in the coordinates of the training is finite in a dtype."""
    with np.errstate(over="ignore", invalid="ignore"):
        return _are_finite(maps.fold(weights, dtype))


def shape_of(x: Array, n_hidden: int, n_out: int) -> Shape:
    """Return the sizes of a fit to the x of a problem. Samples of one input count once for each distinct value."""
    n_samples, n_in = x.shape
    if n_in == 1:
        ordered = np.sort(x[:, 0])
        n_samples = 1 + np.count_nonzero(ordered[1:] != ordered[:-1])  # np.unique takes 35 us for 100 samples, this 7
    return Shape(n_samples, n_in, n_hidden, n_out)


def _are_finite(arrays: Iterable[Array]) -> bool:
    return all(bool(np.isfinite(array).all()) for array in arrays)


def _overflow(dtype: np.dtype[Any]) -> ValueError:
    rule = f"of a scale that {dtype} can hold"
    return ValueError(wording("x, y and init", rule, "an overflow", "Rescale them."))

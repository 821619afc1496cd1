"""Checks of the samples of a fit and of the inputs of a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from fastmlp.checks.arrays import common_dtype, numbers_of, require_finite
from fastmlp.checks.frames import column_names, require_names
from fastmlp.checks.messages import counted, wording
from fastmlp.engines.engine import Array


@dataclass(frozen=True)
class Samples:
    """Checked copies of the samples of a fit.

    Attributes
    ----------
    x : ndarray of float64, shape (n, n_in)
        Inputs.
    y : ndarray of float64, shape (n, n_out)
        Targets.
    sample_weight : ndarray of float64, shape (n,)
        Weights, whose sum is 1.
    x_ndim, y_ndim : int
        Number of dimensions that x and y had before.
    dtype : numpy.dtype
        float32 if both x and y were float32, else float64.
    x_names, y_names : sequence of str or None
        Names of the columns of x and y, if they were data frames or series.
    """

    x: Array
    y: Array
    sample_weight: Array
    x_ndim: int
    y_ndim: int
    dtype: np.dtype[Any]
    x_names: Sequence[str] | None = None
    y_names: Sequence[str] | None = None

    def of_positive_weight(self) -> Samples:
        """Return the samples of positive weight. The others may hold values that would overflow."""
        counted = self.sample_weight > 0
        if counted.all():
            return self
        return replace(self, x=self.x[counted], y=self.y[counted], sample_weight=self.sample_weight[counted])


def samples(x: object, y: object, sample_weight: object = None, *, name: str = "") -> Samples:
    """Check and copy the samples of a fit or of a score. Errors put `name` before x, y and sample_weight."""
    x_name, y_name, weight_name = f"{name}x", f"{name}y", f"{name}sample_weight"
    x_raw, y_raw = numbers_of(x_name, x), numbers_of(y_name, y)
    for label, array in ((x_name, x_raw), (y_name, y_raw)):
        if array.size == 0:
            rule = "an array of at least one sample and one column"
            raise ValueError(wording(label, rule, f"shape {array.shape}"))
    if len(y_raw) != len(x_raw):
        rule = f"of the same length as {x_name} ({counted(len(x_raw), 'sample')})"
        raise ValueError(wording(y_name, rule, f"{len(y_raw)}"))
    return Samples(
        _columns(x_name, x_raw, x),
        _columns(y_name, y_raw, y),
        _weights_of_samples(weight_name, sample_weight, len(x_raw)),
        x_raw.ndim,
        y_raw.ndim,
        common_dtype(x_raw, y_raw),
        column_names(x),
        column_names(y),
    )


def inputs(x: object, n_in: int, names: Sequence[str] | None = None) -> tuple[Array, int]:
    """Check the inputs of a trained network.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, n_in)
        Inputs. If they are a data frame or a series with names, these must be `names`.
    n_in : int
        Number of inputs of the network.
    names : sequence of str, optional
        Names of the inputs of the network.

    Returns
    -------
    ndarray of float64, shape (n, n_in)
        A copy of x.
    int
        Number of dimensions of x.
    """
    require_names("x", column_names(x), names)
    array = numbers_of("x", x)
    require_inputs(array.shape, n_in)
    return _columns("x", array, x), array.ndim


def require_inputs(shape: tuple[int, ...], n_in: int) -> None:
    """Check the shape of x: (n, n_in), or (n,) for one input."""
    n_columns = shape[1] if len(shape) == 2 else 1
    if n_columns != n_in:
        remedy = "Pass one sample as numpy.asarray(x)[None]." if len(shape) == 1 else ""
        raise ValueError(wording("x", f"of shape (n, {n_in})", f"shape {shape}", remedy))


def _columns(name: str, array: Array, value: object) -> Array:
    """Return a copy as finite float64 of shape (n, n_columns). Values beyond float64 count as infinite.

    `value` is the argument that the array was made of.
    """
    with np.errstate(over="ignore"):
        copied = np.array(array, dtype=np.float64, order="C")
    require_finite(name, copied, value)
    return copied if copied.ndim == 2 else copied[:, None]


def _weights_of_samples(name: str, sample_weight: object, n_samples: int) -> Array:
    """Return weights of the samples as float64 with sum 1; equal weights for None."""
    if sample_weight is None:
        return np.full(n_samples, 1 / n_samples)
    weight = numbers_of(name, sample_weight)
    if weight.shape != (n_samples,):
        raise ValueError(wording(name, f"of shape ({n_samples},)", f"shape {weight.shape}"))
    require_finite(name, weight)
    if (weight < 0).any():
        position = int(np.argmax(weight < 0))
        raise ValueError(wording(name, "at least 0", f"{weight[position]} at position {position}"))
    if not weight.any():
        raise ValueError(wording(name, "positive for at least one sample", "zeros"))
    weight = weight.astype(np.float64) / float(weight.max())  # the sum cannot overflow then
    return np.asarray(weight / weight.sum())

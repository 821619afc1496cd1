"""From the weights of a net to the units that univariate methods train on centred samples, and back."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.kinks import active_ranges
from fastmlp.engines.univariate.codes import codes
from fastmlp.engines.univariate.samples import SortedSamples


class CentredUnits(NamedTuple):
    """The units of a net, or of several nets stacked along a first axis, in float64.

    Attributes
    ----------
    units : ndarray, shape (..., 2 + n_out, n_hidden)
        Rows w, b + centre w, v_0, v_1, ...
    code : ndarray of int64, shape (..., n_hidden)
        The codes of their patterns on the samples as given.
    b2 : ndarray, shape (..., n_out)
        Output biases.
    rounding_error : ndarray, shape (..., n_hidden)
        The part of b that centring rounded away. `uncentred_weights` adds it again.
    """

    units: Array
    code: Array
    b2: Array
    rounding_error: Array


def centred_units(samples: SortedSamples, weights: Weights, dtype: np.dtype[Any]) -> CentredUnits:
    """Return the units of weights that are first rounded to a dtype."""
    w1, b1, w2, b2 = (np.asarray(w, dtype).astype(np.float64) for w in weights)
    ranges = active_ranges(samples.raw_x, w1.ravel(), b1.ravel())
    code = codes(*ranges, samples.x.size).reshape(b1.shape)
    with np.errstate(over="ignore", invalid="ignore"):
        beta, rounding_error = _centred(samples, w1[..., 0, :], b1, code)
        units = np.concatenate([w1, beta[..., None, :], np.swapaxes(w2, -1, -2)], axis=-2)
    return CentredUnits(units, code, b2, rounding_error)


def uncentred_weights(samples: SortedSamples, units: CentredUnits, dtype: np.dtype[Any]) -> Weights:
    """Return copies of the weights of units. Units that were not trained give their weights back to the last bit."""
    rows = units.units
    with np.errstate(over="ignore", invalid="ignore"):
        # The sum is never -0.0, which kernels make of 0.
        b1 = _uncentred(samples, rows[..., 0, :], rows[..., 1, :]) + units.rounding_error
        weights = rows[..., :1, :], b1, np.swapaxes(rows[..., 2:, :], -1, -2), units.b2
        return Weights(*(np.array(w, dtype, order="C") for w in weights))


def _centred(samples: SortedSamples, w: Array, b: Array, code: Array) -> tuple[Array, Array]:
    """Return beta = b + centre w and its rounding error: the term by which beta - centre w must be increased to give b.

    Rounding beta may move a kink across a sample. Such a unit gets the nearest beta that keeps its pattern.
    """
    if samples.centre == 0:
        return b, np.zeros_like(b)  # adding in long double takes 7 us for 1,000 units
    beta = (b + np.longdouble(samples.centre) * w).astype(np.float64)
    beside = samples.neighbours
    for x, is_active in zip(beside.x[:, code], beside.active[:, code], strict=True):
        tie = -(w * x)
        beta = np.where(is_active, np.maximum(beta, np.nextafter(tie, np.inf)), np.minimum(beta, tie))
    return beta, b - _uncentred(samples, w, beta)


def _uncentred(samples: SortedSamples, w: Array, beta: Array) -> Array:
    """Return beta - centre w in long double, in two products that are exact since the centre is a float32."""
    if samples.centre == 0:
        return beta
    mantissa, exponent = np.frexp(w)
    high = np.ldexp(mantissa.astype(np.float32).astype(np.float64), exponent)
    return np.asarray((beta.astype(np.longdouble) - samples.centre * high) - samples.centre * (w - high))

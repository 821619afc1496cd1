"""Where training starts and how fast: initial weights and the automatic learning rate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fastmlp.engines.engine import Array, Weights
from fastmlp.starting.gauss_newton import gauss_newton

NAMED_STARTS = ("balanced", "he", "glorot")

_TOLERANCE = 1e-6
_MAX_ITERATIONS = 1000
# Samples squared times units, at least 16, up to which the products of samples are faster (60 samples and 50 units:
# 2.7 -> 0.4 ms). Beyond, BLAS starts threads, and on a busy machine waits ten ms for them.
_MAX_GRAM = 2**18


def initial_weights(
    init: str | float, n_in: int, n_hidden: int, n_out: int, *, hidden_bias: bool, rng: np.random.Generator
) -> Weights:
    """Draw the start: normal weights in the order w1, b1, w2, in float64; b2 = 0.

    Parameters
    ----------
    init : {"balanced", "he", "glorot"} or float
        "balanced": w1, b1, w2 of standard deviation (n_hidden (n_in + 1))^(-1/4), so that h2 is of order 1 and both
        layers learn at the same pace. "he" [1]_: sqrt(2 / fan_in) and zero biases. "glorot" [2]_:
        sqrt(2 / (fan_in + fan_out)) and zero biases. A float: that deviation for w1, b1 and w2.
    n_in, n_hidden, n_out : int
        The sizes of the net.
    hidden_bias : bool
        Without it b1 is 0 and nothing is drawn for it.
    rng : numpy.random.Generator
        Where the numbers come from.

    References
    ----------
    .. [1] He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015, equation 10.
    .. [2] Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, eq. 12.
    """
    if init == "he":
        std1, std_b1, std2 = np.sqrt(2 / n_in), 0.0, np.sqrt(2 / n_hidden)
    elif init == "glorot":
        std1, std_b1, std2 = np.sqrt(2 / (n_in + n_hidden)), 0.0, np.sqrt(2 / (n_hidden + n_out))
    else:
        std1 = std_b1 = std2 = (n_hidden * (n_in + 1)) ** -0.25 if init == "balanced" else float(init)
    w1 = std1 * rng.standard_normal((n_in, n_hidden))
    b1 = std_b1 * rng.standard_normal(n_hidden) if hidden_bias and std_b1 else np.zeros(n_hidden)
    w2 = std2 * rng.standard_normal((n_hidden, n_out))
    return Weights(w1, b1, w2, np.zeros(n_out))


def automatic_rate(
    x: Array,
    sample_weight: Array,
    weights: Weights,
    negative_slope: float,
    *,
    hidden_bias: bool,
    output_bias: bool,
    interrupted: Callable[[], bool] = lambda: False,
) -> float | None:
    """Return 1 / lambda_max of the objective's Gauss-Newton matrix at the start, or 1.0 if lambda_max is 0.

    With J the Jacobian of all outputs by all trained parameters, the matrix is J^T S J. Power iteration goes over
    vectors of parameters, until the eigenvalue has twice changed by less than 1e-6 of itself, from a fixed one that
    neither the order of units nor that of samples touches but that no symmetry between inputs or outputs has. The rate
    is rounded to 24 bits; it is None if interrupted before. x (n_samples, n_in) and sample_weight (n_samples,), summing
    to 1, are in the units trained in.
    """
    if has_few_samples(x, weights.b1.size, weights.b2.size):
        (rate,) = automatic_rates(
            x,
            sample_weight,
            Weights(*(w[None] for w in weights)),
            negative_slope,
            hidden_bias=hidden_bias,
            output_bias=output_bias,
        )
        if np.isfinite(rate):
            return float(rate)
    trained = Weights(*(np.ones_like(w) for w in weights))
    trained.b1[...] = hidden_bias
    trained.b2[...] = output_bias
    vector = Weights(
        trained.w1 + 0.5 * np.cos(np.arange(x.shape[1]))[:, None],
        trained.b1,
        trained.w2 + 0.5 * np.cos(np.arange(weights.b2.size)),
        trained.b2,
    )
    eigenvalue, n_steady = 0.0, 0
    with np.errstate(over="ignore", invalid="ignore"):  # the engine will find that the start's RMSE is not finite
        multiply = gauss_newton(x, sample_weight, weights, negative_slope, interrupted)
        for _ in range(_MAX_ITERATIONS):
            size = _norm(vector)
            vector = Weights(*(part / size for part in vector))
            vector = Weights(*(part * mask for part, mask in zip(multiply(vector), trained, strict=True)))
            previous, eigenvalue = eigenvalue, _norm(vector)
            if interrupted():
                return None
            n_steady = 0 if abs(eigenvalue - previous) > _TOLERANCE * eigenvalue else n_steady + 1
            if n_steady == 2 or not 0 < eigenvalue < np.inf:
                break
    return float(_rounded(1.0 / eigenvalue)) if 0 < eigenvalue < np.inf else 1.0


def has_few_samples(x: Array, n_hidden: int, n_out: int) -> bool:
    """Return whether `automatic_rates` is for nets of this size."""
    return x.shape[1] == 1 and n_out == 1 and len(x) ** 2 * max(n_hidden, 16) <= _MAX_GRAM


def automatic_rates(
    x: Array, sample_weight: Array, weights: Weights, negative_slope: float, *, hidden_bias: bool, output_bias: bool
) -> Array:
    """Return the rates of nets of one input and one output on few samples, NaN where the numbers leave float64.

    The power iteration of `automatic_rate`, followed at the samples: u = J v goes to J J^T S u, and |J^T S u| is the
    eigenvalue. The weights of n nets are stacked along a first axis; the rate of a net does not depend on the others.
    """
    column = x[:, 0]
    w1, b1, w2 = weights.w1, weights.b1[:, None], weights.w2.transpose(0, 2, 1)
    with np.errstate(all="ignore"):
        slope = np.where(column[:, None] * w1 > -b1, 1.0, negative_slope)
        relu = slope * (column[:, None] * w1 + b1)
        along = slope * w2  # d h2 / d h1
        gram = (np.outer(column, column) + hidden_bias) * (along @ along.transpose(0, 2, 1))
        gram += relu @ relu.transpose(0, 2, 1) + output_bias
        # The fixed vector has 1.5 for each weight and 1 for each bias.
        u = (1.5 * column + hidden_bias) * along.sum(axis=-1) + 1.5 * relu.sum(axis=-1) + output_bias
        u /= np.sqrt((4.5 + hidden_bias) * b1.shape[-1] + output_bias)
        eigenvalue, n_steady, found = np.zeros(len(u)), np.zeros(len(u), int), np.full(len(u), np.nan)
        for _ in range(_MAX_ITERATIONS):
            error = sample_weight * u
            spread = (gram @ error[..., None])[..., 0]
            previous, eigenvalue = eigenvalue, np.sqrt((error * spread).sum(axis=-1))
            u = spread / eigenvalue[:, None]
            n_steady = np.where(np.abs(eigenvalue - previous) > _TOLERANCE * eigenvalue, 0, n_steady + 1)
            found = np.where((n_steady >= 2) & np.isnan(found), eigenvalue, found)
            if not np.isnan(found[(eigenvalue > 0) & (eigenvalue < np.inf)]).any():
                break
        return _rounded(np.where((found > 0) & (found < np.inf), 1 / found, np.nan))


def _rounded(rate: npt.ArrayLike) -> Array:
    """Round to 24 bits: the last of 53 depend on the order of samples and units, and on the threads of BLAS."""
    mantissa, exponent = np.frexp(rate)
    return np.asarray(np.ldexp(np.round(np.ldexp(mantissa, 24)), exponent - 24))


def _norm(vector: Weights) -> float:
    largest = max(float(np.abs(part).max()) for part in vector)
    if not 0 < largest < np.inf:
        return largest
    return largest * float(np.sqrt(sum(np.sum((part / largest) ** 2) for part in vector)))

"""The learning rate: the automatic one, and the rate of each group of parameters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.engines.engine import Array, Rates, Weights
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.gauss_newton import gauss_newton
from fastmlp.starting.lanczos import largest_eigenvalue

Rate = float | dict[str, float] | Callable[[int], float]  # for all groups, by group, or by epoch

_TOLERANCE = 1e-6  # of an eigenvalue for one input, where a product takes 10 us
_MAX_ITERATIONS = 1000
# Of an eigenvalue for several inputs, where a product takes as long as two epochs. With it the eigenvalue was at least
# 0.96 of the true one after 4 to 12 products (20 problems: normal, lognormal, Cauchy and correlated inputs, 1 to 10
# outputs).
_COARSE_TOLERANCE = 1e-3
# Samples squared times units, at least 16, up to which the products of samples are faster (60 samples and 50 units:
# 2.7 -> 0.4 ms). Beyond, BLAS starts threads, and on a busy machine it waits ten ms for them.
_MAX_GRAM = 2**18


def group_rates(lr: Rate, architecture: Architecture, dtype: np.dtype[Any]) -> Rates:
    """Return the learning rate of each group, which is 0 for a group that is not trained.

    For a callable `lr` these are the factors of its value in each epoch.
    """
    trained = architecture.trained
    if callable(lr):
        return Rates(**{group: float(is_trained) for group, is_trained in trained.items()})
    given = lr if isinstance(lr, dict) else dict.fromkeys(trained, lr)
    if max(given.values()) > float(np.finfo(dtype).max):
        raise ValueError(checks.wording("lr", f"finite in {dtype}", f"{lr}"))
    return Rates(**{group: given[group] if is_trained else 0.0 for group, is_trained in trained.items()})


def automatic_rates(
    x: Array,
    sample_weight: Array,
    nets: Sequence[Weights],
    architecture: Architecture,
    check: Callable[[], None] = lambda: None,
) -> list[float]:
    """Return 1 / lambda_max for the initial weights of each network.

    lambda_max is the largest eigenvalue of the objective's Gauss-Newton matrix J^T S J, where J is the Jacobian of all
    outputs with respect to all trained parameters and S holds the sample weights. The rate of a network does not depend
    on the others.

    Parameters
    ----------
    x : ndarray of shape (n_samples, n_in)
        Inputs, in the coordinates trained in.
    sample_weight : ndarray of shape (n_samples,)
        Weights of the samples, which sum to 1.
    nets : sequence of Weights
        Initial weights of each network, in the coordinates trained in.
    architecture : Architecture
        The form of the networks.
    check : callable
        Is called now and then. Its exceptions end the search.

    Returns
    -------
    list of float
        The rates, rounded to 24 bits. A rate is 1.0 if lambda_max is 0.
    """
    rates: Sequence[float] | Array = [np.nan] * len(nets)
    if architecture.n_in == 1 and architecture.n_out == 1 and len(x) ** 2 * max(architecture.n_hidden, 16) <= _MAX_GRAM:
        stacked = Weights(*(np.array(arrays) for arrays in zip(*nets, strict=True)))
        rates = _rates_in_sample_space(x, sample_weight, stacked, architecture)
    return [
        float(rate) if np.isfinite(rate) else _rate_in_parameter_space(x, sample_weight, weights, architecture, check)
        for rate, weights in zip(rates, nets, strict=True)
    ]


def _rate_in_parameter_space(
    x: Array, sample_weight: Array, weights: Weights, architecture: Architecture, check: Callable[[], None]
) -> float:
    """Return the rate by the Lanczos iteration on vectors of parameters, for a network of any size.

    It starts from a fixed vector that does not depend on the order of units and samples, and that has no symmetry
    between inputs or outputs.
    """
    trained = Weights(*(np.ones_like(w) for w in weights))
    trained.b1[...] = architecture.hidden_bias
    trained.b2[...] = architecture.output_bias
    start = Weights(
        trained.w1 + 0.5 * np.cos(np.arange(x.shape[1]))[:, None],
        trained.b1,
        trained.w2 + 0.5 * np.cos(np.arange(weights.b2.size)),
        trained.b2,
    )
    is_trained = _flat(trained)
    stops = list(itertools.accumulate(w.size for w in weights))
    places = [(slice(stop - w.size, stop), w.shape) for stop, w in zip(stops, weights, strict=True)]

    def multiply(vector: Array) -> Array:
        return _flat(product(Weights(*(vector[part].reshape(shape) for part, shape in places)))) * is_trained

    with np.errstate(over="ignore", invalid="ignore"):  # the engine will find that the start's RMSE is not finite
        product = gauss_newton(x, sample_weight, weights, architecture.negative_slope)
        tolerance = _TOLERANCE if x.shape[1] == 1 else _COARSE_TOLERANCE
        eigenvalue = largest_eigenvalue(multiply, _flat(start), tolerance, check)
    return float(_rounded(1.0 / eigenvalue)) if 0 < eigenvalue < np.inf else 1.0


def _flat(vector: Weights) -> Array:
    """Return a vector of parameters as an array of one dimension."""
    return np.concatenate([part.ravel() for part in vector])


def _rates_in_sample_space(x: Array, sample_weight: Array, weights: Weights, architecture: Architecture) -> Array:
    """Return the rates of networks of one input and one output on few samples, NaN where a number overflows.

    This is the power iteration from the fixed vector of `_rate_in_parameter_space`, in terms of the outputs u = J v at
    the samples: u becomes J J^T S u, and |J^T S u| is the eigenvalue. It ends when the eigenvalue has twice changed by
    less than 1e-6 of itself. The weights of n networks are stacked along a first axis.
    """
    column = x[:, 0]
    hidden_bias, output_bias = architecture.hidden_bias, architecture.output_bias
    w1, b1, w2 = weights.w1, weights.b1[:, None], weights.w2.transpose(0, 2, 1)
    with np.errstate(all="ignore"):
        slope = np.where(column[:, None] * w1 > -b1, 1.0, architecture.negative_slope)
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

"""Initial weights: the option `init`, and the weights that are drawn for it."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np

from fastmlp import checks
from fastmlp.engines.engine import Weights
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.continued import Continued

NAMED_STARTS = ("balanced", "he", "glorot")


def initial_weights(init: str | float, architecture: Architecture, rng: np.random.Generator) -> Weights:
    """Draw normal weights in the order w1, b1, w2, in float64; b2 is 0.

    Parameters
    ----------
    init : {"balanced", "he", "glorot"} or float
        The standard deviation.
        "balanced" is (n_hidden (n_in + 1))^(-1/4) for w1, b1 and w2: h2 is of order 1 and both layers learn at the same
        pace. "he" [1]_ is sqrt(2 / fan_in) and "glorot" [2]_ is sqrt(2 / (fan_in + fan_out)) for w1 and w2; b1 is 0. A
        float is used for w1, b1 and w2.
    architecture : Architecture
        The network. Without a hidden bias, b1 is 0 and nothing is drawn for it.
    rng : numpy.random.Generator
        The source of random numbers.

    References
    ----------
    .. [1] He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015, equation 10.
    .. [2] Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010, eq. 12.
    """
    n_in, n_hidden, n_out = architecture[:3]
    if init == "he":
        std1, std_b1, std2 = np.sqrt(2 / n_in), 0.0, np.sqrt(2 / n_hidden)
    elif init == "glorot":
        std1, std_b1, std2 = np.sqrt(2 / (n_in + n_hidden)), 0.0, np.sqrt(2 / (n_hidden + n_out))
    else:
        std1 = std_b1 = std2 = (n_hidden * (n_in + 1)) ** -0.25 if init == "balanced" else float(init)
    w1 = std1 * rng.standard_normal((n_in, n_hidden))
    b1 = std_b1 * rng.standard_normal(n_hidden) if architecture.hidden_bias and std_b1 else np.zeros(n_hidden)
    w2 = std2 * rng.standard_normal((n_hidden, n_out))
    return Weights(w1, b1, w2, np.zeros(n_out))


def checked_init(
    init: Any, data: checks.Samples, *, hidden_bias: bool, output_bias: bool
) -> str | float | Weights | Continued:
    """Check the option `init`; given weights must fit the data, and a disabled bias must be 0."""
    if isinstance(init, str):
        return checks.choice("init", init, NAMED_STARTS)
    if isinstance(init, Continued):
        _require_fit(init.weights, data, hidden_bias=hidden_bias, output_bias=output_bias)
        return init
    if isinstance(init, tuple):
        if len(init) != len(Weights._fields):
            raise ValueError(checks.wording("init", "a tuple (w1, b1, w2, b2)", checks.counted(len(init), "item")))
        weights = checks.weights(Weights(*init), "init ")
        _require_fit(weights, data, hidden_bias=hidden_bias, output_bias=output_bias)
        return weights
    names = ", ".join(f'"{name}"' for name in NAMED_STARTS)
    rule = f"one of {names}, a positive number, a Model or a tuple (w1, b1, w2, b2)"
    if isinstance(init, (bool, np.bool_)) or not isinstance(init, numbers.Real):
        raise TypeError(checks.wording("init", rule, repr(init)))
    if checks.real("init", init) <= 0:
        raise ValueError(checks.wording("init", rule, repr(init)))
    return float(init)


def _require_fit(weights: Weights, data: checks.Samples, *, hidden_bias: bool, output_bias: bool) -> None:
    """Refuse weights of other numbers of inputs and outputs than the data, or with a disabled bias that is not 0."""
    got, expected = (weights.w1.shape[0], weights.w2.shape[1]), (data.x.shape[1], data.y.shape[1])
    if got != expected:
        sizes = f"{checks.counted(expected[0], 'input')} and {checks.counted(expected[1], 'output')}"
        rule = f"a net with {sizes}, like the data"
        raise ValueError(checks.wording("init", rule, f"one with {got[0]} and {got[1]}"))
    for name, bias, is_trained, option in (
        ("b1", weights.b1, hidden_bias, "hidden_bias"),
        ("b2", weights.b2, output_bias, "output_bias"),
    ):
        if not is_trained and bias.any():
            raise ValueError(checks.wording(f"init {name}", f"0 with {option}=False", f"{bias[np.argmax(bias != 0)]}"))

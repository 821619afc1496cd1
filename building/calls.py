"""Calls of the public functions that together reach every kernel: the build compiles for the arguments that they pass.

The calls follow from `fastmlp.__all__` and from the declared options, so that a new function that fits nets, and a new
optimiser, is called without being named here.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fastmlp
from fastmlp.engines.dense.kernels.few_inputs import MAX_INPUTS
from fastmlp.engines.optimizers import OPTIMIZERS
from fastmlp.engines.univariate.choice import MIN_SAMPLES, MIN_UNITS
from fastmlp.starting.update_rule import GRADIENT_STEPS

MAX_OUTPUTS = 4
DTYPES = (np.float32, np.float64)
# Options of gradient descent, each of which may take another kernel or another method.
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"momentum": 0.5, "nesterov": True},
    {"weight_decay": 0.1},
    {"batch_size": 2},
    {"lr": lambda epoch: 0.01},
    {"negative_slope": 0.1, "validation": True},
)


# Arguments that keep a fit small, for those functions that take them.
SMALL: dict[str, Any] = {
    "hidden": 3,
    "epochs": 2,
    "jobs": [{}, {}],
    "alphas": [0.1],
    "cv": 2,
    "n_estimators": 1,
    "rng": 0,
    "progress": False,
}


def each_call() -> Iterator[Callable[[], Any]]:
    """Yield the calls."""
    yield fastmlp.warmup
    for function, n_out in itertools.product(_other_fits(), range(1, MAX_OUTPUTS + 1)):
        for n_in in (1, 2) if n_out == 1 else (1,):
            yield _fit(function, (12, n_in, n_out), np.float64, {})
    for n_out, dtype in itertools.product(range(1, MAX_OUTPUTS + 1), DTYPES):
        if dtype is np.float64:  # in which the univariate engines compute, whatever the data
            for n_samples, n_hidden in ((5, 3), (5, MIN_UNITS), (MIN_SAMPLES + 1, 2)):  # sizes decide the method
                for options in _each_options(every=n_out == 1):
                    options |= {"algorithm": "univariate", "hidden": n_hidden}
                    yield _fit(fastmlp.fit, (n_samples, 1, n_out), dtype, options)
        for n_in in range(1, MAX_INPUTS + 2) if n_out == 1 else (2,):
            for options in _each_options(every=n_out == 1 and n_in in (1, 2, MAX_INPUTS + 1)):
                yield _fit(fastmlp.fit, (5, n_in, n_out), dtype, options | {"algorithm": "dense"})


def _each_options(*, every: bool) -> Iterator[dict[str, Any]]:
    for optimizer, variant in itertools.product((*GRADIENT_STEPS, *OPTIMIZERS), VARIANTS if every else VARIANTS[:2]):
        yield {"optimizer": optimizer} | variant


def _other_fits() -> list[Callable[..., Any]]:
    """Return the public functions that fit nets, besides `fit`."""
    return [getattr(fastmlp, name) for name in fastmlp.__all__ if name.startswith("fit_")]


def _fit(
    function: Callable[..., Any], shape: tuple[int, int, int], dtype: type[np.generic], options: dict[str, Any]
) -> Callable[[], Any]:
    """Return a call of a function that fits nets, with data of (n_samples, n_in, n_out)."""
    n_samples, n_in, n_out = shape
    x = np.linspace(-1, 1, n_samples * n_in).reshape(n_in, n_samples).T.astype(dtype)
    y = np.stack([np.sin((k + 2) * x.sum(axis=1)) for k in range(n_out)], axis=1).astype(dtype)
    if options.get("validation"):
        options = options | {"validation": (x, y)}
    arguments = {k: v for k, v in (SMALL | options).items() if k in inspect.signature(function).parameters}
    return lambda: function(x, y, **arguments)

"""Fits that differ in their random numbers only, of nets so small that to prepare one takes longer than to train it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from fastmlp.engines.engine import Weights
from fastmlp.fitting import model_of
from fastmlp.models.model import Model, model_alike
from fastmlp.starting.config import FitConfig
from fastmlp.starting.preparation import (
    Start,
    coordinates_of,
    folded,
    problem_of,
    rates_of,
    settings_of,
    shape_of,
    starts_of,
)
from fastmlp.training.recording import History, read_only_history, recorded_rmse

MOST_WORK = 5 * 10**7  # of a loop that nothing interrupts: epochs times samples and units, in about half a second
FEWEST = 8  # nets for which preparing them together pays
PREPARATION = 100  # epochs that take as long as to check, sort and scale the samples: 250 ns each


def most_alike(call: FitConfig) -> int:
    """Return how many nets of a call to train by `train_alike` at a time; 0 if it cannot."""
    silent = call.callback is None and not call.snapshots and call.record_every >= call.epochs
    silent = silent and call.validation is None and call.patience is None and call.checkpoint is None
    plain = call.optimizer == "sgd" and not (call.momentum or call.weight_decay or callable(call.lr))
    drawn = not isinstance(call.init, Model)
    if call.algorithm != "univariate" or not (silent and plain and drawn) or call.stop_at_crossing:
        return 0
    from fastmlp.engines.univariate.alike import is_for  # imports numba

    n_out = call.data.y.shape[1]
    with np.errstate(over="ignore"):  # `problem_of` will refuse what the dtype cannot hold
        x = coordinates_of(call).maps.inputs(call.data.x).astype(call.dtype)
    most = MOST_WORK // ((call.epochs + PREPARATION) * (len(x) + call.n_hidden) * n_out)
    return most if most >= FEWEST and is_for(shape_of(x, call.n_hidden, n_out)) else 0


def train_alike(call: FitConfig, rngs: Sequence[np.random.Generator]) -> list[Model | None]:
    """Train a net for each generator; None for one that must be trained by itself, as it will raise an error."""
    from fastmlp.engines.univariate import alike

    started = time.perf_counter()
    within = coordinates_of(call)
    starts = starts_of(call, within, rngs)
    problem = problem_of(call, starts[0])
    shape = shape_of(problem.x, call.n_hidden, problem.y.shape[1])
    settings = settings_of(call, starts[0], shape)  # which depend on the start by its rate only
    if within.lr is None:
        rates = np.array([rates_of(start.lr, call.trained, call.dtype) for start in starts])
    else:
        rates = np.tile(settings.rates, (len(starts), 1))
    stacked = Weights(*(np.array(arrays) for arrays in zip(*(start.weights for start in starts), strict=True)))
    trained = alike.train_alike(problem, stacked, settings, rates, call.epochs)
    with np.errstate(over="ignore", invalid="ignore"):
        nets = folded(within.maps, trained.weights, call.dtype)
        rmse = recorded_rmse(trained.squared_error, within.maps.y_scale)
        is_sound = trained.is_sound & np.isfinite(nets.b1).all(axis=1) & np.isfinite(nets.b2).all(axis=1)
        is_sound &= np.isfinite(nets.w1).all(axis=(1, 2)) & np.isfinite(nets.w2).all(axis=(1, 2))
    models: list[Model | None] = [None] * len(starts)
    first: Model | None = None
    seconds = (time.perf_counter() - started) / len(starts)
    for i in np.flatnonzero(is_sound):
        weights, crossings = Weights(*(array[i] for array in nets)), int(trained.crossings[i])
        history = read_only_history(np.array([0, call.epochs]), rmse[i].copy(), None, {}, np.array([0, crossings]))
        if first is None:
            models[i] = first = _first_model(call, starts[i], weights, history, trained.method, crossings, seconds)
        else:
            assert first.info is not None
            models[i] = model_alike(first, weights, history, replace(first.info, lr=starts[i].lr, crossings=crossings))
    return models


def _first_model(
    call: FitConfig, start: Start, weights: Weights, history: History, method: str, crossings: int, seconds: float
) -> Model:
    """Return the model of a net that was trained to its last epoch, whose facts others share."""
    return model_of(
        call,
        start,
        weights,
        history,
        method=method,
        epochs_run=call.epochs,
        best_epoch=call.epochs,
        stop_reason="epochs",
        crossings=crossings,
        live_units=None,
        fit_seconds=seconds,
        compile_seconds=0.0,
    )

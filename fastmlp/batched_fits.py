"""Fits that differ only in their random numbers, trained together.

This is for networks so small that preparing one takes longer than training it. They take the steps of
`fastmlp.pipeline` with several starts, one after the other in one call of a kernel. Each result is bitwise that of a
single fit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.models.history import rate_falls, read_only_history
from fastmlp.models.model import Model
from fastmlp.pipeline import coordinates_of, fit_info, fitted_model, rate_facts, settings_of
from fastmlp.starting.config import FitConfig
from fastmlp.starting.coordinates import Coordinates
from fastmlp.starting.problem import make_problem, require_finite_model, shape_of
from fastmlp.starting.rate import group_rates
from fastmlp.starting.start import find_starts
from fastmlp.training.divergence import has_risen, warn_of_rise
from fastmlp.training.recording import recorded_rmse
from fastmlp.training.remedies import remedy

MAX_WORK = 5 * 10**7  # epochs times samples and units of a batch, which takes about half a second
MIN_NETS = 8  # networks for which a batch is faster than single fits
PREPARATION_EPOCHS = 100  # epochs that take as long as checking, sorting and scaling the samples: 250 ns each


def train_in_batches(config: FitConfig, seeds: Mapping[int, Any], interrupted: Callable[[], bool]) -> dict[int, Model]:
    """Train networks in batches and return them by their numbers.

    Networks that are missing in the result must be trained one by one: their configuration does not allow batches, or
    their training ends with an error.

    Parameters
    ----------
    config : FitConfig
        The configuration of all networks.
    seeds : mapping of int to None, int or SeedSequence
        The source of random numbers of each network, by its number.
    interrupted : callable
        Returns whether to stop before the next batch.
    """
    models: dict[int, Model] = {}
    if len(seeds) < MIN_NETS or not _is_batchable(config):
        return models
    coordinates = coordinates_of(config)
    size = _batch_size(config, coordinates)
    numbers = list(seeds)
    for first in range(0, len(numbers) if size else 0, max(size, 1)):
        if interrupted():
            break
        batch = numbers[first : first + size]
        try:
            trained = train_batch(config, coordinates, [np.random.default_rng(seeds[i]) for i in batch])
        except ValueError:  # the fit of each network will raise it
            break
        models |= {i: model for i, model in zip(batch, trained, strict=True) if model is not None}
    return models


def _is_batchable(config: FitConfig) -> bool:
    """Return whether a fit is plain gradient descent that records only the first and the last epoch."""
    is_plain = config.algorithm == "univariate" and config.rule.is_plain and not callable(config.lr)
    has_no_outputs = config.callback is None and config.checkpoint is None and not config.snapshots
    runs_to_end = config.validation is None and config.patience is None and not config.stop_at_crossing
    return is_plain and has_no_outputs and runs_to_end and config.record_every >= config.epochs


def _batch_size(config: FitConfig, coordinates: Coordinates) -> int:
    """Return how many networks to train at a time; 0 if single fits are faster."""
    from fastmlp.engines.univariate.batched_fits import trains_by_prefix_sums  # kernels make the import slower

    n_samples, n_out = coordinates.y.shape
    n_hidden = config.architecture.n_hidden
    most = MAX_WORK // ((config.epochs + PREPARATION_EPOCHS) * (n_samples + n_hidden) * n_out)
    with np.errstate(over="ignore"):  # `make_problem` refuses what the dtype cannot hold
        x = coordinates.x.astype(config.dtype)
    return most if most >= MIN_NETS and trains_by_prefix_sums(shape_of(x, n_hidden, n_out)) else 0


def train_batch(config: FitConfig, coordinates: Coordinates, rngs: Sequence[np.random.Generator]) -> list[Model | None]:
    """Train a network for each generator; None for one that must be trained by itself, to raise its error.

    Raises
    ------
    ValueError
        If the data, the initial weights or a rate overflow in the dtype.
    """
    from fastmlp.engines.univariate import batched_fits

    started = time.perf_counter()
    maps, dtype = coordinates.maps, config.dtype
    starts = find_starts(config.init, config.lr, config.architecture, coordinates, rngs)
    stacked = Weights(*(np.array(arrays) for arrays in zip(*(start.weights for start in starts), strict=True)))
    require_finite_model(maps, stacked, dtype)
    problem = make_problem(coordinates, dtype)
    shape = shape_of(problem.x, config.architecture.n_hidden, config.architecture.n_out)
    settings = settings_of(config, starts[0], 0, shape)  # of the starts, it depends on the rate only
    rates = np.array([group_rates(start.lr, config.architecture, dtype) for start in starts])
    trained = batched_fits.train_batch(problem, stacked, settings, rates, config.epochs)
    with np.errstate(over="ignore", invalid="ignore"):
        nets = maps.fold(trained.weights, dtype)
        is_finite = trained.is_finite & _are_finite(nets)
        rmse = recorded_rmse(trained.squared_error, maps.y_scale)
    info = fit_info(
        config,
        maps,
        starts[0].lr,
        method=trained.method,
        epochs_run=config.epochs,
        best_epoch=config.epochs,
        stop_reason="epochs",
        crossings=0,
        live_units=None,
        fit_seconds=(time.perf_counter() - started) / len(starts),
        compile_seconds=0.0,
    )
    models: list[Model | None] = [None] * len(starts)
    for i in np.flatnonzero(is_finite):
        weights, crossings = Weights(*(array[i] for array in nets)), int(trained.crossings[i])
        if has_risen(rmse[i], config.data):
            warn_of_rise(rmse[i], remedy(config, info.lr, is_divergence=False), stacklevel=3)
        ends = np.array([0, config.epochs]), rmse[i].copy()
        history = read_only_history(*ends, None, {}, np.array([0, crossings]), rate_falls(info.lr_schedule))
        own_info = replace(info, **rate_facts(config, starts[i].lr), crossings=crossings)
        models[i] = fitted_model(config, weights, history, own_info)
    return models


def _are_finite(nets: Weights) -> Array:
    """Return for each of the stacked networks whether all its weights are finite."""
    return np.asarray(
        np.logical_and.reduce([np.isfinite(array).all(axis=tuple(range(1, array.ndim))) for array in nets])
    )

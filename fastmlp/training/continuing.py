"""Goes on with the training of a model: with the same engine, or with the memory of its optimiser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from fastmlp.engines.engine import Engine, PiecewiseRate, Settings, Weights
from fastmlp.engines.optimizers import OPTIMIZERS
from fastmlp.starting.config import FitConfig
from fastmlp.starting.optimizer_state import (
    OptimizerState,
    StoredEngine,
    digest,
    memory_of,
    named_moments,
    rng_digest,
)
from fastmlp.starting.scaling import Standardization
from fastmlp.training.loop import TrainingSummary


class BatchOrder(NamedTuple):
    """The seed of the order of mini-batches, and hashes of the generator before and after it was drawn."""

    seed: int
    rng_digests: tuple[str, ...] = ()


class Begun(NamedTuple):
    """An engine, the weights that it was made from, and the number of epochs of the training before that."""

    engine: Engine
    start: Weights
    first_epoch: int


def batch_order(config: FitConfig) -> BatchOrder:
    """Return the order of mini-batches: that of the model whose training goes on, or a new one drawn from rng.

    The seed is drawn after the weights, which therefore do not depend on it, and only for mini-batches.
    """
    if config.rule.batch_size is None:
        return BatchOrder(0)
    state = config.optimizer_state
    goes_on = not config.is_seeded or (state is not None and config.rng_digest in state.rng_digests)
    if state is not None and state.seed is not None and goes_on:
        return BatchOrder(state.seed, state.rng_digests)
    before, seed = config.rng_digest, int(config.rng.integers(2**63))
    return BatchOrder(seed, (before, rng_digest(config.rng)) if config.is_seeded else ())


def engine_key(config: FitConfig, maps: Standardization, settings: Settings, engine_type: type[Engine]) -> str:
    """Return a hash of everything that the state of an engine depends on.

    The number of threads is left out, because an engine with any number can continue, and so is the schedule.
    """
    kept = replace(settings, schedule=None, first_epoch=0, threads=1, parts=None)
    names = (config.data_digest, config.algorithm, str(config.dtype), engine_type.__name__)
    maps_arrays = (maps.x_shift, maps.x_scale, maps.y_shift, maps.y_scale)
    return digest([*names, kept, callable(config.lr), config.architecture, *maps_arrays])


def continued_engine(
    make_engine: Callable[[Weights, int], Engine], start: Weights, config: FitConfig, key: str
) -> Begun:
    """Return an engine that goes on where the model of `config.optimizer_state` ended; a new one if there is none.

    Parameters
    ----------
    make_engine : callable
        Returns an engine for weights and the number of epochs of the training before.
    start : Weights
        The weights of the model, in the coordinates trained in.
    config : FitConfig
        The fit.
    key : str
        That of `engine_key`.
    """
    state = config.optimizer_state
    if state is None:
        return Begun(make_engine(start, 0), start, 0)
    stored = state.engine
    if stored is not None and stored.key == key:
        first, weights = stored.first_epoch, Weights(**stored.start)
        begun = Begun(make_engine(weights, first), weights, first)
        none_yet = {name: np.zeros(1, np.int64) for name in ("crossings",) if name in stored.arrays}
        try:
            begun.engine.restore(stored.arrays | none_yet)
        except (IndexError, KeyError, TypeError, ValueError):
            pass  # a pickle from a processor with vectors of another length, for which arrays are padded otherwise
        else:
            return begun
    begun = Begun(make_engine(start, state.epochs), start, state.epochs)
    memory = memory_of(state)
    if memory is not None:
        begun.engine.remember(memory)
    return begun


def later_settings(settings: Settings, config: FitConfig, first_epoch: int) -> Settings:
    """Return settings whose epochs are those of the whole training, of which the engine begins at `first_epoch`.

    A function as `lr` is asked for these epochs. The pieces of the automatic rate belong to this fit.
    """
    if config.optimizer_state is None:
        return settings
    schedule = settings.schedule
    if isinstance(schedule, PiecewiseRate):
        schedule = schedule.delayed(config.optimizer_state.epochs)
    return replace(settings, schedule=schedule, first_epoch=first_epoch)


def optimizer_state(
    config: FitConfig, begun: Begun, key: str, order: BatchOrder, summary: TrainingSummary, weights: Weights
) -> OptimizerState:
    """Return the state after a fit.

    Parameters
    ----------
    config, begun, key, order
        The fit, its engine, the key of the engine and the order of its mini-batches.
    summary : TrainingSummary
        How far the fit has come.
    weights : Weights
        Those of the model.
    """
    before = config.optimizer_state
    epochs_before, seen_before = (0, 0) if before is None else (before.epochs, before.samples_seen)
    memory = begun.engine.memory()
    rule = config.rule
    takes_many_steps = rule.optimizer not in OPTIMIZERS or OPTIMIZERS[rule.optimizer].takes_many_steps
    stored = None
    # The automatic rate falls in every fit, so that no sequence of fits is the same as one fit.
    if takes_many_steps and config.lr_rule != "auto":
        stored = StoredEngine(key, begun.first_epoch, begun.start._asdict(), dict(begun.engine.state()))
    return OptimizerState(
        epochs=epochs_before + summary.best_epoch,
        samples_seen=seen_before + summary.epochs_run * len(config.data.x),
        seed=None if rule.batch_size is None else order.seed,
        rng_digests=order.rng_digests,
        n_updates=0 if memory is None else memory.n_updates,
        weights_digest=digest(weights),
        moments=named_moments(memory),
        engine=stored,
    )

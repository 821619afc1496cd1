"""The steps of a fit, in order: each takes what the one before it returns.

===========  ================================================  =========================================
step         module                                            returns
===========  ================================================  =========================================
check        starting/config.py                                FitConfig: the options as they are used
coordinates  starting/coordinates.py                           Coordinates: the maps and the mapped data
start        starting/start.py                                 Start: initial weights and learning rate
problem      starting/problem.py                               Problem: the data in the dtype of the fit
engine       engines/choosing.py                               Engine
loop         training/loop.py                                  TrainingSummary, and the recorder's history
model        models/model.py                                   Model
===========  ================================================  =========================================

A fit that resumes takes the start from its checkpoint instead of drawing it, and its loop continues from the state in
the checkpoint. `fastmlp.batched_fits` takes the same steps for several networks at once.
"""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from fastmlp.engines.choosing import engine_class, threads_and_parts
from fastmlp.engines.engine import Engine, PiecewiseRate, Problem, Settings, Shape, Weights
from fastmlp.files.archives import refuse
from fastmlp.models.fit_info import FitInfo
from fastmlp.models.history import History, rate_falls
from fastmlp.models.model import Model, unchecked_model
from fastmlp.starting.config import FitConfig, checked_config
from fastmlp.starting.continued import Continued
from fastmlp.starting.coordinates import Coordinates, find_coordinates
from fastmlp.starting.needs import LARGE
from fastmlp.starting.optimizer_state import digest
from fastmlp.starting.options import FitOptions
from fastmlp.starting.problem import make_problem, require_finite_model, shape_of
from fastmlp.starting.rate import Rate, automatic_rates, group_rates
from fastmlp.starting.safe_rate import batch_rate
from fastmlp.starting.scaling import Standardization
from fastmlp.starting.start import Start, find_starts, solved_start
from fastmlp.starting.update_rule import GRADIENT_STEPS
from fastmlp.training.checkpoints import Checkpoint, Resumed
from fastmlp.training.continuing import (
    BatchOrder,
    Begun,
    batch_order,
    continued_engine,
    engine_key,
    later_settings,
    optimizer_state,
)
from fastmlp.training.divergence import has_risen, warn_of_rise
from fastmlp.training.interrupt import Interrupt, interruptible
from fastmlp.training.loop import TrainingLoop, TrainingSummary
from fastmlp.training.progress import Activity
from fastmlp.training.recording import Recorder
from fastmlp.training.remedies import remedy
from fastmlp.training.stopping import StoppingRule
from fastmlp.training.validation import validation_rmse
from fastmlp.versions import versions

LONG_START = 0.5  # seconds until the first epoch from which on another thread prepares it, so that Ctrl-C is answered


def configured(x: object, y: object, options: FitOptions) -> FitConfig:
    """Check the arguments of `fastmlp.fit`."""
    if isinstance(options.init, Model):
        options = replace(options, init=_continued(options.init))
    return checked_config(x, y, options)


def _continued(model: Model) -> Continued:
    """Return the values that a fit keeps from the model that it continues."""
    info = model.info
    facts = ("standardization", "optimizer", "lr", "lr_rule", "base_lr", "data_digest", "optimizer_state")
    held = (None if info is None else getattr(info, fact) for fact in facts)
    continued = Continued(model.weights, model.negative_slope, model.feature_names, model.target_names, *held)
    state = continued.optimizer_state
    if state is not None and state.weights_digest != digest(model.weights):  # of weights that were changed since
        return replace(continued, optimizer_state=state.without_memory())
    return continued


class Prepared(NamedTuple):
    """What an engine is made of: the first steps of a fit."""

    coordinates: Coordinates
    start: Start
    order: BatchOrder
    problem: Problem
    shape: Shape


def train(config: FitConfig, *, keeps_interrupted: bool = True) -> Model:
    """Train a network.

    Parameters
    ----------
    config : FitConfig
        What to train.
    keeps_interrupted : bool
        Whether Ctrl-C ends the fit with the model so far. If False, it raises KeyboardInterrupt.

    Raises
    ------
    ValueError
        If the data, the initial weights or the rate overflow in the dtype, or if the checkpoint belongs to another fit.
    FileFormatError, OSError, DivergenceError
        As in `fastmlp.fit`.
    KeyboardInterrupt
        If Ctrl-C was pressed before the first epoch was done, or later without `keeps_interrupted`.
    """
    is_long = config.needs.start_seconds > LONG_START
    aside: Callable[[Callable[[], Any]], Any] = interruptible if is_long else operator.call
    with Activity(config.progress) as activity:
        with Interrupt() as interrupt:
            started = time.perf_counter()
            if config.needs.n_bytes > LARGE:
                activity.announce(str(config.needs))

            def stage(what: str) -> None:
                interrupt.check()
                activity.begin(what)

            checkpoint, saved = _opened_checkpoint(config)
            prepared = aside(lambda: _prepared(config, saved, stage, interrupt.check))
            coordinates, start, order = prepared[:3]
            begun, key, validate, compile_seconds = _made_engine(config, prepared, stage, aside)
            engine = begun.engine

            def make_model(weights: Weights, summary: TrainingSummary, history: History | None = None) -> Model:
                folded = _folded(coordinates.maps, weights, config.dtype)
                keeps_state = config.keeps_state and summary.stop_reason is not None
                info = fit_info(
                    config,
                    coordinates.maps,
                    start.lr,
                    method=engine.method,
                    epochs_run=summary.epochs_run,
                    best_epoch=summary.best_epoch,
                    stop_reason=summary.stop_reason,
                    crossings=summary.crossings,
                    live_units=engine.live_units,
                    fit_seconds=time.perf_counter() - started - compile_seconds,
                    compile_seconds=compile_seconds,
                    optimizer_state=optimizer_state(config, begun, key, order, summary, folded)
                    if keeps_state
                    else None,
                )
                return fitted_model(config, folded, history, info)

            rate = rate_facts(config, start.lr)
            recorder = _recorder(config, coordinates.maps, engine, rate_falls(rate["lr_schedule"]))
            stopping = StoppingRule(config.stop_at_crossing, config.patience, config.min_delta)
            advice = remedy(config, rate["lr"], is_divergence=True)
            loop: TrainingLoop = aside(lambda: TrainingLoop(engine, recorder, make_model, stopping, validate, advice))
            if checkpoint is not None:
                checkpoint.begin(start.weights, order.seed)
            if saved is not None:
                _resume(loop, saved, config)
            loop.callback_every = config.callback_every
            if keeps_interrupted:
                interrupt.defer()
            summary = loop.run(interrupt, activity, config.snapshots, config.callback, config.progress, checkpoint)
            if not keeps_interrupted:
                interrupt.check()
        activity.begin("converting the weights to the units of the data")
        model: Model = aside(lambda: loop.model(summary))
    assert model.history is not None
    rmse = model.history.rmse
    # L-BFGS never raises the objective; with a penalty the RMSE may rise from that of the solved start.
    # A single epoch, as of `partial_fit`, has no course.
    has_course = config.rule.optimizer in GRADIENT_STEPS and config.epochs > 1
    if config.patience is None and has_course and has_risen(rmse, config.data):
        warn_of_rise(rmse, remedy(config, rate["lr"], is_divergence=False), stacklevel=3)
    return model


class Made(NamedTuple):
    """An engine and its key, the validation RMSE of its weights, and the seconds that compilation took."""

    begun: Begun
    key: str
    validate: Callable[[Weights], float] | None
    compile_seconds: float


def _made_engine(
    config: FitConfig, prepared: Prepared, stage: Callable[[str], None], aside: Callable[[Callable[[], Any]], Any]
) -> Made:
    """Compile the kernels and make the engine, or go on with that of the model whose training goes on."""
    coordinates, start, order, problem, shape = prepared
    stage("compiling the kernels, which the next fits will find compiled")
    compiling = time.perf_counter()
    settings = settings_of(config, start, order.seed, shape)
    engine_type = engine_class(config.algorithm, shape, config.rule.batch_size, config.rule.optimizer)
    engine_type.compile(shape, config.dtype, settings)
    validate = _validation(config, coordinates.maps)
    compile_seconds = time.perf_counter() - compiling
    stage("sorting samples and units")
    key = engine_key(config, coordinates.maps, settings, engine_type)

    def make_engine(weights: Weights, first_epoch: int) -> Engine:
        return engine_type(problem, weights, later_settings(settings, config, first_epoch))

    begun: Begun = aside(lambda: continued_engine(make_engine, start.weights, config, key))
    return Made(begun, key, validate, compile_seconds)


def _recorder(config: FitConfig, maps: Standardization, engine: Engine, rate_falls: tuple[int, ...]) -> Recorder:
    """Return a recorder for the errors of an engine."""
    recorder = Recorder(
        config.epochs,
        config.record_every,
        maps.y_scale,
        counts_crossings=engine.counts_crossings,
        validates=config.validation is not None,
    )
    recorder.rate_falls = rate_falls
    return recorder


def coordinates_of(config: FitConfig) -> Coordinates:
    """Return the coordinates that a fit trains in."""
    known = config.maps
    standardize = config.standardize
    return find_coordinates(config.data, config.architecture, config.dtype, standardize=standardize, known_maps=known)


def settings_of(config: FitConfig, start: Start, seed: int, shape: Shape) -> Settings:
    """Return the settings of the engine."""
    threads, parts = threads_and_parts(config.algorithm, shape, config.rule.batch_size, config.threads)
    return Settings(
        rates=group_rates(start.lr, config.architecture, config.dtype),
        negative_slope=config.architecture.negative_slope,
        schedule=config.schedule,
        seed=seed,
        threads=threads,
        parts=parts,
        **config.rule._asdict(),
    )


def rate_facts(config: FitConfig, lr: Rate | None) -> dict[str, Any]:
    """Return the fields of `FitInfo` about the learning rate, for the rate or base rate of a start."""
    pieces = None
    if isinstance(lr, float):
        schedule = config.schedule
        piecewise = schedule if isinstance(schedule, PiecewiseRate) else PiecewiseRate((0,), (1.0,))
        pieces = tuple((start, lr * factor) for start, factor in zip(piecewise.starts, piecewise.factors, strict=True))
    return {
        "lr": lr if pieces is None else pieces[0][1],
        "lr_schedule": pieces,
        "lr_rule": "callable" if callable(lr) else config.lr_rule,
        "base_lr": None if config.lr_rule is None else lr,
    }


def fit_info(config: FitConfig, maps: Standardization, lr: Rate | None, **facts: Any) -> FitInfo:
    """Return how a model was trained; the facts are those fields of `FitInfo` that training decides."""
    return FitInfo(
        algorithm=config.algorithm,
        optimizer=config.rule.optimizer,
        standardization=maps if config.standardize else None,
        versions=dict(versions()),
        data_digest=config.data_digest,
        **rate_facts(config, lr),
        **facts,
    )


def _folded(maps: Standardization, weights: Weights, dtype: np.dtype[Any]) -> Weights:
    """Return the weights that act on the data as given; an OverflowError if the dtype cannot hold them."""
    with np.errstate(over="ignore", invalid="ignore"):
        folded = maps.fold(weights, dtype)
    if not all(np.isfinite(array).all() for array in folded):
        raise OverflowError(f"the weights overflow in {dtype}")
    return folded


def fitted_model(config: FitConfig, weights: Weights, history: History | None, info: FitInfo) -> Model:
    """Return the model of finite weights that act on the data as given."""
    return unchecked_model(
        weights,
        negative_slope=config.architecture.negative_slope,
        x_range=config.x_range,
        y_ndim=config.data.y_ndim,
        feature_names=config.feature_names,
        target_names=config.target_names,
        history=history,
        info=info,
    )


def _opened_checkpoint(config: FitConfig) -> tuple[Checkpoint | None, Resumed | None]:
    """Return the checkpoint of a fit, and its contents if the fit resumes from it."""
    if config.checkpoint is None:
        return None, None
    checkpoint = Checkpoint(config.checkpoint, config.checkpoint_every, config)
    return checkpoint, checkpoint.read() if config.resume else None


def _prepared(
    config: FitConfig, saved: Resumed | None, stage: Callable[[str], None], check: Callable[[], None]
) -> Prepared:
    """Return what the engine is made of. `stage` is told what is being done, and `check` is called now and then."""
    coordinates = coordinates_of(config)
    start, order = _drawn_start(config, coordinates, stage, check) if saved is None else _saved_start(config, saved)
    stage("checking the initial weights")
    require_finite_model(coordinates.maps, start.weights, config.dtype)
    problem = make_problem(coordinates, config.dtype)
    if saved is None:
        start = solved_start(start, config.init, problem, config.architecture, config.rule.optimizer)
    shape = shape_of(problem.x, config.architecture.n_hidden, config.architecture.n_out)
    return Prepared(coordinates, start, order, problem, shape)


def _drawn_start(
    config: FitConfig, coordinates: Coordinates, stage: Callable[[str], None], check: Callable[[], None]
) -> tuple[Start, BatchOrder]:
    """Return the start of a new fit, and the order of its mini-batches."""
    _ = config.rng_digest  # before anything is drawn
    stage("drawing the initial weights and finding the learning rate")
    (start,) = find_starts(config.init, config.lr, config.architecture, coordinates, [config.rng], check)
    start = start._replace(lr=_safe_rate(config, coordinates, start, check))
    return start, batch_order(config)


def _safe_rate(config: FitConfig, coordinates: Coordinates, start: Start, check: Callable[[], None]) -> Rate:
    """Return the rate of a start; if it is a base rate, one that is safe for these samples and this batch size."""
    if not isinstance(start.lr, float) or config.lr_rule is None or config.rule.optimizer == "adam":
        return start.lr
    if not (config.lr is None or config.remeasures):
        return start.lr
    x, weights, architecture = coordinates.x, start.weights, config.architecture
    measured = start.lr
    if config.remeasures:
        (measured,) = automatic_rates(x, coordinates.sample_weight, [weights], architecture, check)
    rate = batch_rate(measured, config.rule.batch_size, x, weights, architecture)
    return min(start.lr, rate) if config.remeasures else rate


def _saved_start(config: FitConfig, saved: Resumed) -> tuple[Start, BatchOrder]:
    """Return the start of the fit that a checkpoint belongs to, and the order of its mini-batches."""
    info = saved.state.model.info
    assert info is not None
    lr = config.lr if config.lr_rule is None else info.base_lr  # no file can hold a callable
    assert lr is not None
    return Start(saved.start, lr), BatchOrder(saved.seed, (config.rng_digest,) if config.is_seeded else ())


def _resume(loop: TrainingLoop, saved: Resumed, config: FitConfig) -> None:
    """Continue from a checkpoint; on another processor the arrays of the engine may have other shapes."""
    try:
        loop.resume(saved.state)
    except (IndexError, KeyError, TypeError, ValueError) as error:
        assert config.checkpoint is not None
        refuse(config.checkpoint, f"a checkpoint written by a processor like this one ({error})")


def _validation(config: FitConfig, maps: Standardization) -> Callable[[Weights], float] | None:
    """Return the function that computes the validation RMSE of an engine's weights, in the units of y."""
    if config.validation is None:
        return None
    rmse = validation_rmse(
        config.validation, config.architecture.negative_slope, is_compiled=config.algorithm != "reference"
    )

    def validate(weights: Weights) -> float:
        with np.errstate(all="ignore"):  # beyond the training data the network may overflow
            return rmse(maps.fold(weights, config.dtype))

    return validate

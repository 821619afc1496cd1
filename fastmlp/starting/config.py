"""The configuration of a fit: the options of a call, checked before anything is computed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import checks
from fastmlp.engines.choosing import ALGORITHMS, MOST_OUTPUTS, chosen_algorithm
from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.optimizers import OPTIMIZERS
from fastmlp.files.archives import checked_path
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.continued import Continued
from fastmlp.starting.initial_weights import checked_init
from fastmlp.starting.needs import ITEM, Needs, needs_of
from fastmlp.starting.optimizer_state import OptimizerState, rng_digest
from fastmlp.starting.options import FitOptions
from fastmlp.starting.rate import Rate
from fastmlp.starting.rate_rule import ADAM_RATE, automatic_schedule
from fastmlp.starting.safe_rate import data_digest
from fastmlp.starting.scaling import Standardization
from fastmlp.starting.update_rule import UpdateRule, checked_update_rule

NO_RATE = 1.0  # of an optimiser that takes none: every trained group is trained
MOST_RECORDS = 10**6  # of a history with the default record_every
MOST_VALIDATIONS = 1000  # likewise, if each record takes a validation
MODEL_BYTES = 2000  # of a Model besides its weights


@dataclass(frozen=True)
class FitConfig:
    """The options of `fastmlp.fit` as they will be used. Those not listed are as in `fastmlp.fit`.

    Attributes
    ----------
    data : Samples
        The samples of positive weight.
    architecture : Architecture
        The form of the network.
    init : str, float or Weights
        The rule by which weights are drawn, or weights in the units of the data.
    standardize : bool
        Whether to train on standardised data.
    maps : Standardization or None
        The maps of the model whose training goes on; None to find them.
    lr : float, dict, callable or None
        The learning rate, or the base rate of `lr_rule`; None to find the base rate.
    lr_rule : {"auto", "constant"} or None
        How the rate depends on the base rate; None if the rate was given.
    keeps_lr : bool
        Whether the rate is that of the model whose training goes on.
    remeasures : bool
        Whether the base rate `lr` is that of other samples, or of another batch size, and may be too large.
    rule : UpdateRule
        The optimiser and the size of mini-batches.
    algorithm : {"univariate", "dense", "reference"}
        The engine.
    record_every : int
        Epochs between two records.
    snapshots : sequence of int
        Sorted epochs at which to keep the model.
    feature_names, target_names : sequence of str or None
        Names of inputs and outputs: of the columns of data frames, or of the model whose training goes on.
    is_seeded : bool
        Whether the caller gave `rng`.
    needs : Needs
        An estimate of the memory and the time.
    optimizer_state : OptimizerState or None
        The state of the optimiser of the model whose training goes on.
    keeps_state : bool
        Whether the model keeps the state of its optimiser.
    """

    data: checks.Samples
    architecture: Architecture
    init: str | float | Weights
    standardize: bool
    maps: Standardization | None
    lr: Rate | None
    lr_rule: str | None
    keeps_lr: bool
    remeasures: bool
    rng: np.random.Generator
    rule: UpdateRule
    algorithm: str
    dtype: np.dtype[Any]
    threads: int | None
    epochs: int
    record_every: int
    snapshots: Sequence[int]
    stop_at_crossing: bool
    validation: checks.Samples | None
    patience: int | None
    min_delta: float
    checkpoint: Path | None
    checkpoint_every: float
    resume: bool
    callback: Callable[[Any], bool | None] | None
    callback_every: int | None
    progress: bool | None
    feature_names: Sequence[str] | None
    target_names: Sequence[str] | None
    is_seeded: bool
    needs: Needs
    optimizer_state: OptimizerState | None
    keeps_state: bool = True

    @functools.cached_property
    def data_digest(self) -> str:
        """The hash of the samples and the batch size."""
        return data_digest(self.data, self.rule.batch_size)

    @functools.cached_property
    def x_range(self) -> Array:
        """The smallest and the largest value of each input, (n_in, 2)."""
        return np.stack([self.data.x.min(axis=0), self.data.x.max(axis=0)], axis=1)

    @functools.cached_property
    def rng_digest(self) -> str:
        """A hash of a given `rng`, if mini-batches are drawn from it. Ask for it before anything is drawn."""
        return rng_digest(self.rng) if self.is_seeded and self.rule.batch_size is not None else ""

    @functools.cached_property
    def schedule(self) -> Callable[[int], float] | None:
        """The factor of the rates by epoch; None if they are constant."""
        if self.lr_rule == "auto":
            return automatic_schedule(self.epochs, self.rule.momentum)
        return self.lr if callable(self.lr) else None


def checked_config(x: object, y: object, options: FitOptions) -> FitConfig:
    """Check the arguments of `fastmlp.fit`; raise the errors that it documents.

    A `Model` in `init` must be given as a `Continued`.
    """
    data = checks.samples(x, y, options.sample_weight).of_positive_weight()
    architecture, init, continued = _checked_network(options, data)
    epochs = checks.epoch_count("epochs", options.epochs)
    rule = checked_update_rule(options, len(data.x))
    standardize, maps = _coordinates(options, init, continued)
    given = checks.learning_rate(options.lr, architecture.trained)
    keeps_coordinates = standardize is _was_standardized(continued)
    lr, lr_rule = _rate(given, rule.optimizer, continued, keeps_coordinates=keeps_coordinates)
    _require_trainable(maps, lr, architecture)
    algorithm = _checked_algorithm(options.algorithm, architecture, rule.batch_size)
    data = data if continued is None else _named(data, continued)
    validation = None if options.validation is None else _checked_validation(options.validation, data)
    record_every = _checked_record_every(options.record_every, epochs, validates=validation is not None)
    patience = None if options.patience is None else checks.epoch_count("patience", options.patience)
    stores_layer = algorithm == "reference" or rule.optimizer == "lstsq"
    needs = needs_of(architecture, len(data.x), algorithm, epochs, stores_layer=stores_layer)
    net_bytes = _require_memory(architecture, needs, record_every, epochs // record_every)
    return FitConfig(
        data=data,
        architecture=architecture,
        init=init,
        standardize=standardize,
        maps=maps,
        lr=lr,
        lr_rule=lr_rule,
        remeasures=_remeasures(lr, lr_rule, rule, continued, data),
        keeps_lr=isinstance(given, str) and lr_rule is None,
        rng=checks.generator("rng", options.rng),
        rule=rule,
        algorithm=algorithm,
        dtype=data.dtype if options.dtype is None else checks.dtype("dtype", options.dtype),
        threads=None if options.threads is None else checks.count("threads", options.threads),
        epochs=epochs,
        record_every=record_every,
        snapshots=checks.snapshots(options.snapshots, epochs, net_bytes),
        stop_at_crossing=_checked_stop_at_crossing(options.stop_at_crossing, algorithm),
        validation=validation,
        patience=patience,
        min_delta=_checked_min_delta(options.min_delta, patience),
        checkpoint=_checked_checkpoint(options.checkpoint),
        checkpoint_every=checks.at_least("checkpoint_every", options.checkpoint_every, 0.0),
        resume=_checked_resume(options.resume, options.checkpoint),
        callback=options.callback,
        callback_every=_checked_callback_every(options.callback_every, options.callback),
        progress=checks.optional_flag("progress", options.progress),
        feature_names=data.x_names,
        target_names=data.y_names,
        is_seeded=options.rng is not None,
        needs=needs,
        optimizer_state=_optimizer_state(continued, rule, keeps_coordinates=keeps_coordinates),
    )


def _checked_network(
    options: FitOptions, data: checks.Samples
) -> tuple[Architecture, str | float | Weights, Continued | None]:
    """Check the options that define the network; return its form, its initial weights and what it goes on from."""
    hidden_bias = checks.flag("hidden_bias", options.hidden_bias)
    output_bias = checks.flag("output_bias", options.output_bias)
    given = checked_init(options.init, data, hidden_bias=hidden_bias, output_bias=output_bias)
    continued = given if isinstance(given, Continued) else None
    init = given.weights if isinstance(given, Continued) else given
    n_hidden = init.b1.size if isinstance(init, Weights) else checks.count("hidden", options.hidden)
    negative_slope = checks.real("negative_slope", options.negative_slope)
    if continued is not None and negative_slope == 0:
        negative_slope = continued.negative_slope
    sizes = data.x.shape[1], n_hidden, data.y.shape[1]
    return Architecture(*sizes, negative_slope, hidden_bias, output_bias), init, continued


def _coordinates(
    options: FitOptions, init: str | float | Weights, continued: Continued | None
) -> tuple[bool, Standardization | None]:
    """Return whether to standardise the data, and the maps if they are known."""
    standardizes = checks.optional_flag("standardize", options.standardize)
    if continued is None:
        is_automatic = init == "balanced" and isinstance(options.lr, str)
        return is_automatic if standardizes is None else standardizes, None
    if standardizes is None:
        standardizes = continued.maps is not None
    return standardizes, continued.maps if standardizes else None


def _named(data: checks.Samples, continued: Continued) -> checks.Samples:
    """Return the samples with the names of the model that the fit continues, after comparing the two."""
    checks.require_names("x", data.x_names, continued.feature_names)
    checks.require_names("y", data.y_names, continued.target_names)
    names = continued.feature_names or data.x_names, continued.target_names or data.y_names
    return replace(data, x_names=names[0], y_names=names[1])


def _optimizer_state(
    continued: Continued | None, rule: UpdateRule, *, keeps_coordinates: bool
) -> OptimizerState | None:
    """Return the state of the optimiser that goes on; another optimiser, or one in other coordinates, starts anew."""
    if continued is None or continued.optimizer_state is None:
        return None
    state = continued.optimizer_state
    has_moments = rule.momentum > 0 or rule.optimizer == "adam"
    is_same = keeps_coordinates and continued.optimizer == rule.optimizer and has_moments == bool(state.moments)
    return state if is_same else state.without_memory()


def _was_standardized(continued: Continued | None) -> bool | None:
    return None if continued is None else continued.maps is not None


def _rate(
    given: Rate | str, optimizer: str, continued: Continued | None, *, keeps_coordinates: bool
) -> tuple[Rate | None, str | None]:
    """Return the rate, or the base rate if it is known, and the rule.

    The rate of a model applies to the coordinates and the optimiser that it was trained with.
    """
    if optimizer in OPTIMIZERS:
        return NO_RATE, None
    if not isinstance(given, str):
        return given, None
    base = ADAM_RATE if optimizer == "adam" else None
    if continued is None or not keeps_coordinates or continued.optimizer != optimizer:
        return base, given
    if continued.lr is None:
        if continued.lr_rule == "callable" and given == "auto":
            remedy = "Pass that function again, or another rate."
            raise ValueError(checks.wording("lr", "given for a Model whose lr files do not keep", '"auto"', remedy))
        return base, given
    if continued.base_lr is not None:
        return continued.base_lr, continued.lr_rule if given == "auto" else given
    return (continued.lr, None) if given == "auto" else (base, given)


def _remeasures(
    lr: Rate | None, lr_rule: str | None, rule: UpdateRule, continued: Continued | None, data: checks.Samples
) -> bool:
    """Return whether a base rate was measured on other samples or for another batch size."""
    if lr is None or lr_rule is None or continued is None or rule.optimizer == "adam":
        return False
    return continued.data_digest != data_digest(data, rule.batch_size)


def _require_trainable(maps: Standardization | None, lr: Rate | None, architecture: Architecture) -> None:
    """Refuse maps and rates of a model that was trained with other biases than are trained now."""
    if maps is not None and (
        (maps.x_shift.any() and not architecture.hidden_bias) or (maps.y_shift.any() and not architecture.output_bias)
    ):
        rule = "a Model that was trained without the disabled bias"
        raise ValueError(checks.wording("init", rule, "one that was standardised with it"))
    if isinstance(lr, dict):
        checks.learning_rate(lr, architecture.trained)


def _checked_algorithm(algorithm: object, architecture: Architecture, batch_size: int | None) -> str:
    """Return the algorithm to train with."""
    name = checks.choice("algorithm", algorithm, ALGORITHMS)
    n_in, n_out = architecture.n_in, architecture.n_out
    chosen = chosen_algorithm(name, n_in, n_out, batch_size)
    if chosen is None:
        got = f"{checks.counted(n_in, 'input')}, {checks.counted(n_out, 'output')} and batch_size={batch_size}"
        rule = f"one input, at most {MOST_OUTPUTS} outputs and batch_size=None"
        raise ValueError(f'algorithm="univariate" requires {rule}, got {got}.')
    return chosen


def _checked_record_every(record_every: object, epochs: int, *, validates: bool) -> int:
    """Return the spacing of the records; the default is the smallest that keeps the number of records within limits."""
    if record_every is None:
        return -(-epochs // (MOST_VALIDATIONS if validates else MOST_RECORDS))
    return checks.epoch_count("record_every", record_every)


def _checked_stop_at_crossing(stop_at_crossing: object, algorithm: str) -> bool:
    checked = checks.flag("stop_at_crossing", stop_at_crossing)
    if checked and algorithm != "univariate":
        rule = 'False unless the engine is "univariate"'
        raise ValueError(checks.wording("stop_at_crossing", rule, f'True with "{algorithm}"'))
    return checked


def _checked_validation(validation: object, data: checks.Samples) -> checks.Samples:
    """Check validation samples, which must have as many columns as the training data."""
    rule = "a tuple (x, y) or (x, y, sample_weight)"
    if not isinstance(validation, (tuple, list)):
        raise TypeError(checks.wording("validation", rule, repr(validation)))
    if len(validation) not in (2, 3):
        raise ValueError(checks.wording("validation", rule, checks.counted(len(validation), "item")))
    x, y, sample_weight = (*validation, None)[:3]
    held_out = checks.samples(x, y, sample_weight, name="validation ").of_positive_weight()
    for name in ("x", "y"):
        got, expected = getattr(held_out, name).shape[1], getattr(data, name).shape[1]
        if got != expected:
            rule = f"an array with {checks.counted(expected, 'column')}, like {name}"
            raise ValueError(checks.wording(f"validation {name}", rule, f"{got}"))
    checks.require_names("validation x", held_out.x_names, data.x_names)
    checks.require_names("validation y", held_out.y_names, data.y_names)
    return held_out


def _checked_min_delta(min_delta: object, patience: int | None) -> float:
    checked = checks.at_least("min_delta", min_delta, 0.0)
    if checked and patience is None:
        raise ValueError(checks.wording("min_delta", "0 without patience", repr(min_delta)))
    return checked


def _checked_callback_every(callback_every: object, callback: object) -> int | None:
    if callback is not None and not callable(callback):
        raise TypeError(checks.wording("callback", "callable", repr(callback)))
    if callback_every is None:
        return None
    number = checks.epoch_count("callback_every", callback_every)
    if callback is None:
        raise ValueError(checks.wording("callback_every", "None without callback", repr(number)))
    return number


def _checked_checkpoint(checkpoint: object) -> Path | None:
    if checkpoint is None:
        return None
    path = checked_path("checkpoint", checkpoint)
    if not path.parent.is_dir():
        raise ValueError(checks.wording("checkpoint", "a path in a folder that exists", f"{checkpoint}"))
    return path


def _checked_resume(resume: object, checkpoint: object) -> bool:
    checked = checks.flag("resume", resume)
    if checked and checkpoint is None:
        raise ValueError(checks.wording("resume", "False without checkpoint", "True"))
    return checked


def _require_memory(architecture: Architecture, needs: Needs, record_every: int, n_records: int) -> int:
    """Refuse sizes that exceed the available memory; return the bytes of a model."""
    n_in, n_hidden, n_out = architecture[:3]
    checks.memory("hidden", f"{n_hidden}", needs.n_bytes, needs.seconds)
    checks.memory("record_every", f"{record_every}", 3 * ITEM * n_records)
    return ITEM * n_hidden * (n_in + n_out + 1) + MODEL_BYTES

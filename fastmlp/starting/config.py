"""What a call of `fastmlp.fit` asks for, checked before anything is computed."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp import checks
from fastmlp.engines.engine import Weights
from fastmlp.files.archives import checked_path
from fastmlp.models.model import Model
from fastmlp.starting.starting import NAMED_STARTS
from fastmlp.training.callback import CallbackInfo
from fastmlp.training.recording import default_record_every

ALGORITHMS = ("auto", "univariate", "dense", "reference")
OPTIMIZERS = ("sgd", "adam")
MOST_OUTPUTS = 32  # of "univariate", whose kernels are compiled for each number: 3.5 s for 10, 9 s for 128
MODEL_BYTES = 2000  # of a Model besides its weights

Rate = float | dict[str, float] | Callable[[int], float]


@dataclass(frozen=True)
class FitConfig:
    """The arguments of `fastmlp.fit` as they will be used.

    trained says of each group of parameters whether it is trained, is_seeded whether rng came from the caller. lr is
    None for "auto"; algorithm is never "auto".
    """

    data: checks.Samples
    n_hidden: int
    epochs: int
    lr: Rate | None
    init: str | float | Model | Weights
    rng: np.random.Generator
    standardize: bool | None
    trained: Mapping[str, bool]
    negative_slope: float
    optimizer: str
    momentum: float
    nesterov: bool
    weight_decay: float
    batch_size: int | None
    algorithm: str
    dtype: np.dtype[Any]
    threads: int | None
    record_every: int
    snapshots: Sequence[int]
    stop_at_crossing: bool
    validation: checks.Samples | None
    patience: int | None
    min_delta: float
    checkpoint: Path | None
    checkpoint_every: float
    resume: bool
    callback: Callable[[CallbackInfo], bool | None] | None
    progress: bool | None
    is_seeded: bool


def checked_config(
    x: object,
    y: object,
    *,
    hidden: object,
    epochs: object,
    lr: object,
    init: object,
    rng: object,
    standardize: object,
    hidden_bias: object,
    output_bias: object,
    negative_slope: object,
    sample_weight: object,
    optimizer: object,
    momentum: object,
    nesterov: object,
    weight_decay: object,
    batch_size: object,
    algorithm: object,
    dtype: object,
    threads: object,
    record_every: object,
    snapshots: Iterable[int] | None,
    stop_at_crossing: object,
    validation: object,
    patience: object,
    min_delta: object,
    checkpoint: object,
    checkpoint_every: object,
    resume: object,
    callback: Any,
    progress: object,
) -> FitConfig:
    """Check the arguments of `fastmlp.fit`; raise what it says."""
    data = checks.samples(x, y, sample_weight).of_positive_weight()
    trained = {
        "w1": True,
        "b1": checks.flag("hidden_bias", hidden_bias),
        "w2": True,
        "b2": checks.flag("output_bias", output_bias),
    }
    start = _start_given(init, data, trained)
    n_hidden = checks.count("hidden", hidden) if isinstance(start, (str, float)) else start.b1.size
    n_epochs = checks.epoch_count("epochs", epochs)
    rate = checks.learning_rate(lr, trained)
    batch = _batch_size(batch_size, len(data.x))
    optimizer = checks.choice("optimizer", optimizer, OPTIMIZERS)
    memory = _momentum(momentum, optimizer)
    chosen = _algorithm(algorithm, data.x.shape[1], data.y.shape[1], batch)
    held_out = None if validation is None else _validation(validation, data)
    spacing = default_record_every(n_epochs, validates=held_out is not None)
    if record_every is not None:
        spacing = checks.epoch_count("record_every", record_every)
    waits = None if patience is None else checks.epoch_count("patience", patience)
    if callback is not None and not callable(callback):
        raise TypeError(checks.wording("callback", "callable", repr(callback)))
    net_bytes = _require_memory(data, n_hidden, n_epochs, spacing, chosen)
    return FitConfig(
        data=data,
        n_hidden=n_hidden,
        epochs=n_epochs,
        lr=rate,
        init=start,
        rng=checks.generator("rng", rng),
        standardize=checks.optional_flag("standardize", standardize),
        trained=trained,
        negative_slope=checks.real("negative_slope", negative_slope),
        optimizer=optimizer,
        momentum=memory,
        nesterov=_nesterov(nesterov, memory),
        weight_decay=checks.at_least("weight_decay", weight_decay, 0.0),
        batch_size=batch,
        algorithm=chosen,
        dtype=data.dtype if dtype is None else checks.dtype("dtype", dtype),
        threads=None if threads is None else checks.count("threads", threads),
        record_every=spacing,
        snapshots=checks.snapshots(snapshots, n_epochs, net_bytes),
        stop_at_crossing=_stop_at_crossing(stop_at_crossing, chosen),
        validation=held_out,
        patience=waits,
        min_delta=_min_delta(min_delta, waits),
        checkpoint=_checkpoint(checkpoint),
        checkpoint_every=checks.at_least("checkpoint_every", checkpoint_every, 0.0),
        resume=_resume(resume, checkpoint),
        callback=callback,
        progress=checks.optional_flag("progress", progress),
        is_seeded=rng is not None,
    )


def _algorithm(algorithm: object, n_in: int, n_out: int, batch_size: int | None) -> str:
    """Return the algorithm that a call trains with: what "auto" stands for."""
    name = checks.choice("algorithm", algorithm, ALGORITHMS)
    is_univariate = n_in == 1 and n_out <= MOST_OUTPUTS and batch_size is None
    if name == "univariate" and not is_univariate:
        rule = f'"univariate" only for one input, at most {MOST_OUTPUTS} outputs and no batch_size'
        raise ValueError(checks.wording("algorithm", rule, f"{n_in}, {n_out} and {batch_size}"))
    if name == "auto":
        return "univariate" if is_univariate else "dense"
    return name


def _batch_size(batch_size: object, n_samples: int) -> int | None:
    """Return the size of mini-batches, or None for all samples at once."""
    if batch_size is None:
        return None
    size = checks.count("batch_size", batch_size)
    return size if size < n_samples else None


def _momentum(momentum: object, optimizer: str) -> float:
    checked = checks.at_least("momentum", momentum, 0.0)
    if checked >= 1:
        raise ValueError(checks.wording("momentum", "below 1", repr(momentum)))
    if checked and optimizer == "adam":
        raise ValueError(checks.wording("momentum", '0 with optimizer="adam"', repr(momentum), "Adam has its own."))
    return checked


def _nesterov(nesterov: object, momentum: float) -> bool:
    checked = checks.flag("nesterov", nesterov)
    if checked and not momentum:
        raise ValueError(checks.wording("nesterov", "False without momentum", "True"))
    return checked


def _stop_at_crossing(stop_at_crossing: object, algorithm: str) -> bool:
    """Check the flag against the algorithm chosen."""
    checked = checks.flag("stop_at_crossing", stop_at_crossing)
    if checked and algorithm != "univariate":
        rule = 'False unless the algorithm is "univariate"'
        raise ValueError(checks.wording("stop_at_crossing", rule, f'True with "{algorithm}"'))
    return checked


def _validation(validation: object, data: checks.Samples) -> checks.Samples:
    """Check data of as many columns as the training data."""
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
            raise ValueError(
                checks.wording(f"validation {name}", f"of {checks.counted(expected, 'column')}, as {name} is", f"{got}")
            )
    return held_out


def _min_delta(min_delta: object, patience: int | None) -> float:
    checked = checks.at_least("min_delta", min_delta, 0.0)
    if checked and patience is None:
        raise ValueError(checks.wording("min_delta", "0 without patience", repr(min_delta)))
    return checked


def _checkpoint(checkpoint: object) -> Path | None:
    if checkpoint is None:
        return None
    path = checked_path("checkpoint", checkpoint)
    if not path.parent.is_dir():
        raise ValueError(checks.wording("checkpoint", "a path in a folder that exists", f"{checkpoint}"))
    return path


def _resume(resume: object, checkpoint: object) -> bool:
    checked = checks.flag("resume", resume)
    if checked and checkpoint is None:
        raise ValueError(checks.wording("resume", "False without checkpoint", "True"))
    return checked


def _start_given(init: Any, data: checks.Samples, trained: dict[str, bool]) -> str | float | Model | Weights:
    """Check the start; a given net must fit the data and have no bias that is disabled."""
    if isinstance(init, str):
        return checks.choice("init", init, NAMED_STARTS)
    given: Model | Weights | None = init if isinstance(init, Model) else None
    if isinstance(init, tuple):
        if len(init) != len(Weights._fields):
            raise ValueError(checks.wording("init", "a tuple (w1, b1, w2, b2)", checks.counted(len(init), "item")))
        given = checks.weights(Weights(*init), "init ")
    if given is None:
        names = ", ".join(f'"{name}"' for name in NAMED_STARTS)
        rule = f"one of {names}, a positive number, a Model or a tuple (w1, b1, w2, b2)"
        if isinstance(init, (bool, np.bool_)) or not isinstance(init, numbers.Real):
            raise TypeError(checks.wording("init", rule, repr(init)))
        if checks.real("init", init) <= 0:
            raise ValueError(checks.wording("init", rule, repr(init)))
        return float(init)
    got, expected = (given.w1.shape[0], given.w2.shape[1]), (data.x.shape[1], data.y.shape[1])
    if got != expected:
        sizes = f"{checks.counted(expected[0], 'input')} and {checks.counted(expected[1], 'output')}"
        rule = f"a net of {sizes}, as the data has"
        raise ValueError(checks.wording("init", rule, f"one of {got[0]} and {got[1]}"))
    for name, option in (("b1", "hidden_bias"), ("b2", "output_bias")):
        bias = getattr(given, name)
        if not trained[name] and bias.any():
            raise ValueError(checks.wording(f"init {name}", f"0 with {option}=False", f"{bias[np.argmax(bias != 0)]}"))
    return given


def _require_memory(data: checks.Samples, n_hidden: int, epochs: int, record_every: int, algorithm: str) -> int:
    """Refuse sizes whose arrays exceed the memory, counting those that dominate in float64; return a model's bytes."""
    item = np.dtype(np.float64).itemsize
    net = item * n_hidden * (data.x.shape[1] + data.y.shape[1] + 1)
    copies = 10  # measured: dense 8.1 at two million units, univariate 9.2 at ten million
    layer = 3 * item * n_hidden * len(data.x) if algorithm == "reference" else 0
    checks.memory("hidden", f"{n_hidden}", copies * net + layer)
    checks.memory("record_every", f"{record_every}", 3 * item * (epochs // record_every))
    return int(net) + MODEL_BYTES

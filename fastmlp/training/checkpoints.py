"""A fit as a file, from which it goes on as if it had never stopped.

The file is that of the model so far, which `fastmlp.load` reads, with the members and the fact "resume" besides.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fastmlp.checks import wording
from fastmlp.engines.engine import Array, Weights
from fastmlp.files.archives import refuse
from fastmlp.files.atomic import remove_leftovers
from fastmlp.models.loading import read_model
from fastmlp.models.model import Model
from fastmlp.models.saving import Contents, model_contents, write_model
from fastmlp.versions import versions

if TYPE_CHECKING:
    from fastmlp.starting.config import FitConfig

IRRELEVANT = {"callback", "progress", "checkpoint", "checkpoint_every", "resume", "is_seeded"}  # to the result


class EngineState(NamedTuple):
    """Where an engine stood: its state, and the epochs that it had done."""

    state: Mapping[str, Array]
    epoch: int


@dataclass(frozen=True)
class TrainingState:
    """Where a fit stands.

    model has the history so far, at recorded epochs, and its snapshots. best is a place at or before the best epoch,
    None where nobody asks for it; stopping is the state of `Stopping`; ended says why training has
    ended, None if it can go on.
    """

    model: Model
    here: EngineState
    best: EngineState | None
    stopping: Array
    ended: str | None


class Resumed(NamedTuple):
    """What a checkpoint holds: where the fit stands, and the weights and the seed that its engine was made with."""

    standing: TrainingState
    start: Weights
    seed: int


class Checkpoint:
    """The file of one fit."""

    def __init__(self, path: Path, seconds: float, call: FitConfig) -> None:
        """Take the path, how long to wait between two writes, and the checked call that the file belongs to."""
        self._path = path
        self._seconds = seconds
        self._digest = digest(call)
        remove_leftovers(path)

    def begin(self, start: Weights, seed: int) -> None:
        """Take what the engine is made with, and the time."""
        self._start, self._seed = start, seed
        self._written = time.monotonic()

    def is_due(self) -> bool:
        """Return whether the last write is long enough ago."""
        return time.monotonic() - self._written >= self._seconds

    def write(self, standing: TrainingState) -> None:
        """Replace the file."""
        facts = {"digest": self._digest, "seed": self._seed, "epoch": standing.here.epoch, "ended": standing.ended}
        groups = {
            "start": self._start._asdict(),
            "engine": standing.here.state,
            "rule": {"stopping": standing.stopping},
        }
        if standing.best is not None:
            facts["best_epoch"] = standing.best.epoch
            groups["best"] = standing.best.state
        arrays = {f"{group}/{name}": array for group, held in groups.items() for name, array in held.items()}
        model = standing.model
        write_model(self._path, model_contents(model, model.history, model.info), Contents(facts, arrays))
        self._written = time.monotonic()

    def read(self) -> Resumed | None:
        """Return what was written, None if there is no file.

        Raises
        ------
        ValueError
            If it belongs to another call.
        FileFormatError
            If it is damaged, or no checkpoint.
        """
        if not self._path.exists():
            return None
        model, resume = read_model(self._path)
        if resume is None:
            refuse(self._path, "a checkpoint of fastmlp; it is a model that was saved")
        facts, arrays = resume
        try:
            if facts["digest"] != self._digest:
                rule = "of the same data, settings and version of fastmlp as this call"
                remedy = "Give another path, or resume=False to start afresh."
                raise ValueError(wording("checkpoint", rule, f"{self._path}, which is of another", remedy))
            groups: dict[str, dict[str, Array]] = {"start": {}, "engine": {}, "rule": {}, "best": {}}
            for label, array in arrays.items():
                group, _, name = label.partition("/")
                groups[group][name] = array
            best = EngineState(groups["best"], facts["best_epoch"]) if groups["best"] else None
            here = EngineState(groups["engine"], facts["epoch"])
            standing = TrainingState(model, here, best, groups["rule"]["stopping"], facts["ended"])
            return Resumed(standing, Weights(**groups["start"]), facts["seed"])
        except (KeyError, TypeError) as error:
            refuse(self._path, f"a checkpoint of fastmlp that holds together ({error})")


def digest(call: FitConfig) -> str:
    """Return what tells calls apart that could give other results."""
    known = hashlib.sha256(versions()["fastmlp"].encode())
    for field in fields(call):
        value = getattr(call, field.name)
        if field.name == "rng" and not call.is_seeded:
            value = None  # fresh entropy, by which no call could be known again
        if field.name not in IRRELEVANT:
            known.update(field.name.encode())
            _add(known, value)
    return known.hexdigest()


def _add(known: Any, value: Any) -> None:
    """Add a value of a call to a digest."""
    known.update(type(value).__name__.encode())
    if isinstance(value, np.ndarray):
        known.update(f"{value.dtype}{value.shape}".encode())
        known.update(np.ascontiguousarray(value).data)
    elif isinstance(value, np.random.Generator):
        _add(known, value.bit_generator.state)
    elif is_dataclass(value):
        _add(known, {field.name: getattr(value, field.name) for field in fields(value)})
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            _add(known, (key, entry))
    elif isinstance(value, (tuple, list)):
        known.update(f"{len(value)}".encode())
        for entry in value:
            _add(known, entry)
    elif callable(value):
        _add(known, float(value(0)))  # a schedule: two of them are told apart by their first rate at most
    else:
        known.update(repr(value).encode() + b"\0")

"""Checkpoints: files from which an interrupted fit resumes.

A checkpoint is the file of the model so far, which `fastmlp.load` reads. Members whose names start with "resume" are
added to it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from fastmlp.checks import wording
from fastmlp.engines.engine import Array, Weights
from fastmlp.files.archives import refuse
from fastmlp.files.atomic import remove_leftovers
from fastmlp.models.loading import read_model
from fastmlp.models.model import Model
from fastmlp.models.saving import Contents, model_contents, write_model
from fastmlp.training.digest import config_digest

if TYPE_CHECKING:
    from fastmlp.starting.config import FitConfig


class EngineState(NamedTuple):
    """The state of an engine after a number of epochs; `arrays` is that of `Engine.state`."""

    arrays: Mapping[str, Array]
    epoch: int


@dataclass(frozen=True)
class TrainingState:
    """The state of a training loop.

    Attributes
    ----------
    model : Model
        The current model. Its history has the recorded epochs so far and the snapshots.
    engine : EngineState
        The current state of the engine.
    best : EngineState or None
        With patience, the state of the engine at or before the best epoch.
    stopping : ndarray
        The state of the `StoppingRule`.
    ended_by : str or None
        Why training has ended: "crossing" or "patience". None if it can continue.
    """

    model: Model
    engine: EngineState
    best: EngineState | None
    stopping: Array
    ended_by: str | None


class Resumed(NamedTuple):
    """The contents of a checkpoint: the state of the loop, and the initial weights and the seed of the engine."""

    state: TrainingState
    start: Weights
    seed: int


class Checkpoint:
    """The checkpoint file of one fit."""

    def __init__(self, path: Path, seconds: float, config: FitConfig) -> None:
        """Remove temporary files of processes that were killed while they wrote this file.

        Parameters
        ----------
        path : Path
            The file.
        seconds : float
            Seconds between two writes.
        config : FitConfig
            The fit that the file belongs to.
        """
        self._path = path
        self._seconds = seconds
        self._digest = config_digest(config)
        remove_leftovers(path)

    def begin(self, start: Weights, seed: int) -> None:
        """Take the initial weights and the seed of the engine, and start the clock."""
        self._start, self._seed = start, seed
        self._written = time.monotonic()

    def is_due(self) -> bool:
        """Return whether the file is to be written again."""
        return time.monotonic() - self._written >= self._seconds

    def write(self, state: TrainingState) -> None:
        """Replace the file."""
        facts = {"digest": self._digest, "seed": self._seed, "epoch": state.engine.epoch, "ended": state.ended_by}
        groups = {
            "start": self._start._asdict(),
            "engine": state.engine.arrays,
            "rule": {"stopping": state.stopping},
        }
        if state.best is not None:
            facts["best_epoch"] = state.best.epoch
            groups["best"] = state.best.arrays
        arrays = {f"{group}/{name}": array for group, held in groups.items() for name, array in held.items()}
        model = state.model
        write_model(self._path, model_contents(model, model.history, model.info), Contents(facts, arrays))
        self._written = time.monotonic()

    def read(self) -> Resumed | None:
        """Return the contents of the file, or None if there is no file.

        Raises
        ------
        ValueError
            If the file belongs to another fit.
        FileFormatError
            If the file is damaged or no checkpoint.
        """
        if not self._path.exists():
            return None
        model, resume = read_model(self._path)
        if resume is None:
            refuse(self._path, "a checkpoint of fastmlp; it is a saved model")
        facts, arrays = resume
        try:
            if facts["digest"] != self._digest:
                rule = "from a call with the same data, options and version of fastmlp"
                remedy = "Use another path, or resume=False to start again."
                raise ValueError(wording("checkpoint", rule, f"{self._path} from another call", remedy))
            groups: dict[str, dict[str, Array]] = {"start": {}, "engine": {}, "rule": {}, "best": {}}
            for label, array in arrays.items():
                group, _, name = label.partition("/")
                groups[group][name] = array
            best = EngineState(groups["best"], facts["best_epoch"]) if groups["best"] else None
            engine = EngineState(groups["engine"], facts["epoch"])
            state = TrainingState(model, engine, best, groups["rule"]["stopping"], facts["ended"])
            return Resumed(state, Weights(**groups["start"]), facts["seed"])
        except (KeyError, TypeError) as error:
            refuse(self._path, f"an undamaged checkpoint of fastmlp ({error})")

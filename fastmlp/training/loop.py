"""Runs any engine in chunks: progress, callback, Ctrl-C, snapshots, validation, an early end, divergence.

Compiled code cannot be interrupted, so the epochs run in chunks of 50 - 100 ms, which changes no bit of the result.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks import wording
from fastmlp.engines.engine import Engine, Record, Status, Weights
from fastmlp.models.history import History
from fastmlp.training.checkpoints import Checkpoint, EngineState, TrainingState
from fastmlp.training.recording import Recorder
from fastmlp.training.stopping import Stopping
from fastmlp.training.watching import CallbackInfo, Interrupt, progress_bar

if TYPE_CHECKING:
    from fastmlp.models.model import Model

CHUNK_SECONDS = 0.075
MAX_RECORD = 2**18  # entries: the record of a chunk stays within 4 MB


class DivergenceError(ArithmeticError):
    """The error of a fit stopped being finite.

    Attributes
    ----------
    epoch : int
        The first epoch with a non-finite RMSE.
    lr : float, dict, callable or None
        The rate trained with.
    model : Model
        The model of the epoch before, whose RMSE is finite; the start when even that one's is not.
    """

    def __init__(self, epoch: int, lr: float | dict[str, float] | Callable[[int], float] | None, model: Model) -> None:
        remedy = 'Give a smaller lr, or less momentum or weight_decay, or lr="auto" and init="balanced".'
        rule = f"small enough for the RMSE to stay finite, which at epoch {epoch} it is not"
        text = wording("lr", rule, f"{lr}", remedy)
        if epoch == 0:
            text = wording(
                "init", "a start of finite RMSE", "one of infinite or undefined RMSE", "Rescale x, y or init."
            )
        super().__init__(text)
        self.epoch = epoch
        self.lr = lr
        self.model = model

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.epoch, self.lr, self.model)


@dataclass(frozen=True)
class Outcome:
    """How far a drive has come.

    The updates done, those of the weights that are returned, crossings if counted, why it stopped (None: it has not).
    """

    epochs_run: int
    best_epoch: int
    crossings: int | None
    stop_reason: str | None


class _Pace:
    """Chooses the number of epochs of the next chunk from the time that the last one took."""

    def __init__(self, longest: int) -> None:
        self.n_epochs = 1
        self._longest = longest

    def measure(self, n_epochs: int, seconds: float) -> None:
        """Aim at CHUNK_SECONDS, growing at most sixteenfold: short chunks are timed badly."""
        fitting = CHUNK_SECONDS * n_epochs / max(seconds, 1e-9)
        self.n_epochs = int(np.clip(fitting, 1, min(16 * self.n_epochs, self._longest)))


class TrainingLoop:
    """One engine on its way through its epochs."""

    def __init__(
        self,
        engine: Engine,
        epochs: int,
        recorder: Recorder,
        make_model: Callable[[Weights, Outcome, History | None], Model],
        lr: float | dict[str, float] | Callable[[int], float] | None,
        stopping: Stopping,
        validate: Callable[[Weights], float] | None = None,
    ) -> None:
        """Evaluate the start.

        Parameters
        ----------
        engine : Engine
            Trained in place.
        epochs : int
            Updates to do.
        recorder : Recorder
            Takes the errors and the snapshots.
        make_model : callable
            Makes a model of the engine's weights, how far it has come, and a history.
        lr : float, dict, callable or None
            For the message of `DivergenceError`.
        stopping : Stopping
            When to end before the last epoch; with patience the engine goes back to the best epoch at the end.
        validate : callable, optional
            Returns the validation RMSE of the engine's weights, which is asked for at recorded epochs.
        """
        self._engine = engine
        self._epochs = epochs
        self._recorder = recorder
        self._make_model = make_model
        self._lr = lr
        self._stopping = stopping
        self._validate = validate
        longest = min(epochs, max(1, MAX_RECORD // recorder.n_out))
        self._record = Record.empty(longest, recorder.n_out)
        self._pace = _Pace(longest)
        self._epoch = 0
        self._started = time.perf_counter()
        engine.advance(0, self._record)
        self._last_row = self._record[:1].copy()
        if not np.isfinite(self._last_row.squared_error).all():
            raise DivergenceError(0, lr, self.model())
        self._ended: str | None = None
        start = EngineState(engine.state(), 0)
        # With patience a place at or before the best epoch: at the end the way from there is gone again.
        self._best = None if stopping.patience is None else start
        if validate is not None:
            self._judge_weights(start)

    def model(self) -> Model:
        """Return the model now."""
        return self._make_model(self._engine.weights(), self._outcome(self._epoch, None), None)

    def run(
        self,
        interrupt: Interrupt,
        snapshots: Sequence[int] = (),
        callback: Callable[[CallbackInfo], bool | None] | None = None,
        progress: bool | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Outcome:
        """Train to the last epoch, or until a crossing, patience, the callback, Ctrl-C or divergence ends it.

        Parameters
        ----------
        interrupt : Interrupt
            Entered by the caller.
        snapshots : sequence of int
            Sorted epochs at which the weights are kept.
        callback, progress
            As in `fastmlp.fit`.
        checkpoint : Checkpoint, optional
            Written when it is due, and at the end.
        """
        reason = self._ended
        kept = set(snapshots)
        n_untold, told = 0, time.perf_counter()  # epochs since the last callback, and when it was
        with progress_bar(self._epochs, self._epoch, progress) as bar:
            for stop in sorted({*kept, self._epochs}):
                while self._epoch < stop and reason is None:
                    if interrupt.requested:
                        reason = "interrupted"
                        break
                    n_wanted = self._pace.n_epochs
                    n_done = self._chunk(stop)
                    reason = self._ended
                    ended = reason is not None or self._epoch == self._epochs
                    bar.update(n_done)
                    info = self._info()
                    bar.set_postfix_str(self._recorder.shown(self._epoch, info.rmse), refresh=False)
                    n_untold += n_done
                    if checkpoint is not None and checkpoint.is_due():
                        checkpoint.write(self._standing())
                    is_due = n_untold >= n_wanted or time.perf_counter() - told >= CHUNK_SECONDS
                    if callback is None or not (is_due or ended):
                        continue  # a snapshot or a validation has cut the chunk short
                    n_untold, told = 0, time.perf_counter()
                    if callback(info) and not ended:
                        reason = "callback"
                if self._epoch == stop and stop in kept:
                    self._recorder.snapshots[stop] = self.model()
        if checkpoint is not None:
            checkpoint.write(self._standing())
        if interrupt.requested:  # in the last chunk too: a Ctrl-C may have been meant for what comes next
            reason = "interrupted"
            text = f"fit was interrupted after {self._epoch} of {self._epochs} epochs; the model so far is returned."
            warnings.warn(text, RuntimeWarning, stacklevel=4)
        return self._finish(reason or "epochs")

    def _standing(self) -> TrainingState:
        """Return what `go_on` goes on from."""
        history = self._recorder.so_far(self._epoch)
        model = self._make_model(self._engine.weights(), self._outcome(self._epoch, None), history)
        here = EngineState(self._engine.state(), self._epoch)
        return TrainingState(model, here, self._best, self._stopping.state(), self._ended)

    def go_on(self, standing: TrainingState) -> None:
        """Take up a training where another drive stood."""
        assert standing.model.history is not None
        self._engine.restore(standing.here.state)
        self._engine.advance(0, self._record)
        self._last_row = self._record[:1].copy()
        self._epoch = standing.here.epoch
        self._best = standing.best
        self._stopping.restore(standing.stopping)
        self._recorder.restore(standing.model.history)
        self._ended = standing.ended

    def _finish(self, reason: str) -> Outcome:
        """Close the history; with patience go back to the best epoch."""
        if not self._recorder.records(self._epoch):
            here = EngineState(self._engine.state(), self._epoch)
            if self._validate is not None:
                self._judge_weights(here)
            else:
                self._judge(here, [self._epoch], self._recorder.rmse(self._last_row.squared_error).tolist())
        self._recorder.finish(self._epoch, self._last_row)
        best_epoch = self._epoch if self._best is None else self._stopping.best_epoch
        if self._best is not None and best_epoch != self._epoch:
            self._engine.restore(self._best.state)
            self._engine.advance(best_epoch - self._best.epoch, self._record)
        return self._outcome(best_epoch, reason)

    def _outcome(self, best_epoch: int, stop_reason: str | None) -> Outcome:
        crossings = int(self._last_row.crossings[0]) if self._engine.counts_crossings else None
        return Outcome(self._epoch, best_epoch, crossings, stop_reason)

    def _chunk(self, stop: int) -> int:
        """Train for one chunk that ends at `stop` at the latest; return its epochs."""
        if self._validate is not None:
            stop = min(stop, self._recorder.next_recorded(self._epoch))
        before = EngineState(self._engine.state(), self._epoch)
        n_epochs = min(self._pace.n_epochs, stop - self._epoch)
        started = time.perf_counter()
        n_done, status = self._engine.advance(n_epochs, self._record)
        self._pace.measure(n_epochs, time.perf_counter() - started)
        n_done, self._ended = self._recorded(before, n_done)
        if n_done < n_epochs:
            self._engine.restore(before.state)
            self._engine.advance(n_done, self._record)
        self._last_row = self._record[n_done : n_done + 1].copy()
        self._epoch += n_done
        if status is Status.DIVERGED and self._ended is None:
            raise DivergenceError(self._epoch + 1, self._lr, self.model())
        if self._validate is not None and self._recorder.records(self._epoch) and self._judge_weights(before):
            self._ended = self._ended or "patience"
        return n_done

    def _recorded(self, before: EngineState, n_done: int) -> tuple[int, str | None]:
        """Record what a chunk trained; return its epochs up to the one that ends the fit, and why that one does."""
        # The diverging update may be the first to cross: then it is divergence that the fit ends with.
        first = self._stopping.first_crossing(self._record[: n_done + 1])
        reason = None if first is None else "crossing"
        n_done = n_done if first is None else first
        epochs, errors = self._recorder.add(self._epoch, self._record[: n_done + 1])
        end = None if self._validate is not None else self._judge(before, epochs.tolist(), errors.tolist())
        if end is not None and end - self._epoch < n_done + (reason is None):
            return end - self._epoch, "patience"
        return n_done, reason

    def _judge_weights(self, before: EngineState) -> bool:
        """Take the validation RMSE of the weights now; return whether patience ends with it."""
        assert self._validate is not None
        error = self._validate(self._engine.weights())
        self._recorder.add_validation(self._epoch, error)
        return self._judge(before, [self._epoch], [error]) is not None

    def _judge(self, before: EngineState, epochs: Sequence[int], errors: Sequence[float]) -> int | None:
        """Take errors of epochs that follow a state; return the epoch that patience ends with."""
        known = self._stopping.best_epoch
        end = self._stopping.ends_at(epochs, errors)
        if self._stopping.best_epoch != known:
            self._best = before
        return end

    def _info(self) -> CallbackInfo:
        rmse = float(self._recorder.rmse(self._last_row.squared_error[0]))
        return CallbackInfo(self._epoch, self._epochs, rmse, time.perf_counter() - self._started, self.model)

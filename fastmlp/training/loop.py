"""The training loop: runs an engine in chunks and records, stops, saves and calls back between them.

The length of the chunks changes no bit of the result.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.engines.engine import Engine, Record, Status, Weights
from fastmlp.models.history import History
from fastmlp.training import chunks
from fastmlp.training.callback import CallbackInfo, CallbackTimer, EpochTimer
from fastmlp.training.checkpoints import Checkpoint, EngineState, TrainingState
from fastmlp.training.divergence import DivergenceError
from fastmlp.training.interrupt import Interrupt
from fastmlp.training.progress import Activity, progress_bar
from fastmlp.training.recording import Recorder
from fastmlp.training.stopping import StoppingRule

if TYPE_CHECKING:
    from fastmlp.models.model import Model


@dataclass(frozen=True)
class TrainingSummary:
    """How far training has come.

    Attributes
    ----------
    epochs_run : int
        Number of epochs done.
    best_epoch : int
        Epoch of the returned weights.
    crossings : int or None
        Number of crossings; None if the engine does not count them.
    stop_reason : str or None
        Why training stopped; None if it has not.
    """

    epochs_run: int
    best_epoch: int
    crossings: int | None
    stop_reason: str | None


class TrainingLoop:
    """Trains one engine.

    Attributes
    ----------
    callback_every : int or None
        As in `fastmlp.fit`; to be set before `run`.
    """

    def __init__(
        self,
        engine: Engine,
        recorder: Recorder,
        make_model: Callable[[Weights, TrainingSummary, History | None], Model],
        stopping: StoppingRule,
        validate: Callable[[Weights], float] | None = None,
        remedy: str = "Use a smaller lr.",
    ) -> None:
        """Evaluate the initial weights.

        Parameters
        ----------
        engine : Engine
            Engine, which is trained in place.
        recorder : Recorder
            Takes the errors and the snapshots; it says how many epochs there are.
        make_model : callable
            Returns the model of an engine's weights, a summary and a history. It raises an OverflowError if the dtype
            of the model cannot hold them; those of the start it can.
        stopping : StoppingRule
            When to stop before the last epoch. With patience, the engine returns to the best epoch at the end.
        validate : callable, optional
            Returns the validation RMSE of an engine's weights. It is called at recorded epochs.
        remedy : str
            What to try if training diverges.

        Raises
        ------
        DivergenceError
            If the squared error of the initial weights is not finite.
        """
        self._engine = engine
        self._recorder = recorder
        self._make_model = make_model
        self._stopping = stopping
        self._validate = validate
        self._remedy = remedy
        self.callback_every: int | None = None
        self._chunk_length = chunks.ChunkLength(recorder.epochs, recorder.n_out)
        self._record = Record.empty(self._chunk_length.longest, recorder.n_out)
        self._epoch = 0
        self._started = time.perf_counter()
        engine.advance(0, self._record)
        self._last_row = self._record[:1].copy()
        if not np.isfinite(self._last_row.squared_error).all():
            raise self._divergence(0)
        self._ended_by: str | None = None
        self._start = EngineState(engine.state(), 0)
        # With patience, a state at or before the best epoch. The end trains again from there to the best epoch.
        self._best = None if stopping.patience is None else self._start
        if validate is not None:
            self._validate_weights(self._start)

    def run(
        self,
        interrupt: Interrupt,
        activity: Activity,
        snapshots: Sequence[int] = (),
        callback: Callable[[CallbackInfo], bool | None] | None = None,
        progress: bool | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> TrainingSummary:
        """Train to the last epoch, or until a crossing, patience, the callback, Ctrl-C or divergence ends it.

        Parameters
        ----------
        interrupt : Interrupt
            Flag of Ctrl-C. The caller enters it.
        activity : Activity
            Says that the first epochs are trained; the progress bar shows only after them.
        snapshots : sequence of int
            Epochs after which to keep the model, in ascending order.
        callback, progress
            As in `fastmlp.fit`.
        checkpoint : Checkpoint, optional
            File that is written when it is due, and at the end.

        Raises
        ------
        KeyboardInterrupt
            If Ctrl-C came before the first epoch.
        DivergenceError
            If the squared error becomes infinite or undefined, or the weights of a model that is asked for.
        """
        reason = self._ended_by
        kept = set(snapshots)
        every = self.callback_every
        timer = CallbackTimer(chunks.CHUNK_SECONDS) if every is None else EpochTimer(every)
        activity.begin("training the first epoch")
        with progress_bar(self._recorder.epochs, self._epoch, progress) as bar:
            for stop in sorted({*kept, self._recorder.epochs}):
                while self._epoch < stop and reason is None:
                    if interrupt.requested:
                        reason = "interrupted"
                        break
                    n_wanted = self._chunk_length.n_epochs
                    n_done = self._train_chunk(timer.next_stop(self._epoch, stop))
                    activity.end()
                    reason = self._ended_by
                    info = self._info()
                    bar.update(n_done)
                    bar.set_postfix_str(self._recorder.shown(self._epoch, info.rmse), refresh=False)
                    if checkpoint is not None and checkpoint.is_due():
                        checkpoint.write(self._state())
                    is_last = reason is not None or self._epoch == self._recorder.epochs
                    is_due = timer.is_due(n_done, n_wanted, is_last)
                    if callback is not None and is_due and callback(info) and not is_last:
                        reason = "callback"
                if self._epoch == stop and stop in kept:
                    self._recorder.snapshots[stop] = self._model()
        if interrupt.requested and self._epoch == 0:
            raise KeyboardInterrupt  # there is no model yet that was trained
        if checkpoint is not None:
            checkpoint.write(self._state())
        if interrupt.requested:  # in the last chunk too: Ctrl-C may have been meant for what follows the fit
            reason = "interrupted"
            done = f"{self._epoch} of {self._recorder.epochs} epochs"
            text = f"fit was interrupted after {done}; the model trained so far is returned."
            warnings.warn(text, RuntimeWarning, stacklevel=4)
        return self._finish(reason or "epochs")

    def model(self, summary: TrainingSummary) -> Model:
        """Return the model after `run`, which returned the summary.

        Raises
        ------
        DivergenceError
            If the dtype of the model cannot hold the weights.
        """
        return self._finite_model(summary, self._recorder.history())

    def resume(self, state: TrainingState) -> None:
        """Continue from the state of another loop with the same data and options."""
        assert state.model.history is not None
        self._engine.restore(state.engine.arrays)
        self._engine.advance(0, self._record)
        self._last_row = self._record[:1].copy()
        self._start = state.engine
        self._epoch = state.engine.epoch
        self._best = state.best
        self._stopping.restore(state.stopping)
        self._recorder.restore(state.model.history)
        self._ended_by = state.ended_by

    def _train_chunk(self, stop: int) -> int:
        """Train for one chunk that ends at epoch `stop` or before; return its number of epochs."""
        if self._validate is not None:
            stop = min(stop, self._recorder.next_recorded(self._epoch))
        is_start = self._epoch == self._start.epoch
        before = self._start if is_start else EngineState(self._engine.state(), self._epoch)
        n_epochs = min(self._chunk_length.n_epochs, stop - self._epoch)
        started = time.perf_counter()
        n_trained, status = self._engine.advance(n_epochs, self._record)
        self._chunk_length.measure(n_epochs, time.perf_counter() - started)
        n_done, self._ended_by = self._record_chunk(before, n_trained)
        if n_done < n_trained or status is Status.DIVERGED:
            self._go_to(before, before.epoch + n_done)
        else:
            self._take_row(n_done)
        if status in (Status.CONVERGED, Status.STALLED):
            self._ended_by = self._ended_by or status.value
        if status is Status.DIVERGED and self._ended_by is None:
            raise self._divergence(self._epoch + 1)
        if self._validate is not None and self._recorder.records(self._epoch) and self._validate_weights(before):
            self._ended_by = self._ended_by or "patience"
        return n_done

    def _record_chunk(self, before: EngineState, n_done: int) -> tuple[int, str | None]:
        """Record the errors of a chunk; return its epochs up to the one that ends the fit, and the reason."""
        # The diverging update may be the first to cross. The fit then ends with divergence.
        first = self._stopping.first_crossing(self._record[: n_done + 1])
        reason = None if first is None else "crossing"
        n_done = n_done if first is None else first
        epochs, errors = self._recorder.add(self._epoch, self._record[: n_done + 1])
        end = None if self._validate is not None else self._observe(before, epochs.tolist(), errors.tolist())
        if end is not None and end - self._epoch < n_done + (reason is None):
            return end - self._epoch, "patience"
        return n_done, reason

    def _go_to(self, start: EngineState, epoch: int) -> None:
        """Train again from a state to an epoch."""
        self._engine.restore(start.arrays)
        self._engine.advance(epoch - start.epoch, self._record)
        self._epoch = start.epoch
        self._take_row(epoch - start.epoch)

    def _take_row(self, n_done: int) -> None:
        """Count the epochs of a chunk as done and keep the last row of their record."""
        self._last_row = self._record[n_done : n_done + 1].copy()
        self._epoch += n_done

    def _validate_weights(self, before: EngineState) -> bool:
        """Record the validation RMSE of the current weights; return whether patience runs out."""
        assert self._validate is not None
        error = self._validate(self._engine.weights())
        self._recorder.add_validation(self._epoch, error)
        return self._observe(before, [self._epoch], [error]) is not None

    def _observe(self, before: EngineState, epochs: Sequence[int], errors: Sequence[float]) -> int | None:
        """Pass errors after the state `before` to the stopping rule; return the epoch at which patience runs out."""
        best_epoch = self._stopping.best_epoch
        end = self._stopping.observe(epochs, errors)
        if self._stopping.best_epoch != best_epoch:
            self._best = before
        return end

    def _finish(self, reason: str) -> TrainingSummary:
        """Complete the history; with patience, return to the best epoch."""
        if not self._recorder.records(self._epoch):
            here = EngineState(self._engine.state(), self._epoch)
            if self._validate is not None:
                is_over = self._validate_weights(here)
            else:
                error = self._recorder.rmse(self._last_row.squared_error)
                is_over = self._observe(here, [self._epoch], error.tolist()) is not None
            # As at a multiple of record_every: patience that runs out in the last epoch is the reason.
            reason = "patience" if is_over and reason == "epochs" else reason
        self._recorder.finish(self._epoch, self._last_row)
        best_epoch = self._epoch if self._best is None else self._stopping.best_epoch
        if self._best is not None and best_epoch != self._epoch:
            self._engine.restore(self._best.arrays)
            self._engine.advance(best_epoch - self._best.epoch, self._record)
        return self._summary(best_epoch, reason)

    def _state(self) -> TrainingState:
        """Return the state from which `resume` continues."""
        model = self._model(self._recorder.so_far(self._epoch))
        engine = EngineState(self._engine.state(), self._epoch)
        return TrainingState(model, engine, self._best, self._stopping.state(), self._ended_by)

    def _model(self, history: History | None = None) -> Model:
        """Return the current model."""
        return self._finite_model(self._summary(self._epoch, None), history)

    def _finite_model(self, summary: TrainingSummary, history: History | None) -> Model:
        """Return the model of the engine's weights, those of summary.best_epoch; raise DivergenceError on overflow."""
        try:
            return self._make_model(self._engine.weights(), summary, history)
        except OverflowError:
            raise self._overflow(summary.best_epoch) from None

    def _overflow(self, epoch: int) -> DivergenceError:
        """Return the error of a fit whose weights, but not its squared error, overflow at an epoch or before.

        This happens if the units that overflow are inactive on all samples, or if the engine computes in a wider type
        than that of the model. To look for it after every chunk would take longer than the chunk with a million
        units, so training is repeated from the start. A model that has overflowed and is finite again is no error.
        """
        self._go_to(self._start, self._start.epoch)
        first, last = self._start, epoch
        while last - first.epoch > self._chunk_length.n_epochs:
            middle = first.epoch + self._chunk_length.n_epochs
            self._go_to(first, middle)
            if not self._has_finite_model():
                last = middle
                break
            first = EngineState(self._engine.state(), middle)
        finite = first.epoch
        while last - finite > 1:
            middle = (finite + last) // 2
            self._go_to(first, middle)
            finite, last = (middle, last) if self._has_finite_model() else (finite, middle)
        self._go_to(first, finite)
        return self._divergence(last)

    def _has_finite_model(self) -> bool:
        try:
            self._make_model(self._engine.weights(), self._summary(self._epoch, None), None)
        except OverflowError:
            return False
        return True

    def _summary(self, best_epoch: int, stop_reason: str | None) -> TrainingSummary:
        crossings = int(self._last_row.crossings[0]) if self._engine.counts_crossings else None
        return TrainingSummary(self._epoch, best_epoch, crossings, stop_reason)

    def _info(self) -> CallbackInfo:
        rmse = float(self._recorder.rmse(self._last_row.squared_error[0]))
        elapsed = time.perf_counter() - self._started
        return CallbackInfo(self._epoch, self._recorder.epochs, rmse, elapsed, self._model, self._val_rmse)

    def _val_rmse(self) -> float | None:
        """Return the validation RMSE of the current weights."""
        if self._validate is None:
            return None
        recorded = self._recorder.val_rmse(self._epoch)
        return self._validate(self._engine.weights()) if recorded is None else recorded

    def _divergence(self, epoch: int) -> DivergenceError:
        """Return the error of a fit that is not finite from an epoch on; the current weights are those before."""
        model = self._model()
        assert model.info is not None
        return DivergenceError(epoch, model.info.lr, model, self._remedy)

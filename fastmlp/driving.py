"""Runs any engine in chunks: progress, callback, Ctrl-C, snapshots, the first crossing, divergence.

Compiled code cannot be interrupted, so the epochs run in chunks of 50 - 100 ms, which changes no bit of the result.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks import wording
from fastmlp.engine import Engine, Record, Status, Weights
from fastmlp.recording import Recorder

if TYPE_CHECKING:
    from fastmlp.model import Model

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
        remedy = 'Give a smaller lr, or lr="auto" and init="balanced".'
        rule = "small enough for the RMSE to stay finite"
        text = wording("lr", rule, f"{lr} and an RMSE that is not finite at epoch {epoch}", remedy)
        if epoch == 0:
            text = wording("init", "a start of finite RMSE", "one of infinite or undefined RMSE")
        super().__init__(text)
        self.epoch = epoch
        self.lr = lr
        self.model = model

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.epoch, self.lr, self.model)


@dataclass(frozen=True)
class CallbackInfo:
    """What a callback is told between two chunks.

    Attributes
    ----------
    epoch, epochs : int
        Updates done, and asked for.
    rmse : float
        RMSE after that many updates, in y's units.
    elapsed : float
        Seconds since training began, without compilation.
    model : Model
        The model now, without history; made when it is asked for, so ask within the call.
    """

    epoch: int
    epochs: int
    rmse: float
    elapsed: float
    _make_model: Callable[[], Model]

    @property
    def model(self) -> Model:
        """The model now."""
        return self._make_model()


@dataclass(frozen=True)
class Outcome:
    """How far a drive has come: the updates done, their crossings if counted, why it stopped (None: it has not)."""

    epochs_run: int
    crossings: int | None
    stop_reason: str | None


class Interrupt:
    """Turns Ctrl-C into a flag while the main thread is in the `with` block; a second Ctrl-C acts as usual."""

    def __init__(self) -> None:
        self.requested = False
        self._previous: Any = None

    def __enter__(self) -> Interrupt:
        # A handler that is not Python's own belongs to somebody who wants it called.
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            self._previous = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def _request(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


class _Pace:
    """Chooses the number of epochs of the next chunk from the time that the last one took."""

    def __init__(self, longest: int) -> None:
        self.n_epochs = 1
        self._longest = longest

    def measure(self, n_epochs: int, seconds: float) -> None:
        """Aim at CHUNK_SECONDS, growing at most fourfold: short chunks are timed badly."""
        fitting = CHUNK_SECONDS * n_epochs / max(seconds, 1e-9)
        self.n_epochs = int(np.clip(fitting, 1, min(4 * self.n_epochs, self._longest)))


class Drive:
    """One engine on its way through its epochs."""

    def __init__(
        self,
        engine: Engine,
        epochs: int,
        recorder: Recorder,
        make_model: Callable[[Weights, Outcome], Model],
        lr: float | dict[str, float] | Callable[[int], float] | None,
        *,
        stop_at_crossing: bool = False,
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
            Makes a model of the engine's weights and how far it has come.
        lr : float, dict, callable or None
            For the message of `DivergenceError`.
        stop_at_crossing : bool
            As in `fastmlp.fit`; the engine must count crossings.
        """
        self._engine = engine
        self._epochs = epochs
        self._recorder = recorder
        self._make_model = make_model
        self._lr = lr
        self._stop_at_crossing = stop_at_crossing
        longest = min(epochs, max(1, MAX_RECORD // recorder.n_out))
        self._record = Record.empty(longest, recorder.n_out)
        self._pace = _Pace(longest)
        self._epoch = 0
        self._started = time.perf_counter()
        engine.advance(0, self._record)
        self._last_row = self._record[:1].copy()
        if not np.isfinite(self._last_row.squared_error).all():
            raise DivergenceError(0, lr, self.model())

    def model(self) -> Model:
        """Return the model now."""
        return self._make_model(self._engine.weights(), self._outcome(None))

    def run(
        self,
        interrupt: Interrupt,
        snapshots: Sequence[int] = (),
        callback: Callable[[CallbackInfo], bool | None] | None = None,
        progress: bool | None = None,
    ) -> Outcome:
        """Train to the last epoch, or until a crossing, the callback, Ctrl-C or divergence ends it.

        Parameters
        ----------
        interrupt : Interrupt
            Entered by the caller.
        snapshots : sequence of int
            Sorted epochs at which the weights are kept.
        callback, progress
            As in `fastmlp.fit`.
        """
        reason = None
        n_untold = 0  # epochs since the last callback
        with _bar(self._epochs, progress) as bar:
            kept = set(snapshots)
            for stop in sorted({*kept, self._epochs}):
                while self._epoch < stop and reason is None:
                    if interrupt.requested:
                        reason = "interrupted"
                        break
                    n_wanted = self._pace.n_epochs
                    n_done, crossed = self._chunk(stop)
                    ended = crossed or self._epoch == self._epochs
                    reason = "crossing" if crossed else None
                    bar.update(n_done)
                    info = self._info()
                    bar.set_postfix_str(f"RMSE {info.rmse:.3g}", refresh=False)
                    n_untold += n_done
                    if callback is None or (n_untold < n_wanted and not ended):
                        continue  # a snapshot has cut the chunk short
                    n_untold = 0
                    if callback(info) and not ended:
                        reason = "callback"
                if self._epoch == stop and stop in kept:
                    self._recorder.snapshots[stop] = self.model()
        if interrupt.requested:  # in the last chunk too: a Ctrl-C may have been meant for what comes next
            reason = "interrupted"
            text = f"fit was interrupted after {self._epoch} of {self._epochs} epochs; the model so far is returned."
            warnings.warn(text, RuntimeWarning, stacklevel=4)
        self._recorder.finish(self._epoch, self._last_row)
        return self._outcome(reason or "epochs")

    def _outcome(self, stop_reason: str | None) -> Outcome:
        crossings = int(self._last_row.crossings[0]) if self._engine.counts_crossings else None
        return Outcome(self._epoch, crossings, stop_reason)

    def _chunk(self, stop: int) -> tuple[int, bool]:
        """Train for one chunk that ends at `stop` at the latest; return its epochs and whether a crossing ended it."""
        before = self._engine.state()
        n_epochs = min(self._pace.n_epochs, stop - self._epoch)
        started = time.perf_counter()
        n_done, status = self._engine.advance(n_epochs, self._record)
        self._pace.measure(n_epochs, time.perf_counter() - started)
        # The diverging update may be the first to cross: then it is divergence that the fit ends with.
        crossed = self._record.crossings[: n_done + 1] > self._record.crossings[0]
        must_stop = self._stop_at_crossing and bool(crossed[-1])
        if must_stop:
            n_done = int(np.argmax(crossed))
        if must_stop or status is Status.DIVERGED:
            self._engine.restore(before)
            self._engine.advance(n_done, self._record)
        self._recorder.add(self._epoch, self._record[: n_done + 1])
        self._last_row = self._record[n_done : n_done + 1].copy()
        self._epoch += n_done
        if status is Status.DIVERGED and not must_stop:
            raise DivergenceError(self._epoch + 1, self._lr, self.model())
        return n_done, must_stop

    def _info(self) -> CallbackInfo:
        rmse = float(self._recorder.rmse(self._last_row.squared_error[0]))
        return CallbackInfo(self._epoch, self._epochs, rmse, time.perf_counter() - self._started, self.model)


class _NoBar:
    """Stands in for tqdm where no bar is shown, so that tqdm is imported only where one is."""

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, n: int) -> None: ...

    def set_postfix_str(self, text: str, refresh: bool) -> None: ...


def _bar(epochs: int, progress: bool | None) -> Any:
    if progress is False or (progress is None and (sys.stderr is None or not sys.stderr.isatty())):
        return _NoBar()
    from tqdm.auto import tqdm

    return tqdm(total=epochs, unit="epoch", unit_scale=True, delay=0.0 if progress else 2.0)

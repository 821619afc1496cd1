"""What a caller sees of a fit while it runs, the callback's argument and the progress bar, and Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.models.model import Model


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
    _make_model: Callable[[], Model] = field(repr=False)

    @property
    def model(self) -> Model:
        """The model now."""
        return self._make_model()


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


class _NoBar:
    """Stands in for tqdm where no bar is shown, so that tqdm is imported only where one is."""

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, n: int) -> None: ...

    def set_postfix_str(self, text: str, refresh: bool) -> None: ...


def progress_bar(total: int, done: int, progress: bool | None, unit: str = "epoch") -> Any:
    """Return a tqdm bar as `fastmlp.fit` describes it, or what looks like one."""
    if progress is False or (progress is None and (sys.stderr is None or not sys.stderr.isatty())):
        return _NoBar()
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, unit=unit, unit_scale=True, delay=0.0 if progress else 2.0)

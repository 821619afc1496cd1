"""Ctrl-C during a fit."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """Turns Ctrl-C into a flag while the main thread is in the `with` block; a second Ctrl-C acts as usual.

    Parameters
    ----------
    defers : bool
        Whether to do so. If False, Ctrl-C raises KeyboardInterrupt as usual.

    Attributes
    ----------
    requested : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self, defers: bool = True) -> None:
        self.requested = False
        self._defers = defers
        self._previous: Any = None

    def __enter__(self) -> Interrupt:
        # Any handler other than Python's own was installed on purpose, so it stays.
        if (
            self._defers
            and threading.current_thread() is threading.main_thread()
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

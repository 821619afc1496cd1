"""Ctrl-C during a fit."""

from __future__ import annotations

import _thread
import contextvars
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, TypeVar

from fastmlp.compiled.main_thread import acts_for_main_thread

Result = TypeVar("Result")
REPEAT_SECONDS = 0.5  # after which a KeyboardInterrupt that was lost is raised again
WAIT_SECONDS = 0.1  # for which the main thread waits at a time; on Windows, Ctrl-C does not end a wait


class Interrupt:
    """Watches for Ctrl-C while the main thread is in the `with` block.

    Ctrl-C raises KeyboardInterrupt, and again until the block has ended: an exception in a function that C code calls
    is lost, and LLVM calls such functions while it compiles. After `defer`, Ctrl-C is noted only, and a second one
    raises.

    Attributes
    ----------
    requested : bool
        Whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.requested = False
        self._defers = False
        self._has_ended = False
        self._previous: Any = None

    def __enter__(self) -> Interrupt:
        # Any handler other than Python's own was installed on purpose, so it stays.
        if (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        ):
            self._previous = signal.signal(signal.SIGINT, self._request)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._has_ended = True
        if self._previous is not None:
            signal.signal(signal.SIGINT, self._previous)

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed, in any thread."""
        if self.requested:
            raise KeyboardInterrupt

    def defer(self) -> None:
        """Note Ctrl-C from now on, instead of raising KeyboardInterrupt."""
        self.check()
        self._defers = True

    def _request(self, number: int, frame: FrameType | None) -> None:
        is_second, self.requested = self.requested, True
        if self._defers and not is_second:
            return
        if not self._defers:
            again = threading.Timer(REPEAT_SECONDS, self._repeat)
            again.daemon = True
            again.start()
        if not _is_lost(frame):
            raise KeyboardInterrupt

    def _repeat(self) -> None:
        if self._has_ended:
            return
        if hasattr(signal, "pthread_kill"):  # unlike interrupt_main, it also ends a wait
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        else:
            _thread.interrupt_main()


def _is_lost(frame: FrameType | None) -> bool:
    """Return whether an exception raised in this frame is lost: in a function that LLVM calls while it compiles."""
    while frame is not None:
        if frame.f_code.co_name.startswith("_raw_object_cache"):
            return True
        frame = frame.f_back
    return False


def interruptible(function: Callable[[], Result]) -> Result:
    """Return function(), called in another thread while this one waits, so that it answers Ctrl-C meanwhile.

    In the main thread, Ctrl-C would wait for the end of the current call of NumPy, which takes seconds with arrays of
    gigabytes. After Ctrl-C the other thread goes on until the function ends or raises.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def work() -> None:
        acts_for_main_thread.set(True)
        try:
            outcome.append(function())
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            failure.append(error)

    worker = threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True)
    worker.start()
    while worker.is_alive():
        worker.join(WAIT_SECONDS)
    if failure:
        raise failure[0]
    return outcome[0]

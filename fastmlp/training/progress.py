"""What a user sees of a running fit: progress bars, and lines that say what takes long."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any

DELAY = 2.0  # seconds after which something is said
TICK = 0.5  # seconds between two looks at the clock


def is_terminal() -> bool:
    """Return whether standard error is a terminal. Programs without a console have no standard error."""
    try:
        return sys.stderr is not None and sys.stderr.isatty()
    except (AttributeError, ValueError):  # an object without isatty, or a closed file
        return False


class Activity:
    """Says on a terminal what is being done, in a line that appears after two seconds and is removed at the end."""

    def __init__(self, progress: bool | None) -> None:
        """Say nothing yet; `progress` is that of `fastmlp.fit`."""
        self._shows = progress is not False and is_terminal()
        self._what = ""
        self._since = 0.0
        self._n_shown = 0
        self._watcher: threading.Thread | None = None
        self._ends = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Activity:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def announce(self, text: str) -> None:
        """Write a line at once."""
        if self._shows:
            _write(f"{text}\n")

    def begin(self, what: str) -> None:
        """Say what is being done, once it has taken two seconds."""
        if not self._shows:
            return
        with self._lock:
            self._clear()
            self._what, self._since = what, time.monotonic()
        if self._watcher is None:
            self._ends.clear()
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()

    def end(self) -> None:
        """Say nothing any more, and remove the line."""
        if self._watcher is None:
            return
        self._ends.set()
        with self._lock:
            self._what = ""
            self._clear()
        self._watcher = None

    def _watch(self) -> None:
        while not self._ends.wait(TICK):
            with self._lock:
                seconds = time.monotonic() - self._since
                if self._what and seconds >= DELAY:
                    line = f"fastmlp: {self._what} ({seconds:.0f} s)"
                    _write("\r" + line.ljust(self._n_shown))
                    self._n_shown = len(line)

    def _clear(self) -> None:
        if self._n_shown:
            _write("\r" + " " * self._n_shown + "\r")
            self._n_shown = 0


def _write(text: str) -> None:
    """Write to the terminal, which may have been closed meanwhile."""
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        pass


class _NoBar:
    """Takes the calls of a tqdm bar and does nothing, so that tqdm is imported only where a bar is shown."""

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, n: int) -> None: ...

    def set_postfix_str(self, text: str, refresh: bool) -> None: ...


def progress_bar(total: int | None, done: int, progress: bool | None, unit: str = "epoch") -> Any:
    """Return a tqdm bar, or an object with its methods that shows nothing.

    Parameters
    ----------
    total : int or None
        Number of units of work in all, if it is known.
    done : int
        Number of units done at the start.
    progress : bool or None
        Whether to show a bar. By default, it is shown on a terminal after two seconds. Without standard error, as in a
        program without a console, there is no bar.
    unit : str
        Name of a unit of work.
    """
    if sys.stderr is None or progress is False or (progress is None and not is_terminal()):
        return _NoBar()
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, unit=unit, unit_scale=True, delay=0.0 if progress else DELAY)

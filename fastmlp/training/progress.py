"""Progress bars."""

from __future__ import annotations

import sys
from typing import Any


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
        Whether to show a bar. By default, it is shown on a terminal after two seconds.
    unit : str
        Name of a unit of work.
    """
    if progress is False or (progress is None and (sys.stderr is None or not sys.stderr.isatty())):
        return _NoBar()
    from tqdm.auto import tqdm

    return tqdm(total=total, initial=done, unit=unit, unit_scale=True, delay=0.0 if progress else 2.0)

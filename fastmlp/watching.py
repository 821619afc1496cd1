"""What a caller sees of a fit while it runs: the callback's argument and the progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.model import Model


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


class _NoBar:
    """Stands in for tqdm where no bar is shown, so that tqdm is imported only where one is."""

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: object) -> None: ...

    def update(self, n: int) -> None: ...

    def set_postfix_str(self, text: str, refresh: bool) -> None: ...


def progress_bar(epochs: int, progress: bool | None) -> Any:
    """Return a tqdm bar as `fastmlp.fit` describes it, or what looks like one."""
    if progress is False or (progress is None and (sys.stderr is None or not sys.stderr.isatty())):
        return _NoBar()
    from tqdm.auto import tqdm

    return tqdm(total=epochs, unit="epoch", unit_scale=True, delay=0.0 if progress else 2.0)

"""The argument of a callback, and how often a callback is called."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastmlp.models.model import Model


@dataclass(frozen=True)
class CallbackInfo:
    """State of a fit, passed to its callback.

    Attributes
    ----------
    epoch : int
        Number of epochs done.
    epochs : int
        Number of epochs requested.
    rmse : float
        RMSE on the training samples after `epoch` epochs, in the units of y.
    elapsed : float
        Seconds since training began, without compilation.
    model : Model
        The current model, without history. It is made on access, so access it during the call.
    """

    epoch: int
    epochs: int
    rmse: float
    elapsed: float
    _make_model: Callable[[], Model] = field(repr=False)

    @property
    def model(self) -> Model:
        """The current model."""
        return self._make_model()


class CallbackTimer:
    """Decides after which chunks the callback is called.

    Snapshots and validation cut chunks short. Several such chunks share one call.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._n_epochs = 0
        self._called = time.perf_counter()

    def is_due(self, n_done: int, n_wanted: int, is_last: bool) -> bool:
        """Return whether to call after a chunk of n_done epochs, which could have had n_wanted if it was not cut short.

        A call is due after the last chunk, and if n_wanted epochs or `seconds` have passed since the last call.
        """
        self._n_epochs += n_done
        if not (is_last or self._n_epochs >= n_wanted or time.perf_counter() - self._called >= self._seconds):
            return False
        self._n_epochs, self._called = 0, time.perf_counter()
        return True

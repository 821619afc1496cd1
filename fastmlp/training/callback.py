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
        Number of epochs run.
    epochs : int
        Number of epochs requested.
    rmse : float
        RMSE on the training samples after `epoch` epochs, in the units of y.
    elapsed : float
        Time since training began, in seconds, without compilation.
    val_rmse : float or None
        RMSE on the validation samples after `epoch` epochs, in the units of y; None without validation samples.
        It is computed on access if the epoch is not recorded, so access it during the call.
    model : Model
        Current model, without history.
        It is created on access, so access it during the call.

    Examples
    --------
    >>> import fastmlp
    >>> def is_accurate(info):
    ...     return info.rmse < 0.1
    >>> options = {"hidden": 5, "rng": 0, "algorithm": "reference"}
    >>> model = fastmlp.fit([0.0, 1.0], [1.0, 3.0], callback=is_accurate, **options)
    >>> model.info.stop_reason
    'callback'
    """

    epoch: int
    epochs: int
    rmse: float
    elapsed: float
    _make_model: Callable[[], Model] = field(repr=False)
    _find_val_rmse: Callable[[], float | None] = field(repr=False)

    @property
    def val_rmse(self) -> float | None:
        """RMSE on the validation samples."""
        return self._find_val_rmse()

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

    def next_stop(self, epoch: int, stop: int) -> int:
        """Return the epoch at which the next chunk must end at the latest, `stop` or before."""
        return stop

    def is_due(self, n_done: int, n_wanted: int, is_last: bool) -> bool:
        """Return whether to call after a chunk of n_done epochs, which could have had n_wanted if it was not cut short.

        A call is due after the last chunk, and if n_wanted epochs or `seconds` have passed since the last call.
        """
        self._n_epochs += n_done
        if not (is_last or self._n_epochs >= n_wanted or time.perf_counter() - self._called >= self._seconds):
            return False
        self._n_epochs, self._called = 0, time.perf_counter()
        return True


class EpochTimer:
    """Decides after which chunks the callback is called, by the epoch: at multiples of `every`, and at the end."""

    def __init__(self, every: int) -> None:
        self._every = every
        self._n_left = every

    def next_stop(self, epoch: int, stop: int) -> int:
        """Return the epoch at which the next chunk must end at the latest, `stop` or before."""
        self._n_left = self._every - epoch % self._every
        return min(stop, epoch + self._n_left)

    def is_due(self, n_done: int, n_wanted: int, is_last: bool) -> bool:
        """Return whether to call after a chunk of n_done epochs."""
        return is_last or n_done == self._n_left

"""The error of a fit that diverged, and the warning of one whose error rose."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fastmlp.checks import Samples, shortened
from fastmlp.engines.engine import Array

if TYPE_CHECKING:
    from fastmlp.models.model import Model

RISE = 2  # times the lowest RMSE
TINY = 1e-6  # of the standard deviation of y


class DivergenceError(ArithmeticError):
    """Training diverged: the squared error or a weight became infinite or undefined.

    An RMSE above 1e154 in the units of the training counts as infinite, because its square overflows. In float32, an
    RMSE or a weight above 3e38 does.

    Attributes
    ----------
    epoch : int
        First epoch whose squared error or model is not finite.
    lr : float, dict, callable or None
        Learning rate, as in `FitInfo`.
    model : Model
        Model after the epoch before, the last that is finite; the initial model if `epoch` is 0.

    Examples
    --------
    >>> import fastmlp
    >>> try:
    ...     fastmlp.fit([0.0, 1.0], [1.0, 3.0], hidden=5, lr=1e9, rng=0, algorithm="reference")
    ... except fastmlp.DivergenceError as error:
    ...     print(type(error.model).__name__, error.lr)
    Model 1000000000.0
    """

    def __init__(
        self,
        epoch: int,
        lr: float | dict[str, float] | Callable[[int], float] | None,
        model: Model,
        remedy: str = "Use a smaller lr.",
    ) -> None:
        if epoch == 0:
            text = "The initial weights have an infinite or undefined squared error. Rescale x, y or init."
        else:
            rate = shortened(str(_rate_at(epoch, lr, model)))
            text = f"Training diverged at epoch {epoch} with lr={rate}. {remedy}"
        super().__init__(text)
        self.epoch = epoch
        self.lr = lr
        self.model = model
        self._remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.epoch, self.lr, self.model, self._remedy)


def _rate_at(
    epoch: int, lr: float | dict[str, float] | Callable[[int], float] | None, model: Model
) -> float | dict[str, float] | None:
    """Return the rate of the update that led to an epoch."""
    if callable(lr):
        return lr(epoch - 1)
    pieces = None if model.info is None else model.info.lr_schedule
    return lr if pieces is None else [rate for start, rate in pieces if start < epoch][-1]


def has_risen(rmse: Array, data: Samples) -> bool:
    """Return whether the last of the recorded RMSEs is more than twice the lowest, and not tiny beside y."""
    if not rmse[-1] > RISE * rmse.min():
        return False
    scale = np.abs(data.y).max() or 1.0  # squares of y may overflow
    y, weight = data.y / scale, data.sample_weight / data.sample_weight.max()
    variance = np.average((y - np.average(y, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
    return bool(rmse[-1] / scale > TINY * np.sqrt(variance.mean()))


def warn_of_rise(rmse: Array, remedy: str, stacklevel: int) -> None:
    """Warn that the last of the recorded RMSEs is much larger than the lowest."""
    text = f"The RMSE is {rmse[-1]:.3g} after the last epoch, and was {rmse.min():.3g} before. {remedy}"
    warnings.warn(text, RuntimeWarning, stacklevel=stacklevel + 1)

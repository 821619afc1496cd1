"""The error of a fit that diverged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastmlp.checks import shortened

if TYPE_CHECKING:
    from fastmlp.models.model import Model


class DivergenceError(ArithmeticError):
    """Training diverged: the squared error or a weight became infinite or undefined.

    An RMSE above 1e154 in the units of the training counts as infinite, because its square overflows. In float32, an
    RMSE or a weight above 3e38 does.

    Attributes
    ----------
    epoch : int
        First epoch whose squared error or model is not finite.
    lr : float, dict, callable or None
        Learning rate.
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

    def __init__(self, epoch: int, lr: float | dict[str, float] | Callable[[int], float] | None, model: Model) -> None:
        if epoch == 0:
            text = "The initial weights have an infinite or undefined squared error. Rescale x, y or init."
        else:
            remedy = 'Use a smaller lr, momentum or weight_decay, or lr="auto" with init="balanced".'
            text = f"Training diverged at epoch {epoch} with lr={shortened(str(lr))}. {remedy}"
        super().__init__(text)
        self.epoch = epoch
        self.lr = lr
        self.model = model

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.epoch, self.lr, self.model)

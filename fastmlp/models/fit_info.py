"""How a model was trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fastmlp.starting.scaling import Standardization


@dataclass(frozen=True, eq=False)
class FitInfo:
    """How a model was trained.

    Attributes
    ----------
    algorithm : {"univariate", "dense", "reference"}
        Engine that trained the model. With ``algorithm="auto"`` it is the one that was chosen.
    method : str
        Kernel that the engine ran at the end of the fit.
    optimizer : {"sgd", "adam"}
        Optimizer.
    lr : float, dict, callable or None
        Learning rate, in the coordinates of training. It is a dict of rates by parameter group, or a function of the
        epoch, if `lr` was given that way. None if Ctrl-C ended the fit before the automatic rate was computed.
    epochs_run : int
        Number of updates.
    best_epoch : int
        Epoch of the returned weights.
    stop_reason : {"epochs", "patience", "callback", "crossing", "interrupted"} or None
        Why training ended. "patience" and "crossing" come before "epochs" if they end training at the last epoch. None
        for a model that was taken during training.
    crossings : int or None
        Number of sign changes of a unit at a sample, summed over the epochs. None if the engine does not count them.
    live_units : int or None
        Number of units that may change their set of active samples in the next epochs. None if the engine does not
        count them.
    fit_seconds : float
        Time for the initial weights, the learning rate and training, in seconds.
    compile_seconds : float
        Time to import Numba and to compile or load the kernels, in seconds.
    standardization : Standardization or None
        Maps to the standardized coordinates of training. None if the model was trained in the units of the data.
    versions : mapping of str to str
        Versions of fastmlp, Python, numpy and numba.
    """

    algorithm: str
    method: str
    optimizer: str
    lr: float | dict[str, float] | Callable[[int], float] | None
    epochs_run: int
    best_epoch: int
    stop_reason: str | None
    crossings: int | None
    live_units: int | None
    fit_seconds: float
    compile_seconds: float
    standardization: Standardization | None
    versions: Mapping[str, str]

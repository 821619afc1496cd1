"""How a model was trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastmlp.starting.optimizer_state import OptimizerState
from fastmlp.starting.scaling import Standardization


@dataclass(frozen=True, eq=False)
class FitInfo:
    """Facts about the training of a model.

    Two are equal if all facts are; a callable rate equals any other, because pickles and files do not keep it.

    Attributes
    ----------
    algorithm : {"univariate", "dense", "reference", "knots"}
        Engine that trained the model; "knots" is `fastmlp.fit_knots`.
    method : str
        Method with which the engine computed the last epochs, such as "pattern moments".
    optimizer : {"sgd", "adam", "lbfgs", "lstsq", "knots"}
        Optimiser.
    lr : float, dict, callable or None
        Learning rate, which applies to the standardised data if the data were standardised.
        With ``lr="auto"`` it is the largest rate. It is a dict or a callable if `lr` was a mapping or a callable. It is
        None in a file, which cannot hold a callable, and 1.0 with "lbfgs" and "lstsq", which
        take no rate. A pickle or a file does not keep a callable: it is None there, and `lr_rule` is "callable".
    epochs_run : int
        Number of epochs run.
    best_epoch : int
        Epoch of the returned weights.
    stop_reason : {"epochs", "patience", "callback", "crossing", "interrupted", "converged", "stalled"} or None
        Reason for the end of training; None for a model that was copied during training.
        "patience" and "crossing" come before "epochs" if they end training at the last epoch. With "lbfgs",
        "converged" means that the objective decreased by less than 1e-12 of itself in ten steps in a row, or that its
        gradient is 0, and "stalled" that no step along the gradient decreased it. "lstsq" ends as "converged".
    crossings : int or None
        Number of crossings in all epochs; None if the engine does not count them.
        A crossing is a change of a hidden unit from inactive to active on a sample, or back.
    live_units : int or None
        Number of hidden units that may cross a sample in the next epochs; None if the engine does not count them.
    fit_seconds : float
        Time for the initial weights, the learning rate and the training, in seconds.
    compile_seconds : float
        Time to import Numba and to compile or load the kernels, in seconds.
    standardization : Standardization or None
        Shifts and scales of the standardised data; None if the data were not standardised.
    versions : mapping of str to str
        Versions of fastmlp, Python, NumPy and Numba.
    lr_schedule : tuple of (int, float), or None
        Learning rate as pieces (epoch, rate).
        Each rate applies from its epoch on, counted from 0, until the epoch of the next piece. A fit that ended early
        may not have reached the last pieces. None if `lr` is a dict, a callable or None.
    lr_rule : {"auto", "constant", "callable"} or None
        How `fastmlp.fit` chose the rate; None if it was given as a number or a mapping.
    base_lr : float or None
        Rate with which the rule starts without momentum; None if the rate was given.
        It is 1 / lambda_max, or less with mini-batches, and 1e-3 with Adam.
    data_digest : str or None
        Hash of the samples and the batch size.
        A fit that continues the training on other samples measures lambda_max again.
    optimizer_state : OptimizerState or None
        State of the optimiser, with which ``fit(init=model)`` goes on.
        Its `epochs` and `samples_seen` count all fits. None for a model that was copied during training or trained by
        `fastmlp.fit_many`.
    alpha : tuple of float, or None
        Penalty that each round of `fastmlp.fit_cv` chose; this and what follows is None in other fits.
    cv_rmse : float or None
        RMSE of the predictions of `OutOfFold`, over samples and outputs, in the units of y.
        It estimates the error on new data. It is slightly optimistic, because the penalty was chosen by errors of the
        same samples, and slightly pessimistic, because the nets of the folds were trained on fewer samples.
    cv_rmse_by_output : tuple of float, or None
        The same for each output.
    cv_results : tuple of mapping, or None
        What each round tried: "alpha", and for each alpha the out-of-fold "rmse" of its nets and its "standard_error".
        Each is a tuple of floats. With several outputs, the errors of each are divided by its standard deviation.
    sensitivity : tuple of float, or None
        Root mean square of the derivative of the nets of the first round with respect to each input.
        Inputs and outputs are standardised, so that the sensitivities can be compared. It is 0 for constant inputs.

    Examples
    --------
    >>> import fastmlp
    >>> info = fastmlp.fit([0.0, 1.0], [1.0, 3.0], hidden=5, epochs=50, rng=0, algorithm="reference").info
    >>> info.algorithm, info.epochs_run, info.stop_reason
    ('reference', 50, 'epochs')
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
    lr_schedule: tuple[tuple[int, float], ...] | None = None  # like all that follow, missing in files of early versions
    lr_rule: str | None = None
    base_lr: float | None = None
    data_digest: str | None = None
    optimizer_state: OptimizerState | None = None
    alpha: tuple[float, ...] | None = None
    cv_rmse: float | None = None
    cv_rmse_by_output: tuple[float, ...] | None = None
    cv_results: tuple[Mapping[str, tuple[float, ...]], ...] | None = None
    sensitivity: tuple[float, ...] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return the facts without a callable rate, which pickle may refuse, as it refuses a lambda."""
        return self.__dict__ | {"lr": None if callable(self.lr) else self.lr}

    def __eq__(self, other: object) -> bool:
        return self.__getstate__() == other.__getstate__() if isinstance(other, FitInfo) else NotImplemented

    def __hash__(self) -> int:
        return hash((self.algorithm, self.optimizer, self.epochs_run, self.best_epoch, self.fit_seconds))

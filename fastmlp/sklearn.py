"""The net as a scikit-learn estimator; needs the extra ``fastmlp[sklearn]``.

`fastmlp.fit` does the work and checks its own options. This module speaks scikit-learn: parameters, attributes and
checks of data under the names that its users know.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

import fastmlp
from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.models.model import Model

DEFAULT_PATIENCE = 10  # the share of the epochs that patience is when early stopping and not given: a tenth


class FastMLPRegressor(RegressorMixin, MultiOutputMixin, BaseEstimator):  # type: ignore[misc]
    """A two-layer ReLU network with the habits of scikit-learn.

    Parameters
    ----------
    hidden : int, default 1000
        Number of hidden units.
    epochs : int, default 32000
        Number of epochs.
    lr : float, mapping, callable or "auto", default "auto"
        Learning rate.
    init : "balanced", "he", "glorot", a float, a Model or (w1, b1, w2, b2), default "balanced"
        Initial weights, or the rule by which they are drawn.
    standardize : bool or None, default None
        Whether to train on standardised inputs and targets.
    hidden_bias : bool, default True
        Whether to train b1; if not, it is 0.
    output_bias : bool, default True
        Whether to train b2; if not, it is 0.
    negative_slope : float, default 0.0
        Slope of the activation below 0; 0 is ReLU.
    optimizer : {"sgd", "adam"}, default "sgd"
        Optimiser, "sgd" or "adam".
    momentum : float, default 0.0
        Heavy-ball momentum of "sgd".
    nesterov : bool, default False
        Whether to use Nesterov momentum.
    weight_decay : float, default 0.0
        Factor of the L2 penalty.
    batch_size : int or None, default None
        Number of samples in a mini-batch; all samples by default.
    algorithm : {"auto", "univariate", "dense", "reference"}, default "auto"
        Engine that trains the network.
    threads : int or None, default None
        Number of threads of "dense"; the other engines use one.
    record_every : int or None, default None
        Number of epochs between two recorded RMSEs.
    patience : int or None, default None
        Number of epochs without improvement after which training stops.
        By default, a tenth of `epochs` with `early_stopping`; without it, training runs to the last epoch.
    min_delta : float, default 0.0
        Smallest decrease of the RMSE that counts as an improvement.
    early_stopping : bool, default False
        Whether to hold out a part of the samples, to stop when the error on it no longer falls, and to keep the weights
        that were best on it.
    validation_fraction : float, default 0.1
        That part.
    warm_start : bool, default False
        Whether `fit` goes on from the weights of the last fit. The rate that "auto" found, and the units trained in,
        stay those of the first.
    random_state : int, RandomState or None, default None
        Of the initial weights, of the samples held out and of the mini-batches. An int gives the weights that
        ``rng`` gives in `fastmlp.fit`.

    Attributes
    ----------
    model_ : Model
        The trained net, with its ``history``, ``info`` and the names of its inputs.
    loss_curve_ : list of float
        Half the mean squared error on the training samples at the recorded epochs after the start: at every epoch
        unless `record_every` or early stopping says otherwise.
    loss_, best_loss_ : float
        The last of them, and the smallest; best_loss_ is None with early stopping.
    validation_scores_ : list of float or None
        R^2 on the samples held out at the same epochs (with several outputs: of all together); None without early
        stopping.
    best_validation_score_ : float or None
        The largest of them.
    n_iter_ : int
        Epochs run.
    t_ : int
        Samples that training has seen, each as often as it was.
    coefs_, intercepts_ : list of ndarray
        [w1, w2] and [b1, b2].
    n_features_in_, n_outputs_, n_layers_ : int
        Numbers of inputs, of outputs, and of layers with the inputs: 3.
    feature_names_in_ : ndarray of str
        Names of the inputs, when X had names.
    out_activation_ : str
        "identity".

    Examples
    --------
    >>> from sklearn.datasets import make_regression
    >>> from fastmlp.sklearn import FastMLPRegressor
    >>> X, y = make_regression(100, 3, random_state=0)
    >>> FastMLPRegressor(hidden=50, epochs=500, random_state=0).fit(X, y).score(X, y) > 0.99
    True
    """

    model_: fastmlp.Model

    def __init__(
        self,
        hidden: int = 1000,
        epochs: int = 32000,
        lr: float | Mapping[str, float] | Callable[[int], float] | str = "auto",
        init: str | float | Model | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike] = "balanced",
        standardize: bool | None = None,
        hidden_bias: bool = True,
        output_bias: bool = True,
        negative_slope: float = 0.0,
        optimizer: str = "sgd",
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        batch_size: int | None = None,
        algorithm: str = "auto",
        threads: int | None = None,
        record_every: int | None = None,
        patience: int | None = None,
        min_delta: float = 0.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.epochs = epochs
        self.lr = lr
        self.init = init
        self.standardize = standardize
        self.hidden_bias = hidden_bias
        self.output_bias = output_bias
        self.negative_slope = negative_slope
        self.optimizer = optimizer
        self.momentum = momentum
        self.nesterov = nesterov
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.algorithm = algorithm
        self.threads = threads
        self.record_every = record_every
        self.patience = patience
        self.min_delta = min_delta
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Inputs.
        y : array_like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array_like of shape (n_samples,), optional
            Weights of the samples.

        Returns
        -------
        self
        """
        goes_on = checks.flag("warm_start", self.warm_start) and hasattr(self, "model_")
        X, y, sample_weight = self._checked(X, y, sample_weight, reset=not goes_on)
        seed = self._seed()
        validation = None
        patience = self.patience
        if checks.flag("early_stopping", self.early_stopping):
            X, y, sample_weight, validation = self._split(X, y, sample_weight, seed)
            if patience is None:
                patience = max(1, checks.count("epochs", self.epochs) // DEFAULT_PATIENCE)
        self._train(X, y, sample_weight, goes_on, seed, epochs=self.epochs, validation=validation, patience=patience)
        history = self.model_.history
        assert history is not None
        assert self.model_.info is not None
        self.loss_curve_ = (0.5 * history.rmse[1:] ** 2).tolist()
        self.best_loss_ = None if validation else min(self.loss_curve_)
        self.validation_scores_: list[float] | None = None
        self.best_validation_score_: float | None = None
        if validation is not None:
            assert history.val_rmse is not None
            self.validation_scores_ = _r2(history.val_rmse[1:], validation).tolist()
            self.best_validation_score_ = max(self.validation_scores_)
        self.n_iter_ = self.model_.info.epochs_run
        self.t_ = self.n_iter_ * len(X)
        self.loss_ = self.loss_curve_[-1]
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train for one epoch on these samples, from where the last call ended.

        The rate that "auto" finds and the units trained in come from the samples of the first call. An optimiser's
        memory does not last from call to call.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Inputs.
        y : array_like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array_like of shape (n_samples,), optional
            Weights of the samples.

        Returns
        -------
        self
        """
        goes_on = hasattr(self, "model_")
        X, y, sample_weight = self._checked(X, y, sample_weight, reset=not goes_on)
        self._train(X, y, sample_weight, goes_on, self._seed(), epochs=1, min_delta=0.0)
        if not goes_on:
            self.loss_curve_, self.n_iter_, self.t_ = [], 0, 0
            self.validation_scores_ = self.best_validation_score_ = None
        assert self.model_.history is not None
        self.loss_ = float(0.5 * self.model_.history.rmse[-1] ** 2)
        self.loss_curve_.append(self.loss_)
        self.best_loss_ = min(self.loss_curve_)
        self.n_iter_ += 1
        self.t_ += len(X)
        return self

    def predict(self, X: Any) -> Array:
        """Evaluate the net.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return self.model_.predict(X)

    def _checked(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> tuple[Array, Array, Array | None]:
        """Check the samples as scikit-learn's estimators do."""
        dtypes = (np.float64, np.float32)
        X, y = validate_data(self, X, y, dtype=dtypes, multi_output=True, y_numeric=True, reset=reset)
        y = np.asarray(y, dtype=X.dtype)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y, None if sample_weight is None else np.asarray(sample_weight)

    def _seed(self) -> int:
        if isinstance(self.random_state, numbers.Integral):
            return checks.count("random_state", self.random_state, minimum=0)
        return int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))

    def _split(
        self,
        X: Array,
        y: Array,
        sample_weight: Array | None,
        seed: int,
    ) -> tuple[Array, Array, Array | None, tuple[Array, ...]]:
        """Hold out a part of the samples."""
        if not 0 < checks.real("validation_fraction", self.validation_fraction) < 1:
            rule = "above 0 and below 1"
            raise ValueError(checks.wording("validation_fraction", rule, repr(self.validation_fraction)))
        weights = [] if sample_weight is None else [sample_weight]
        parts = train_test_split(X, y, *weights, test_size=self.validation_fraction, random_state=seed)
        return parts[0], parts[2], parts[4] if weights else None, tuple(parts[1::2])

    def _train(
        self,
        X: Array,
        y: Array,
        sample_weight: Array | None,
        goes_on: bool,
        seed: int,
        **options: Any,
    ) -> None:
        own = {name: value for name, value in self.get_params(deep=False).items() if name not in _NOT_OF_FIT}
        if goes_on:
            own["init"] = self.model_
        rng = [seed, self.n_iter_] if goes_on else seed  # else every epoch of `partial_fit` had the same batches
        model = fastmlp.fit(X, y, sample_weight=sample_weight, rng=rng, progress=False, **own | options)
        self.model_ = replace(model, feature_names=getattr(self, "feature_names_in_", model.feature_names))
        self.coefs_ = [self.model_.w1, self.model_.w2]
        self.intercepts_ = [self.model_.b1, self.model_.b2]
        self.n_outputs_ = self.model_.n_out
        self.n_layers_ = 3
        self.out_activation_ = "identity"


_NOT_OF_FIT = ("early_stopping", "validation_fraction", "warm_start", "random_state", "patience", "epochs")


def _r2(rmse: Array, validation: tuple[Array, ...]) -> Array:
    """Return R^2 on the validation data of each RMSE on it; 0 / 0 counts as 1, as in scikit-learn."""
    y = validation[1].reshape(len(validation[1]), -1).astype(np.float64)
    weights = validation[2] if len(validation) == 3 else None
    variance = np.average((y - np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights).mean()
    if variance == 0:
        return np.where(rmse == 0, 1.0, 0.0)
    return np.asarray(1 - rmse**2 / variance)

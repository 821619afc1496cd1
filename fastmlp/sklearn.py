"""A scikit-learn estimator; requires the extra ``fastmlp[sklearn]``.

`fastmlp.fit` trains and checks the options. This module adds the parameters, attributes and data checks that users of
scikit-learn expect.
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

EPOCHS_PER_PATIENCE = 10  # with early stopping, if no patience is given


class FastMLPRegressor(RegressorMixin, MultiOutputMixin, BaseEstimator):  # type: ignore[misc]
    """Two-layer ReLU network as a scikit-learn regressor.

    `fastmlp.fit` describes the parameters that both share.

    Parameters
    ----------
    hidden : int, default 1000
        Number of hidden units.
    epochs : int, default 32000
        Number of epochs.
    lr : float, mapping, callable, "auto" or "constant", default "auto"
        Learning rate.
    init : "balanced", "he", "glorot", a float, a Model or (w1, b1, w2, b2), default "balanced"
        Initial weights, or the rule by which they are drawn.
    standardize : bool or None, default None
        Whether to train on standardised inputs and targets.
    hidden_bias : bool, default True
        Whether to train b1; if False, b1 is 0.
    output_bias : bool, default True
        Whether to train b2; if False, b2 is 0.
    negative_slope : float, default 0.0
        Slope of the activation for negative arguments; 0 is ReLU.
    optimizer : {"sgd", "adam", "lbfgs", "lstsq"}, default "sgd"
        Optimiser, "sgd", "adam", "lbfgs" or "lstsq".
    momentum : float, default 0.0
        Momentum of "sgd".
    nesterov : bool, default False
        Whether to use Nesterov momentum.
    weight_decay : float or mapping, default 0.0
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
        By default, a tenth of `epochs` with `early_stopping`. Without it, all epochs are run.
    min_delta : float, default 0.0
        Smallest decrease of the RMSE that counts as an improvement.
    early_stopping : bool, default False
        Whether to hold out validation samples, and to stop when the error on them no longer falls.
        The model has the weights with the smallest error on these samples.
    validation_fraction : float, default 0.1
        Fraction of the samples to hold out, above 0 and below 1.
    warm_start : bool, default False
        Whether `fit` continues from the weights of the previous fit.
        The standardisation of the first fit is kept, and so is its automatic learning rate, unless other samples need a
        smaller one.
    random_state : int, RandomState or None, default None
        Source of the random numbers for initial weights, held-out samples and mini-batches.
        An int gives the same initial weights as the same int for `rng` in `fastmlp.fit`.

    Attributes
    ----------
    model_ : Model
        The trained network, with ``history``, ``info`` and the names of the inputs.
    loss_curve_ : list of float
        Half the mean squared error on the training samples at the recorded epochs, without epoch 0.
    loss_ : float
        The last entry of `loss_curve_`.
    best_loss_ : float or None
        The smallest entry of `loss_curve_`; None with early stopping.
    validation_scores_ : list of float or None
        R^2 on the held-out samples at the same epochs, over all outputs together; None without early stopping.
    best_validation_score_ : float or None
        The largest entry of `validation_scores_`; None without early stopping.
    n_iter_ : int
        Number of epochs run.
    t_ : int
        Number of samples seen in training: the number of epochs times the number of samples.
    coefs_ : list of ndarray
        Weights [w1, w2].
    intercepts_ : list of ndarray
        Biases [b1, b2].
    n_features_in_, n_outputs_ : int
        Numbers of inputs and outputs.
    n_layers_ : int
        Number of layers, including the inputs; it is 3.
    feature_names_in_ : ndarray of str
        Names of the inputs; only if X is a data frame.
    out_activation_ : str
        Activation of the outputs; it is "identity".

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
        weight_decay: float | Mapping[str, float] = 0.0,
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
        """Train the network.

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
            The fitted estimator.
        """
        continues = checks.flag("warm_start", self.warm_start) and hasattr(self, "model_")
        X, y, sample_weight = self._checked(X, y, sample_weight, reset=not continues)
        seed = self._seed()
        validation = None
        patience = self.patience
        if checks.flag("early_stopping", self.early_stopping):
            X, y, sample_weight, validation = self._split(X, y, sample_weight, seed)
            if patience is None:
                patience = max(1, checks.count("epochs", self.epochs) // EPOCHS_PER_PATIENCE)
        self._train(X, y, sample_weight, continues, seed, epochs=self.epochs, validation=validation, patience=patience)
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
        """Train for one epoch from the weights of the previous call.

        The automatic learning rate and the standardisation are computed from the samples of the first call. The rate
        stays constant unless other samples need a smaller one. The state of the optimiser, such as its momentum, is not
        kept between calls.

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
            The fitted estimator.
        """
        continues = hasattr(self, "model_")
        X, y, sample_weight = self._checked(X, y, sample_weight, reset=not continues)
        options: dict[str, Any] = {"epochs": 1, "min_delta": 0.0}
        if isinstance(self.lr, str) and self.lr == "auto":
            options["lr"] = "constant"  # every call is one epoch, so none of them is the last one
        self._train(X, y, sample_weight, continues, self._seed(), **options)
        if not continues:
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
        """Return the outputs of the network.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Inputs.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Predicted targets.
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=(np.float64, np.float32), reset=False)
        return self.model_.predict(X)

    def _checked(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> tuple[Array, Array, Array | None]:
        """Check the samples as other estimators of scikit-learn do."""
        dtypes = (np.float64, np.float32)
        X, y = validate_data(self, X, y, dtype=dtypes, multi_output=True, y_numeric=True, reset=reset)
        y = np.asarray(y, dtype=X.dtype)
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        return X, y, None if sample_weight is None else np.asarray(sample_weight)

    def _seed(self) -> int:
        """Return the seed that `random_state` stands for."""
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
        """Return the training samples and the held-out samples."""
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
        continues: bool,
        seed: int,
        **options: Any,
    ) -> None:
        """Call `fastmlp.fit` with the estimator's parameters, which `options` override, and set the attributes."""
        own = {name: value for name, value in self.get_params(deep=False).items() if name not in _NOT_OF_FIT}
        if continues:
            own["init"] = self.model_
        rng = [seed, self.n_iter_] if continues else seed  # every `partial_fit` has its own batches
        model = fastmlp.fit(X, y, sample_weight=sample_weight, rng=rng, progress=False, **own | options)
        self.model_ = replace(model, feature_names=getattr(self, "feature_names_in_", model.feature_names))
        self.coefs_ = [self.model_.w1, self.model_.w2]
        self.intercepts_ = [self.model_.b1, self.model_.b2]
        self.n_outputs_ = self.model_.n_out
        self.n_layers_ = 3
        self.out_activation_ = "identity"


_NOT_OF_FIT = ("early_stopping", "validation_fraction", "warm_start", "random_state", "patience", "epochs")


def _r2(rmse: Array, validation: tuple[Array, ...]) -> Array:
    """Return the R^2 of each RMSE on the validation samples. 0 / 0 counts as 1, as in scikit-learn."""
    y = validation[1].reshape(len(validation[1]), -1).astype(np.float64)
    weights = validation[2] if len(validation) == 3 else None
    variance = np.average((y - np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights).mean()
    if variance == 0:
        return np.where(rmse == 0, 1.0, 0.0)
    return np.asarray(1 - rmse**2 / variance)

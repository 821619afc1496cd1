"""The estimator of one fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self

import numpy.typing as npt
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.models.model import Model
from fastmlp.sklearn import samples
from fastmlp.sklearn.convergence import checked_tolerance, warn_if_improving
from fastmlp.sklearn.merging import merged
from fastmlp.sklearn.scores import r2
from fastmlp.sklearn.stepwise import StepwiseTraining
from fastmlp.sklearn.translations import FIT_NAMES, explains_foreign_names
from fastmlp.starting.update_rule import GRADIENT_STEPS
from fastmlp.training.callback import CallbackInfo

EPOCHS_PER_PATIENCE = 10  # with early stopping, if no patience is given


class FastMLPRegressor(StepwiseTraining, RegressorMixin, MultiOutputMixin, BaseEstimator):  # type: ignore[misc]
    """Two-layer ReLU network with parameters of your own; `FastMLPRegressorCV` chooses the penalty for you.

    The defaults suit tables of up to some thousand rows: standardised data, 100 units and L-BFGS with the penalty
    ``alpha=1``, which is that of `MLPRegressor`. `fastmlp.fit` describes the parameters that both share.

    Parameters
    ----------
    hidden : int, default 100
        Number of hidden units.
    epochs : int, default 400
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
    optimizer : {"sgd", "adam", "lbfgs", "lstsq"}, default "lbfgs"
        Optimiser, "sgd", "adam", "lbfgs" or "lstsq".
    momentum : float, default 0.0
        Momentum of "sgd".
    nesterov : bool, default False
        Whether to use Nesterov momentum.
    weight_decay : float, mapping or None, default None
        Factor of the L2 penalty as in `fastmlp.fit`; None for that of `alpha`.
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
    callback : callable or None, default None
        Function to call during training.
    callback_every : int or None, default None
        Number of epochs between two calls of `callback`.
    alpha : float, default 1.0
        Strength of the L2 penalty, as in `MLPRegressor`.
        The penalty is ``alpha / (2 * sum of the training weights)`` times the sum of the squares of w1 and w2, in the
        coordinates of the training; biases have none.
    tol : float or None, default 1e-3
        Rise of R^2 in the last tenth of the epochs above which `fit` warns that the training had not converged.
        It is R^2 on the validation samples if there are any. None never warns. `tol` does not change the training.
    early_stopping : bool, default False
        Whether to hold out validation samples, and to stop when the error on them no longer falls.
        The model has the weights with the smallest error on these samples. If `fit` is given validation samples, these
        are used and none are held out.
    validation_fraction : float, default 0.1
        Fraction of the samples to hold out, above 0 and below 1.
    warm_start : bool, default False
        Whether `fit` continues the training of the previous fit.
        The standardisation of the first fit is kept, and so is its automatic learning rate, unless other samples need a
        smaller one. The optimiser keeps its memory and the order of mini-batches goes on, as in `partial_fit`.
    random_state : int, RandomState or None, default None
        Source of the random numbers for initial weights, held-out samples and mini-batches.
        An int gives the same initial weights as the same int for `rng` in `fastmlp.fit`.
    verbose : bool, default False
        Whether to show a progress bar.

    Attributes
    ----------
    model_ : Model
        The trained network, with ``history``, ``info`` and the names of the inputs.
    loss_curve_ : list of float
        Half the mean squared error on the training samples at the recorded epochs, without epoch 0 and the penalty.
        With `warm_start` and `partial_fit`, it goes on from call to call, and so does `validation_scores_`.
    loss_ : float
        Half the mean squared error on the training samples after the last epoch.
    best_loss_ : float or None
        The smallest entry of `loss_curve_`; None with validation samples.
    validation_scores_ : list of float or None
        R^2 on the validation samples at the same epochs, over all outputs together; None without such samples.
    best_validation_score_ : float or None
        The largest entry of `validation_scores_`; None without validation samples.
    n_iter_ : int
        Number of epochs run by the last `fit`, and by each `partial_fit` after it.
    t_ : int
        Number of samples seen in training by all calls: epochs times samples.
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

    See Also
    --------
    fastmlp.fit : The same as a function, with gradient descent by default.

    Notes
    -----
    With "lbfgs" and "lstsq", equal samples are merged to one with the sum of their weights, in sorted order, if samples
    repeat or their weights differ. So a sample weight of 2 is the sample twice to the bit. Otherwise, the network is
    that of `fastmlp.fit` to the bit.

    Ctrl-C raises KeyboardInterrupt and leaves the estimator as it was.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from fastmlp.sklearn import FastMLPRegressor
    >>> X, y = make_friedman1(300, random_state=0)
    >>> net = FastMLPRegressor(random_state=0).fit(X[:200], y[:200])
    >>> net.score(X[200:], y[200:]) > 0.9
    True
    """

    @explains_foreign_names(FIT_NAMES)
    def __init__(
        self,
        hidden: int = 100,
        epochs: int = 400,
        lr: float | Mapping[str, float] | Callable[[int], float] | str = "auto",
        init: str | float | Model | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike] = "balanced",
        standardize: bool | None = None,
        hidden_bias: bool = True,
        output_bias: bool = True,
        negative_slope: float = 0.0,
        optimizer: str = "lbfgs",
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | Mapping[str, float] | None = None,
        batch_size: int | None = None,
        algorithm: str = "auto",
        threads: int | None = None,
        record_every: int | None = None,
        patience: int | None = None,
        min_delta: float = 0.0,
        callback: Callable[[CallbackInfo], bool | None] | None = None,
        callback_every: int | None = None,
        alpha: float = 1.0,
        tol: float | None = 1e-3,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        warm_start: bool = False,
        random_state: Any = None,
        verbose: bool = False,
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
        self.callback = callback
        self.callback_every = callback_every
        self.alpha = alpha
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None, validation: tuple[Any, ...] | None = None
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Inputs.
        y : array_like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array_like of shape (n_samples,), optional
            Weights of the samples.
        validation : tuple (X, y) or (X, y, sample_weight), optional
            Validation samples, which are not trained on. With `patience` or `early_stopping`, training stops when the
            error on them no longer falls.

        Returns
        -------
        self
            The fitted estimator.
        """
        continues = checks.flag("warm_start", self.warm_start) and hasattr(self, "model_")
        training = samples.checked_samples(self, X, y, sample_weight, reset=not continues)
        seed = samples.seed(self.random_state)
        tol = checked_tolerance(self.tol)
        if validation is not None:
            validation = samples.checked_validation(self, validation, checks.column_names(y))
        patience = self.patience
        if checks.flag("early_stopping", self.early_stopping):
            if validation is None:
                training, validation = samples.held_out(training, self.validation_fraction, seed)
            if patience is None:
                patience = max(1, checks.count("epochs", self.epochs) // EPOCHS_PER_PATIENCE)
        n_samples = len(training[0])
        if self.optimizer not in GRADIENT_STEPS:
            training = merged(training)
        self._train(training, continues, seed, epochs=self.epochs, validation=validation, patience=patience)
        self.model_ = samples.named(self.model_, self, y)
        self._note_course(validation, continues)
        self.t_ = (self.t_ if continues else 0) + self.n_iter_ * n_samples
        warn_if_improving(self.model_, training if validation is None else validation, tol)
        return self

    def _note_course(self, validation: tuple[Array, ...] | None, continues: bool) -> None:
        """Set the attributes of losses and scores from the history, after those of earlier calls if it continues."""
        history, info = self.model_.history, self.model_.info
        assert history is not None
        assert info is not None
        self.n_iter_ = info.epochs_run
        self.loss_ = float(0.5 * history.rmse[-1] ** 2)
        losses = (0.5 * history.rmse[1:] ** 2).tolist()  # empty if no step improves on the start
        self.loss_curve_ = self.loss_curve_ + losses if continues else losses
        self.best_loss_ = min(self.loss_curve_, default=self.loss_) if validation is None else None
        earlier = self.validation_scores_ if continues else None
        self.validation_scores_ = self.best_validation_score_ = None
        if validation is not None:
            assert history.val_rmse is not None
            scores = r2(history.val_rmse, validation).tolist()
            self.validation_scores_ = (earlier or []) + scores[1:]
            self.best_validation_score_ = max(self.validation_scores_, default=scores[0])

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
        return self.model_.predict(samples.checked_inputs(self, X))

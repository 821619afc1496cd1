"""Training that continues from the net of an earlier call: `partial_fit` and `warm_start`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.utils.metaestimators import available_if

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.models.model import Model
from fastmlp.pipeline import configured, train
from fastmlp.sklearn import samples
from fastmlp.starting.optimizer_state import OptimizerState
from fastmlp.starting.options import FitOptions
from fastmlp.starting.update_rule import GRADIENT_STEPS

NOT_OF_FIT = {"alpha", "early_stopping", "validation_fraction", "warm_start", "random_state", "patience", "epochs"}
NOT_OF_FIT |= {"verbose", "tol"}


def _takes_gradient_steps(estimator: Any) -> bool:
    """Return whether the optimiser can train for one epoch on other samples."""
    if estimator.optimizer in GRADIENT_STEPS:
        return True
    steps = " or ".join(f'optimizer="{name}"' for name in GRADIENT_STEPS)
    raise AttributeError(f"partial_fit requires {steps}, got {estimator.optimizer!r}.")


def penalty(alpha: float, n_samples: int, sample_weight: Array | None) -> float | dict[str, float]:
    """Return the weight decay of `MLPRegressor`'s penalty: alpha / (2 sum of weights) |w|^2 for w1 and w2."""
    if checks.at_least("alpha", alpha, 0.0) == 0:
        return 0.0  # a fit without penalty may use faster methods
    total = n_samples if sample_weight is None else float(np.sum(sample_weight))
    # A total of 0 is an error of the weights, which the fit reports.
    return dict.fromkeys(("w1", "w2"), alpha / total if total else 0.0)


class StepwiseTraining:
    """The part of an estimator that trains its net, from new weights or from those of the previous call."""

    alpha: float
    early_stopping: bool
    lr: Any
    random_state: Any
    verbose: bool
    weight_decay: Any
    get_params: Callable[..., dict[str, Any]]
    model_: Model
    loss_curve_: list[float]
    t_: int
    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None

    @available_if(_takes_gradient_steps)  # type: ignore[untyped-decorator]
    def partial_fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train for one epoch from the weights of the previous call, with ``optimizer="sgd"`` or ``"adam"``.

        The automatic learning rate and the standardisation are computed from the samples of the first call. The rate
        stays constant unless other samples need a smaller one; a function as `lr` is asked for the epoch of the whole
        training. The optimiser keeps its memory, such as the momentum, and every epoch has another order of
        mini-batches: k calls with the same samples are one fit of k epochs with ``lr="constant"``, to the bit. There is
        no early stopping.

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
        if checks.flag("early_stopping", self.early_stopping):
            raise ValueError("partial_fit does not support early_stopping=True: a single epoch cannot stop early.")
        continues = hasattr(self, "model_")
        X, y, sample_weight = samples.checked_samples(self, X, y, sample_weight, reset=not continues)
        options: dict[str, Any] = {"epochs": 1, "min_delta": 0.0}
        if isinstance(self.lr, str) and self.lr == "auto":
            options["lr"] = "constant"  # every call is one epoch, so none of them is the last one
        self._train((X, y, sample_weight), continues, samples.seed(self.random_state), **options)
        if not continues:
            self.loss_curve_, self.n_iter_ = [], 0
            self.validation_scores_ = self.best_validation_score_ = None
        assert self.model_.history is not None
        self.loss_ = float(0.5 * self.model_.history.rmse[-1] ** 2)
        self.loss_curve_.append(self.loss_)
        self.best_loss_ = min(self.loss_curve_)
        self.n_iter_ += 1
        self.t_ = (self.t_ if continues else 0) + len(X)
        return self

    def _train(self, training: tuple[Array, Array, Array | None], continues: bool, seed: int, **options: Any) -> None:
        """Call `fastmlp.fit` with the estimator's parameters, which `options` override, and set the attributes."""
        X, y, sample_weight = training
        own = {name: value for name, value in self.get_params(deep=False).items() if name not in NOT_OF_FIT}
        if continues:
            own["init"] = self.model_
        # Without rng, the order of the mini-batches goes on.
        rng = None if continues and self._state().seed is not None else seed
        if self.weight_decay is None:
            own["weight_decay"] = penalty(self.alpha, len(X), sample_weight)
        own |= {"sample_weight": sample_weight, "rng": rng, "progress": checks.flag("verbose", self.verbose)} | options
        model = train(configured(X, y, FitOptions(**own)), keeps_interrupted=False)
        self.model_ = replace(model, feature_names=getattr(self, "feature_names_in_", model.feature_names))
        self.coefs_ = [self.model_.w1, self.model_.w2]
        self.intercepts_ = [self.model_.b1, self.model_.b2]
        self.n_outputs_ = self.model_.n_out
        self.n_layers_ = 3
        self.out_activation_ = "identity"

    def _state(self) -> OptimizerState:
        """Return how far the training of the net has come."""
        assert self.model_.info is not None
        assert self.model_.info.optimizer_state is not None
        return self.model_.info.optimizer_state

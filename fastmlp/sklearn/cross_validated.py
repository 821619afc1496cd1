"""The estimator of a cross-validated fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import joblib
import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.validation import check_is_fitted

import fastmlp
from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.sklearn import samples
from fastmlp.sklearn.scores import results_as_of_grid_search
from fastmlp.sklearn.translations import CV_NAMES, explains_foreign_names


class FastMLPRegressorCV(RegressorMixin, MultiOutputMixin, BaseEstimator):  # type: ignore[misc]
    """Average of two-layer ReLU networks whose penalty is chosen by cross-validation.

    It is `fastmlp.fit_cv` as an estimator: for tables of up to about 100,000 rows it needs no settings, knows its error
    on new data and gives intervals. `FastMLPRegressor` trains one network with parameters of your own.

    Parameters
    ----------
    hidden : int, default 30
        Number of hidden units of each network.
    alphas : sequence of float or None, default None
        Penalties to try, in descending order; None for 30, 10, 3, ..., 0.0003.
        They have the meaning of `alpha` in `MLPRegressor`. The search ends early when the error has risen.
    cv : int, splitter of scikit-learn or iterable of (train, test), default 5
        Folds of the cross-validation.
        With a number, the folds do not depend on the order of the samples, and equal samples are in the same fold.
    n_estimators : int, default 5
        Number of networks to average in each of the two rounds.
    random_state : int, RandomState or None, default None
        Source of the random numbers for initial weights and folds.
    verbose : bool, default False
        Whether to show a progress bar.
    n_jobs : int or None, default None
        Number of threads; -1 for all cores.
        By default, all cores in the main thread and one elsewhere, or what ``joblib.parallel_config`` says. The result
        does not depend on it.

    Attributes
    ----------
    model_ : Model
        The network, which is the average of all networks, with ``info`` and the names of the inputs.
    alpha_ : float
        Penalty that was chosen for the standardised inputs, in the first round.
        ``model_.info.alpha`` has that of each round.
    cv_results_ : dict of ndarray
        What was tried, with the keys of `GridSearchCV`, for ``pandas.DataFrame(cv_results_)``.
        "params", "param_alpha" and "param_round" say what, "mean_test_score" is minus the RMSE out of fold,
        "std_test_score" its standard error and "rank_test_score" the rank within the round. With several outputs, the
        errors of each are divided by its standard deviation.
    cv_predictions_ : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        Predictions of the training samples by networks that have not seen them.
        NaN for samples of weight 0 and for samples in folds that were not trained, as above 1,000 rows.
    cv_rmse_ : float
        RMSE of `cv_predictions_`, in the units of y: the error to expect on new data.
    feature_importances_ : ndarray of shape (n_features,)
        Sensitivity to each input, in standardised units.
        It is the root mean square of the derivative of the prediction, and not a share of the explained variance. It
        does not sum to 1.
    n_features_in_, n_outputs_ : int
        Numbers of inputs and outputs.
    feature_names_in_ : ndarray of str
        Names of the inputs; only if X is a data frame.

    See Also
    --------
    fastmlp.fit_cv : The same as a function; it describes the method.

    Notes
    -----
    With a splitter that needs groups, pass them to `fit`: ``FastMLPRegressorCV(cv=GroupKFold()).fit(X, y,
    groups=groups)``. If metadata routing is enabled, the splitter must request them, as group splitters do by default.

    A sample weight of 2 is the sample twice. Ctrl-C raises KeyboardInterrupt and leaves the estimator as it was.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from fastmlp.sklearn import FastMLPRegressorCV
    >>> X, y = make_friedman1(200, noise=1.0, random_state=0)
    >>> net = FastMLPRegressorCV(random_state=0).fit(X[:100], y[:100])
    >>> net.score(X[100:], y[100:]) > 0.75
    True
    >>> low, high = net.predict_interval(X[100:], coverage=0.9)
    >>> bool(0.8 < ((low < y[100:]) & (y[100:] < high)).mean())
    True
    """

    @explains_foreign_names(CV_NAMES)
    def __init__(
        self,
        hidden: int = 30,
        alphas: Sequence[float] | None = None,
        cv: int | Any | Iterable[tuple[npt.ArrayLike, npt.ArrayLike]] = 5,
        n_estimators: int = 5,
        random_state: Any = None,
        verbose: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.hidden = hidden
        self.alphas = alphas
        self.cv = cv
        self.n_estimators = n_estimators
        self.random_state = random_state
        self.verbose = verbose
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any, sample_weight: npt.ArrayLike | None = None, **params: Any) -> Self:
        """Choose the penalty and train the networks.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Inputs.
        y : array_like of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array_like of shape (n_samples,), optional
            Weights of the samples.
        **params : dict
            Metadata for the splitter `cv`, such as `groups`.

        Returns
        -------
        self
            The fitted estimator.
        """
        for_splitter = self._metadata_of_splitter(params)
        given_y = y
        X, y, sample_weight = samples.checked_samples(self, X, y, sample_weight, reset=True, minimum=2)
        cv = list(self.cv.split(X, y, **for_splitter)) if hasattr(self.cv, "split") else self.cv
        model = fastmlp.fit_cv(
            X,
            y,
            hidden=self.hidden,
            alphas=self.alphas,
            cv=cv,
            n_estimators=self.n_estimators,
            sample_weight=sample_weight,
            rng=samples.seed(self.random_state),
            threads=None if self.n_jobs is None else max(1, joblib.effective_n_jobs(self.n_jobs)),
            progress=checks.flag("verbose", self.verbose),
        )
        self.model_ = samples.named(model, self, given_y)
        self.n_outputs_ = model.n_out
        self._note_cross_validation(y.ndim)
        return self

    def predict(self, X: Any) -> Array:
        """Return the predictions, clipped to the range of the training targets.

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

    def predict_interval(self, X: Any, coverage: float = 0.9) -> tuple[Array, Array]:
        """Return an interval for a new observation at each input.

        `Model.predict_interval` describes the intervals and when they hold.

        Parameters
        ----------
        X : array_like of shape (n_samples, n_features)
            Inputs.
        coverage : float, default 0.9
            Share of new observations that the intervals should contain, between 0 and 1.

        Returns
        -------
        low, high : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            Ends of the intervals.
        """
        check_is_fitted(self)
        return self.model_.predict_interval(samples.checked_inputs(self, X), coverage)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return which metadata `fit` takes itself, and which it hands on to the splitter `cv`."""
        to_splitter = MethodMapping().add(caller="fit", callee="split")
        router = MetadataRouter(owner=self).add_self_request(self)
        return router.add(splitter=check_cv(self.cv), method_mapping=to_splitter)

    def _metadata_of_splitter(self, params: dict[str, Any]) -> dict[str, Any]:
        """Return the metadata of a call of `fit` that the splitter takes."""
        if not params:
            return {}
        if sklearn.get_config()["enable_metadata_routing"]:
            return dict(process_routing(self, "fit", **params).splitter.split)
        unknown = params.keys() - {"groups"}
        if unknown:
            raise TypeError(f"fit() got an unexpected keyword argument {min(unknown)!r}.")
        if not hasattr(self.cv, "split"):
            rule = "a splitter that takes groups, such as GroupKFold(), with groups"
            raise ValueError(checks.wording("cv", rule, repr(self.cv)))
        return params

    def _note_cross_validation(self, y_ndim: int) -> None:
        """Set the attributes that describe the cross-validation."""
        info, out_of_fold = self.model_.info, self.model_.out_of_fold
        assert info is not None
        assert out_of_fold is not None
        assert info.alpha is not None
        self.alpha_ = info.alpha[0]
        self.cv_results_ = results_as_of_grid_search(info)
        self.cv_predictions_ = out_of_fold.predictions[:, 0] if y_ndim == 1 else out_of_fold.predictions
        self.cv_rmse_ = info.cv_rmse
        self.feature_importances_ = np.array(info.sensitivity)

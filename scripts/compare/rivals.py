"""The methods that are compared, each with standardised inputs and target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neural_network import MLPRegressor
from sklearn.svm import SVR

from fastmlp.sklearn import FastMLPRegressor, FastMLPRegressorCV

ALPHAS = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)  # the path of `fastmlp.fit_cv`
UNITS, ITERATIONS = 30, 400  # its nets
N_SEEDS = 5  # nets of its average in a round
MLP_FORMS = (
    "MLP adam",
    "MLP adam 2000",
    "MLP early stopping",
    "MLP lbfgs 1e-4",
    "MLP lbfgs 1",
    "MLP lbfgs 10",
)
CV, ONE, GRID, GRIDS = "FastMLPRegressorCV", "FastMLPRegressor", "MLP grid", "MLP grid, 5 seeds"
GAUSSIAN_PROCESS = "Gaussian process"


class AveragedSearches(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The average of searches for the penalty of MLPRegressor, each with its own seed of weights and folds."""

    def __init__(self, n_seeds: int = N_SEEDS, random_state: int = 0) -> None:
        self.n_seeds = n_seeds
        self.random_state = random_state

    def fit(self, x: Any, y: Any) -> AveragedSearches:
        """Search once per seed."""
        seeds = range(self.random_state, self.random_state + self.n_seeds)
        self.searches_ = [grid_search(seed).fit(x, y) for seed in seeds]
        return self

    def predict(self, x: Any) -> Any:
        """Return the average of the predictions."""
        return np.mean([search.predict(x) for search in self.searches_], axis=0)


def grid_search(seed: int) -> GridSearchCV:
    """Return a search over the penalties of `fastmlp.fit_cv`, with as many folds."""
    net = MLPRegressor(hidden_layer_sizes=(UNITS,), solver="lbfgs", max_iter=ITERATIONS, random_state=seed)
    folds = KFold(5, shuffle=True, random_state=seed)
    return GridSearchCV(net, {"alpha": list(ALPHAS)}, cv=folds, scoring="neg_mean_squared_error")


def support_vectors(seed: int) -> GridSearchCV:
    """Return a support vector machine whose three parameters are searched for."""
    grid = {"C": [0.3, 1, 3, 10, 30, 100], "gamma": [0.003, 0.01, 0.03, 0.1, 0.3], "epsilon": [0.03, 0.1, 0.3]}
    folds = KFold(5, shuffle=True, random_state=seed)
    return GridSearchCV(SVR(cache_size=500), grid, cv=folds, scoring="neg_mean_squared_error")


def gaussian_process(seed: int, n_in: int) -> GaussianProcessRegressor:
    """Return a Gaussian process with a length scale for each input, and noise."""
    kernel = ConstantKernel() * RBF(np.ones(n_in), (1e-2, 1e4)) + WhiteKernel(0.1, (1e-6, 10))
    return GaussianProcessRegressor(kernel, n_restarts_optimizer=0, random_state=seed)


def methods(seed: int, n_in: int) -> Mapping[str, Any]:
    """Return the methods by name, with their seed."""

    def mlp(**options: Any) -> MLPRegressor:
        return MLPRegressor(random_state=seed, **options)

    return {
        CV: FastMLPRegressorCV(random_state=seed, n_jobs=1),
        ONE: FastMLPRegressor(random_state=seed, threads=1),
        "descent": FastMLPRegressor(
            random_state=seed, threads=1, optimizer="sgd", alpha=0, epochs=10_000, early_stopping=True
        ),
        MLP_FORMS[0]: mlp(),
        MLP_FORMS[1]: mlp(max_iter=2000),
        MLP_FORMS[2]: mlp(max_iter=2000, early_stopping=True),
        MLP_FORMS[3]: mlp(solver="lbfgs"),
        MLP_FORMS[4]: mlp(solver="lbfgs", alpha=1),
        MLP_FORMS[5]: mlp(solver="lbfgs", alpha=10),
        GRID: grid_search(seed),
        GRIDS: AveragedSearches(random_state=seed),
        "ridge": RidgeCV(np.logspace(-3, 4, 15)),
        "random forest": RandomForestRegressor(random_state=seed),
        "gradient boosting": HistGradientBoostingRegressor(random_state=seed),
        GAUSSIAN_PROCESS: gaussian_process(seed, n_in),
        "SVR, tuned": support_vectors(seed),
    }

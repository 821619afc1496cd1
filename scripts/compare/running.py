"""Cross-validation of a method on a table: the error out of fold and the time of a fit on one core."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
from rivals import GAUSSIAN_PROCESS, GRIDS, methods
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import FloatArray
from threadpoolctl import threadpool_limits

MOST_ROWS = {GAUSSIAN_PROCESS: 500, GRIDS: 2000}  # of slow methods
WARM_UP_ROWS = 30


@dataclass(frozen=True)
class Score:
    """The result of a method on a table: R^2 of all predictions out of fold, CPU seconds of a fit on average."""

    table: str
    seed: int
    method: str
    r2: float
    seconds: float


def scores(
    tables: Mapping[str, tuple[FloatArray, FloatArray]],
    seeds: Sequence[int],
    names: Sequence[str],
    n_folds: int,
    n_jobs: int,
) -> Iterator[Score]:
    """Yield the score of each method on each table for each seed of the folds, in the order in which they end."""
    tasks = [
        joblib.delayed(score)(table, *tables[table], seed, name, n_folds)
        for table in sorted(tables, key=lambda name: tables[name][0].size)
        for name in names
        for seed in seeds
        if len(tables[table][1]) <= MOST_ROWS.get(name, 10**9)
    ]
    yield from joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)


def score(table: str, x: FloatArray, y: FloatArray, seed: int, method: str, n_folds: int) -> Score:
    """Cross-validate one method on one table."""
    predicted, seconds = np.empty_like(y), []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of methods that have not converged
        own = methods(seed, x.shape[1])[method]
        estimator = TransformedTargetRegressor(make_pipeline(StandardScaler(), own), transformer=StandardScaler())
        if method.startswith("FastMLP"):
            clone(estimator).fit(x[:WARM_UP_ROWS], y[:WARM_UP_ROWS])  # compiles
        for train, test in KFold(n_folds, shuffle=True, random_state=seed).split(x):
            started = time.process_time()
            fitted = clone(estimator).fit(x[train], y[train])
            seconds.append(time.process_time() - started)
            predicted[test] = fitted.predict(x[test])
    return Score(table, seed, method, float(r2_score(y, predicted)), float(np.mean(seconds)))

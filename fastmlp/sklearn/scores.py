"""The scores that scikit-learn's users read, from what a model holds."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.engines.engine import Array
from fastmlp.models.fit_info import FitInfo


def r2(rmse: Array, samples: tuple[Array | None, ...]) -> Array:
    """Return the R^2 of each RMSE on samples (X, y) or (X, y, sample_weight). 0 / 0 counts as 1, as in scikit-learn."""
    targets = samples[1]
    assert targets is not None
    y = targets.reshape(len(targets), -1).astype(np.float64)
    weights = samples[2] if len(samples) == 3 else None
    variance = np.average((y - np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights).mean()
    if variance == 0:
        return np.where(rmse == 0, 1.0, 0.0)
    return np.asarray(1 - rmse**2 / variance)


def results_as_of_grid_search(info: FitInfo) -> dict[str, Any]:
    """Return what the rounds of `fastmlp.fit_cv` tried, in the form of `GridSearchCV.cv_results_`."""
    assert info.cv_results is not None
    tried = [{key: np.array(values) for key, values in one.items()} for one in info.cv_results]
    alpha, rmse, standard_error = (
        np.concatenate([one[key] for one in tried]) for key in ("alpha", "rmse", "standard_error")
    )
    number = np.concatenate([np.full(one["alpha"].size, i) for i, one in enumerate(tried, 1)])
    ranks = [1 + (one["rmse"][:, None] > one["rmse"]).sum(axis=1) for one in tried]
    return {
        "param_round": np.ma.masked_array(number),
        "param_alpha": np.ma.masked_array(alpha),
        "params": [{"round": int(i), "alpha": float(a)} for i, a in zip(number, alpha, strict=True)],
        "mean_test_score": -rmse,
        "std_test_score": standard_error,
        "rank_test_score": np.concatenate(ranks).astype(np.int32),
    }

"""The model of a cross-validated fit."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from fastmlp.checks import Samples
from fastmlp.cross_validation.errors import FoldErrors
from fastmlp.cross_validation.folds import Fold
from fastmlp.cross_validation.path import Train
from fastmlp.cross_validation.recipe import CrossValidated, Recipe, cross_validate
from fastmlp.cross_validation.rows import Rows
from fastmlp.engines.engine import Array, Weights
from fastmlp.models.fit_info import FitInfo
from fastmlp.models.model import Model
from fastmlp.models.out_of_fold import OutOfFold
from fastmlp.nets.net import Net, root_mean_square
from fastmlp.versions import versions


def fitted_model(
    data: Samples, rows: Rows, folds: Sequence[Fold], recipe: Recipe, rng: np.random.Generator, train: Train
) -> Model:
    """Carry out the recipe and return its model."""
    started = time.perf_counter()
    found = cross_validate(rows, folds, recipe, rng, train)
    is_clipped = recipe.clip
    return Model(
        *_converted(found.net, data),
        x_range=np.stack([rows.x.min(axis=0), rows.x.max(axis=0)], axis=1),
        y_ndim=data.y_ndim,
        feature_names=data.x_names,
        target_names=data.y_names,
        y_clip=np.stack([rows.y.min(axis=0), rows.y.max(axis=0)], axis=1) if is_clipped else None,
        info=_info(found, time.perf_counter() - started),
        out_of_fold=_out_of_fold(found, data, rows, folds, is_clipped=is_clipped),
    )


def _converted(weights: Weights, data: Samples) -> Weights:
    """Return weights in the dtype of the data."""
    return Weights(*(part.astype(data.dtype) for part in weights))


def _info(found: CrossValidated, fit_seconds: float) -> FitInfo:
    """Return the facts of the fit."""
    n_steps = int(max(done.n_steps.max() for done in found.rounds))
    columns = ("alpha", "rmse", "standard_error")
    return FitInfo(
        algorithm="dense",
        method="L-BFGS on batches of nets",
        optimizer="lbfgs",
        lr=1.0,
        epochs_run=n_steps,
        best_epoch=n_steps,
        stop_reason="converged",
        crossings=None,
        live_units=None,
        fit_seconds=fit_seconds,
        compile_seconds=0.0,
        standardization=found.rounds[0].coordinates.maps,
        versions=dict(versions()),
        alpha=tuple(done.path.best_alpha for done in found.rounds),
        cv_rmse=root_mean_square(found.predictions - found.errors.y, found.errors.weight),
        cv_rmse_by_output=tuple(_rmse_by_output(found.predictions, found.errors)),
        cv_results=tuple(
            {name: tuple(map(float, getattr(done.path, name))) for name in columns} for done in found.rounds
        ),
        sensitivity=tuple(map(float, found.sensitivity)),
    )


def _rmse_by_output(predictions: Array, errors: FoldErrors) -> list[float]:
    """Return the out-of-fold RMSE of each output."""
    residuals = predictions - errors.y
    return [root_mean_square(residuals[:, o : o + 1], errors.weight) for o in range(residuals.shape[1])]


def _out_of_fold(
    found: CrossValidated, data: Samples, rows: Rows, folds: Sequence[Fold], *, is_clipped: bool
) -> OutOfFold:
    """Return the nets of the folds and their predictions in the order of the caller's samples."""
    fold_of, predictions = np.full(len(rows.x), -1), np.full(rows.y.shape, np.nan)
    tested = np.concatenate([fold.test for fold in folds])
    fold_of[tested] = np.repeat(np.arange(len(folds)), [len(fold.test) for fold in folds])
    predictions[tested] = found.predictions
    nets = tuple(
        Net(*_converted(weights, data), y_clip=limits if is_clipped else None)
        for weights, limits in zip(found.folds, found.errors.limits, strict=True)
    )
    is_counted = rows.row_of >= 0
    sample_fold = np.where(is_counted, fold_of[rows.row_of], -1)
    sample_predictions = np.where(is_counted[:, None], predictions[rows.row_of], np.nan)
    return OutOfFold(nets, sample_fold, sample_predictions, data.y - sample_predictions, rows.sample_weight)

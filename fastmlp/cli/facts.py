"""The facts about a model that commands print."""

from __future__ import annotations

from typing import Any

import fastmlp
from fastmlp.cli.errors import CommandError
from fastmlp.models.history import record_at

DESCENT = ("algorithm", "method", "lr", "epochs_run", "best_epoch", "stop_reason", "fit_seconds", "compile_seconds")
CROSS_VALIDATION = ("method", "alpha", "sensitivity", "fit_seconds")


def loaded(path: str) -> fastmlp.Model:
    """Read a model."""
    try:
        return fastmlp.load(path)
    except ValueError as error:
        raise CommandError(str(error)) from error


def facts(model: fastmlp.Model) -> dict[str, Any]:
    """Return the facts about a model, in types that JSON has."""
    found: dict[str, Any] = {name: getattr(model, name) for name in ("n_in", "n_hidden", "n_out", "negative_slope")}
    found["dtype"] = str(model.w1.dtype)
    for fact, names in (("inputs", model.feature_names), ("targets", model.target_names)):
        if names is not None:
            found[fact] = list(names)
    for name, limits in (("x_range", model.x_range), ("y_clip", model.y_clip)):
        if limits is not None:
            found[name] = limits.tolist()
    if model.info is not None:
        found |= _of_training(model, model.info)
    return found


def _of_training(model: fastmlp.Model, info: fastmlp.FitInfo) -> dict[str, Any]:
    """Return the facts about the training, its errors last."""
    names = DESCENT if info.cv_rmse is None else CROSS_VALIDATION
    values = {name: getattr(info, name) for name in names}
    found = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    found["versions"] = dict(info.versions)
    if model.history is not None:
        record = record_at(model.history, info.best_epoch)
        found["rmse"] = float(model.history.rmse[record])
        if model.history.val_rmse is not None:
            found["val_rmse"] = float(model.history.val_rmse[record])
    if info.cv_rmse is not None:
        found["cv_rmse"] = info.cv_rmse
        if model.n_out > 1 and info.cv_rmse_by_output is not None:
            found["cv_rmse_by_output"] = list(info.cv_rmse_by_output)
    return found

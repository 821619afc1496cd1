"""The errors of a model on data that its training has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastmlp.models.fit_info import FitInfo
from fastmlp.models.history import History, record_at


def errors_on_new_data(info: FitInfo | None, history: History | None) -> Mapping[str, Sequence[float]]:
    """Return the known errors by their description: of a cross-validation for each output, of validation in all."""
    errors: dict[str, Sequence[float]] = {}
    if info is not None and info.cv_rmse_by_output is not None:
        errors["RMSE on new data (cross-validated)"] = info.cv_rmse_by_output
    if info is not None and history is not None and history.val_rmse is not None:
        errors["RMSE on validation data"] = (float(history.val_rmse[record_at(history, info.best_epoch)]),)
    return errors

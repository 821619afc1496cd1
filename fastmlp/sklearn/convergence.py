"""A warning for users of scikit-learn: the training ended while the error was still falling."""

from __future__ import annotations

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.models.history import record_at
from fastmlp.models.model import Model
from fastmlp.sklearn.scores import r2


def checked_tolerance(tol: Any) -> float | None:
    """Check the parameter `tol`."""
    return None if tol is None else checks.at_least("tol", tol, 0.0)


def warn_if_improving(model: Model, samples: tuple[Array | None, ...], tol: float | None) -> None:
    """Warn if a fit ended at its last epoch and R^2 still rose by more than `tol` in the last tenth of the epochs.

    Parameters
    ----------
    model : Model
        The model.
    samples : tuple (X, y) or (X, y, sample_weight)
        Those of the watched error: the validation samples, if there are any.
    tol : float or None
        None never warns.
    """
    history, info = model.history, model.info
    assert history is not None
    assert info is not None
    if tol is None or info.stop_reason != "epochs":
        return
    before = record_at(history, info.epochs_run - max(1, info.epochs_run // 10))
    watched = history.rmse if history.val_rmse is None else history.val_rmse
    first, last = r2(watched[[before, -1]], samples)
    if last - first > tol:
        text = (
            f"The training ended after {info.epochs_run} epochs while R^2 still rose, by {last - first:.2g} in the last"
        )
        remedy = "Increase epochs, or set tol=None to switch this warning off."
        warnings.warn(f"{text} tenth of them. {remedy}", ConvergenceWarning, stacklevel=3)

"""The samples and the seed that a user of scikit-learn gives an estimator, checked as scikit-learn checks them."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d, validate_data

from fastmlp import checks
from fastmlp.engines.engine import Array
from fastmlp.models.model import Model

FLOATS = (np.float64, np.float32)  # dtypes that X may keep

LEAST_VALIDATION = 2  # samples: R^2 is not defined for one


def checked_samples(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, reset: bool, minimum: int = 1
) -> tuple[Array, Array, Array | None]:
    """Check training samples as other estimators of scikit-learn do; `reset` sets the number and names of inputs."""
    for name, value in (("X", X), ("y", y)):
        _require_no_dates(name, value)
    rules = {"dtype": FLOATS, "multi_output": True, "y_numeric": True, "ensure_min_samples": minimum}
    X, y = validate_data(estimator, X, y, reset=reset, **rules)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if sample_weight is None:
        return X, y, None
    weight = np.asarray(sample_weight)
    if weight.dtype.kind not in "biuf":
        raise TypeError(checks.wording("sample_weight", "an array of real numbers", f"dtype {weight.dtype}"))
    return X, y, weight


def checked_inputs(estimator: Any, X: Any) -> Array:
    """Check the inputs of predictions."""
    _require_no_dates("X", X)
    return np.asarray(validate_data(estimator, X, dtype=FLOATS, reset=False))


def _require_no_dates(name: str, value: Any) -> None:
    """Refuse dates and durations, which scikit-learn would take as numbers of nanoseconds or days."""
    if type(value) is np.ndarray and value.dtype.kind in "biuf":
        return
    for column in checks.frame_columns(value) or [checks.Column(None, value)]:
        dtype = getattr(np.asarray(column.entries), "dtype", None)
        if dtype is not None and dtype.kind in "mM":
            place = "" if column.name is None else f" in column {column.name!r}"
            remedy = "Subtract a date and divide by numpy.timedelta64(1, 'D'), for example."
            raise TypeError(checks.wording(name, "an array of real numbers", f"dtype {dtype}{place}", remedy))


def checked_validation(estimator: Any, validation: Any, target_names: Sequence[str] | None) -> tuple[Array, ...]:
    """Check the validation samples that a user gives: (X, y) or (X, y, sample_weight), with these names in y."""
    rule = "a tuple (X, y) or (X, y, sample_weight)"
    if not isinstance(validation, tuple | list):
        raise TypeError(checks.wording("validation", rule, type(validation).__name__))
    if len(validation) not in (2, 3):
        raise ValueError(checks.wording("validation", rule, checks.counted(len(validation), "entry")))
    checks.require_names("validation y", checks.column_names(validation[1]), target_names)
    weight = validation[2] if len(validation) == 3 else None
    checked = checked_samples(estimator, validation[0], validation[1], weight, reset=False)
    if len(checked[0]) < LEAST_VALIDATION:
        raise ValueError(checks.wording("validation", f"at least {LEAST_VALIDATION} samples", f"{len(checked[0])}"))
    return tuple(array for array in checked if array is not None)


def named(model: Model, estimator: Any, y: Any) -> Model:
    """Return a model with the names of the inputs that an estimator saw and those of the targets, if there are any."""
    names = getattr(estimator, "feature_names_in_", model.feature_names)
    return replace(model, feature_names=names, target_names=checks.column_names(y) or model.target_names)


def seed(random_state: Any) -> int:
    """Return the seed that a `random_state` stands for."""
    if isinstance(random_state, numbers.Integral):
        return checks.count("random_state", random_state, minimum=0)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def held_out(
    samples: tuple[Array, Array, Array | None], fraction: Any, seed: int
) -> tuple[tuple[Array, Array, Array | None], tuple[Array, ...]]:
    """Return the training samples and the held-out samples, a `fraction` of all."""
    part = checks.real("validation_fraction", fraction)
    if not 0 < part < 1:
        raise ValueError(checks.wording("validation_fraction", "above 0 and below 1", repr(fraction)))
    arrays = [array for array in samples if array is not None]
    parts = train_test_split(*arrays, test_size=part, random_state=seed)
    kept, out = parts[::2], tuple(parts[1::2])
    if len(out[0]) < LEAST_VALIDATION:
        held = f"validation_fraction={fraction!r} of {len(samples[0])} samples holds out {len(out[0])}"
        raise ValueError(f"The validation set is too small: {held}, and R^2 needs {LEAST_VALIDATION}.")
    return (kept[0], kept[1], kept[2] if len(kept) == 3 else None), out

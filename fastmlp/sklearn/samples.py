"""The samples and the seed that a user of scikit-learn gives an estimator, checked as scikit-learn checks them."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import column_or_1d, validate_data

from fastmlp import checks
from fastmlp.engines.engine import Array


def checked_samples(
    estimator: Any, X: Any, y: Any, sample_weight: Any, *, reset: bool
) -> tuple[Array, Array, Array | None]:
    """Check training samples as other estimators of scikit-learn do; `reset` sets the number and names of inputs."""
    dtypes = (np.float64, np.float32)
    X, y = validate_data(estimator, X, y, dtype=dtypes, multi_output=True, y_numeric=True, reset=reset)
    y = np.asarray(y, dtype=X.dtype)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    return X, y, None if sample_weight is None else np.asarray(sample_weight)


def checked_inputs(estimator: Any, X: Any) -> Array:
    """Check the inputs of predictions."""
    return np.asarray(validate_data(estimator, X, dtype=(np.float64, np.float32), reset=False))


def seed(random_state: Any) -> int:
    """Return the seed that a `random_state` stands for."""
    if isinstance(random_state, numbers.Integral):
        return checks.count("random_state", random_state, minimum=0)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def held_out(
    samples: tuple[Array, Array, Array | None], fraction: Any, seed: int
) -> tuple[tuple[Array, Array, Array | None], tuple[Array, ...]]:
    """Return the training samples and the held-out samples, a `fraction` of all."""
    if not 0 < checks.real("validation_fraction", fraction) < 1:
        raise ValueError(checks.wording("validation_fraction", "above 0 and below 1", repr(fraction)))
    arrays = [array for array in samples if array is not None]
    parts = train_test_split(*arrays, test_size=fraction, random_state=seed)
    kept, out = parts[::2], tuple(parts[1::2])
    return (kept[0], kept[1], kept[2] if len(kept) == 3 else None), out

"""The folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from fastmlp import checks
from fastmlp.cross_validation.rows import Rows
from fastmlp.engines.engine import Array

FULL_ROWS = 1000  # up to which the nets of all folds are trained
MOST_ROWS = 10_000  # on which the penalty is chosen
SPLITS = "an integer of at least 2, a splitter of scikit-learn or an iterable of pairs (train, test)"


class Fold(NamedTuple):
    """The rows that the nets of a fold are trained on, and those that they predict."""

    train: Array
    test: Array


Splits = int | list[tuple[Array, Array]]


def checked_splits(cv: Any, x: Array, y: Array) -> Splits:
    """Check the option cv: return the number of folds, or pairs of arrays with the samples of each fold."""
    if hasattr(cv, "split"):
        cv = cv.split(x, y)
    elif hasattr(cv, "__index__") or not isinstance(cv, Iterable) or isinstance(cv, str):
        if isinstance(cv, (bool, np.bool_, np.ndarray)) or not hasattr(cv, "__index__"):
            raise TypeError(checks.wording("cv", SPLITS, repr(cv)))
        return checks.count("cv", cv, minimum=2)
    pairs = []
    for i, pair in enumerate(cv):
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(checks.wording(f"cv[{i}]", "a pair (train, test) of arrays of row numbers", repr(pair)))
        train, test = (_row_numbers(f"cv[{i}]", part, len(x)) for part in pair)
        if np.isin(test, train).any():
            raise ValueError(checks.wording(f"cv[{i}]", "a pair of disjoint sets", "a row that is in both"))
        pairs.append((train, test))
    if not pairs:
        raise ValueError(checks.wording("cv", "an iterable of at least one pair (train, test)", "none"))
    times = np.bincount(np.concatenate([test for _, test in pairs]), minlength=len(x))
    if times.max() > 1:
        got = f"row {int(times.argmax())} in {times.max()} test sets"
        raise ValueError(checks.wording("cv", "an iterable in which no row is in two test sets", got))
    return pairs


def _row_numbers(name: str, part: Any, n_samples: int) -> Array:
    """Check an array of row numbers, or a mask with an entry for each row; return the numbers, sorted."""
    array = np.asarray(part)
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise TypeError(checks.wording(name, "a pair of one-dimensional arrays of row numbers", repr(part)))
    if array.dtype == bool:
        if array.shape != (n_samples,):
            raise ValueError(checks.wording(name, f"a pair of masks of {n_samples} entries", f"{array.size}"))
        return np.flatnonzero(array)
    if not array.size:
        raise ValueError(checks.wording(name, "a pair of arrays that are not empty", "an empty one"))
    if array.min() < -n_samples or array.max() >= n_samples:
        outside = array[(array < -n_samples) | (array >= n_samples)][0]
        raise ValueError(checks.wording(name, f"row numbers below {n_samples}", f"{outside}"))
    return np.unique(array.astype(np.int64) % n_samples)


def groups(splits: Splits, n_samples: int) -> Array:
    """Return a number for each sample that is the same for samples in the same parts of all folds."""
    if isinstance(splits, int):
        return np.zeros(n_samples, np.int64)
    part_of = np.zeros((n_samples, len(splits)), np.int8)
    for k, (train, test) in enumerate(splits):
        part_of[train, k] = 1
        part_of[test, k] = 2
    return np.unique(part_of, axis=0, return_inverse=True)[1].ravel()


def trained_folds(splits: Splits, rows: Rows, rng: np.random.Generator) -> list[Fold]:
    """Return the folds whose nets are trained, with the rows of each in ascending order."""
    n_rows = len(rows.x)
    chosen = np.arange(n_rows) if n_rows <= MOST_ROWS else np.sort(rng.permutation(n_rows)[:MOST_ROWS])
    if not isinstance(splits, int):
        return _given_folds(splits, rows, chosen)
    n_folds = min(splits, len(chosen))
    if n_folds == 1:  # all samples are equal, so that each has been seen
        return [Fold(chosen, chosen)]
    fold_of = rng.permutation(len(chosen)) % n_folds
    n_trained = n_folds
    if len(chosen) > FULL_ROWS:
        n_trained = int(np.clip(round(n_folds * FULL_ROWS / len(chosen)), 1, n_folds))
    return [Fold(chosen[fold_of != k], chosen[fold_of == k]) for k in range(n_trained)]


def _given_folds(splits: list[tuple[Array, Array]], rows: Rows, chosen: Array) -> list[Fold]:
    """Return the folds of a caller, without rows that have no weight or were not chosen."""
    folds = []
    for i, pair in enumerate(splits):
        train, test = (np.intersect1d(rows.row_of[part], chosen) for part in pair)
        if not train.size:
            raise ValueError(checks.wording(f"cv[{i}]", "a pair whose train has positive weight", "weights of 0"))
        if test.size:
            folds.append(Fold(train, test))
    if not folds:
        raise ValueError(checks.wording("cv", "an iterable with a test set of positive weight", "weights of 0"))
    return folds

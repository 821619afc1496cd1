"""The choice of the penalty: nets of every fold for one alpha after another, from the largest on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from fastmlp.cross_validation.errors import FoldErrors
from fastmlp.cross_validation.starts import repeated
from fastmlp.cross_validation.tables import FoldTables
from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.net_batches.batch import NetSet, TableRows, TrainedNets, evaluate

WORSE = 1.03  # times the lowest mean squared error: such an alpha counts as worse
MOST_WORSE = 3  # alphas in a row that are worse: then the path ends
USEFUL = 0.97  # of the variance: the path does not end before an error is lower

Train = Callable[[Sequence[TableRows], NetSet], TrainedNets]


class Path(NamedTuple):
    """The alphas that were tried, their errors and standard errors, and the nets of the folds at the best alpha.

    alpha, rmse and standard_error are (n_alphas,). weights are stacked, one net for each fold; predictions has the
    outputs of each for the test rows of its fold, in the units of y.
    """

    alpha: Array
    rmse: Array
    standard_error: Array
    best_alpha: float
    weights: Weights
    predictions: list[Array]


def follow_path(folds: FoldTables, alphas: Sequence[float], starts: Weights, errors: FoldErrors, train: Train) -> Path:
    """Train nets along the path, all from the same starts, one for each fold.

    Alphas that will certainly be tried are tried together, so that their nets share the cores.
    """
    n_folds = len(folds.within)
    total_weights = np.array([own.total_weight for own in folds.within])
    scores: list[tuple[float, float, float]] = []
    best, n_worse = 0, 0
    kept: tuple[Weights, list[Array]] | None = None
    while len(scores) < len(alphas) and not (n_worse >= MOST_WORSE and scores[best][0] < USEFUL):
        tried = np.array(alphas[len(scores) : len(scores) + max(1, MOST_WORSE - n_worse)])
        table = np.tile(np.arange(n_folds), len(tried))
        decay = (tried[:, None] / total_weights).ravel()
        trained = train(folds.trained, NetSet(repeated(starts, len(tried)), table, decay)).weights
        outputs, _ = evaluate(folds.tested, trained, table)
        for i in range(len(tried)):
            nets = slice(i * n_folds, (i + 1) * n_folds)
            predictions = [own.outputs(h2) for own, h2 in zip(folds.within, outputs[nets], strict=True)]
            scores.append(errors.score(predictions))
            if kept is None or scores[-1][0] < scores[best][0]:
                best = len(scores) - 1
                kept = Weights(*(part[nets] for part in trained)), predictions
            n_worse = n_worse + 1 if scores[-1][0] > WORSE * scores[best][0] else 0
    assert kept is not None
    _, rmse, standard_error = np.array(scores).T
    return Path(np.array(alphas[: len(scores)]), rmse, standard_error, float(alphas[best]), *kept)

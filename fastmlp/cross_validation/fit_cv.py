"""`fit_cv`, which trains nets on a small table with a cross-validated penalty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.checks.arrays import numbers_of
from fastmlp.cross_validation.folds import checked_splits, groups, trained_folds
from fastmlp.cross_validation.rows import merged_rows
from fastmlp.models.model import Model
from fastmlp.training.progress import progress_bar

ALPHAS = (30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)


def fit_cv(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    *,
    hidden: int = 30,
    alphas: Iterable[float] | None = None,
    cv: Any = 5,
    n_estimators: int = 5,
    clip: bool = True,
    sample_weight: npt.ArrayLike | None = None,
    rng: Any = None,
    threads: int | None = None,
    progress: bool | None = None,
) -> Model:
    """Train two-layer ReLU networks on a small table, with a penalty chosen by cross-validation.

    The result is one network, the average of ten, with an estimate of its error on new data and with prediction
    intervals. Use it for tables of 30 to 10,000 rows with noise; it needs no tuning. For exact gradient descent and
    wide networks, use `fastmlp.fit`. The interface is provisional until version 1.0.

    Parameters
    ----------
    x : array_like of shape (n,) or (n, n_in)
        Inputs, as in `fastmlp.fit`.
    y : array_like of shape (n,) or (n, n_out)
        Targets, as in `fastmlp.fit`.
    hidden : int, default 30
        Number of hidden units of each network that is trained.
    alphas : iterable of float or None, default None
        Penalties to try, in descending order.
        By default 30, 10, 3, ... 0.001, 0.0003. Alpha is that of scikit-learn's MLPRegressor: the penalty is
        ``alpha / (2 W) * (|w1|^2 + |w2|^2)`` for standardised data, where W is the sum of the sample weights.
    cv : int, splitter or iterable of pairs, default 5
        Number of folds, a splitter of scikit-learn, or an iterable of pairs (train, test) of row numbers.
        There are never more folds than different rows, and equal rows are in one fold. Above 1,000 rows, only some of
        the folds are trained, unless you give them. The result does not depend on the order of the rows.
    n_estimators : int, default 5
        Number of networks in each of the two rounds that are trained on all rows and averaged.
    clip : bool, default True
        Whether to clip predictions to the range of the targets.
        The limits are ``model.y_clip``.
    sample_weight : array_like of shape (n,) or None, default None
        Weights of the samples, at least 0; all 1 by default.
        A weight of 2 is the same as the row twice. The weights are not rescaled.
    rng : None, int, sequence of int, Generator, BitGenerator or SeedSequence, default None
        Source of the random numbers, as in `numpy.random.default_rng`.
        Folds and initial weights are drawn from it. With None, each call gives another result.
    threads : int or None, default None
        Number of threads; all cores by default.
        The result does not depend on it. As in `fastmlp.fit_many`, the context ``joblib.parallel_config`` chooses
        where the networks are trained.
    progress : bool or None, default None
        Whether to show a progress bar that counts networks.
        By default, a bar is shown on a terminal if the fit takes longer than about two seconds.

    Returns
    -------
    Model
        The average of the networks, without history.
        ``model.info.cv_rmse`` estimates its RMSE on new data, and ``model.predict_interval`` returns intervals for new
        observations. ``model.info`` has the chosen penalties and the sensitivity to each input.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type or value. Nothing is computed in that case.
    MemoryError
        If the networks that are trained together need more memory than this machine has.
    KeyboardInterrupt
        If Ctrl-C was pressed. Nothing is returned.

    See Also
    --------
    fit : Train one network.
    Model.predict_interval : Intervals for new observations.

    Notes
    -----
    1. Inputs and targets are standardised, in each fold by its own training rows. Constant columns are left out.
    2. For one alpha after another, from the largest on, a network of each fold is trained by L-BFGS and predicts the
       other rows. The path ends after three alphas in a row with a mean squared error that is 3 % above the lowest.
    3. At the best alpha, `n_estimators` networks are trained on all rows.
    4. With several inputs, each standardised input is multiplied by the root of the sensitivity of these networks to
       it, and steps 2 and 3 are repeated. In each fold, the sensitivity is that of the fold's own network.
    5. All networks of step 3 are averaged, and the average is clipped once.

    Above 1,000 rows, fewer folds are trained, and above 3,333 only one. Above 10,000 rows, alpha is chosen with 10,000
    random rows.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> rng = np.random.default_rng(0)
    >>> x = rng.uniform(-2, 2, (100, 2))
    >>> y = np.sin(x[:, 0]) + 0.1 * rng.standard_normal(100)
    >>> model = fastmlp.fit_cv(x, y, rng=0)
    >>> model.info.cv_rmse < 0.2
    True
    >>> model.info.sensitivity[0] > model.info.sensitivity[1]
    True
    """
    data = checks.samples(x, y, sample_weight)
    weight = _raw_weights(sample_weight, len(data.x))
    n_hidden = checks.count("hidden", hidden)
    n_estimators = checks.count("n_estimators", n_estimators)
    path = ALPHAS if alphas is None else _checked_alphas(alphas)
    clip = checks.flag("clip", clip)
    threads = None if threads is None else checks.count("threads", threads)
    progress = checks.optional_flag("progress", progress)
    generator = checks.generator("rng", rng)
    if len(data.x) < 2:
        raise ValueError(checks.wording("x", "an array of at least two samples", f"{len(data.x)}"))
    splits = checked_splits(cv, data.x, data.y)
    rows = merged_rows(data.x, data.y, weight, groups(splits, len(data.x)))
    folds = trained_folds(splits, rows, generator)

    from fastmlp.cross_validation.fitted import fitted_model  # kernels make the import slower
    from fastmlp.cross_validation.recipe import Recipe
    from fastmlp.cross_validation.training import Trainer

    recipe = Recipe(n_hidden, path, n_estimators, clip)
    with progress_bar(None, 0, progress, "net") as bar:
        return fitted_model(data, rows, folds, recipe, generator, Trainer(threads, bar))


def _raw_weights(sample_weight: npt.ArrayLike | None, n_samples: int) -> npt.NDArray[np.float64]:
    """Return checked weights as they were given; 1 by default."""
    return (
        np.ones(n_samples) if sample_weight is None else numbers_of("sample_weight", sample_weight).astype(np.float64)
    )


def _checked_alphas(alphas: object) -> Sequence[float]:
    """Check the path of penalties."""
    rule = "an iterable of numbers of at least 0 in descending order"
    if isinstance(alphas, str) or not isinstance(alphas, Iterable):
        raise TypeError(checks.wording("alphas", rule, repr(alphas)))
    path = [checks.real(f"alphas[{i}]", alpha) for i, alpha in enumerate(alphas)]
    if not path:
        raise ValueError(checks.wording("alphas", rule, "none"))
    for i, alpha in enumerate(path):
        if alpha < 0:
            raise ValueError(checks.wording(f"alphas[{i}]", "at least 0", repr(alpha)))
        if i and alpha >= path[i - 1]:
            raise ValueError(checks.wording("alphas", rule, f"{alpha:g} after {path[i - 1]:g}"))
    return path

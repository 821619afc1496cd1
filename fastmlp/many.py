"""`fit_many`, which trains many networks in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy.typing as npt

from fastmlp import checks
from fastmlp.jobs import checked_jobs
from fastmlp.models.ensemble import Ensemble
from fastmlp.parallel_fits import train_jobs


def fit_many(
    x: npt.ArrayLike | None,
    y: npt.ArrayLike | None,
    jobs: Iterable[Mapping[str, Any]],
    *,
    progress: bool | None = None,
    **common: Any,
) -> Ensemble:
    """Train many nets, each by `fastmlp.fit`, and return them in the order of the jobs.

    The nets are trained by threads on all cores. Within ``joblib.parallel_config("dask")``, ``("loky")`` or whatever
    backend is active they are trained there, and its ``n_jobs`` is the number of workers. Every net is bitwise the one
    that `fastmlp.fit` returns for its arguments and ``threads=1``, however many workers there are.

    Parameters
    ----------
    x, y : array_like or None
        The samples, as in `fastmlp.fit`; None where every job brings its own.
    jobs : iterable of mappings
        For each net the arguments of `fastmlp.fit` that are its own; they take precedence over the common ones. A
        Generator serves one job only: in which order nets draw from it would depend on the workers.
    progress : bool or None, default None
        Whether to show a progress bar over nets; None: on a terminal, if it takes more than about two seconds.
    **common
        Arguments of `fastmlp.fit` for all nets. Of `rng` job i gets the i-th child: for an int n
        ``numpy.random.SeedSequence(n, spawn_key=(i,))``. Without `threads` each net takes one. Without `record_every`,
        histories hold the start and the end only, but those of nets with a stopping rule on recorded epochs, which are
        as in `fastmlp.fit`.

    Returns
    -------
    Ensemble
        The nets; those that diverged or whose arguments were refused are in its `failures` with the error.

    Raises
    ------
    TypeError, ValueError
        If the jobs are not mappings of arguments of `fastmlp.fit`, or if the common ones are refused; before anything
        is computed. Whatever the backend raises if no net came back.

    Warns
    -----
    RuntimeWarning
        If Ctrl-C or a failure of the backend ended the work early; the nets done are returned.

    Examples
    --------
    >>> import numpy as np, fastmlp
    >>> x = np.linspace(-np.pi, np.pi, 50)
    >>> ensemble = fastmlp.fit_many(x, np.sin(x), [{"hidden": h} for h in (10, 20, 40)], rng=0, epochs=500)
    >>> [model.n_hidden for model in ensemble.models]
    [10, 20, 40]
    >>> mean, std = ensemble.predict([0.0, 1.0], return_std=True)
    >>> mean.shape, std.shape
    ((2,), (2,))
    """
    progress = checks.optional_flag("progress", progress)
    own, shared = checked_jobs(x, y, jobs, common)
    return train_jobs(own, shared, progress)

"""`fit_many`, which trains many networks in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy.typing as npt

from fastmlp import checks
from fastmlp.jobs import checked_jobs
from fastmlp.models.ensemble import Ensemble
from fastmlp.models.model import Model
from fastmlp.parallel_fits import train_jobs
from fastmlp.starting.options import FitOptions
from fastmlp.training.callback import CallbackInfo


def fit_many(
    x: npt.ArrayLike | None,
    y: npt.ArrayLike | None,
    jobs: Iterable[Mapping[str, Any]],
    *,
    hidden: int = 1000,
    epochs: int = 32000,
    lr: float | Mapping[str, float] | Callable[[int], float] | str = "auto",
    init: str | float | Model | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike] = "balanced",
    rng: Any | None = None,
    standardize: bool | None = None,
    hidden_bias: bool = True,
    output_bias: bool = True,
    negative_slope: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    optimizer: str = "sgd",
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float | Mapping[str, float] = 0.0,
    batch_size: int | None = None,
    algorithm: str = "auto",
    dtype: npt.DTypeLike | None = None,
    threads: int | None = None,
    record_every: int | None = None,
    snapshots: Iterable[int] | None = None,
    stop_at_crossing: bool = False,
    validation: tuple[npt.ArrayLike, ...] | None = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    checkpoint_every: float = 60.0,
    resume: bool = False,
    callback: Callable[[CallbackInfo], bool | None] | None = None,
    callback_every: int | None = None,
    progress: bool | None = None,
) -> Ensemble:
    """Train many networks in parallel, each as `fastmlp.fit` does.

    By default, threads on all cores train the networks. In the context ``joblib.parallel_config(backend, n_jobs=n)``,
    n workers of that joblib backend train them, for example "loky" or "dask". For any number of workers, every network
    is bitwise the one that `fastmlp.fit` returns for the same arguments with ``threads=1``.

    Parameters
    ----------
    x, y : array_like or None
        Samples, as in `fastmlp.fit`.
        They may be None if every job has its own.
    jobs : iterable of mappings
        Arguments of `fastmlp.fit` for each network.
        They take precedence over the options below, which apply to all networks; `fastmlp.fit` describes them. A job
        may also have ``x``, ``y`` and ``checkpoint``. Two jobs must not share a Generator, because the order in which
        the networks draw from it would depend on the workers.
    hidden : int, default 1000
        Number of hidden units.
    epochs : int, default 32000
        Number of epochs.
    lr : float, mapping, callable, "auto" or "constant", default "auto"
        Learning rate.
    init : "balanced", "he", "glorot", a float, a Model or (w1, b1, w2, b2), default "balanced"
        Initial weights, or the rule by which they are drawn.
    rng : None, int, sequence of int, Generator, BitGenerator or SeedSequence, default None
        Source of the random numbers of all networks.
        Job i draws from the i-th child, which for an int n is ``numpy.random.SeedSequence(n, spawn_key=(i,))``.
    standardize : bool or None, default None
        Whether to train on standardised inputs and targets.
    hidden_bias : bool, default True
        Whether to train b1; if False, b1 is 0.
    output_bias : bool, default True
        Whether to train b2; if False, b2 is 0.
    negative_slope : float, default 0.0
        Slope of the activation for negative arguments; 0 is ReLU.
    sample_weight : array_like of shape (n,) or None, default None
        Weights of the samples, at least 0; all equal by default.
    optimizer : {"sgd", "adam", "lbfgs", "lstsq"}, default "sgd"
        Optimiser, "sgd", "adam", "lbfgs" or "lstsq".
    momentum : float, default 0.0
        Momentum of "sgd".
    nesterov : bool, default False
        Whether to use Nesterov momentum.
    weight_decay : float or mapping, default 0.0
        Factor of the L2 penalty.
    batch_size : int or None, default None
        Number of samples in a mini-batch; all samples by default.
    algorithm : {"auto", "univariate", "dense", "reference"}, default "auto"
        Engine that trains the network.
    dtype : numpy.float32, numpy.float64 or None, default None
        Floating-point type of the data and of the returned weights.
    threads : int or None, default None
        Number of threads of each network; one by default.
    record_every : int or None, default None
        Number of epochs between two recorded RMSEs.
        By default, only the first and the last epoch are recorded or, with `validation` or `patience`, the same epochs
        as in `fastmlp.fit`.
    snapshots : iterable of int or None, default None
        Epochs after which to keep a copy of the model, from 0 to `epochs`.
    stop_at_crossing : bool, default False
        Whether to stop after the first crossing.
    validation : tuple (x, y) or (x, y, sample_weight), or None, default None
        Validation samples, which are not trained on.
    patience : int or None, default None
        Number of epochs without improvement after which training stops.
    min_delta : float, default 0.0
        Smallest decrease of the RMSE that counts as an improvement.
    checkpoint_every : float, default 60.0
        Seconds between two checkpoints.
    resume : bool, default False
        Whether to resume from `checkpoint`, if that file exists.
    callback : callable or None, default None
        Function to call during training.
    callback_every : int or None, default None
        Number of epochs between two calls of `callback`.
    progress : bool or None, default None
        Whether to show a progress bar that counts networks.
        By default, a bar is shown on a terminal if the work takes longer than about two seconds.

    Returns
    -------
    Ensemble
        The networks, in the order of the jobs.
        If the training of a network diverged or its arguments are invalid, `Ensemble.failures` holds the error.

    Raises
    ------
    TypeError, ValueError
        If the jobs are not mappings of arguments of `fastmlp.fit`, or if an option is invalid for all jobs. Nothing is
        computed in that case.
    Exception
        Any error of the joblib backend, if it failed before the first network was finished.

    Warns
    -----
    RuntimeWarning
        If Ctrl-C or an error of the backend ended the call early. The finished networks are returned.

    See Also
    --------
    fit : Train one network.

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
    options = FitOptions(
        hidden=hidden,
        epochs=epochs,
        lr=lr,
        init=init,
        rng=rng,
        standardize=standardize,
        hidden_bias=hidden_bias,
        output_bias=output_bias,
        negative_slope=negative_slope,
        sample_weight=sample_weight,
        optimizer=optimizer,
        momentum=momentum,
        nesterov=nesterov,
        weight_decay=weight_decay,
        batch_size=batch_size,
        algorithm=algorithm,
        dtype=dtype,
        threads=threads,
        record_every=record_every,
        snapshots=snapshots,
        stop_at_crossing=stop_at_crossing,
        validation=validation,
        patience=patience,
        min_delta=min_delta,
        checkpoint_every=checkpoint_every,
        resume=resume,
        callback=callback,
        callback_every=callback_every,
        progress=progress,
    )
    progress = checks.optional_flag("progress", progress)
    own, shared = checked_jobs(x, y, jobs, options)
    return train_jobs(own, shared, progress)

"""Many nets in one call: trained through joblib on all cores, or wherever its active backend says."""

from __future__ import annotations

import inspect
import numbers
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp import checks
from fastmlp.batched_fits import FEWEST, PREPARATION, most_alike, train_alike
from fastmlp.fitting import fit, train
from fastmlp.models.ensemble import Ensemble
from fastmlp.models.model import Model
from fastmlp.starting.config import FitConfig, checked_config
from fastmlp.starting.options import FitOptions
from fastmlp.training.callback import CallbackInfo
from fastmlp.training.interrupt import Interrupt
from fastmlp.training.progress import progress_bar

ARGUMENTS = inspect.signature(fit).parameters
DEFAULTS = {name: parameter.default for name, parameter in ARGUMENTS.items()}
READS_RECORDS = ("validation", "patience")  # arguments by which a fit goes by the errors that it records
TASKS_PER_WORKER = 32  # few enough that a task costs nothing beside its nets, enough that the workers end together
MOST_PER_TASK = 256  # nets, so that the progress bar moves
# Epochs times samples and units of a net that is trained in about the millisecond that its Python code takes. Two
# threads with such nets took 1.6 ms for each, as the interpreter's lock changed hands at every call of a kernel.
SMALL_WORK = 500_000

_one_by_one = threading.Lock()

Outcome = Model | Exception


def _renew_lock() -> None:
    """Replace the lock in a forked child, where no thread would ever release one that was held."""
    global _one_by_one
    _one_by_one = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def fit_many(
    x: npt.ArrayLike | None,
    y: npt.ArrayLike | None,
    jobs: Iterable[Mapping[str, Any]],
    *,
    hidden: int = 1000,
    epochs: int = 32000,
    lr: float | Mapping[str, float] | Callable[[int], float] | str = "auto",
    init: str | float | Model | tuple[npt.ArrayLike, npt.ArrayLike, npt.ArrayLike, npt.ArrayLike] = "balanced",
    rng: Any = None,
    standardize: bool | None = None,
    hidden_bias: bool = True,
    output_bias: bool = True,
    negative_slope: float = 0.0,
    sample_weight: npt.ArrayLike | None = None,
    optimizer: str = "sgd",
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
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
    progress: bool | None = None,
) -> Ensemble:
    """Train many networks, each as `fastmlp.fit` does, and return them in the order of the jobs.

    By default, threads on all cores train the networks. Within ``joblib.parallel_config("dask")``, ``("loky")`` or
    another backend of joblib, they are trained there; ``n_jobs`` is the number of workers. Every network is bitwise the
    one that `fastmlp.fit` returns for its arguments with ``threads=1``, whatever the number of workers.

    Parameters
    ----------
    x, y : array_like or None
        Samples, as in `fastmlp.fit`.
        None if every job has its own.
    jobs : iterable of mappings
        Arguments of `fastmlp.fit` for each network.
        They take precedence over the options below, which are common to all networks and described in `fastmlp.fit`. A
        job may also have ``x``, ``y`` and ``checkpoint``. Two jobs must not share a Generator, because the order in
        which networks draw from it would depend on the workers.
    hidden : int, default 1000
        Number of hidden units.
    epochs : int, default 32000
        Number of epochs.
    lr : float, mapping, callable or "auto", default "auto"
        Learning rate.
    init : "balanced", "he", "glorot", a float, a Model or (w1, b1, w2, b2), default "balanced"
        Initial weights, or the rule by which they are drawn.
    rng : None, int, sequence of int, Generator, BitGenerator or SeedSequence, default None
        Source of the random numbers of all networks.
        Job i draws from the i-th child, which for an int n is ``numpy.random.SeedSequence(n, spawn_key=(i,))``.
    standardize : bool or None, default None
        Whether to train on standardised inputs and targets.
    hidden_bias : bool, default True
        Whether to train b1; if not, it is 0.
    output_bias : bool, default True
        Whether to train b2; if not, it is 0.
    negative_slope : float, default 0.0
        Slope of the activation below 0; 0 is ReLU.
    sample_weight : array_like of shape (n,) or None, default None
        Weights of the samples, at least 0; all equal by default.
    optimizer : {"sgd", "adam"}, default "sgd"
        Optimiser, "sgd" or "adam".
    momentum : float, default 0.0
        Heavy-ball momentum of "sgd".
    nesterov : bool, default False
        Whether to use Nesterov momentum.
    weight_decay : float, default 0.0
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
        Epochs, from 0 to `epochs`, after which to keep a copy of the model.
    stop_at_crossing : bool, default False
        Whether to stop after the first update that changes the set of active samples of a unit.
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
        Function to call while training.
    progress : bool or None, default None
        Whether to show a progress bar that counts networks.
        By default, a bar is shown on a terminal if the work takes longer than about two seconds.

    Returns
    -------
    Ensemble
        The networks.
        Where training diverged or arguments were refused, `Ensemble.failures` holds the error.

    Raises
    ------
    TypeError, ValueError
        If the jobs are not mappings of arguments of `fastmlp.fit`, or if an option is refused. Nothing is computed in
        that case. If no network could be trained because the backend failed, its error is raised.

    Warns
    -----
    RuntimeWarning
        If Ctrl-C or a failure of the backend ended the work early. The finished networks are returned.

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
        progress=progress,
    )
    own = _checked_jobs(jobs)
    progress = checks.optional_flag("progress", progress)
    # Every net is to see what an iterator gives only once.
    common = {name: tuple(value) if isinstance(value, Iterator) else value for name, value in vars(options).items()}
    common |= {"x": x, "y": y}
    for name in ("x", "y"):
        missing = [i for i, job in enumerate(own) if common[name] is None and name not in job]
        if missing:
            raise ValueError(
                checks.wording(name, "given, or part of every job", f"None and no {name} in job {missing[0]}")
            )
    _require_generators_of_their_own(own)
    children = _children(common.pop("rng"), len(own))
    refusal = _refusal({}, common) if x is not None and y is not None else None
    if refusal is not None and own and str(_refusal(own[0], common)) == str(refusal):
        raise refusal
    own = [{"rng": child, **job} for child, job in zip(children, own, strict=True)]
    return _trained(own, common, progress)


def _checked_jobs(jobs: object) -> list[dict[str, Any]]:
    rule = "an iterable of mappings of arguments of fastmlp.fit"
    if isinstance(jobs, (str, Mapping)) or not isinstance(jobs, Iterable):
        raise TypeError(checks.wording("jobs", rule, repr(jobs)))
    own = []
    for i, job in enumerate(jobs):
        if not isinstance(job, Mapping):
            raise TypeError(checks.wording(f"jobs[{i}]", "a mapping of arguments of fastmlp.fit", repr(job)))
        own.append(dict(job))
        for key in job:
            if key not in ARGUMENTS or key == "progress":
                rule = "a mapping of arguments of fastmlp.fit other than progress"
                raise TypeError(checks.wording(f"jobs[{i}]", rule, f"the key {key!r}"))
    return own


def _require_generators_of_their_own(own: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a source of random numbers, which drawing changes, that several jobs share."""
    first: dict[int, int] = {}
    for i, job in enumerate(own):
        rng = job.get("rng")
        if isinstance(rng, np.random.Generator | np.random.BitGenerator | np.random.RandomState):
            if id(rng) in first:
                rule = "a seed, or a Generator that no other job has"
                remedy = "Give rng= for all jobs: each net gets a child of it."
                raise ValueError(checks.wording(f"jobs[{i}] rng", rule, f"that of jobs[{first[id(rng)]}]", remedy))
            first[id(rng)] = i


def _children(rng: Any, n: int) -> Iterable[np.random.SeedSequence | None]:
    """Return n seeds, one for each job, which depend on rng and their place only; None is fresh entropy."""
    generator = checks.generator("rng", rng)
    if rng is None:
        return [None] * n
    if not isinstance(rng, numbers.Integral | Sequence | np.ndarray | np.random.SeedSequence):
        source: Any = generator.bit_generator.seed_seq
        if source is not None:
            return list(source.spawn(n))
        rng = generator.integers(2**32, size=4)  # seeded the old way, without a sequence
    parent = rng if isinstance(rng, np.random.SeedSequence) else np.random.SeedSequence(rng)
    return (np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, i)) for i in range(n))


def _trained(own: list[dict[str, Any]], common: Mapping[str, Any], progress: bool | None) -> Ensemble:
    """Train all nets through joblib."""
    import joblib

    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    _, n_jobs = joblib.parallel.get_active_backend()  # joblib itself forgets it where it falls back on threads
    n_jobs = -1 if n_jobs is None else n_jobs
    size = int(np.clip(len(own) // (TASKS_PER_WORKER * joblib.effective_n_jobs(n_jobs)), 1, MOST_PER_TASK))
    numbered = list(enumerate(own))
    # Threads see the flag of Ctrl-C and end their nets; other processes cannot, joblib ends them.
    interrupt = Interrupt() if getattr(backend, "supports_sharedmem", False) else None
    tasks = (
        joblib.delayed(_train)(numbered[first : first + size], common, interrupt)
        for first in range(0, len(numbered), size)
    )
    outcomes: dict[int, Outcome] = {}
    ended: BaseException | None = None
    with interrupt or nullcontext(), progress_bar(len(own), 0, progress, "net") as bar:
        # Compiled code lets other threads run, so threads are as fast as processes and share data and kernels.
        # Ray and multiprocessing give everything at the end.
        by_task = getattr(backend, "supports_return_generator", False)
        parallel = joblib.Parallel(
            n_jobs=n_jobs, prefer="threads", return_as="generator_unordered" if by_task else "list"
        )
        try:
            for done in parallel(tasks):
                outcomes.update(done)
                bar.update(len(done))
        except (Exception, KeyboardInterrupt) as error:
            if not outcomes:
                raise
            ended = error
    if interrupt is not None and interrupt.requested:
        ended = KeyboardInterrupt()
    if ended is not None:
        lost = [i for i in range(len(own)) if i not in outcomes]
        reason = "Ctrl-C" if isinstance(ended, KeyboardInterrupt) else f"{type(ended).__name__}: {ended}"
        text = f"fit_many was ended by {reason}; {len(outcomes)} of {len(own)} nets were done and are returned."
        warnings.warn(text, RuntimeWarning, stacklevel=3)
        outcomes |= {i: RuntimeError(f"Net {i} was not trained to its end, because of {reason}.") for i in lost}
    return Ensemble(
        tuple(outcome if isinstance(outcome := outcomes[i], Model) else None for i in range(len(own))),
        {i: outcome for i in range(len(own)) if isinstance(outcome := outcomes[i], Exception)},
    )


def _train(
    numbered: list[tuple[int, dict[str, Any]]], common: Mapping[str, Any], interrupt: Interrupt | None
) -> dict[int, Outcome]:
    """Train some nets, by their numbers; an interrupt ends it before the last."""
    outcomes: dict[int, Outcome] = {}
    groups: dict[Any, tuple[dict[str, Any], dict[int, Any]]] = {}  # jobs that differ by their rng only: it by number
    for i, job in numbered:
        own = dict(job)
        rng = own.pop("rng")
        groups.setdefault(_key(own, i), (own, {}))[1][i] = rng
    for own, rngs in groups.values():
        if interrupt is not None and interrupt.requested:
            break
        # What is the caller's own code may train nets too, in other threads, and wait for them.
        calls_back = any(callable(own.get(name, common.get(name))) for name in ("lr", "callback"))
        try:
            with nullcontext() if calls_back else _one_by_one:
                call = _call(own, common)
        except Exception as error:  # noqa: BLE001 - whatever one net meets must not sink the others
            outcomes |= dict.fromkeys(rngs, _without_frames(error))
            continue
        seeds = {i: rng for i, rng in rngs.items() if isinstance(rng, int | np.random.SeedSequence | None)}
        done = _alike(call, seeds, interrupt) if len(seeds) >= FEWEST else {}
        outcomes |= done
        with _one_by_one if _is_small(call) and not calls_back else nullcontext():
            outcomes |= _singly(call, {i: rng for i, rng in rngs.items() if i not in done}, interrupt)
    return outcomes


def _key(job: Mapping[str, Any], number: int) -> Any:
    """Return what two jobs share if they ask for the same; where that cannot be told, the number of the job."""
    try:
        return frozenset((name, type(value), value) for name, value in job.items())
    except TypeError:  # arrays
        return number


def _call(job: Mapping[str, Any], common: Mapping[str, Any]) -> FitConfig:
    """Check the arguments of one net."""
    arguments = {**DEFAULTS, **common, **job, "progress": False}
    if arguments["threads"] is None:
        arguments["threads"] = 1  # the other cores have nets of their own, and the bits would depend on the number
    if all(arguments.get(name) is None for name in ("record_every", *READS_RECORDS)):
        arguments["record_every"] = arguments["epochs"]
    return checked_config(**arguments)


def _refusal(job: Mapping[str, Any], common: Mapping[str, Any]) -> Exception | None:
    """Return the error of the arguments of one net, if any."""
    try:
        _call({name: value for name, value in job.items() if name != "rng"}, common)
    except (TypeError, ValueError, MemoryError) as error:
        return _without_frames(error)
    return None


def _alike(call: FitConfig, seeds: Mapping[int, Any], interrupt: Interrupt | None) -> dict[int, Outcome]:
    """Train nets of one call together, as far as that can be."""
    outcomes: dict[int, Outcome] = {}
    most = most_alike(call)
    numbers = list(seeds)
    for first in range(0, len(numbers) if most else 0, max(most, 1)):
        if interrupt is not None and interrupt.requested:
            break
        some = numbers[first : first + most]
        try:
            models = train_alike(call, [np.random.default_rng(seeds[i]) for i in some])
        except ValueError:  # refused; each net by itself says so
            break
        outcomes |= {i: model for i, model in zip(some, models, strict=True) if model is not None}
    return outcomes


def _is_small(call: FitConfig) -> bool:
    """Return whether a net takes no longer to train than its Python code does."""
    n_samples, n_in = call.data.x.shape
    size = n_samples + call.n_hidden if call.algorithm == "univariate" else n_samples * call.n_hidden * n_in
    waits = call.validation is not None or call.checkpoint is not None  # for other samples, for the disk
    return not waits and (call.epochs + PREPARATION) * size * call.data.y.shape[1] < SMALL_WORK


def _singly(call: FitConfig, rngs: Mapping[int, Any], interrupt: Interrupt | None) -> dict[int, Outcome]:
    """Train nets of one call one by one."""
    outcomes: dict[int, Outcome] = {}
    callback = call.callback if interrupt is None else _interruptible(interrupt, call.callback)
    for i, rng in rngs.items():
        if interrupt is not None and interrupt.requested:
            break
        try:
            own = replace(call, rng=checks.generator("rng", rng), is_seeded=rng is not None, callback=callback)
            model = train(own)
        except Exception as error:  # noqa: BLE001 - as above
            outcomes[i] = _without_frames(error)
            continue
        assert model.info is not None
        if interrupt is None or not interrupt.requested or model.info.stop_reason != "callback":
            outcomes[i] = model
    return outcomes


def _without_frames(error: Exception) -> Exception:
    """Return an error without its traceback, which would keep the frames and all that they hold."""
    return error.with_traceback(None)


def _interruptible(
    interrupt: Interrupt, callback: Callable[[CallbackInfo], bool | None] | None
) -> Callable[[CallbackInfo], bool | None]:
    """Return a callback that stops a fit on Ctrl-C, or when the caller's does."""

    def stops(info: CallbackInfo) -> bool | None:
        return interrupt.requested or (callback is not None and callback(info))

    return stops

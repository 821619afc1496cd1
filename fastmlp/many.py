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
from fastmlp.training.watching import CallbackInfo, Interrupt, progress_bar

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
    own = _checked_jobs(jobs, common)
    progress = checks.optional_flag("progress", progress)
    # Every net is to see what an iterator gives only once.
    common = {name: tuple(value) if isinstance(value, Iterator) else value for name, value in common.items()}
    common |= {"x": x, "y": y}
    for name in ("x", "y"):
        missing = [i for i, job in enumerate(own) if common[name] is None and name not in job]
        if missing:
            raise ValueError(
                checks.wording(name, "given, or part of every job", f"None and no {name} in job {missing[0]}")
            )
    if common.get("checkpoint") is not None:
        rule = "given in the jobs, a file for each net"
        raise ValueError(checks.wording("checkpoint", rule, repr(common["checkpoint"])))
    _require_generators_of_their_own(own)
    children = _children(common.pop("rng", None), len(own))
    refusal = _refusal({}, common) if x is not None and y is not None else None
    if refusal is not None and own and str(_refusal(own[0], common)) == str(refusal):
        raise refusal
    own = [{"rng": child, **job} for child, job in zip(children, own, strict=True)]
    return _trained(own, common, progress)


def _checked_jobs(jobs: object, common: Mapping[str, Any]) -> list[dict[str, Any]]:
    rule = "an iterable of mappings of arguments of fastmlp.fit"
    if isinstance(jobs, (str, Mapping)) or not isinstance(jobs, Iterable):
        raise TypeError(checks.wording("jobs", rule, repr(jobs)))
    own = []
    for i, job in enumerate(jobs):
        if not isinstance(job, Mapping):
            raise TypeError(checks.wording(f"jobs[{i}]", "a mapping of arguments of fastmlp.fit", repr(job)))
        own.append(dict(job))
    for name, arguments in (("common arguments", common), *((f"jobs[{i}]", job) for i, job in enumerate(own))):
        for key in arguments:
            if key not in ARGUMENTS or key == "progress":
                raise TypeError(checks.wording(name, "arguments of fastmlp.fit other than progress", repr(key)))
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

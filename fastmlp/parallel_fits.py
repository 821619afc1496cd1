"""The networks of `fastmlp.fit_many`, distributed by joblib over threads, processes or machines.

Each task of a worker trains some networks. It checks the arguments once for networks that differ only in their random
numbers, and trains these in batches if they are small.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from fastmlp import checks
from fastmlp.batched_fits import PREPARATION_EPOCHS, train_in_batches
from fastmlp.jobs import job_config
from fastmlp.models.ensemble import Ensemble
from fastmlp.models.model import Model
from fastmlp.pipeline import train
from fastmlp.starting.config import FitConfig
from fastmlp.training.callback import CallbackInfo
from fastmlp.training.interrupt import Interrupt
from fastmlp.training.progress import Activity, progress_bar

TASKS_PER_WORKER = (
    32  # few enough that their overhead is negligible, many enough that all workers end at about the same time
)
MAX_PER_TASK = 256  # networks; more would move the progress bar too rarely
# Epochs times samples and units of a network whose kernel takes about 1 ms, as long as its Python code. Two threads
# with such networks took 1.6 ms for each, because every kernel call passed the interpreter's lock to the other thread.
MAX_SMALL_WORK = 500_000

_small_nets_lock = threading.Lock()  # held while a small network is trained, and while arguments are checked

Result = Model | Exception


def _renew_lock() -> None:
    """Replace the lock in a forked child, in which the thread that holds it does not exist."""
    global _small_nets_lock
    _small_nets_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def train_jobs(jobs: list[dict[str, Any]], common: Mapping[str, Any], progress: bool | None) -> Ensemble:
    """Train the networks of checked jobs.

    Parameters
    ----------
    jobs, common
        As `fastmlp.jobs.checked_jobs` returns them.
    progress : bool or None
        As in `fastmlp.fit_many`.
    """
    import joblib

    backend, _ = joblib.parallel.get_active_backend(prefer="threads")
    # Threads see the flag of Ctrl-C and stop training. Processes do not see it; joblib ends them.
    interrupt = Interrupt() if getattr(backend, "supports_sharedmem", False) else None
    if interrupt is not None:
        interrupt.defer()
    results: dict[int, Result] = {}
    failure: BaseException | None = None
    with interrupt or nullcontext(), Activity(progress) as activity, progress_bar(len(jobs), 0, progress, "net") as bar:
        activity.begin("training the first net")
        try:
            for done in _results_of_tasks(jobs, common, interrupt, backend):
                results |= done
                activity.end()
                bar.update(len(done))
        except (Exception, KeyboardInterrupt) as error:
            if not results:
                raise
            failure = error
    if interrupt is not None and interrupt.requested:
        if not results:
            raise KeyboardInterrupt
        failure = KeyboardInterrupt()
    if failure is not None:
        reason = "Ctrl-C" if isinstance(failure, KeyboardInterrupt) else f"{type(failure).__name__}: {failure}"
        text = f"fit_many was stopped by {reason}; the {len(results)} finished nets of {len(jobs)} are returned."
        warnings.warn(text, RuntimeWarning, stacklevel=3)
        if not isinstance(failure, KeyboardInterrupt):  # the nets were trained, but their results are lost
            missing = [i for i in range(len(jobs)) if i not in results]
            results |= {i: RuntimeError(f"Net {i} was not finished because of {reason}.") for i in missing}
    ordered = [results.get(i) for i in range(len(jobs))]
    return Ensemble(
        tuple(result if isinstance(result, Model) else None for result in ordered),
        {i: result for i, result in enumerate(ordered) if isinstance(result, Exception)},
    )


def _results_of_tasks(
    jobs: list[dict[str, Any]], common: Mapping[str, Any], interrupt: Interrupt | None, backend: Any
) -> Iterator[dict[int, Result]]:
    """Train the networks and yield the results of each task when it is done."""
    import joblib

    _, n_jobs = joblib.parallel.get_active_backend()  # joblib loses it where it falls back on threads
    n_jobs = -1 if n_jobs is None else n_jobs
    size = int(np.clip(len(jobs) // (TASKS_PER_WORKER * joblib.effective_n_jobs(n_jobs)), 1, MAX_PER_TASK))
    numbered = list(enumerate(jobs))
    tasks = (
        joblib.delayed(_train_task)(numbered[first : first + size], common, interrupt)
        for first in range(0, len(numbered), size)
    )
    # Ray and multiprocessing return everything at the end.
    return_as = "generator_unordered" if getattr(backend, "supports_return_generator", False) else "list"
    # Kernels release the interpreter's lock, so threads are as fast as processes, and they share data and kernels.
    yield from joblib.Parallel(n_jobs=n_jobs, prefer="threads", return_as=return_as)(tasks)


def _train_task(
    numbered: list[tuple[int, dict[str, Any]]], common: Mapping[str, Any], interrupt: Interrupt | None
) -> dict[int, Result]:
    """Train the networks of some jobs and return the results by their numbers; Ctrl-C ends it early."""
    results: dict[int, Result] = {}
    for job, rngs in _jobs_with_their_rngs(numbered):
        if _is_requested(interrupt):
            break
        # With the lock, a caller's function that trains networks in other threads and waits for them would deadlock.
        calls_back = any(callable(job.get(name, common.get(name))) for name in ("lr", "callback"))
        try:
            with nullcontext() if calls_back else _small_nets_lock:
                config = job_config(job, common)
        except Exception as error:  # noqa: BLE001 - the other networks are trained after any error
            results |= dict.fromkeys(rngs, _without_traceback(error))
            continue
        seeds = {i: rng for i, rng in rngs.items() if isinstance(rng, int | np.random.SeedSequence | None)}
        results |= train_in_batches(config, seeds, lambda: _is_requested(interrupt))
        lock: AbstractContextManager[Any] = _small_nets_lock if _is_small(config) and not calls_back else nullcontext()
        with lock:
            results |= _train_singly(config, {i: rng for i, rng in rngs.items() if i not in results}, interrupt)
    return results


def _jobs_with_their_rngs(numbered: list[tuple[int, dict[str, Any]]]) -> list[tuple[dict[str, Any], dict[int, Any]]]:
    """Group equal jobs: return each job without `rng`, and the `rng` of its networks by their numbers."""
    groups: dict[Any, tuple[dict[str, Any], dict[int, Any]]] = {}
    for i, job in numbered:
        own = dict(job)
        rng = own.pop("rng")
        try:
            key: Any = frozenset((name, type(value), value) for name, value in own.items())
        except TypeError:  # arrays are not compared; such a job is a group of its own
            key = i
        groups.setdefault(key, (own, {}))[1][i] = rng
    return list(groups.values())


def _train_singly(config: FitConfig, rngs: Mapping[int, Any], interrupt: Interrupt | None) -> dict[int, Result]:
    """Train networks of one configuration one by one."""
    results: dict[int, Result] = {}
    callback = config.callback if interrupt is None else _interruptible(interrupt, config.callback)
    config = replace(config, keeps_state=False)
    for i, rng in rngs.items():
        if _is_requested(interrupt):
            break
        try:
            own = replace(config, rng=checks.generator("rng", rng), is_seeded=rng is not None, callback=callback)
            model = train(own)
        except Exception as error:  # noqa: BLE001 - as above
            results[i] = _without_traceback(error)
            continue
        assert model.info is not None
        if not _is_requested(interrupt) or model.info.stop_reason != "callback":
            results[i] = model
    return results


def _is_small(config: FitConfig) -> bool:
    """Return whether the kernel of a network takes no longer than its Python code, and nothing else takes long."""
    n_in, n_hidden, n_out = config.architecture[:3]
    n_samples = len(config.data.x)
    size = n_samples + n_hidden if config.algorithm == "univariate" else n_samples * n_hidden * n_in
    is_delayed = config.validation is not None or config.checkpoint is not None
    return not is_delayed and (config.epochs + PREPARATION_EPOCHS) * size * n_out < MAX_SMALL_WORK


def _is_requested(interrupt: Interrupt | None) -> bool:
    return interrupt is not None and interrupt.requested


def _interruptible(
    interrupt: Interrupt, callback: Callable[[CallbackInfo], bool | None] | None
) -> Callable[[CallbackInfo], bool | None]:
    """Return a callback that stops a fit on Ctrl-C, or when the caller's callback does."""

    def stops(info: CallbackInfo) -> bool | None:
        return interrupt.requested or (callback is not None and callback(info))

    return stops


def _without_traceback(error: Exception) -> Exception:
    """Return an error without its traceback, which would keep all variables of its frames in memory."""
    return error.with_traceback(None)

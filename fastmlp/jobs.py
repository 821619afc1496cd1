"""The jobs of `fastmlp.fit_many`: their checks, and the random numbers of each."""

from __future__ import annotations

import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from fastmlp import checks
from fastmlp.pipeline import configured
from fastmlp.starting.config import FitConfig
from fastmlp.starting.options import FitOptions

ARGUMENTS = {"x", "y", *(field.name for field in fields(FitOptions))} - {"progress"}
NEEDS_RECORDS = ("validation", "patience")  # options that use the recorded errors


def checked_jobs(
    x: object, y: object, jobs: object, options: FitOptions
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Check the arguments of `fastmlp.fit_many`.

    Returns
    -------
    jobs : list of dict
        For each network, the arguments of its job and its `rng`.
    common : dict
        The arguments common to all networks, with x and y but without `rng`.
    """
    own = _mappings(jobs)
    # An iterator is consumed once but needed for every network.
    shared = {name: tuple(value) if isinstance(value, Iterator) else value for name, value in vars(options).items()}
    shared |= {"x": x, "y": y}
    for name in ("x", "y"):
        missing = [i for i, job in enumerate(own) if shared[name] is None and name not in job]
        if missing:
            got = f"None and no {name} in job {missing[0]}"
            raise ValueError(checks.wording(name, "given, or part of every job", got))
    _require_separate_generators(own)
    seeds = _seeds(shared.pop("rng"), len(own))
    # Common options may be valid only together with a job: nesterov=True if each job has its momentum.
    refusal = _refusal({}, shared) if x is not None and y is not None else None
    if refusal is not None and own and str(_refusal(own[0], shared)) == str(refusal):
        raise refusal
    return [{"rng": seed, **job} for seed, job in zip(seeds, own, strict=True)], shared


def job_config(job: Mapping[str, Any], common: Mapping[str, Any]) -> FitConfig:
    """Return the configuration of one network; raise the errors of `fastmlp.fit`."""
    arguments = {**common, **job, "progress": False}
    x, y = arguments.pop("x"), arguments.pop("y")
    if arguments["threads"] is None:
        arguments["threads"] = (
            1  # the other cores train other networks, and the number of threads changes the last bits
        )
    if all(arguments[name] is None for name in ("record_every", *NEEDS_RECORDS)):
        arguments["record_every"] = arguments["epochs"]
    return configured(x, y, FitOptions(**arguments))


def _mappings(jobs: object) -> list[dict[str, Any]]:
    """Check that the jobs are mappings of arguments of `fastmlp.fit`."""
    rule = "an iterable of mappings of arguments of fastmlp.fit"
    if isinstance(jobs, (str, Mapping)) or not isinstance(jobs, Iterable):
        raise TypeError(checks.wording("jobs", rule, repr(jobs)))
    own = []
    for i, job in enumerate(jobs):
        if not isinstance(job, Mapping):
            raise TypeError(checks.wording(f"jobs[{i}]", "a mapping of arguments of fastmlp.fit", repr(job)))
        for key in job:
            if key not in ARGUMENTS:
                rule = "a mapping of arguments of fastmlp.fit other than progress"
                raise TypeError(checks.wording(f"jobs[{i}]", rule, f"the key {key!r}"))
        own.append(dict(job))
    return own


def _require_separate_generators(own: Iterable[Mapping[str, Any]]) -> None:
    """Refuse a generator that several jobs share: their random numbers would depend on the order of training."""
    first: dict[int, int] = {}
    for i, job in enumerate(own):
        rng = job.get("rng")
        if isinstance(rng, np.random.Generator | np.random.BitGenerator | np.random.RandomState):
            if id(rng) in first:
                rule = "a seed, or a Generator that no other job has"
                remedy = "Pass rng to fit_many instead. Each net then gets its own random numbers."
                raise ValueError(checks.wording(f"jobs[{i}] rng", rule, f"that of jobs[{first[id(rng)]}]", remedy))
            first[id(rng)] = i


def _seeds(rng: Any, n: int) -> Iterable[np.random.SeedSequence | None]:
    """Return the seed of each of n jobs, which depends on `rng` and on the index of the job; None is fresh entropy."""
    generator = checks.generator("rng", rng)
    if rng is None:
        return [None] * n
    if not isinstance(rng, numbers.Integral | Sequence | np.ndarray | np.random.SeedSequence):
        source: Any = generator.bit_generator.seed_seq
        if source is not None:
            return list(source.spawn(n))
        rng = generator.integers(2**32, size=4)  # a generator that was seeded without a SeedSequence
    parent = rng if isinstance(rng, np.random.SeedSequence) else np.random.SeedSequence(rng)
    return (np.random.SeedSequence(parent.entropy, spawn_key=(*parent.spawn_key, i)) for i in range(n))


def _refusal(job: Mapping[str, Any], common: Mapping[str, Any]) -> Exception | None:
    """Return the error of the arguments of one network, if there is one."""
    try:
        job_config({name: value for name, value in job.items() if name != "rng"}, common)
    except (TypeError, ValueError, MemoryError) as error:
        return error.with_traceback(None)
    return None

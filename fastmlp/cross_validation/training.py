"""Where nets are trained: in threads of this process, or by the workers of the active joblib backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fastmlp.engines.engine import Weights
from fastmlp.engines.net_batches.batch import NetSet, TableRows, TrainedNets, train


class Trainer:
    """Trains sets of nets; the progress bar counts them.

    The result does not depend on the number of threads or workers, because one thread trains each net.
    """

    def __init__(self, threads: int | None, bar: Any) -> None:
        self._threads = threads
        self._bar = bar

    def __call__(self, tables: Sequence[TableRows], nets: NetSet) -> TrainedNets:
        """Train nets on some tables."""
        import joblib

        backend, n_jobs = joblib.parallel.get_active_backend(prefer="threads")
        if getattr(backend, "supports_sharedmem", False):
            n_threads = self._threads or _default_threads(n_jobs)
            trained = train(tables, nets, n_threads)
        else:
            trained = _train_by_workers(tables, nets, self._threads or 1)
        self._bar.update(len(nets.table))
        return trained


def _default_threads(n_jobs: int | None) -> int:
    """Return how many threads train nets by default, for the number of jobs that joblib's configuration names."""
    import joblib

    from fastmlp.compiled.threads import may_use_all_cores, usable_cores

    if n_jobs not in (None, 1):
        return int(joblib.effective_n_jobs(n_jobs))
    return usable_cores() if may_use_all_cores() else 1


def _train_by_workers(tables: Sequence[TableRows], nets: NetSet, n_threads: int) -> TrainedNets:
    """Train nets by the workers of joblib's active backend, each some of them."""
    import joblib

    _, n_jobs = joblib.parallel.get_active_backend()
    n_workers = max(1, joblib.effective_n_jobs(-1 if n_jobs is None else n_jobs))
    parts = np.array_split(np.arange(len(nets.table)), min(n_workers, len(nets.table)))
    tasks = []
    for part in parts:
        used, table = np.unique(nets.table[part], return_inverse=True)
        own = NetSet(Weights(*(w[part] for w in nets.weights)), table, nets.decay[part])
        tasks.append(joblib.delayed(train)([tables[k] for k in used], own, n_threads))
    results = joblib.Parallel(n_jobs=n_workers)(tasks)
    weights = Weights(*(np.concatenate(stacks) for stacks in zip(*(result.weights for result in results), strict=True)))
    return TrainedNets(weights, np.concatenate([result.n_steps for result in results]))

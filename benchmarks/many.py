"""Measure the overhead of a net in `fastmlp.fit_many`: python -m benchmarks.many.

The table shows the time of a net that is trained for 1,000 epochs and for one epoch. The time for one epoch is the
overhead. The nets have six samples. Nets with 16 units are trained together by prefix sums, and nets with 64 units one
by one.
"""

from __future__ import annotations

import argparse
import contextlib
import time
from collections.abc import Iterator, Sequence
from functools import partial

import joblib
import numpy as np

import fastmlp

X = np.array([-1.0, -0.5, -0.2, 0.3, 0.6, 1.0])
Y = np.array([-1.0, 2.0, -1.0, 1.0, -2.0, 1.0])
SETTINGS = {"lr": 1e-3, "init": "he", "rng": 0}
NETS = {16: 10_000, 64: 500}
ROUNDS = 3


def seconds(hidden: int, epochs: int, **settings: object) -> float:
    """Return the shortest time of a net over a few rounds, in seconds."""
    jobs: list[dict[str, object]] = [{}] * NETS[hidden]
    least = np.inf
    for _ in range(ROUNDS):
        started = time.perf_counter()
        ensemble = fastmlp.fit_many(X, Y, jobs, hidden=hidden, epochs=epochs, **settings)
        least = min(least, time.perf_counter() - started)
        assert not ensemble.failures
    return least / len(jobs)


@contextlib.contextmanager
def dask() -> Iterator[None]:
    """Train in two worker processes of Dask."""
    import distributed

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        yield


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    # Made where it is entered: parallel_config takes effect when it is made.
    places = {
        "one thread": partial(joblib.parallel_config, n_jobs=1),
        "two threads": partial(joblib.parallel_config, n_jobs=2),
        "two processes (loky)": partial(joblib.parallel_config, "loky", n_jobs=2),
        "two processes (Dask)": dask,
    }
    print("| where | hidden units | us per net, 1,000 epochs | us per net, one epoch |\n| --- | --- | --- | --- |")
    for place, configured in places.items():
        with configured():
            for hidden in NETS:
                seconds(hidden, 1, **SETTINGS)
                trained, untrained = (seconds(hidden, epochs, **SETTINGS) for epochs in (1000, 1))
                print(f"| {place} | {hidden} | {trained * 1e6:.0f} | {untrained * 1e6:.0f} |", flush=True)
    joblib.externals.loky.get_reusable_executor().shutdown()
    with joblib.parallel_config(n_jobs=1):
        automatic = seconds(16, 1, rng=0)
    print(f"With the automatic rate and one thread, a net with 16 units takes {automatic * 1e6:.0f} us for one epoch.")


if __name__ == "__main__":
    main()

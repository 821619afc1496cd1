"""Numbers that depend little on the machine and its load. Smaller is better.

`make bench-compare` fails if one of them grows beyond a threshold.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from functools import partial

import numpy as np

from benchmarks.peak import multiply_adds_per_second
from benchmarks.workloads import DTYPES, SEVERAL_INPUTS, OverWorkloads

ROUND_SECONDS = 0.02
LEAST_ROUNDS, MOST_ROUNDS, ENOUGH_SECONDS = 3, 20, 1.5


class AgainstNumpy(OverWorkloads):
    """Time per epoch, divided by the time of the report's NumPy loop in the same process and dtype."""

    unit = "x NumPy's time"

    def setup(self, name, dtype):
        """Compile the kernels, and prepare the data of the NumPy loop."""
        super().setup(name, dtype)
        training = self.training
        self.numpy_arguments = (
            np.column_stack([training.x, np.ones(len(training.x), training.x.dtype)]),
            training.y,
            np.vstack([training.w1, training.b1]),
            training.w2,
            training.lr,
        )

    def track_time_over_numpy(self, name, dtype):
        """Return the ratio of the shortest times; other load on the machine can only lengthen a time."""
        from numpy_loop import report_loop

        def numpy_seconds(epochs):
            started = time.perf_counter()
            report_loop(*self.numpy_arguments, epochs)
            return (time.perf_counter() - started) / epochs

        epochs = max(1, int(ROUND_SECONDS / numpy_seconds(1)))
        shortest, numpy_shortest = shortest_rounds(
            partial(seconds_per_epoch, self.training), partial(numpy_seconds, epochs)
        )
        return shortest / numpy_shortest

    track_time_over_numpy.pretty_name = "time over that of the report's NumPy loop"


class AgainstPeak(OverWorkloads):
    """Time per epoch, divided by the time of its multiply-adds at the peak of one core."""

    params = (list(SEVERAL_INPUTS), list(DTYPES))
    unit = "x the time at the peak"

    def track_time_over_peak(self, name, dtype):
        """Return the ratio for the shortest time, because the peak is also the best of many measurements."""
        (shortest,) = shortest_rounds(partial(seconds_per_epoch, self.training))
        return shortest * multiply_adds_per_second(np.dtype(dtype).type) / self.training.workload.multiply_adds

    track_time_over_peak.pretty_name = "time over that at the multiply-add peak"


class Accuracy(OverWorkloads):
    """RMSE at the end of a workload; a faster version must not change it."""

    unit = "RMSE"

    def track_rmse(self, name, dtype):
        """Return the RMSE at the end."""
        return float(self.training.fit(self.training.workload.epochs).history.rmse[-1])

    track_rmse.pretty_name = "RMSE at the end"


class Compilations:
    """Number of functions that the first fit of a process compiles with an empty cache."""

    params = ([1, 8], list(DTYPES))
    param_names = ("inputs", "dtype")
    unit = "functions"
    timeout = 300

    def track_compilations(self, n_in, dtype):
        """Count the events of the compiler in a separate process; a second fit must compile nothing."""
        code = f"""
import numpy as np, fastmlp
from numba.core.event import install_recorder
with install_recorder("numba:compile") as recorder:
    for hidden in (1000, 1010):  # of one size of work: a larger one compiles the product for the automatic rate
        x = np.random.default_rng(0).normal(size=(hidden // 10, {n_in})).astype({dtype!r})
        fastmlp.fit(x, x[:, 0], hidden=hidden, epochs=10, rng=0, progress=False)
        print(sum(event.is_end for _, event in recorder.buffer))
"""
        with tempfile.TemporaryDirectory() as cache:
            environment = os.environ | {"NUMBA_CACHE_DIR": cache}
            done = subprocess.run([sys.executable, "-c", code], env=environment, check=True, stdout=subprocess.PIPE)
        first, both = (int(count) for count in done.stdout.split())
        if both != first:
            raise AssertionError(f"a second fit compiled {both - first} functions more")
        return first

    track_compilations.pretty_name = "functions that a first fit compiles"
    # Earlier commits keep their results: a second size of 1200 instead of 1010 compiled nothing more there either.
    track_compilations.version = "ccef7584242df85cffe976f61fe4d45430383fb676e27d1be93443af0de2b8cf"


def shortest_rounds(*timed):
    """Call measuring functions in turn for several rounds; return the smallest result of each function."""
    rounds, started = [], time.perf_counter()
    while len(rounds) < LEAST_ROUNDS or (len(rounds) < MOST_ROUNDS and time.perf_counter() - started < ENOUGH_SECONDS):
        rounds.append([measure() for measure in timed])
    return [min(column) for column in zip(*rounds, strict=True)]


def seconds_per_epoch(training):
    """Time one fit of the workload."""
    started = time.perf_counter()
    training.fit(training.workload.epochs)
    return (time.perf_counter() - started) / training.workload.epochs

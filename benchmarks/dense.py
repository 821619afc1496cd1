"""Time the dense engine and compare it with the peak of the processor and with JAX, on fixed and on random shapes.

The floor of an epoch is the time of its multiply-adds at the peak of the cores in use. An epoch has 2 n_in + 3 n_out
multiply-adds for each sample and unit. The engine and the peak are measured in turns. Other load on the machine can
only lengthen a run, so the table shows a low percentile of many short runs.

    python -m benchmarks.dense
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec

import numpy as np

from benchmarks.conditions import conditions
from benchmarks.peak import seconds_per_multiply_add
from benchmarks.rivals import FloatArray, Task, Trainer, jax_scan
from fastmlp.compiled.threads import usable_cores
from fastmlp.engines.dense.choice import dense_engine, worthwhile_threads
from fastmlp.engines.engine import Problem, Rates, Record, Settings, Shape, Weights

# n_in, n_hidden, n_samples, n_out
SHAPES = [
    (2, 64, 256, 1),
    (4, 32, 10_000, 1),
    (8, 256, 1000, 1),
    (16, 100, 1000, 1),
    (16, 1000, 5000, 1),
    (32, 512, 2000, 1),
    (64, 1024, 10_000, 1),
    (8, 256, 1000, 10),
    (512, 256, 1000, 1),
]
N_RANDOM = 2  # random shapes, the same in every run
LR = 1e-4
SECONDS = 3.0  # for each shape, dtype and comparison
PERCENTILE = 15  # of the times of short runs
RUN_SECONDS = 0.001  # short, so that some runs are not interrupted by other processes
THREADS_SECONDS = 0.02  # much longer than starting the threads of JAX or fastmlp takes


def random_shapes() -> list[tuple[int, int, int, int]]:
    """Return shapes with 1 to 100 inputs; the logarithms of the sizes are uniform."""
    rng = np.random.default_rng(0)
    least, most = np.log([(1, 20, 200, 1), (100, 1000, 10_000, 20)])
    shapes = np.exp(rng.uniform(least, most, (N_RANDOM, 4))).astype(int)
    return [tuple(int(size) for size in shape) for shape in shapes]  # type: ignore[misc]


def start(shape: tuple[int, int, int, int], dtype: type) -> Task:
    """Return random x, y and initial weights, the same in every run."""
    n_in, n_hidden, n_samples, n_out = shape
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n_samples, n_in)).astype(dtype), rng.normal(size=(n_samples, n_out)).astype(dtype)
    w1 = rng.normal(size=(n_in, n_hidden)) / np.sqrt(n_in)
    w2 = rng.normal(size=(n_hidden, n_out)) / np.sqrt(n_hidden)
    weights = (w1, rng.normal(size=n_hidden), w2, np.zeros(n_out))
    return Task(x, y, Weights(*(w.astype(dtype) for w in weights)), LR)


def trainer(task: Task, threads: int | None = None) -> Trainer:
    """Return a function that trains with the dense engine; by default, with as many threads as `fit` uses."""
    n_in, n_out = task.x.shape[1], task.y.shape[1]
    problem = Problem(task.x, task.y, np.full(len(task.x), 1 / len(task.x), task.x.dtype))
    shape = Shape(len(task.x), n_in, task.weights.b1.size, n_out)
    settings = Settings(
        Rates(task.lr, task.lr, task.lr, 0.0), threads=threads or worthwhile_threads(shape, None, usable_cores())
    )
    engine = dense_engine(n_in, n_out)(problem, task.weights, settings)

    def train(epochs: int) -> FloatArray:
        record = Record.empty(epochs, n_out)
        engine.advance(epochs, record)
        return np.sqrt(record.squared_error[:-1].mean(axis=1))

    return train


def seconds_per_epoch(train: Trainer, n_epochs: int) -> float:
    """Return the time of a run, divided by its epochs."""
    started = time.perf_counter()
    train(n_epochs)
    return (time.perf_counter() - started) / n_epochs


def alternate(*runs: Callable[[], float]) -> list[float]:
    """Call the functions in turns for SECONDS; return the PERCENTILE of the results of each function."""
    times = []
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS or len(times) < 9:
        times.append([run() for run in runs])
    return list(np.percentile(times, PERCENTILE, axis=0))


def against_peak(shape: tuple[int, int, int, int], dtype: type) -> tuple[float, float, float]:
    """Return the seconds per epoch of the floor, of one thread, and of as many threads as `fit` uses."""
    n_in, n_hidden, n_samples, n_out = shape
    work = (2 * n_in + 3 * n_out) * n_hidden * n_samples
    task = start(shape, dtype)
    alone, together = trainer(task, 1), trainer(task)
    seconds_per_multiply_add(dtype)  # compiles
    floor = work * seconds_per_multiply_add(dtype)
    n_epochs = max(1, int(RUN_SECONDS / floor))
    n_together = max(1, int(THREADS_SECONDS / floor))
    floor, one, every = alternate(
        lambda: work * seconds_per_multiply_add(dtype),
        lambda: seconds_per_epoch(alone, n_epochs),
        lambda: seconds_per_epoch(together, n_together),
    )
    return floor, one, every


def over_jax(shape: tuple[int, int, int, int], dtype: type) -> float:
    """Return the time of JAX divided by the time of fastmlp, or NaN if JAX is not installed."""
    if not find_spec("jax"):
        return np.nan
    both = [make(start(shape, dtype)) for make in (trainer, jax_scan)]
    runs = []
    for train in both:
        train(5)
        n_epochs = max(3, int(THREADS_SECONDS / seconds_per_epoch(train, 5)))
        train(n_epochs)  # JAX compiles anew for each number of epochs
        runs.append(partial(seconds_per_epoch, train, n_epochs))
    fastmlp_seconds, jax_seconds = alternate(*runs)
    return jax_seconds / fastmlp_seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args(arguments)
    heads = [
        "inputs, hidden, samples, outputs",
        "dtype",
        "floor, us",
        "one thread, us",
        "of a peak",
        "threads",
        "all, us",
    ]
    heads += ["of their peaks", "JAX over all"]
    print(f"| {' | '.join(heads)} |\n| --- | --- |{' ---: |' * (len(heads) - 2)}")
    for shape in SHAPES + random_shapes():
        n_threads = worthwhile_threads(Shape(shape[2], shape[0], shape[1], shape[3]), None, usable_cores())
        for dtype in (np.float32, np.float64):
            floor, one, every = against_peak(shape, dtype)
            cells = [
                ", ".join(f"{n:,}" for n in shape),
                np.dtype(dtype).name,
                f"{1e6 * floor:,.1f}",
                f"{1e6 * one:,.1f}",
                f"{floor / one:.0%}",
                str(n_threads),
                f"{1e6 * every:,.1f}",
                f"{floor / n_threads / every:.0%}",
                f"{over_jax(shape, dtype):.1f}",
            ]
            print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\n{conditions()}")


if __name__ == "__main__":
    main()

"""Time the dense engine against its floor and against JAX, in one process, on the shapes of its design and two drawn.

The floor is the multiply-adds of an epoch, 2 n_in + 3 n_out per sample and unit, over the peak of one core, measured in
turns with them; for several threads over as many peaks. On a shared machine the slow runs are the machine's, so the
fast end of many short runs is shown.

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
N_DRAWN = 2  # shapes drawn at random, but the same in every run
LR = 1e-4
SECONDS = 3.0  # for each shape, dtype and rival
FAST_END = 15  # percentile of the times of short runs
RUN_SECONDS = 0.001  # short, so that some runs escape whoever else uses the core
THREADS_SECONDS = 0.02  # much longer than the call that starts the threads, of JAX or of fastmlp


def drawn_shapes() -> list[tuple[int, int, int, int]]:
    """Return shapes drawn evenly by their logarithms, of 1 to 100 inputs."""
    rng = np.random.default_rng(0)
    least, most = np.log([(1, 20, 200, 1), (100, 1000, 10_000, 20)])
    shapes = np.exp(rng.uniform(least, most, (N_DRAWN, 4))).astype(int)
    return [tuple(int(size) for size in shape) for shape in shapes]  # type: ignore[misc]


def start(shape: tuple[int, int, int, int], dtype: type) -> Task:
    """Return seeded noise to learn from noise, and a start."""
    n_in, n_hidden, n_samples, n_out = shape
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n_samples, n_in)).astype(dtype), rng.normal(size=(n_samples, n_out)).astype(dtype)
    w1 = rng.normal(size=(n_in, n_hidden)) / np.sqrt(n_in)
    w2 = rng.normal(size=(n_hidden, n_out)) / np.sqrt(n_hidden)
    weights = (w1, rng.normal(size=n_hidden), w2, np.zeros(n_out))
    return Task(x, y, Weights(*(w.astype(dtype) for w in weights)), LR)


def trainer(task: Task, threads: int | None = None) -> Trainer:
    """Return what trains the dense engine for a number of epochs, in the threads given or those that `fit` takes."""
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
    """Time one training."""
    started = time.perf_counter()
    train(n_epochs)
    return (time.perf_counter() - started) / n_epochs


def alternate(*runs: Callable[[], float]) -> list[float]:
    """Take turns for a while and return the fast end of what each returned."""
    times = []
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS or len(times) < 9:
        times.append([run() for run in runs])
    return list(np.percentile(times, FAST_END, axis=0))


def against_peak(shape: tuple[int, int, int, int], dtype: type) -> tuple[float, float, float]:
    """Return the seconds per epoch of the floor, of one thread and of all, in turns."""
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
    """Return how many times longer JAX takes, or NaN where it is not installed, in turns long for its threads."""
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
    for shape in SHAPES + drawn_shapes():
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

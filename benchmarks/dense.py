"""Time the dense engine against its floor and against JAX, in one process, on the shapes of its design.

The floor is the multiply-adds of an epoch, 2 n_in + 3 n_out per sample and unit, over the peak of one core, measured in
turns with them. On a shared machine the slow runs are the machine's, so the fast end of many short runs is shown.

    python -m benchmarks.dense
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec

import numpy as np

from benchmarks.conditions import conditions
from benchmarks.peak import seconds_per_multiply_add
from benchmarks.rivals import FloatArray, Task, Trainer, jax_scan
from fastmlp.dense.engine import dense_engine
from fastmlp.engine import Problem, Rates, Record, Settings, Weights

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
LR = 1e-4
SECONDS = 3.0  # for each shape, dtype and rival
FAST_END = 15  # percentile of the times of short runs
RUN_SECONDS = 0.001  # short, so that some runs escape whoever else uses the core
JAX_SECONDS = 0.02  # much longer than the call that starts it


def start(shape: tuple[int, int, int, int], dtype: type) -> Task:
    """Return seeded noise to learn from noise, and a start."""
    n_in, n_hidden, n_samples, n_out = shape
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n_samples, n_in)).astype(dtype), rng.normal(size=(n_samples, n_out)).astype(dtype)
    w1 = rng.normal(size=(n_in, n_hidden)) / np.sqrt(n_in)
    w2 = rng.normal(size=(n_hidden, n_out)) / np.sqrt(n_hidden)
    weights = (w1, rng.normal(size=n_hidden), w2, np.zeros(n_out))
    return Task(x, y, Weights(*(w.astype(dtype) for w in weights)), LR)


def trainer(task: Task) -> Trainer:
    """Return what trains the dense engine for a number of epochs."""
    n_in, n_out = task.x.shape[1], task.y.shape[1]
    problem = Problem(task.x, task.y, np.full(len(task.x), 1 / len(task.x), task.x.dtype))
    engine = dense_engine(n_in, n_out)(problem, task.weights, Settings(Rates(task.lr, task.lr, task.lr, 0.0)))

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


def against_peak(shape: tuple[int, int, int, int], dtype: type) -> tuple[float, float]:
    """Return the seconds per epoch of the floor and of fastmlp, in turns of about a millisecond."""
    n_in, n_hidden, n_samples, n_out = shape
    work = (2 * n_in + 3 * n_out) * n_hidden * n_samples
    train = trainer(start(shape, dtype))
    seconds_per_multiply_add(dtype)  # compiles
    n_epochs = max(1, int(RUN_SECONDS / (work * seconds_per_multiply_add(dtype))))
    floor, fastmlp_seconds = alternate(
        lambda: work * seconds_per_multiply_add(dtype), lambda: seconds_per_epoch(train, n_epochs)
    )
    return floor, fastmlp_seconds


def over_jax(shape: tuple[int, int, int, int], dtype: type) -> float:
    """Return how many times longer JAX takes, or NaN where it is not installed, in turns long for its threads."""
    if not find_spec("jax"):
        return np.nan
    both = [make(start(shape, dtype)) for make in (trainer, jax_scan)]
    runs = []
    for train in both:
        train(5)
        n_epochs = max(3, int(JAX_SECONDS / seconds_per_epoch(train, 5)))
        train(n_epochs)  # JAX compiles anew for each number of epochs
        runs.append(partial(seconds_per_epoch, train, n_epochs))
    fastmlp_seconds, jax_seconds = alternate(*runs)
    return jax_seconds / fastmlp_seconds


def main() -> None:
    """Print the table."""
    print("| inputs, hidden, samples, outputs | dtype | floor, us | fastmlp, us | of the peak | JAX over fastmlp |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for shape in SHAPES:
        for dtype in (np.float32, np.float64):
            floor, fastmlp_seconds = against_peak(shape, dtype)
            times = f"{1e6 * floor:,.1f} | {1e6 * fastmlp_seconds:,.1f} | {floor / fastmlp_seconds:.0%}"
            name = f"{', '.join(f'{n:,}' for n in shape)} | {np.dtype(dtype).name}"
            print(f"| {name} | {times} | {over_jax(shape, dtype):.1f} |", flush=True)
    print(f"\n{conditions()}")


if __name__ == "__main__":
    main()

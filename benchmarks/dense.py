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

from benchmarks.against_numpy import LR, start
from benchmarks.conditions import conditions
from benchmarks.univariate_rivals import jax_loop
from fastmlp.compiling import exact, njit
from fastmlp.dense.engine import dense_engine
from fastmlp.engine import Rates, Record
from fastmlp.vectors import fma, lanes, load, store, vectors

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
CHAINS = 12  # of dependent multiply-adds: more than the 8 that two units of 4 cycles each have under way
PEAK_ROUNDS = 150_000  # a third of a millisecond
SECONDS = 3.0  # for each shape, dtype and rival
FAST_END = 15  # percentile of the times of short runs
RUN_SECONDS = 0.001  # short, so that some runs escape whoever else uses the core
JAX_SECONDS = 0.02  # much longer than the call that starts it


@exact
def chains(values, n_rounds):  # type: ignore[no-untyped-def]
    """Run CHAINS vectors of values through multiply-adds that need nothing from memory; values are overwritten."""
    sums = vectors(values, 12)
    factor = load(values, (0,))
    for chain in range(CHAINS):
        sums[chain] = load(values, (chain * lanes(values),))
    for _ in range(n_rounds):
        for chain in range(CHAINS):
            sums[chain] = fma(sums[chain], factor, factor)
    for chain in range(CHAINS):
        store(values, (chain * lanes(values),), sums[chain])
    return CHAINS * lanes(values) * n_rounds


@njit
def multiply_adds(values, n_rounds):  # type: ignore[no-untyped-def]
    """Return how many multiply-adds were done."""
    return chains(values, n_rounds)


def seconds_per_multiply_add(dtype: type) -> float:
    """Measure the peak of this core once."""
    values = np.full(1024, 0.5, dtype)
    started = time.perf_counter()
    n_done = multiply_adds(values, PEAK_ROUNDS)
    return (time.perf_counter() - started) / float(n_done)


def trainer(shape: tuple[int, int, int, int], dtype: type) -> Callable[[int], None]:
    """Return what trains the dense engine for a number of epochs."""
    engine = dense_engine(shape[0], shape[3])(*start(shape, dtype), Rates(LR, LR, LR, 0.0), 0.0)

    def train(n_epochs: int) -> None:
        engine.advance(n_epochs, Record.empty(n_epochs, shape[3]))

    return train


def jax_trainer(shape: tuple[int, int, int, int], dtype: type) -> Callable[[int], None]:
    """Return what trains the same net, its biases as the weights of an input of ones, with JAX on all cores."""
    problem, weights = start(shape, dtype)
    x = np.column_stack([problem.x, np.ones(len(problem.x), dtype)])
    w1 = np.vstack([weights.w1, weights.b1])

    def train(n_epochs: int) -> None:
        jax_loop(0.0)(x, problem.y, w1, weights.w2, LR, n_epochs)

    return train


def seconds_per_epoch(train: Callable[[int], None], n_epochs: int) -> float:
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
    train = trainer(shape, dtype)
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
    both = [train(shape, dtype) for train in (trainer, jax_trainer)]
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

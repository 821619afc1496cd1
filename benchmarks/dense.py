"""Time the dense engine against its floor and against JAX, interleaved in one process, on the shapes of its design.

The floor is the multiply-adds of an epoch, 2 n_in + 3 n_out per sample and unit, over the peak of one core, measured
beside them. On a shared machine the slow runs are the machine's, so the fast end of the short runs is shown.

    python -m benchmarks.dense
"""

from __future__ import annotations

import time
from collections.abc import Callable
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
JAX_SECONDS = 0.01  # much longer than the call that starts it
SPIN_SECONDS = 0.02  # for which JAX's threads go on waiting for work, and take it from others


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


def multiply_adds_per_second(dtype: type) -> float:
    """Measure the peak of this core once."""
    values = np.full(1024, 0.5, dtype)
    started = time.perf_counter()
    return float(multiply_adds(values, PEAK_ROUNDS) / (time.perf_counter() - started))


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


def measure(shape: tuple[int, int, int, int], dtype: type) -> tuple[float, float, float]:
    """Return the seconds per epoch of the floor, of fastmlp, and of JAX (NaN where it is not installed)."""
    n_in, n_hidden, n_samples, n_out = shape
    work = (2 * n_in + 3 * n_out) * n_hidden * n_samples
    multiply_adds_per_second(dtype)  # compiles
    n_epochs = max(1, int(RUN_SECONDS * multiply_adds_per_second(dtype) / work))
    trainers = [(trainer(shape, dtype), n_epochs)]
    if find_spec("jax"):
        train = jax_trainer(shape, dtype)
        train(5)
        n_epochs = max(3, int(JAX_SECONDS / seconds_per_epoch(train, 5)))
        train(n_epochs)  # JAX compiles anew for each number of epochs
        trainers.append((train, n_epochs))
    peaks, times = [], []
    started = time.perf_counter()
    while time.perf_counter() - started < SECONDS * len(trainers) or len(times) < 9:
        time.sleep(SPIN_SECONDS)
        peaks.append(multiply_adds_per_second(dtype))
        times.append([seconds_per_epoch(*pair) for pair in trainers])
    fastest = np.percentile(times, FAST_END, axis=0)
    return work / np.percentile(peaks, 100 - FAST_END), fastest[0], fastest[1] if len(fastest) > 1 else np.nan


def main() -> None:
    """Print the table."""
    print("| inputs, hidden, samples, outputs | dtype | floor, us | fastmlp, us | of the peak | JAX over fastmlp |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for shape in SHAPES:
        for dtype in (np.float32, np.float64):
            floor, fastmlp_seconds, jax_seconds = measure(shape, dtype)
            times = f"{1e6 * floor:,.1f} | {1e6 * fastmlp_seconds:,.1f} | {floor / fastmlp_seconds:.0%}"
            name = f"{', '.join(f'{n:,}' for n in shape)} | {np.dtype(dtype).name}"
            print(f"| {name} | {times} | {jax_seconds / fastmlp_seconds:.1f} |", flush=True)
    print(f"\n{conditions()}")


if __name__ == "__main__":
    main()

"""The cells of the size map of `peers.py`, and the measurement of a cell."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np

import fastmlp
from benchmarks.rivals import COMPILED, JAX, RIVALS, SCIKIT_LEARN, FloatArray, Task, Trainer
from fastmlp.engines.engine import Weights
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.initial_weights import initial_weights
from fastmlp.starting.rate import automatic_rates

FASTMLP = "fastmlp"
INPUTS = (1, 2, 4, 8, 32, 64)
HIDDEN = (32, 100, 1000, 10_000)
SAMPLES = (100, 1000, 10_000)
DTYPES = ("float64", "float32")
MOST_PAIRS = 10**7  # of a sample and a unit: at ten times as many an epoch of NumPy takes over a second
CHECKED_EPOCHS = 10
TOLERANCES = {"float64": 1e-9, "float32": 1e-4}  # of the RMSE of each checked epoch, relative
TURN_SECONDS = 0.15
LEAST_EPOCHS, MOST_EPOCHS = 3, 32_000  # of a turn; the most is what `fit` trains by default
FIRST_CALLED = (FASTMLP, COMPILED, JAX)  # those that compile


@dataclass(frozen=True)
class Cell:
    """One size and precision of the map."""

    inputs: int
    hidden: int
    samples: int
    dtype: str


FIRST_CALL_CELL = Cell(1, 1000, 100, "float64")  # the report's net


def size_map() -> list[Cell]:
    """Return all cells, in ascending order of their expected time."""
    sizes = sorted(product(INPUTS, HIDDEN, SAMPLES), key=np.prod)
    return [Cell(*size, dtype) for size in sizes if size[1] * size[2] <= MOST_PAIRS for dtype in DTYPES]


def task_of(cell: Cell) -> Task:
    """Return a task with smooth targets at normal inputs, balanced initial weights and the rate 1 / lambda_max."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((cell.samples, cell.inputs))
    y = np.sin(x.sum(axis=1, keepdims=True) / np.sqrt(cell.inputs))
    architecture = Architecture(cell.inputs, cell.hidden, 1)
    weights = initial_weights("balanced", architecture, rng)
    equal = np.full(cell.samples, 1 / cell.samples)
    (lr,) = automatic_rates(x, equal, [weights], architecture)
    assert lr is not None  # nothing interrupts it
    return Task(x.astype(cell.dtype), y.astype(cell.dtype), Weights(*(w.astype(cell.dtype) for w in weights)), lr)


def fastmlp_fit(task: Task, *, output_bias: bool = False) -> Trainer:
    """Return a competitor that calls `fastmlp.fit`."""

    def train(epochs: int) -> FloatArray:
        options: dict[str, Any] = {"lr": task.lr, "output_bias": output_bias, "threads": 1, "progress": False}
        return fastmlp.fit(task.x, task.y, init=tuple(task.weights), epochs=epochs, **options).history.rmse[:-1]

    return train


COMPETITORS: dict[str, Callable[[Task], Trainer]] = {FASTMLP: fastmlp_fit, **RIVALS}


def measured(cell: Cell, names: Iterable[str], rounds: int) -> dict[str, Any]:
    """Check that all competitors compute the same training, and then time them in turn.

    Returns
    -------
    dict
        The sizes of the cell, and a dict for each competitor. "first" is the time of its first call in seconds, which
        includes imports, compilation and CHECKED_EPOCHS epochs. "epochs" is the number of epochs of a turn. "seconds"
        is the time per epoch in each turn. If the RMSE differs by more than the tolerance, "differs" is the
        difference, and the competitor is not timed.
    """
    task = task_of(cell)
    trainers, rmse, results = {}, {}, {}
    for name in (FASTMLP, *names):
        started = time.perf_counter()
        trainers[name] = COMPETITORS[name](task)
        rmse[name] = trainers[name](CHECKED_EPOCHS)
        results[name] = {"first": rounded(time.perf_counter() - started)}
    judges = dict.fromkeys(rmse, rmse[FASTMLP])
    judges[SCIKIT_LEARN] = fastmlp_fit(task, output_bias=True)(CHECKED_EPOCHS)
    for name in rmse:
        difference = float(np.max(np.abs(rmse[name] / judges[name] - 1)))
        if not difference <= TOLERANCES[cell.dtype]:
            results[name]["differs"] = difference
            del trainers[name]

    epochs = {name: turn_epochs(train) for name, train in trainers.items()}
    turns = [{name: seconds(train, epochs[name]) for name, train in trainers.items()} for _ in range(rounds)]
    for name in trainers:
        results[name] |= {
            "epochs": epochs[name],
            "seconds": [rounded(turn[name] / epochs[name]) for turn in turns],
        }
    return asdict(cell) | {"competitors": results}


def seconds(train: Trainer, epochs: int) -> float:
    """Time one training."""
    started = time.perf_counter()
    train(epochs)
    return time.perf_counter() - started


def rounded(value: float) -> float:
    """Return a time with four digits."""
    return float(f"{value:.4g}")


def turn_epochs(train: Trainer) -> int:
    """Return the number of epochs of a turn, and compile for that number."""
    epochs = LEAST_EPOCHS
    train(epochs)  # JAX compiles for each number of epochs
    while (taken := seconds(train, epochs)) < TURN_SECONDS / 3 and epochs < MOST_EPOCHS:
        epochs = min(MOST_EPOCHS, int(epochs * min(TURN_SECONDS / taken, 100)))
        train(epochs)
    return epochs


def first_call(name: str) -> float:
    """Return the time of a competitor's first training in this process in seconds, including its import."""
    task = task_of(FIRST_CALL_CELL)
    started = time.perf_counter()
    COMPETITORS[name](task)(CHECKED_EPOCHS)
    return time.perf_counter() - started


def first_calls(names: Iterable[str], processes: int) -> dict[str, list[float]]:
    """Return the times of the first training in processes with an empty compile cache, by competitor, in seconds."""
    taken: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(processes):
        for name, times in taken.items():
            code = f"from benchmarks.peers_cells import first_call; print(first_call({name!r}))"
            with tempfile.TemporaryDirectory() as cache:
                empty = {"NUMBA_CACHE_DIR": cache, "TORCHINDUCTOR_CACHE_DIR": cache}
                done = subprocess.run(
                    [sys.executable, "-c", code], env=os.environ | empty, check=True, stdout=subprocess.PIPE
                )
            times.append(rounded(float(done.stdout)))
    return taken

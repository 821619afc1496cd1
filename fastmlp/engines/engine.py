"""The one seam: what an engine is made from, and the four things it can do.

Nothing here computes. `reference`, `dense` and every later engine are interchangeable behind `Engine`; `fitting` and
`driving` know nothing else of them.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Weights(NamedTuple):
    """The parameters of a net: w1 (n_in, n_hidden), b1 (n_hidden,), w2 (n_hidden, n_out), b2 (n_out,)."""

    w1: Array
    b1: Array
    w2: Array
    b2: Array


class Rates(NamedTuple):
    """The learning rate of each group of parameters; 0 leaves a group as it started."""

    w1: float
    b1: float
    w2: float
    b2: float


class Shape(NamedTuple):
    """The sizes of a fit, by which an engine knows what it will call."""

    n_samples: int
    n_in: int
    n_hidden: int
    n_out: int


@dataclass(frozen=True)
class Settings:
    """How the weights follow from the gradients.

    rates are those of plain descent, or with a schedule what its rate is multiplied by. momentum, nesterov and
    weight_decay are those of torch.optim.SGD, "adam" is torch.optim.Adam. A batch_size divides each epoch's samples
    into batches in an order that depends on seed and epoch only, so that training can go on from any epoch. threads are
    how many the engine may use, parts those into which it divides an update, which decide its last bits: one for each
    thread unless given.
    """

    rates: Rates
    negative_slope: float = 0.0
    optimizer: str = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    schedule: Callable[[int], float] | None = None
    batch_size: int | None = None
    seed: int = 0
    threads: int = 1
    parts: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether an update is the same linear step in every epoch: a constant rate and nothing remembered."""
        remembers = self.optimizer != "sgd" or self.momentum != 0
        return not (remembers or self.weight_decay or self.schedule or self.batch_size)

    def factors(self, epoch: int, n_epochs: int) -> Array:
        """Return (n_epochs,) what the rates are multiplied by in the epochs from one on, counted from 0."""
        if self.schedule is None:
            return np.ones(n_epochs)
        factors = np.empty(n_epochs)
        for i in range(n_epochs):
            factors[i] = scheduled_rate(self.schedule, epoch + i)
        return factors

    def shuffled(self, epoch: int, n_samples: int) -> Array:
        """Return the samples (n_samples,) in the order of an epoch, batch after batch."""
        return np.random.default_rng((self.seed, epoch)).permutation(n_samples)

    def batches(self, epoch: int, n_samples: int) -> Iterator[Array]:
        """Yield the samples of each mini-batch of an epoch; the last batch may be smaller."""
        size = self.batch_size or n_samples
        order = self.shuffled(epoch, n_samples)
        for first in range(0, n_samples, size):
            yield order[first : first + size]


def scheduled_rate(schedule: Callable[[int], float], epoch: int) -> float:
    """Return a schedule's rate of an epoch; it must be a finite number of at least 0."""
    rate = schedule(epoch)
    name, rule = f"lr({epoch})", "a finite number of at least 0"
    if isinstance(rate, (bool, np.bool_)) or not isinstance(rate, numbers.Real):
        raise TypeError(f"{name} must be {rule}, got {rate!r}.")
    if not 0 <= float(rate) < math.inf:
        raise ValueError(f"{name} must be {rule}, got {rate!r}.")
    return float(rate)


@dataclass(frozen=True)
class Problem:
    """The data in the units trained in.

    x (n_samples, n_in), y (n_samples, n_out) and sample_weight (n_samples,), of one dtype; the weights sum to 1.
    """

    x: Array
    y: Array
    sample_weight: Array


class Status(Enum):
    """How `Engine.advance` ended."""

    TRAINED = "trained"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class Record:
    """What an engine writes down while it trains: row i after i updates of the call, row 0 where it started.

    squared_error (n_epochs + 1, n_out), float64: the weighted mean over samples of the squared error.
    crossings (n_epochs + 1,), int64: the (unit, sample) sign changes in the engine's life so far, that is the members
    of the symmetric difference of the active sets before and after an update, summed over units and updates. Engines
    that do not count leave it alone.
    """

    squared_error: Array
    crossings: Array

    @classmethod
    def empty(cls, n_epochs: int, n_out: int) -> Record:
        """Make room for a call of n_epochs."""
        return cls(np.empty((n_epochs + 1, n_out)), np.zeros(n_epochs + 1, np.int64))

    def __getitem__(self, rows: slice) -> Record:
        """Return a view of some rows."""
        return Record(self.squared_error[rows], self.crossings[rows])

    def copy(self) -> Record:
        """Return what the next call will not overwrite."""
        return Record(self.squared_error.copy(), self.crossings.copy())


class Engine(Protocol):
    """Gradient descent on one problem, held by whoever drives it.

    counts_crossings says whether it fills `Record.crossings`.
    """

    @property
    def method(self) -> str:
        """What the engine does now: the kernel that it runs."""

    counts_crossings: bool

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None: ...

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile, or load from the cache, what a fit of this shape and dtype, with such settings, calls first."""

    @property
    def live_units(self) -> int | None:
        """Units that may cross a sample in the next epochs, where the engine knows them."""

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train for n_epochs and fill rows 0 .. n_epochs of the record; return the epochs done.

        On divergence training stops at the first non-finite error: the epochs returned are those before it, the row
        after them holds it, and the engine must be restored before it is used again.
        """

    def weights(self) -> Weights:
        """Return copies of the weights now; changes nothing that follows."""

    def state(self) -> Mapping[str, Array]:
        """Return copies of the arrays with which `restore` goes on bitwise as if never interrupted."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""

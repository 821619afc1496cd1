"""The one seam: what an engine is made from, and the four things it can do.

Nothing here computes. `reference`, `dense` and every later engine are interchangeable behind `Engine`; `fitting` and
`driving` know nothing else of them.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """Full-batch gradient descent on one problem, held by whoever drives it.

    counts_crossings says whether it fills `Record.crossings`.
    """

    @property
    def method(self) -> str:
        """What the engine does now: the kernel that it runs."""

    counts_crossings: bool

    def __init__(self, problem: Problem, weights: Weights, rates: Rates, negative_slope: float) -> None: ...

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any]) -> None:
        """Compile, or load from the cache, what a fit of this shape and dtype calls first."""

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

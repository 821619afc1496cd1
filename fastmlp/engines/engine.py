"""The interface of every engine, and the values that pass through it.

An `Engine` trains one net on one `Problem`, as its `Settings` say, from given `Weights`. It advances by a number of
epochs at a time, writes a `Record` of them and reports a `Status`. The training loop knows nothing else about engines,
so it can drive any of them. Nothing here computes a net.
"""

from __future__ import annotations

import bisect
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
    """The weights of a net: w1 (n_in, n_hidden), b1 (n_hidden,), w2 (n_hidden, n_out), b2 (n_out,)."""

    w1: Array
    b1: Array
    w2: Array
    b2: Array


class Rates(NamedTuple):
    """The learning rate of each group of weights. A group with rate 0 keeps its values."""

    w1: float
    b1: float
    w2: float
    b2: float


class Memory(NamedTuple):
    """What an optimiser with gradient steps keeps between updates.

    n_updates is the number of updates so far. m and v have the shapes of the weights: for SGD m is the velocity, for
    Adam m and v are the means of g and of g^2.
    """

    n_updates: int
    m: Weights
    v: Weights | None = None


class Shape(NamedTuple):
    """The sizes of a fit."""

    n_samples: int
    n_in: int
    n_hidden: int
    n_out: int


@dataclass(frozen=True)
class PiecewiseRate:
    """A schedule that is constant between a few epochs.

    Parameters
    ----------
    starts : tuple of int
        The first epoch of each piece, ascending from 0.
    factors : tuple of float
        The factor of the rates in each piece.
    """

    starts: tuple[int, ...]
    factors: tuple[float, ...]

    def __call__(self, epoch: int) -> float:
        """Return the factor of the rates at an epoch, counted from 0."""
        return self.factors[bisect.bisect_right(self.starts, epoch) - 1]

    def next_start(self, epoch: int) -> float:
        """Return the first epoch of the piece after that of `epoch`, infinity after the last."""
        following = bisect.bisect_right(self.starts, epoch)
        return self.starts[following] if following < len(self.starts) else math.inf

    def delayed(self, n_epochs: int) -> PiecewiseRate:
        """Return the schedule whose pieces after the first one start n_epochs later."""
        return PiecewiseRate((0, *(start + n_epochs for start in self.starts[1:])), self.factors)


@dataclass(frozen=True)
class Settings:
    """How an engine trains.

    Parameters
    ----------
    rates : Rates
        Learning rates, multiplied by the schedule if there is one.
    negative_slope : float
        Slope of the activation at arguments of at most 0.
    optimizer : {"sgd", "adam", "lbfgs", "lstsq"}
        torch.optim.SGD, torch.optim.Adam, or one that `fastmlp.engines.optimizers` lists.
    momentum, nesterov
        Options of the optimizer with the same names in PyTorch.
    weight_decay : float or mapping of str to float
        The factor of the L2 penalty, or one for each group; 0 for a group that a mapping does not name.
    schedule : callable, optional
        Maps an epoch of the training, counted from 0, to the factor of the rates. By default it is always 1.
    batch_size : int, optional
        Samples in a mini-batch; by default every update takes all samples.
    seed : int
        Determines, together with the epoch of the training, the order of the samples in mini-batches. The order does
        not depend on earlier epochs, so that training can go on from any epoch.
    first_epoch : int
        Number of epochs of the training before the engine was made. Epoch 0 of the engine is this one of the training.
    threads : int
        Number of threads that the engine may use.
    parts : int, optional
        Number of parts into which an update is divided, by default one for each thread. It determines the order of
        summation and so the last bits of the result.
    """

    rates: Rates
    negative_slope: float = 0.0
    optimizer: str = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: Any = 0.0
    schedule: Callable[[int], float] | None = None
    batch_size: int | None = None
    seed: int = 0
    first_epoch: int = 0
    threads: int = 1
    parts: int | None = None

    @property
    def is_plain(self) -> bool:
        """Whether every update is a step along the gradient of all samples, without moments.

        The rate may be piecewise constant: no method relies on the rates to come.
        """
        has_moments = self.optimizer != "sgd" or self.momentum != 0
        is_piecewise = self.schedule is None or isinstance(self.schedule, PiecewiseRate)
        return is_piecewise and not (has_moments or any(self.decays) or self.batch_size)

    @property
    def has_memory(self) -> bool:
        """Whether an update depends on earlier ones."""
        return self.optimizer == "adam" or self.momentum > 0

    @property
    def decays(self) -> Rates:
        """The weight decay of each group."""
        if isinstance(self.weight_decay, Mapping):
            return Rates(*(float(self.weight_decay.get(group, 0.0)) for group in Rates._fields))
        return Rates(*4 * (float(self.weight_decay),))

    def factors(self, epoch: int, n_epochs: int) -> Array:
        """Return the factors (n_epochs,) of the rates in the epochs of the engine from `epoch` on, counted from 0."""
        if self.schedule is None:
            return np.ones(n_epochs)
        first = self.first_epoch + epoch
        if isinstance(self.schedule, PiecewiseRate):
            pieces = np.searchsorted(self.schedule.starts, first + np.arange(n_epochs), side="right") - 1
            return np.array(self.schedule.factors)[pieces]
        factors = np.empty(n_epochs)
        for i in range(n_epochs):
            factors[i] = scheduled_rate(self.schedule, first + i)
        return factors

    def shuffled(self, epoch: int, n_samples: int) -> Array:
        """Return the indices of the samples (n_samples,) in the order of an epoch, one mini-batch after another."""
        return np.random.default_rng((self.seed, self.first_epoch + epoch)).permutation(n_samples)

    def batches(self, epoch: int, n_samples: int) -> Iterator[Array]:
        """Yield the indices of the samples in each mini-batch of an epoch; the last one may be smaller."""
        size = self.batch_size or n_samples
        order = self.shuffled(epoch, n_samples)
        for first in range(0, n_samples, size):
            yield order[first : first + size]


def scheduled_rate(schedule: Callable[[int], float], epoch: int) -> float:
    """Return the rate of a schedule at an epoch; raise if it is not a finite number of at least 0."""
    rate = schedule(epoch)
    name, rule = f"lr({epoch})", "a finite number of at least 0"
    if isinstance(rate, (bool, np.bool_)) or not isinstance(rate, numbers.Real):
        raise TypeError(f"{name} must be {rule}, got {rate!r}.")
    if not 0 <= float(rate) < math.inf:
        raise ValueError(f"{name} must be {rule}, got {rate!r}.")
    return float(rate)


@dataclass(frozen=True)
class Problem:
    """The samples in the coordinates of training.

    x (n_samples, n_in), y (n_samples, n_out) and sample_weight (n_samples,) have the same dtype, float32 or float64.
    The sample weights sum to 1.
    """

    x: Array
    y: Array
    sample_weight: Array


class Status(Enum):
    """How `Engine.advance` ended."""

    TRAINED = "trained"
    DIVERGED = "diverged"
    CONVERGED = "converged"
    STALLED = "stalled"


@dataclass(frozen=True)
class Record:
    """What an engine records in one call: row i after i epochs of the call, so row 0 at its start.

    Parameters
    ----------
    squared_error : ndarray of shape (n_epochs + 1, n_out), float64
        Weighted mean over samples of the squared error of each output.
    crossings : ndarray of shape (n_epochs + 1,), int64
        Number of crossings since the engine was made: pairs of a unit and a sample of which the unit became active or
        inactive on the sample in an update. Zeros if the engine does not count them.
    """

    squared_error: Array
    crossings: Array

    @classmethod
    def empty(cls, n_epochs: int, n_out: int) -> Record:
        """Return a record with rows for n_epochs, to be filled."""
        return cls(np.empty((n_epochs + 1, n_out)), np.zeros(n_epochs + 1, np.int64))

    def __getitem__(self, rows: slice) -> Record:
        """Return a view of some rows."""
        return Record(self.squared_error[rows], self.crossings[rows])

    def copy(self) -> Record:
        """Return a copy that the next call of the engine does not overwrite."""
        return Record(self.squared_error.copy(), self.crossings.copy())


class Engine(Protocol):
    """Gradient descent on one problem.

    An engine keeps the weights and whatever else it needs between two calls of `advance`, so that training in several
    calls gives the same bits as training in one.
    """

    counts_crossings: bool
    """Whether the engine fills `Record.crossings`."""

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None: ...

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel of a fit, or load it from the cache. `Shape` and settings decide which kernel that is."""

    @property
    def method(self) -> str:
        """Name of the kernel that the engine runs now, as shown in `info.method`."""

    @property
    def live_units(self) -> int | None:
        """Number of units that may cross a sample in the next epochs; None if the engine does not know it."""

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train for n_epochs and write rows 0 to n_epochs of the record.

        Training stops at the first squared error that is not finite, as for every RMSE above 1e154, or whose root the
        dtype of the problem cannot hold. An engine may also stop where a weight is not finite. Then the status is
        DIVERGED, the row after the returned number of epochs has that error, and the engine must be restored before it
        is used again. An optimizer that ends by itself returns CONVERGED or STALLED; it trains no more epochs.

        Returns
        -------
        n_done : int
            Number of epochs with a finite squared error.
        status : Status
            TRAINED if these are all epochs and more can be trained.
        """

    def weights(self) -> Weights:
        """Return copies of the weights."""

    def state(self) -> Mapping[str, Array]:
        """Return copies of the arrays from which `restore` continues with the same bits."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state that an engine with the same problem and settings returned.

        A state with "crossings", which are counted from there on, is that of an engine that counts them.
        """

    def memory(self) -> Memory | None:
        """Return a copy of the memory of the optimiser; None if it has none that fits another problem."""

    def remember(self, memory: Memory) -> None:
        """Take over the memory of an engine for a net of the same shape with the same optimiser."""


class WithoutMemory:
    """The part of an engine whose optimiser has no memory that fits another problem."""

    def memory(self) -> Memory | None:
        """Return None."""
        return None

    def remember(self, memory: Memory) -> None:
        """Do nothing."""

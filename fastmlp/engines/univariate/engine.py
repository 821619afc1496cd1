"""The engine for nets of one input. It chooses the method that trains, and may change it during a fit."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastmlp.engines.engine import (
    Array,
    Engine,
    Memory,
    PiecewiseRate,
    Problem,
    Rates,
    Record,
    Settings,
    Shape,
    Status,
    Weights,
)
from fastmlp.engines.univariate import choice
from fastmlp.engines.univariate.centring import CentredUnits, centred_units, uncentred_weights
from fastmlp.engines.univariate.methods import Method
from fastmlp.engines.univariate.samples import sorted_samples
from fastmlp.engines.univariate.unit_by_unit import OptimizedSums, PrefixSums


def each_univariate_kernel() -> Iterator[tuple[type[Engine], Shape]]:
    """Yield the engine and a shape for each kernel that a fit of one output may compile."""
    for shape in choice.each_first_shape():
        yield Univariate, shape


class Univariate:
    """Gradient descent on one input, in float64 whatever the dtype of the problem."""

    counts_crossings = True

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        self._dtype = problem.x.dtype
        self._largest = float(np.finfo(self._dtype).max)
        self._settings = settings
        # Without a hidden bias to train, centring gains nothing, and it could change the last bit of the constant b1.
        # With an optimiser other than plain gradient descent, the update of b + centre w is not that of b and w.
        self._samples = sorted_samples(problem, may_centre=settings.rates.b1 != 0 and settings.is_plain)
        units, code, b2, self._rounding_error = centred_units(self._samples, weights, self._dtype)
        self._pieces = _pieces(settings)
        self._epoch = 0
        self._prefix_epochs = choice.FIRST_PREFIX_EPOCHS
        self._prefix_end = 0  # the epoch at which the first method is tried again
        self._shape = Shape(self._samples.x.size, 1, code.size, b2.size)
        self._method: Method = self._start(_first_method(self._shape, settings), units, code, b2, 0)
        self._squared_error = self._method.squared_error.copy()
        self._crossings = 0

    def _start(self, method: type[Method], units: Array, code: Array, b2: Array, crossings: int) -> Method:
        return method(self._samples, units, code, b2, self._settings, crossings)

    @property
    def method(self) -> str:
        """The method that trains now."""
        return self._method.method

    @property
    def live_units(self) -> int | None:
        """The number of units that may soon cross a sample, where the method knows it."""
        return self._method.live_units

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engines.engine.Engine.advance` describes."""
        record.squared_error[0] = self._squared_error
        record.crossings[0] = self._crossings
        n_done = 0
        while n_done < n_epochs:
            n_wanted = n_epochs - n_done
            if isinstance(self._method, PrefixSums) and self._epoch == self._prefix_end:
                self._change_method()
            if isinstance(self._method, PrefixSums):
                n_wanted = min(n_wanted, self._prefix_end - self._epoch)
            if self._pieces is not None:
                epoch = self._settings.first_epoch + self._epoch
                n_wanted = int(min(n_wanted, self._pieces.next_start(epoch) - epoch))
                factor = self._pieces(epoch)
                self._method.set_rates(Rates(*(rate * factor for rate in self._settings.rates)))
            rows = slice(n_done + 1, n_done + 1 + n_wanted)
            n_more = self._method.train(n_wanted, record.squared_error[rows], record.crossings[rows])
            n_held = self._held_by_dtype(record.squared_error[n_done + 1 : n_done + 1 + n_more])
            n_done += n_held
            self._epoch += n_more
            if n_held < n_more or (n_more < n_wanted and not self._method.leaves):
                return n_done, Status.DIVERGED
            if self._method.leaves:
                self._change_method()
        self._squared_error = record.squared_error[n_done].copy()
        self._crossings = int(record.crossings[n_done])
        return n_done, Status.TRAINED

    def _held_by_dtype(self, squared_error: Array) -> int:
        """Return the number of epochs before the first whose error the dtype of the problem cannot hold."""
        if math.sqrt(squared_error.max(initial=0.0)) <= self._largest:
            return len(squared_error)
        return int(np.argmax(~(np.sqrt(squared_error) <= self._largest).all(axis=1)))

    def _change_method(self) -> None:
        """Continue with the next method. Prefix sums train for twice as many epochs each time."""
        method = choice.next_method(type(self._method), self._shape)
        self._switch(method)
        if method is PrefixSums:
            self._prefix_end = self._epoch + self._prefix_epochs
            self._prefix_epochs = min(2 * self._prefix_epochs, choice.MAX_PREFIX_EPOCHS)

    def _switch(self, method: type[Method]) -> None:
        if type(self._method) is method:
            return
        units, code = self._method.units()
        self._method = self._start(method, units, code, self._method.b2, self._method.crossings)

    def weights(self) -> Weights:
        """Return copies of the weights."""
        units = CentredUnits(*self._method.units(), self._method.b2, self._rounding_error)
        return uncentred_weights(self._samples, units, self._dtype)

    def state(self) -> Mapping[str, Array]:
        """Return copies of the arrays of the method, and the numbers that determine when it changes."""
        method = choice.METHODS.index(type(self._method))
        arrays = {
            "engine_counts": np.array([self._epoch, self._prefix_epochs, self._prefix_end, method]),
            "crossings": np.array([self._crossings]),
            "squared_error": self._squared_error.copy(),
        }
        return {**arrays, **self._method.state()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        self._epoch, self._prefix_epochs, self._prefix_end, index = map(int, state["engine_counts"])
        self._crossings = int(state["crossings"][0])
        self._squared_error = state["squared_error"].copy()
        self._switch(choice.METHODS[index])
        self._method.restore(state)
        self._method.crossings = self._crossings

    def memory(self) -> Memory | None:
        """Return a copy of the memory of the optimiser."""
        return self._method.memory()

    def remember(self, memory: Memory) -> None:
        """Take over a memory."""
        self._method.remember(memory)

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel of the method that a fit of this shape starts with, by training the smallest net."""
        _compile(_first_method(shape, settings), shape.n_out, settings.optimizer)


@functools.cache
def _compile(method: type[Method], n_out: int, optimizer: str) -> None:
    zeros = np.zeros((1, n_out))
    smallest = sorted_samples(Problem(zeros[:, :1], zeros, np.ones(1)), may_centre=False)
    still = Settings(Rates(0.0, 0.0, 0.0, 0.0), optimizer=optimizer)
    method(smallest, np.zeros((2 + n_out, 1)), np.zeros(1, np.int64), zeros[0], still).units()


def _pieces(settings: Settings) -> PiecewiseRate | None:
    """Return the pieces in which the rate is constant, unless it is constant throughout or the method has factors."""
    return settings.schedule if settings.is_plain and isinstance(settings.schedule, PiecewiseRate) else None


def _first_method(shape: Shape, settings: Settings) -> type[Method]:
    return choice.first_method(shape) if settings.is_plain else OptimizedSums

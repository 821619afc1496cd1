"""What every method of the univariate engine can do, and what the methods that go by patterns share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.memory import aligned_zeros
from fastmlp.engines.engine import Array, Memory, Rates, Settings, WithoutMemory
from fastmlp.engines.univariate.codes import prefix_offset
from fastmlp.engines.univariate.kernels.layout import (
    COUNTERS,
    Data,
    PatternSums,
    Record,
)
from fastmlp.engines.univariate.samples import SortedSamples


class Method(Protocol):
    """A way to train the units of one net.

    The constructor takes the units (2 + n_out, n_hidden), rows w, b + centre w, v_0, v_1, ..., and the codes of their
    patterns (n_hidden,); it copies them and evaluates the start.
    """

    method: str
    squared_error: Array

    def __init__(
        self,
        samples: SortedSamples,
        units: Array,
        code: Array,
        b2: Array,
        settings: Settings,
        crossings: int = 0,
    ) -> None: ...

    @property
    def b2(self) -> Array:
        """A copy of the output bias (n_out,)."""

    def set_rates(self, rates: Rates) -> None:
        """Use these rates from the next epoch on."""

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train for n_epochs and overwrite their squared_error (n_epochs, n_out) and crossings (n_epochs,).

        Return the number of epochs done, which is smaller on divergence, and where `leaves` is then set.
        """

    @property
    def live_units(self) -> int | None:
        """The number of units that may soon cross a sample, where the method knows it."""

    @property
    def crossings(self) -> int:
        """The (unit, sample) sign changes so far, those of the methods before included."""

    @crossings.setter
    def crossings(self, number: int) -> None: ...

    @property
    def leaves(self) -> bool:
        """Whether by the counts of the last call another method is cheaper."""

    def units(self) -> tuple[Array, Array]:
        """Return the units (2 + n_out, n_hidden) and their codes now, in the order given."""

    def state(self) -> Mapping[str, Array]:
        """Return copies of what training goes on from, bitwise."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""

    def memory(self) -> Memory | None:
        """Return a copy of the memory of the optimiser, as `Engine.memory` does."""

    def remember(self, memory: Memory) -> None:
        """Take over a memory."""


class ByPattern(WithoutMemory):
    """What the methods that go by patterns share: tables of samples and patterns, running sums, counters."""

    _kernel: Any
    _compiled: Any = None

    def __init__(self, samples: SortedSamples, b2: Array, settings: Settings, crossings: int) -> None:
        n_out = b2.size
        offset = prefix_offset(samples.x.size)
        self._data = Data(
            *(*samples.padded, samples.scatter, samples.n_before),
            *samples.neighbours,
            float(settings.negative_slope),
            samples.centre,
            tuple(range(n_out)),
        )
        self._rates = Rates(*map(float, settings.rates))
        self._sums = PatternSums(
            lines=aligned_zeros((2 * offset * 2 * n_out,)),
            errors=aligned_zeros((2 * offset * 2 * n_out,)),
        )
        self._b2 = b2.copy()
        self._counters = np.zeros(1, COUNTERS)
        self._counters["crossings"] = crossings
        self.squared_error = np.empty(n_out)

    def _run(self, record: Record, *, is_training: bool) -> int:
        """Call the kernel; return the number of epochs done."""
        raise NotImplementedError

    def _arrays(self) -> list[Array]:
        """Return the arrays that make up the state besides the counters, which say how much of them is in use."""
        raise NotImplementedError

    def _call(self, *arguments: Any) -> int:
        if self._compiled is None:
            self._compiled = compiled(self._kernel, arguments)
        return int(self._compiled(*arguments))

    def _evaluate(self) -> None:
        record = Record(np.empty((1, self.squared_error.size)), np.empty(1, np.int64))
        self._run(record, is_training=False)
        self.squared_error[:] = record.squared_error[0]

    @property
    def b2(self) -> Array:
        """A copy of the output bias (n_out,)."""
        return np.array(self._b2)

    def set_rates(self, rates: Rates) -> None:
        """Use these rates from the next epoch on."""
        self._rates = rates

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train as `Method.train` says."""
        self._counters["leaves"] = 0
        return self._run(Record(squared_error[:n_epochs], crossings[:n_epochs]), is_training=True)

    @property
    def crossings(self) -> int:
        """The (unit, sample) sign changes so far, those of the methods before included."""
        return int(self._counters["crossings"][0])

    @crossings.setter
    def crossings(self, number: int) -> None:
        self._counters["crossings"] = number

    @property
    def leaves(self) -> bool:
        """Whether by the counts of the last call another method is cheaper."""
        return bool(self._counters["leaves"][0])

    def state(self) -> Mapping[str, Array]:
        """Return copies of what training goes on from, bitwise."""
        arrays = {f"{k}": array.copy() for k, array in enumerate(self._arrays())}
        return {"counters": self._counters.view(np.int64).copy(), **arrays}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        self._counters.view(np.int64)[:] = state["counters"]
        for k, array in enumerate(self._arrays()):
            array[...] = state[f"{k}"]

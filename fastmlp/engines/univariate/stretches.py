"""The method for few units on many samples: an epoch costs O(n_hidden + moved kinks), whatever the number of samples.

`fastmlp.engines.univariate.kernels.stretches` has the mathematics.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.memory import round_up
from fastmlp.engines.engine import Array, Rates, Settings, WithoutMemory
from fastmlp.engines.univariate.codes import prefix_offset
from fastmlp.engines.univariate.kernels.stretch_layout import (
    ALL,
    BLOCK_SIZE,
    NONE,
    PAIR_SUMS,
    PREFIX,
    SUFFIX,
    Data,
    Descent,
    EpochRecord,
    in_lanes,
    in_positions,
    new_scratch,
    zero_state,
)
from fastmlp.engines.univariate.kernels.stretch_moments import running_sums
from fastmlp.engines.univariate.kernels.stretches import train
from fastmlp.engines.univariate.samples import SortedSamples

# Epochs after which the cost of stretches is compared with that of prefix sums, in nanoseconds (benchmarks/NOTES.md).
CHECK_EVERY = 512
COST_OF_UNIT, COST_OF_MOVE, COST_OF_PREFIX_UNIT, COST_OF_SAMPLE = 6.0, 110.0, 7.0, 2.0


class Stretches(WithoutMemory):
    """Gradient descent on a net of one input that visits the stretches between kinks instead of the samples."""

    method = "stretches"

    def __init__(
        self,
        samples: SortedSamples,
        units: Array,
        code: Array,
        b2: Array,
        settings: Settings,
        crossings: int = 0,
    ) -> None:
        """Take the units (2 + n_out, n_hidden), rows w, beta and v of each output, and the codes of their active sets.

        The codes are those of `fastmlp.engines.univariate.codes`.
        """
        n_out, n_hidden = b2.size, code.size
        self.leaves = False
        self._own = slice(1, 1 + n_hidden)  # the positions of the units
        self._data = _data(samples)
        self._descent = Descent(
            Rates(*map(float, settings.rates)), float(samples.centre), float(settings.negative_slope)
        )
        self._state = zero_state(round_up(n_hidden + 2, BLOCK_SIZE), n_out)
        self._state.b2[:] = b2
        self._state.counters["crossings"] = crossings
        self._place(units, code)
        self._scratch = new_scratch(self._state.units)
        start = EpochRecord(np.empty((1, n_out)), np.empty(1, np.int64))
        arguments = self._state, self._scratch, self._data, self._descent, start
        self._kernel = compiled(train, arguments)
        # All sums are still zero, so this epoch changes no weight: it evaluates the start.
        self._kernel(*arguments)
        self.squared_error = start.squared_error[0]

    def _place(self, units: Array, code: Array) -> None:
        """Write the units in the order of their kinks, with their guards as `move_kink` writes them."""
        held, x = self._state.units, self._data.x
        n, plane = x.size, prefix_offset(x.size)
        is_prefix = code >= plane
        k = np.where(is_prefix, code - plane, code)
        order = np.argsort(k, kind="stable")
        held.kink[:] = n
        held.kink[0] = 0
        held.kink[self._own] = k[order]
        held.caller_index[:] = code.size
        held.caller_index[self._own] = order
        guards = np.full(held.kink.size, NONE)
        guards[self._own] = np.select([is_prefix, k == 0, k == n], [PREFIX, ALL, NONE], SUFFIX)[order]
        is_prefix, slope = guards == PREFIX, self._descent.negative_slope
        is_inside = is_prefix | (guards == SUFFIX)
        blocks = held.blocks
        for field, values in {
            "active_guards": guards,
            "side": np.where(is_prefix, -1.0, 1.0),
            "slope_left": np.where(is_prefix, 1.0, slope),
            "slope_right": np.where(is_prefix, slope, 1.0),
            "x_left": x[np.where(is_inside, held.kink - 1, 0)],
            "x_right": x[np.where(is_inside, held.kink, n - 1)],
        }.items():
            blocks[field] = in_lanes(values)
        rows = np.zeros((len(units), held.kink.size))
        rows[:, self._own] = units[:, order]
        for target, row in zip(self._rows(), rows, strict=True):
            target[...] = in_lanes(row)

    def _rows(self) -> list[Array]:
        """Return views (n_blocks, BLOCK_SIZE) of w, beta and each v."""
        held = self._state.units
        return [held.blocks["w"], held.blocks["beta"], *held.v.swapaxes(0, 1)]

    def set_rates(self, rates: Rates) -> None:
        """Use these rates from the next epoch on."""
        self._descent = self._descent._replace(rates=rates)

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train, and write the errors (n_epochs, n_out) and the sign changes so far (n_epochs,) after each update.

        Return the number of epochs done: fewer than n_epochs if the next error is not finite, or if another method is
        cheaper, which `leaves` then says.
        """
        counters = self._state.counters[0]
        self.leaves = False
        n_done = 0
        while n_done < n_epochs and not self.leaves:
            rows = slice(n_done, n_done + min(n_epochs - n_done, CHECK_EVERY - int(counters.n_since)))
            record = EpochRecord(squared_error[rows], crossings[rows])
            n_more = int(self._kernel(self._state, self._scratch, self._data, self._descent, record))
            n_done += n_more
            counters.n_since += n_more
            if n_done < rows.stop:
                break
            if counters.n_since == CHECK_EVERY:
                # Kinks move most at the start: 10,000 samples and 1,000 units take 23 us per epoch there, later 12.
                is_first = counters.n_checks == 0
                self.leaves = self._is_slower_than_prefix_sums() and not is_first
                counters.n_since = counters.n_moved_since = 0
                counters.n_checks += 1
        return n_done

    def _is_slower_than_prefix_sums(self) -> bool:
        n_hidden = self._own.stop - 1
        n_moved = float(self._state.counters[0].n_moved_since) / CHECK_EVERY
        cost = COST_OF_UNIT * max(n_hidden, BLOCK_SIZE) + COST_OF_MOVE * n_moved
        return cost > COST_OF_PREFIX_UNIT * n_hidden + COST_OF_SAMPLE * self._data.x.size

    def units(self) -> tuple[Array, Array]:
        """Return copies of the units and of the codes of their active sets, in the caller's order."""
        held, n = self._state.units, self._data.x.size
        index, kink = held.caller_index[self._own], held.kink[self._own]
        guards = in_positions(held.blocks["active_guards"])[self._own]
        rows = [in_positions(row)[self._own] for row in self._rows()]
        units, code = np.empty((len(rows), index.size)), np.empty(index.size, np.int64)
        units[:, index] = rows
        conditions = [guards == PREFIX, guards == ALL, guards == NONE]
        code[index] = np.select(conditions, [prefix_offset(n) + kink, 0, n], kink)
        return units, code

    @property
    def b2(self) -> Array:
        """A copy of the output bias (n_out,)."""
        return self._state.b2.copy()

    @property
    def crossings(self) -> int:
        """The (unit, sample) sign changes so far, those of the methods before included."""
        return int(self._state.counters[0].crossings)

    @crossings.setter
    def crossings(self, number: int) -> None:
        self._state.counters["crossings"] = number

    @property
    def live_units(self) -> int:
        """How many units had their kink moved across a sample by the last epoch."""
        return int(self._state.counters[0].n_moved)

    def _arrays(self) -> dict[str, Array]:
        """Return plain arrays with the memory of the state."""
        held = self._state.units
        return {
            "fields": held.fields,
            "v": held.v,
            "kink": held.kink,
            "caller_index": held.caller_index,
            "stretches": self._state.stretches.view(np.float64),
            "outputs": self._state.outputs.view(np.float64),
            "b2": self._state.b2,
            "column_sums": self._state.column_sums,
            "total_r": self._state.total_r,
            "counters": self._state.counters.view(np.int64),
        }

    def state(self) -> Mapping[str, Array]:
        """Return copies of the arrays with which `restore` goes on bitwise as if never interrupted."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for name, array in self._arrays().items():
            array[...] = state[name]


def _data(samples: SortedSamples) -> Data:
    """Return the samples with their running sums."""
    n, n_out = samples.y.shape
    sums = np.empty((n + 1, 1 + n_out), PAIR_SUMS)
    arguments = sums, samples.x, samples.y, samples.weight
    compiled(running_sums, arguments)(*arguments)
    return Data(samples.x, samples.n_before, sums, samples.scatter)

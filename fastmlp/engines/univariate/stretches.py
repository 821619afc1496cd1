"""Gradient descent by stretches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.engines.engine import Array, Settings
from fastmlp.engines.univariate.codes import prefix_offset, round_up
from fastmlp.engines.univariate.kernels.stretch_layout import (
    ALL,
    BETA,
    COMMON,
    CROSSINGS,
    LANES,
    LEFT,
    N_CHECKS,
    N_MOVED,
    N_MOVED_SINCE,
    N_SINCE,
    NONE,
    PER_OUTPUT,
    PREFIX,
    RIGHT,
    SEEN,
    SIDE,
    SUFFIX,
    V,
    W,
)
from fastmlp.engines.univariate.kernels.stretch_moments import PAIRED, running_sums
from fastmlp.engines.univariate.kernels.stretches import train
from fastmlp.engines.univariate.samples import SortedSamples

# By these nanoseconds (benchmarks/NOTES.md) stretches and prefix sums are compared every so many epochs.
CHECK_EVERY = 512
COST_OF_UNIT, COST_OF_MOVE, COST_OF_PREFIX_UNIT, COST_OF_SAMPLE = 6.0, 110.0, 7.0, 2.0


class Stretches:
    """Gradient descent on a net of one input that visits stretches between kinks, not samples."""

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

        Codes are those of `fastmlp.engines.univariate.codes`.
        """
        n, n_out = samples.y.shape
        n_hidden = units.shape[1]
        n_positions = round_up(n_hidden + 2, LANES)
        self._n = n
        self._n_hidden = n_hidden
        self.leaves = False
        self._plane = prefix_offset(n)
        self._own = slice(1, 1 + n_hidden)  # the positions of the units
        is_prefix = code >= self._plane
        k = np.where(is_prefix, code - self._plane, code)
        order = np.argsort(k, kind="stable")
        sums = np.empty((n + 1, PAIRED * (1 + n_out)))
        data = (samples.x, samples.y, samples.weight)
        compiled(running_sums, (sums, *data))(sums, *data)

        kink = np.full(n_positions, n, np.int64)
        kink[0] = 0
        kink[self._own] = k[order]
        index = np.full(n_positions, n_hidden, np.int64)
        index[self._own] = order
        seen = np.full(n_positions, NONE)
        seen[self._own] = np.select([is_prefix, k == 0, k == n], [PREFIX, ALL, NONE], SUFFIX)[order]
        fields = np.zeros((n_positions // LANES, COMMON + PER_OUTPUT * n_out, LANES))
        self._held = {
            "units": fields.reshape(-1),
            "kink": kink,
            "index": index,
            "b2": np.array(b2, np.float64),
            "totals": np.zeros(2 * n_out),
            "counts": np.array([crossings, 0, 0, 0, 0], np.int64),
        }
        self._fields = fields.swapaxes(0, 1)  # a view: field, block, lane
        self._unit_fields = [W, BETA, *range(COMMON + V, self._fields.shape[0], PER_OUTPUT)]
        self._place(seen, samples.x)
        for field, row in zip(self._unit_fields, units, strict=True):
            self._write(field, np.pad(row[order], (1, n_positions - n_hidden - 1)))
        self._scratch = (
            np.zeros(n_positions),
            np.ones(n_positions + 1, np.int64),
            np.zeros(3 * LANES),
            np.zeros(fields.size),
            np.zeros(n_positions, np.int64),
            np.zeros(n_positions, np.int64),
        )
        self._fixed = (
            samples.x,
            samples.n_before,
            sums,
            samples.scatter,
            np.array(settings.rates, np.float64),
            float(samples.centre),
            float(settings.negative_slope),
        )
        start = np.empty((1, n_out))
        start_crossings = np.empty(1, np.int64)
        arguments = self._arguments(1, start, start_crossings)
        self._kernel = compiled(train, arguments)
        # The sums held are still zero, so this epoch changes no weight: it evaluates the start.
        self._kernel(*arguments)
        self.squared_error = start[0]

    def _write(self, field: int, values: Array) -> None:
        self._fields[field] = values.reshape(-1, LANES)

    def _place(self, seen: Array, x: Array) -> None:
        """Fill the fields that the kinks and what their guards see determine, as `move` does."""
        kink = self._held["kink"]
        inside = (seen == PREFIX) | (seen == SUFFIX)
        self._write(SEEN, seen)
        self._write(SIDE, np.where(seen == PREFIX, -1.0, 1.0))
        self._write(LEFT, x[np.where(inside, kink - 1, 0)])
        self._write(RIGHT, x[np.where(inside, kink, x.size - 1)])

    def _arguments(self, n_epochs: int, squared_error: Array, crossings: Array) -> tuple[Any, ...]:
        return (*self._held.values(), *self._scratch, squared_error, crossings, *self._fixed, n_epochs)

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train, write errors (n_epochs, n_out) and sign changes so far (n_epochs,) after each update.

        Return the number of epochs before the first with a non-finite error, or before one after which another method
        is cheaper, or n_epochs.
        """
        counts = self._held["counts"]
        self.leaves = False
        n_done = 0
        while n_done < n_epochs and not self.leaves:
            rows = slice(n_done, n_done + min(n_epochs - n_done, CHECK_EVERY - counts[N_SINCE]))
            n_more = int(self._kernel(*self._arguments(rows.stop - n_done, squared_error[rows], crossings[rows])))
            n_done += n_more
            counts[N_SINCE] += n_more
            if n_done < rows.stop:
                break
            if counts[N_SINCE] == CHECK_EVERY:
                is_first = (
                    counts[N_CHECKS] == 0
                )  # kinks move most at the start: 10,000 samples, 1000 units 23 us, later 12
                cost = COST_OF_UNIT * max(self._n_hidden, LANES) + COST_OF_MOVE * counts[N_MOVED_SINCE] / CHECK_EVERY
                prefix_cost = COST_OF_PREFIX_UNIT * self._n_hidden + COST_OF_SAMPLE * self._n
                self.leaves = bool(cost > prefix_cost and not is_first)
                counts[[N_SINCE, N_MOVED_SINCE]] = 0
                counts[N_CHECKS] += 1
        return n_done

    def units(self) -> tuple[Array, Array]:
        """Return copies of the units and of the codes of their active sets, in the caller's order."""
        index = self._held["index"][self._own]
        units = np.empty((len(self._unit_fields), index.size))
        for row, field in zip(units, self._unit_fields, strict=True):
            row[index] = self._fields[field].reshape(-1)[self._own]
        kink, seen = self._held["kink"][self._own], self._fields[SEEN].reshape(-1)[self._own]
        code = np.empty(index.size, np.int64)
        code[index] = np.select([seen == PREFIX, seen == ALL, seen == NONE], [self._plane + kink, 0, self._n], kink)
        return units, code

    @property
    def b2(self) -> Array:
        """A copy of the output bias (n_out,)."""
        return self._held["b2"].copy()

    @property
    def crossings(self) -> int:
        """The (unit, sample) sign changes so far, those of the methods before included."""
        return int(self._held["counts"][CROSSINGS])

    @property
    def live_units(self) -> int:
        """How many units had their kink moved across a sample by the last epoch."""
        return int(self._held["counts"][N_MOVED])

    def state(self) -> Mapping[str, Array]:
        """Return copies of the arrays with which `restore` goes on bitwise as if never interrupted."""
        return {name: array.copy() for name, array in self._held.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for name, array in self._held.items():
            array[...] = state[name]

"""Pattern moments: the method that updates the units of a pattern at once."""

from __future__ import annotations

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.memory import aligned_zeros, round_up
from fastmlp.engines.engine import Array, Settings
from fastmlp.engines.univariate.class_table import class_table
from fastmlp.engines.univariate.codes import prefix_offset
from fastmlp.engines.univariate.kernels.layout import (
    LANES,
    LEAST_CLASS,
    WIDTH,
    LiveUnits,
    MappedUnits,
    MomentNet,
    Record,
    Scratch,
)
from fastmlp.engines.univariate.kernels.maps import map_fields
from fastmlp.engines.univariate.kernels.moments import gather_units, train_moments
from fastmlp.engines.univariate.methods import ByPattern
from fastmlp.engines.univariate.samples import SortedSamples

FIRST_HORIZON = 128  # epochs until the second rebuild


class PatternMoments(ByPattern):
    """Units by pattern, and those that may cross a sample by class: O(patterns + live units) per epoch."""

    method = "pattern moments"
    _kernel = staticmethod(train_moments)

    def __init__(
        self,
        samples: SortedSamples,
        units: Array,
        code: Array,
        b2: Array,
        settings: Settings,
        crossings: int = 0,
    ) -> None:
        super().__init__(samples, b2, settings, crossings)
        size, n_hidden = units.shape
        n_classes = 2 * samples.x.size
        n_codes = 2 * prefix_offset(samples.x.size)

        def indices(count: int) -> Array:
            return np.zeros(count, np.int64)

        # Every unit may be live, in a class and afterwards free; the last vector of each class is filled up.
        n_filled = (WIDTH - 1) * min(n_classes, n_hidden // LEAST_CLASS)
        room = round_up(2 * n_hidden + n_filled, WIDTH)
        beyond = round_up(n_hidden + WIDTH, WIDTH)  # vectors may begin at the last unit
        self._mapped_units, self._live_units = aligned_zeros((size, beyond)), aligned_zeros((size, room))
        mapped = MappedUnits(
            units=tuple(self._mapped_units),
            origin=indices(n_hidden),
            first=indices(n_codes),
            n_units=indices(n_codes),
            maps=aligned_zeros((n_codes * map_fields(b2.size).n_fields,)),
            block_id=indices(n_codes // LANES),
        )
        live = LiveUnits(
            units=tuple(self._live_units),
            origin=indices(room),
            code=indices(room),
            class_id=indices(n_classes),
            class_first=indices(n_classes),
            class_count=indices(n_classes),
            table=class_table(samples, b2.size),
            lines=aligned_zeros((n_classes, round_up(4 * b2.size, WIDTH))),
        )
        scratch = Scratch(
            units=tuple(aligned_zeros((size, beyond))),
            origin=indices(n_hidden),
            code=indices(n_hidden),
            level=np.zeros(beyond),
            class_next=indices(n_classes),
            forecast=np.zeros((1 + 2 * b2.size, n_codes)),
            alarms=indices(n_codes // LANES),
        )
        self._net = MomentNet(mapped, live, scratch, self._b2, self._counters.view(np.recarray))
        self._live_units[:, :n_hidden] = units
        live.origin[:n_hidden] = np.arange(n_hidden)
        live.code[:n_hidden] = code
        self._counters["n_live"] = n_hidden
        self._counters["horizon"] = FIRST_HORIZON
        self._evaluate()

    @property
    def live_units(self) -> int:
        """The number of units trained as such, because they may cross a sample before the next rebuild."""
        counters = self._counters[0]
        classed = self._net.live.class_count[: counters["n_classes"]].sum()
        return int(classed + counters["n_live"] - counters["n_classed"])

    def _run(self, record: Record, *, is_training: bool) -> int:
        return self._call(self._net, self._sums, record, self._rates, self._data, is_training)

    def _arrays(self) -> list[Array]:
        mapped, live = self._net.mapped, self._net.live
        # Of 100,000 units some 1,000 are live: to copy room for all of them in every chunk took 8 % of a fit.
        n_live, n_classes = self._counters[0]["n_live"], self._counters[0]["n_classes"]
        return [
            self._mapped_units,
            *mapped[1:],
            self._live_units[:, :n_live],
            *(array[:n_live] for array in (live.origin, live.code)),
            *(array[:n_classes] for array in (live.class_id, live.class_first, live.class_count)),
            self._net.scratch.forecast,
            self._sums.errors,
            self._b2,
        ]

    def units(self) -> tuple[Array, Array]:
        """Return the units (2 + n_out, n_hidden) and their codes now, in the order given."""
        n_out, scratch = self.squared_error.size, self._net.scratch
        compiled(gather_units, (self._net,))(self._net)
        units, code = np.empty((2 + n_out, scratch.origin.size)), np.empty_like(scratch.code)
        for row, gathered in zip(units, scratch.units, strict=True):
            row[scratch.origin] = gathered[: scratch.origin.size]
        code[scratch.origin] = scratch.code
        return units, code

"""The methods that train nets of one input by the patterns of their units, and the arrays that kernels take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.jit import plain
from fastmlp.compiled.vectors import aligned_zeros
from fastmlp.engines.adam import BETA1, BETA2, EPSILON
from fastmlp.engines.engine import Array, Rates, Settings
from fastmlp.engines.univariate.codes import classes, neighbours, prefix_offset, round_up
from fastmlp.engines.univariate.kernels.layout import (
    COUNTERS,
    LANES,
    LEAST_CLASS,
    WIDTH,
    Data,
    LiveUnits,
    MappedUnits,
    MomentNet,
    Nets,
    OptimizedNet,
    Optimizer,
    Record,
    RunningSums,
    Scratch,
)
from fastmlp.engines.univariate.kernels.maps import map_fields
from fastmlp.engines.univariate.kernels.moments import gather_units, train_moments
from fastmlp.engines.univariate.kernels.optimized import train_optimized
from fastmlp.engines.univariate.kernels.prefix_sums import train_units
from fastmlp.engines.univariate.samples import SortedSamples

FIRST_HORIZON = 128  # epochs until the second rebuild


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

    @property
    def leaves(self) -> bool:
        """Whether by the counts of the last call another method is cheaper."""

    def units(self) -> tuple[Array, Array]:
        """Return the units (2 + n_out, n_hidden) and their codes now, in the order given."""

    def state(self) -> Mapping[str, Array]:
        """Return copies of what training goes on from, bitwise."""

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""


class _ByPattern:
    """What the methods that go by patterns share: tables of samples and patterns, running sums, counters."""

    _kernel: Any
    _compiled: ClassVar[dict[int, Any]]  # by the number of outputs, on which alone the types of the arguments depend

    def __init__(self, samples: SortedSamples, b2: Array, settings: Settings, crossings: int) -> None:
        n_out = b2.size
        offset = prefix_offset(samples.x.size)
        x, weight = (_padded(row, offset) for row in (samples.x, samples.weight))
        y = np.stack([_padded(column, offset) for column in samples.y.T])
        slope = float(settings.negative_slope)
        self._data = Data(
            *(x, y, weight, samples.scatter, samples.n_before),
            *neighbours(samples.x),
            slope,
            samples.centre,
            tuple(range(n_out)),
        )
        self._rates = Rates(*map(float, settings.rates))
        self._sums = RunningSums(
            lines=aligned_zeros(2 * offset * 2 * n_out),
            first_line=np.zeros(2 * n_out),
            errors=aligned_zeros(offset * 2 * n_out),
            totals=np.zeros(4 * n_out),
        )
        self._b2 = b2.copy()
        self._counts, self._counters = _counters(1)
        self._counters[0].crossings = crossings
        self.squared_error = np.empty(n_out)

    def _run(self, record: Record, *, is_moving: bool) -> int:
        """Call the kernel; return the number of epochs done."""
        raise NotImplementedError

    def _arrays(self) -> list[Array]:
        """Return the arrays that make up the state besides the counters, which say how much of them is in use."""
        raise NotImplementedError

    def _call(self, *arguments: Any) -> int:
        n_out = self.squared_error.size
        if n_out not in self._compiled:  # to find the types of all arrays takes 1 ms
            self._compiled[n_out] = compiled(self._kernel, arguments)
        return int(self._compiled[n_out](*arguments))

    def _evaluate(self) -> None:
        record = Record(np.empty((1, self.squared_error.size)), np.empty(1, np.int64))
        self._run(record, is_moving=False)
        self.squared_error[:] = record.squared_error[0]

    @property
    def b2(self) -> Array:
        """A copy of the output bias (n_out,)."""
        return np.array(self._b2)

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train as `Method.train` says."""
        self._counters[0].leaves = 0
        return self._run(Record(squared_error[:n_epochs], crossings[:n_epochs]), is_moving=True)

    @property
    def crossings(self) -> int:
        """The (unit, sample) sign changes so far, those of the methods before included."""
        return int(self._counters[0].crossings)

    @property
    def leaves(self) -> bool:
        """Whether by the counts of the last call another method is cheaper."""
        return bool(self._counters[0].leaves)

    def state(self) -> Mapping[str, Array]:
        """Return copies of what training goes on from, bitwise."""
        arrays = {f"{k}": array.copy() for k, array in enumerate(self._arrays())}
        return {"counters": self._counts.copy(), **arrays}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        self._counts[:] = state["counters"]
        for k, array in enumerate(self._arrays()):
            array[...] = state[f"{k}"]


class _UnitByUnit(_ByPattern):
    """Every unit by itself: O(n_samples + n_hidden) per epoch."""

    method = "prefix sums"
    live_units = None

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
        # In the order of their patterns neighbouring units touch the same sums.
        self._order = np.argsort(code, kind="stable")
        self._units = np.ascontiguousarray(units[:, self._order])
        self._code = code[self._order]

    def _arrays(self) -> list[Array]:
        return [
            self._order,
            self._units,
            self._code,
            self._sums.errors,
            self._sums.totals,
            self._b2,
        ]

    def units(self) -> tuple[Array, Array]:
        """Return the units (2 + n_out, n_hidden) and their codes now, in the order given."""
        units, code = np.empty_like(self._units), np.empty_like(self._code)
        units[:, self._order], code[self._order] = self._units, self._code
        return units, code


class PrefixSums(_UnitByUnit):
    """Units one by one, by plain gradient descent."""

    _kernel = staticmethod(train_units)
    _compiled: ClassVar[dict[int, Any]] = {}

    def __init__(
        self,
        samples: SortedSamples,
        units: Array,
        code: Array,
        b2: Array,
        settings: Settings,
        crossings: int = 0,
    ) -> None:
        super().__init__(samples, units, code, b2, settings, crossings)
        self._evaluate()

    def _run(self, record: Record, *, is_moving: bool) -> int:
        rates, ends = np.array([self._rates]), np.empty((1, 3, self.squared_error.size))
        nets = Nets(self._units[None], self._code[None], self._b2[None], rates, ends, self._counters)
        return self._call(nets, self._sums, record, self._data, is_moving)

    def train_each(self, units: Array, code: Array, b2: Array, rates: Array, n_epochs: int) -> tuple[Array, ...]:
        """Train other nets on the same samples, each as `train` does one.

        units (n_nets, 2 + n_out, n_hidden), their codes (n_nets, n_hidden) and b2 (n_nets, n_out) are changed in place;
        rates (n_nets, 4). Returns the errors at the start, at the end and the largest (n_nets, 3, n_out), infinite if
        one is not finite, and the crossings (n_nets,).
        """
        order = np.argsort(code, axis=1, kind="stable")
        sorted_units = np.take_along_axis(units, order[:, None], axis=2)
        sorted_code = np.take_along_axis(code, order, axis=1)
        counters = _counters(len(units))[1]
        nets = Nets(sorted_units, sorted_code, b2, rates, np.empty((len(units), 3, b2.shape[1])), counters)
        record = Record(np.empty((n_epochs + 1, b2.shape[1])), np.empty(n_epochs + 1, np.int64))
        self._call(nets, self._sums, record, self._data, False)
        np.put_along_axis(units, order[:, None], sorted_units, axis=2)
        np.put_along_axis(code, order, sorted_code, axis=1)
        return nets.ends, np.array(counters.crossings)


class OptimizedSums(_UnitByUnit):
    """Units one by one, by any optimiser and schedule; for samples that are not centred."""

    _kernel = staticmethod(train_optimized)
    _compiled: ClassVar[dict[int, Any]] = {}

    def __init__(
        self,
        samples: SortedSamples,
        units: Array,
        code: Array,
        b2: Array,
        settings: Settings,
        crossings: int = 0,
    ) -> None:
        super().__init__(samples, units, code, b2, settings, crossings)
        self._settings = settings
        self._optimizer = Optimizer(
            settings.optimizer == "adam",
            float(settings.weight_decay),
            float(settings.momentum),
            settings.nesterov,
            BETA1,
            BETA2,
            EPSILON,
            self._rates,
            np.ones(1),
        )
        parameters = (*self._units, self._b2)
        gradient, first, second = (tuple(map(np.zeros_like, parameters)) for _ in range(3))
        self._net = OptimizedNet(parameters, self._code, gradient, first, second, self._counters[0])
        self._evaluate()

    def _run(self, record: Record, *, is_moving: bool) -> int:
        return self._call(self._net, self._optimizer, self._sums, record, self._data, is_moving)

    def _arrays(self) -> list[Array]:
        return [*super()._arrays(), *self._net.first, *self._net.second]

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train as `Method.train` says."""
        factors = self._settings.factors(int(self._counters[0].epoch), n_epochs)
        self._optimizer = self._optimizer._replace(factors=factors)
        return super().train(n_epochs, squared_error, crossings)


class PatternMoments(_ByPattern):
    """Units by pattern, and those that may cross a sample by class: O(patterns + live units) per epoch."""

    method = "pattern moments"
    _kernel = staticmethod(train_moments)
    _compiled: ClassVar[dict[int, Any]] = {}
    _gather: ClassVar[dict[int, Any]] = {}

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
        self._mapped_units, self._live_units = aligned_zeros(size, beyond), aligned_zeros(size, room)
        mapped = MappedUnits(
            units=tuple(self._mapped_units),
            origin=indices(n_hidden),
            first=indices(n_codes),
            n_units=indices(n_codes),
            maps=aligned_zeros(n_codes * plain(map_fields)(b2.size).n_fields),
            block_id=indices(n_codes // LANES),
        )
        table, gains = classes(samples, b2.size, self._data.negative_slope)
        live = LiveUnits(
            units=tuple(self._live_units),
            origin=indices(room),
            code=indices(room),
            class_id=indices(n_classes),
            class_first=indices(n_classes),
            class_count=indices(n_classes),
            table=table,
            lines=aligned_zeros(*gains.shape),
            gains=gains,
        )
        scratch = Scratch(
            units=tuple(aligned_zeros(size, beyond)),
            origin=indices(n_hidden),
            code=indices(n_hidden),
            level=np.zeros(beyond),
            class_next=indices(n_classes),
            forecast=np.zeros((1 + 2 * b2.size, n_codes)),
            alarms=indices(n_codes // LANES),
        )
        self._net = MomentNet(mapped, live, scratch, self._b2, self._counters[0])
        self._live_units[:, :n_hidden] = units
        live.origin[:n_hidden] = np.arange(n_hidden)
        live.code[:n_hidden] = code
        self._net.counters.n_live = n_hidden
        self._net.counters.horizon = FIRST_HORIZON
        self._evaluate()

    @property
    def live_units(self) -> int:
        """The number of units trained as such, because they may cross a sample before the next rebuild."""
        counters = self._net.counters
        classed = self._net.live.class_count[: counters.n_classes].sum()
        return int(classed + counters.n_live - counters.n_classed)

    def _run(self, record: Record, *, is_moving: bool) -> int:
        return self._call(self._net, self._sums, record, self._rates, self._data, is_moving)

    def _arrays(self) -> list[Array]:
        mapped, live = self._net.mapped, self._net.live
        # Of 100,000 units some 1,000 are live: to copy room for all of them in every chunk took 8 % of a fit.
        n_live, n_classes = self._net.counters.n_live, self._net.counters.n_classes
        return [
            self._mapped_units,
            *mapped[1:],
            self._live_units[:, :n_live],
            *(array[:n_live] for array in (live.origin, live.code)),
            *(array[:n_classes] for array in (live.class_id, live.class_first, live.class_count)),
            self._net.scratch.forecast,
            self._sums.errors,
            self._sums.totals,
            self._b2,
        ]

    def units(self) -> tuple[Array, Array]:
        """Return the units (2 + n_out, n_hidden) and their codes now, in the order given."""
        n_out, scratch = self.squared_error.size, self._net.scratch
        if n_out not in self._gather:
            self._gather[n_out] = compiled(gather_units, (self._net,))
        self._gather[n_out](self._net)
        units, code = np.empty((2 + n_out, scratch.origin.size)), np.empty_like(scratch.code)
        for row, gathered in zip(units, scratch.units, strict=True):
            row[scratch.origin] = gathered[: scratch.origin.size]
        code[scratch.origin] = scratch.code
        return units, code


def _counters(n_nets: int) -> tuple[Array, Any]:
    """Return the counters of nets as plain integers, and as the records that they are."""
    counts = np.zeros(n_nets * (COUNTERS.itemsize // 8), np.int64)
    return counts, counts.view(COUNTERS).view(np.recarray)


def _padded(row: Array, size: int) -> Array:
    padded = np.zeros(size)  # numpy.pad takes 20 us
    padded[: row.size] = row
    return padded

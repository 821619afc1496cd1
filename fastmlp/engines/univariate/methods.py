"""The methods by which a net of one input is trained: how units and patterns lie in memory for each kernel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.jit import plain
from fastmlp.compiled.vectors import aligned_zeros
from fastmlp.engines.engine import BETA1, BETA2, EPSILON, Array, Settings
from fastmlp.engines.univariate.codes import classes, plane_size, round_up, tables
from fastmlp.engines.univariate.kernels import layout, maps, moments, optimized, prefix_sums
from fastmlp.engines.univariate.samples import SortedSamples

FIRST_HORIZON = 128


class Method(Protocol):
    """A way to train units, given by (w, b + centre w, v_0, v_1, ...) and the codes of their patterns.

    Codes are those of `fastmlp.engines.univariate.codes`; the constructor copies and evaluates the start.
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
        """Fill (n_epochs, n_out) and (n_epochs,) rows; return the epochs done: fewer on divergence, or on leaving."""

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
    """What the methods by pattern share: the tables of samples and patterns, and one pass over the samples."""

    _kernel: Any
    _compiled: ClassVar[dict[int, Any]]  # by the number of outputs, on which alone the types of the arguments depend

    def __init__(self, samples: SortedSamples, b2: Array, settings: Settings, crossings: int) -> None:
        n, n_out = samples.x.size, b2.size
        plane = plane_size(n)
        self._n_codes = 2 * plane
        x, weight = (_padded(row, plane) for row in (samples.x, samples.weight))
        y = np.stack([_padded(column, plane) for column in samples.y.T])
        self._samples = layout.Samples(x, y, weight, samples.scatter, samples.n_before)
        self._patterns = tables(samples.x)
        self._rule = layout.Rule(*settings.rates, float(settings.negative_slope), samples.centre)
        self._passed = layout.Passed(
            sums=aligned_zeros(2 * n_out * self._n_codes),
            base=np.zeros(2 * n_out),
            errors=aligned_zeros(2 * n_out * plane),
            totals=np.zeros(4 * n_out),
            b2=b2.copy(),
        )
        self._counters = np.zeros(layout.N_COUNTERS, np.int64)
        self._counters[layout.CROSSINGS] = crossings
        self.squared_error = np.empty(n_out)

    def _held(self) -> tuple[Any, ...]:
        """Return the kernel's arguments before squared_error."""
        raise NotImplementedError

    def _arrays(self) -> list[Array]:
        """Return the arrays that make up the state besides the counters, which say how much of them is in use."""
        raise NotImplementedError

    def _run(
        self, held: tuple[Any, ...], n_epochs: int, squared_error: Array, crossings: Array, *, is_moving: bool
    ) -> int:
        n_out = self.squared_error.size
        tables = self._samples, self._patterns, self._rule, tuple(range(n_out))
        arguments = (*held, squared_error, crossings, *tables, is_moving, n_epochs)
        if n_out not in self._compiled:  # to find the types of all arrays takes 1 ms
            self._compiled[n_out] = compiled(self._kernel, arguments)
        return int(self._compiled[n_out](*arguments))

    def _evaluate(self) -> None:
        squared_error = np.empty((1, self.squared_error.size))
        self._run(self._held(), 1, squared_error, np.empty(1, np.int64), is_moving=False)
        self.squared_error[:] = squared_error[0]

    @property
    def b2(self) -> Array:
        """A copy of the output bias (n_out,)."""
        return np.array(self._passed.b2)

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train as `Method.train` says."""
        self._counters[layout.LEAVES] = 0
        return self._run(self._held(), n_epochs, squared_error, crossings, is_moving=True)

    @property
    def crossings(self) -> int:
        """The (unit, sample) sign changes so far, those of the methods before included."""
        return int(self._counters[layout.CROSSINGS])

    @property
    def leaves(self) -> bool:
        """Whether by the counts of the last call another method is cheaper."""
        return bool(self._counters[layout.LEAVES])

    def state(self) -> Mapping[str, Array]:
        """Return copies of what training goes on from, bitwise."""
        arrays = {f"{k}": array.copy() for k, array in enumerate(self._arrays())}
        return {"counters": self._counters.copy(), **arrays}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        self._counters[:] = state["counters"]
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
            self._passed.errors,
            self._passed.totals,
            self._passed.b2,
        ]

    def units(self) -> tuple[Array, Array]:
        """Return the units (2 + n_out, n_hidden) and their codes now, in the order given."""
        units, code = np.empty_like(self._units), np.empty_like(self._code)
        units[:, self._order], code[self._order] = self._units, self._code
        return units, code


class PrefixSums(_UnitByUnit):
    """Units one by one, by plain gradient descent."""

    _kernel = staticmethod(prefix_sums.train_units)
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

    def _held(self) -> tuple[Any, ...]:
        n_out = self.squared_error.size
        rates, ends = np.array([self._rule[:4]]), np.empty((1, 3, n_out))
        return (
            self._units[None],
            self._code[None],
            self._passed.b2[None],
            rates,
            ends,
            self._passed,
            self._counters[None],
        )

    def train_each(self, units: Array, code: Array, b2: Array, rates: Array, n_epochs: int) -> tuple[Array, ...]:
        """Train other nets on the same samples, each as `train` does one.

        units (n_nets, 2 + n_out, n_hidden), their codes (n_nets, n_hidden) and b2 (n_nets, n_out) are changed in place;
        rates (n_nets, 4). Returns the errors at the start, at the end and the largest (n_nets, 3, n_out), infinite if
        one is not finite, and the crossings (n_nets,).
        """
        order = np.argsort(code, axis=1, kind="stable")
        sorted_units = np.take_along_axis(units, order[:, None], axis=2)
        sorted_code = np.take_along_axis(code, order, axis=1)
        counters = np.zeros((len(units), layout.N_COUNTERS), np.int64)
        ends = np.empty((len(units), 3, b2.shape[1]))
        held = sorted_units, sorted_code, b2, rates, ends, self._passed, counters
        squared_error, crossings = np.empty((n_epochs + 1, b2.shape[1])), np.empty(n_epochs + 1, np.int64)
        self._run(held, n_epochs + 1, squared_error, crossings, is_moving=False)
        np.put_along_axis(units, order[:, None], sorted_units, axis=2)
        np.put_along_axis(code, order, sorted_code, axis=1)
        return ends, counters[:, layout.CROSSINGS]


class OptimizedSums(_UnitByUnit):
    """Units one by one, by any optimiser and schedule; for samples that are not centred."""

    _kernel = staticmethod(optimized.train_optimized)
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
        self._optimizer = layout.Optimizer(
            settings.optimizer == "adam",
            float(settings.weight_decay),
            float(settings.momentum),
            settings.nesterov,
            BETA1,
            BETA2,
            EPSILON,
        )
        self._parameters = (*self._units, self._passed.b2)
        self._memory = layout.Memory(*(tuple(map(np.zeros_like, self._parameters)) for _ in layout.Memory._fields))
        self._factors = np.ones(1)
        self._evaluate()

    def _held(self) -> tuple[Any, ...]:
        optimizer = self._memory, self._optimizer, self._factors
        return self._parameters, self._code, *optimizer, self._passed, self._counters

    def _arrays(self) -> list[Array]:
        return [*super()._arrays(), *self._memory.first, *self._memory.second]

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train as `Method.train` says."""
        self._factors = self._settings.factors(int(self._counters[layout.EPOCH]), n_epochs)
        return super().train(n_epochs, squared_error, crossings)


class PatternMoments(_ByPattern):
    """Units by pattern, and those that may cross a sample by class: O(patterns + live units) per epoch."""

    method = "pattern moments"
    _kernel = staticmethod(moments.train_moments)
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
        self._n_fields = plain(maps.map_fields)(tuple(range(b2.size)))[-1]

        def indices(count: int) -> Array:
            return np.zeros(count, np.int64)

        # Every unit may be live, in a class and afterwards free; the last vector of each class is filled up.
        n_filled = (layout.WIDTH - 1) * min(n_classes, n_hidden // layout.LEAST_CLASS)
        room = round_up(2 * n_hidden + n_filled, layout.WIDTH)
        beyond = round_up(n_hidden + layout.WIDTH, layout.WIDTH)  # vectors may begin at the last unit
        self._settled_units, self._live_units, spare_units = (
            aligned_zeros(size, count) for count in (beyond, room, beyond)
        )
        self._settled = layout.Settled(
            tuple(self._settled_units),
            indices(n_hidden),
            indices(self._n_codes),
            indices(self._n_codes),
            aligned_zeros(self._n_codes * self._n_fields),
            indices(self._n_codes // layout.LANES),
        )
        self._live = layout.Live(
            tuple(self._live_units),
            indices(room),
            indices(room),
            indices(n_classes),
            indices(n_classes),
            indices(n_classes),
        )
        self._classes = classes(samples, b2.size, settings.negative_slope)
        self._spare = layout.Spare(
            tuple(spare_units),
            indices(n_hidden),
            indices(n_hidden),
            np.zeros(beyond),
            indices(n_classes),
            np.zeros((1 + 2 * b2.size, self._n_codes)),
            indices(self._n_codes // layout.LANES),
            aligned_zeros(n_classes, round_up(4 * b2.size, layout.WIDTH)),
        )
        self._live_units[:, :n_hidden] = units
        self._live.origin[:n_hidden] = np.arange(n_hidden)
        self._live.code[:n_hidden] = code
        self._counters[layout.N_LIVE] = n_hidden
        self._counters[layout.HORIZON] = FIRST_HORIZON
        self._evaluate()

    @property
    def live_units(self) -> int:
        """The number of units trained as such, because they may cross a sample before the next rebuild."""
        classed = self._live.class_count[: self._counters[layout.N_CLASSES]].sum()
        return int(classed + self._counters[layout.N_LIVE] - self._counters[layout.N_CLASSED])

    def _held(self) -> tuple[Any, ...]:
        return self._settled, self._live, self._spare, self._classes, self._passed, self._counters

    def _arrays(self) -> list[Array]:
        settled, live, passed = self._settled, self._live, self._passed
        # Of 100,000 units some 1,000 are live: to copy room for all of them in every chunk took 8 % of a fit.
        n_live, n_classes = self._counters[[layout.N_LIVE, layout.N_CLASSES]]
        return [
            self._settled_units,
            *settled[1:],
            self._live_units[:, :n_live],
            *(array[:n_live] for array in (live.origin, live.code)),
            *(array[:n_classes] for array in (live.class_id, live.class_first, live.class_count)),
            self._spare.expected,
            passed.errors,
            passed.totals,
            passed.b2,
        ]

    def units(self) -> tuple[Array, Array]:
        """Return the units (2 + n_out, n_hidden) and their codes now, in the order given."""
        n_out, spare = self.squared_error.size, self._spare
        arguments = self._settled, self._live, spare, self._counters, self._classes, tuple(range(n_out))
        if n_out not in self._gather:
            self._gather[n_out] = compiled(moments.gather_units, arguments)
        self._gather[n_out](*arguments)
        units, code = np.empty((2 + n_out, spare.origin.size)), np.empty_like(spare.code)
        for row, gathered in zip(units, spare.units, strict=True):
            row[spare.origin] = gathered[: spare.origin.size]
        code[spare.origin] = spare.code
        return units, code


def _padded(row: Array, size: int) -> Array:
    padded = np.zeros(size)  # numpy.pad takes 20 us
    padded[: row.size] = row
    return padded

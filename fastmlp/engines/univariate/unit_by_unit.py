"""Prefix sums: the methods that update every unit by itself."""

from __future__ import annotations

import numpy as np

from fastmlp.engines.adam import BETA1, BETA2, EPSILON
from fastmlp.engines.engine import Array, Memory, PiecewiseRate, Rates, Settings, Weights
from fastmlp.engines.univariate.kernels.layout import (
    COUNTERS,
    Nets,
    OptimizedNet,
    Optimizer,
    Record,
)
from fastmlp.engines.univariate.kernels.optimized import train_optimized
from fastmlp.engines.univariate.kernels.prefix_sums import train_units
from fastmlp.engines.univariate.methods import ByPattern
from fastmlp.engines.univariate.samples import SortedSamples


class _UnitByUnit(ByPattern):
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
        self._nets = Nets(
            units=self._units[None],
            codes=self._code[None],
            b2=self._b2[None],
            rates=np.array([[self._rates]]),
            starts=np.zeros(1, np.int64),
            ends=np.empty((1, 3, b2.size)),
            counters=self._counters.view(np.recarray),
        )
        self._evaluate()

    def set_rates(self, rates: Rates) -> None:
        """Use these rates from the next epoch on."""
        super().set_rates(rates)
        self._nets.rates[:] = rates

    def _run(self, record: Record, *, is_training: bool) -> int:
        return self._call(self._nets, self._sums, record, self._data, is_training)

    def train_each(
        self, units: Array, code: Array, b2: Array, rates: Array, pieces: PiecewiseRate, n_epochs: int
    ) -> tuple[Array, ...]:
        """Train other nets on the same samples, each as `train` does one.

        units (n_nets, 2 + n_out, n_hidden), their codes (n_nets, n_hidden) and b2 (n_nets, n_out) are changed in place;
        rates (n_nets, 4) are multiplied by the factors of the pieces. Returns the errors at the start, at the end and
        the largest (n_nets, 3, n_out), infinite if one is not finite, and the crossings (n_nets,).
        """
        order = np.argsort(code, axis=1, kind="stable")
        sorted_units = np.take_along_axis(units, order[:, None], axis=2)
        sorted_code = np.take_along_axis(code, order, axis=1)
        counters = np.zeros(len(units), COUNTERS)
        starts = np.append(0, np.add(pieces.starts[1:], 1)).astype(np.int64)  # row 0 of the record is before epoch 0
        piece_rates = rates[:, None] * np.array(pieces.factors)[:, None]
        ends = np.empty((len(units), 3, b2.shape[1]))
        nets = Nets(sorted_units, sorted_code, b2, piece_rates, starts, ends, counters.view(np.recarray))
        record = Record(np.empty((n_epochs + 1, b2.shape[1])), np.empty(n_epochs + 1, np.int64))
        self._call(nets, self._sums, record, self._data, False)
        np.put_along_axis(units, order[:, None], sorted_units, axis=2)
        np.put_along_axis(code, order, sorted_code, axis=1)
        return ends, counters["crossings"].copy()


class OptimizedSums(_UnitByUnit):
    """Units one by one, by any optimiser and schedule; for samples that are not centred."""

    _kernel = staticmethod(train_optimized)

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
            settings.decays,
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
        self._steps_before = np.zeros(1, np.int64)  # of the optimiser, in another engine
        self._net = OptimizedNet(parameters, self._code, gradient, first, second, self._counters.view(np.recarray))
        self._evaluate()

    def _run(self, record: Record, *, is_training: bool) -> int:
        return self._call(self._net, self._optimizer, self._sums, record, self._data, is_training)

    def _arrays(self) -> list[Array]:
        return [*super()._arrays(), *self._net.first, *self._net.second, self._steps_before]

    def memory(self) -> Memory | None:
        """Return copies of the moments, and the number of updates."""
        if not self._settings.has_memory:
            return None
        moments = [self._moment(rows) for rows in (self._net.first, self._net.second)]
        is_adam = self._settings.optimizer == "adam"
        return Memory(int(self._counters["epoch"][0]), moments[0], moments[1] if is_adam else None)

    def _moment(self, rows: tuple[Array, ...]) -> Weights:
        """Return a moment in the caller's order of the units. The samples are not centred, so that beta is b1."""
        given = np.empty_like(self._units)
        given[:, self._order] = rows[:-1]
        return Weights(given[:1], given[1], given[2:].T.copy(), rows[-1].copy())

    def remember(self, memory: Memory) -> None:
        """Take over a memory."""
        self._counters["epoch"] = self._steps_before[0] = memory.n_updates
        for moment, rows in zip(memory[1:], (self._net.first, self._net.second), strict=True):
            if moment is not None:
                given = np.concatenate([moment.w1, moment.b1[None], moment.w2.T])
                for row, values in zip(rows, (*given[:, self._order], moment.b2), strict=True):
                    row[...] = values

    def train(self, n_epochs: int, squared_error: Array, crossings: Array) -> int:
        """Train as `Method.train` says."""
        epoch = int(self._counters["epoch"][0] - self._steps_before[0])
        factors = self._settings.factors(epoch, n_epochs)
        self._optimizer = self._optimizer._replace(factors=factors)
        return super().train(n_epochs, squared_error, crossings)

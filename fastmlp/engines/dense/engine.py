"""What the two dense engines share."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.threads import progress_counters, run_together
from fastmlp.engines.dense.kernels.optimizer import n_remembered, rule
from fastmlp.engines.dense.layout import zeros
from fastmlp.engines.engine import Array, Problem, Record, Settings, Status, Weights


class DenseEngine:
    """What both share: a kernel, `train` of one module, that goes on from the arrays it is given."""

    counts_crossings = False
    live_units = None
    _kernels: ModuleType

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        parameters: dict[str, Array],
        sums: dict[str, Array],
        scratch: list[Array],
        samples: list[Array],
        n_places: int,
        *literals: Any,
    ) -> None:
        """Evaluate the start.

        Parameters
        ----------
        problem, settings
            As for `fastmlp.engines.engine.Engine`.
        parameters : dict
            The kernel's first two arguments; the optimiser's memory follows them.
        sums, scratch : dict, list
            Those that follow, a row for each part.
        samples : list
            Room for x, y and sample_weight: for each batch, or for all samples, n_places in a row.
        literals
            What follows the samples.
        """
        dtype = problem.x.dtype
        n_out = problem.y.shape[1]
        self._problem = problem
        self._settings = settings
        self._n_batches = n_batches_of(len(problem.x), settings)
        self._n_places = n_places
        batch_size = settings.batch_size or len(problem.x)
        batches, within = np.divmod(np.arange(len(problem.x)), batch_size)
        self._places = n_places * batches + within
        self._first_of_batch = np.arange(0, len(problem.x), batch_size)
        self._samples = samples
        self._epoch, self._step = 0, -1
        self._squared_error = np.empty((1, n_out))
        self._rates = np.array([settings.rates], float)
        memory = {
            name: {f"{name}_memory_{i}": zeros(array.shape, dtype) for i in range(n_remembered(settings))}
            for name, array in parameters.items()
        }
        self._sums = sums
        self._kept = dict(parameters)
        for arrays in memory.values():
            self._kept |= arrays
        self._n_parts = len(scratch[0])
        self._n_threads = min(settings.threads, self._n_parts)
        self._progress = progress_counters(self._n_parts)
        # Two arrays or none, so that there are two kernels to compile; momentum makes use of one.
        remembered = [(*arrays.values(), *arrays.values())[:2] for arrays in memory.values()]
        self._first = (*parameters.values(), *remembered, *sums.values(), *scratch, self._progress)
        self._last = (*samples, *literals, rule(settings, dtype))
        self._arrange(np.arange(len(problem.x)))
        arguments = (*self._first, self._squared_error[:, None], *self._last, self._rates, 0, self._step, 1, 0)
        self._kernel = compiled(self._kernels.train, arguments)
        self._train(1, self._squared_error, self._rates, n_batches=0)
        if self._n_batches:  # the gradient at the start over all samples, which no batch asks for
            for array in sums.values():
                array[:] = 0
        self._step = 0

    def _train(self, n_epochs: int, squared_error: Array, rates: Array, n_batches: int) -> int:
        """Run the kernel; write the squared error after each epoch and return how many were finite."""
        by_part = squared_error[:, None]
        if self._n_parts > 1:
            by_part = np.empty((n_epochs, self._n_parts, squared_error.shape[1]))
        before = (*self._first, by_part, *self._last, rates, n_batches, self._step, n_epochs)
        n_done = run_together(lambda thread: self._kernel(*before, thread), self._n_threads, self._progress)
        if self._n_parts > 1:
            squared_error[: n_done + 1] = _added(by_part[: n_done + 1].swapaxes(0, 1))
        return n_done

    def _arrange(self, order: Array) -> None:
        """Lay all samples out in an order, batch by batch; places left over hold some sample again, of no weight."""
        x, y, sample_weight = self._samples
        places = self._places
        padded = np.zeros(sample_weight[0].size, np.intp)
        padded[places] = order
        weight = self._problem.sample_weight[order]
        sample_weight[0].reshape(-1)[places] = weight
        if self._n_batches:
            sums = np.add.reduceat(weight, self._first_of_batch)
            sample_weight[1].reshape(-1)[places] = weight / sums[places // self._n_places]
        y[...] = self._problem.y[padded].reshape(y.shape)
        self._arrange_inputs(x, padded)

    def _arrange_inputs(self, x: Array, order: Array) -> None:
        """Overwrite the kernel's x with samples in an order."""
        raise NotImplementedError

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engines.engine.Engine.advance` says."""
        factors = self._settings.factors(self._epoch, n_epochs)[:, None]
        rates = self._rates if self._settings.schedule is None else self._rates * factors
        record.squared_error[0] = self._squared_error
        squared_error = record.squared_error[1 : n_epochs + 1]
        if self._n_batches:
            n_done = self._train_batches(squared_error, rates)
        else:
            n_done = self._train(n_epochs, squared_error, rates, 0)
            self._step += n_done
        self._epoch += n_done
        self._squared_error[0] = record.squared_error[n_done]
        return n_done, Status.TRAINED if n_done == n_epochs else Status.DIVERGED

    def _train_batches(self, squared_error: Array, rates: Array) -> int:
        """Train an epoch for each row of squared_error, as `_train` does; return how many were finite."""
        for i in range(len(squared_error)):
            self._arrange(np.concatenate(list(self._settings.batches(self._epoch + i, len(self._problem.x)))))
            rate = rates[min(i, len(rates) - 1)][None]
            if not self._train(1, squared_error[i : i + 1], rate, self._n_batches):
                return i
            self._step += self._n_batches
        return len(squared_error)

    def state(self) -> Mapping[str, Array]:
        """Return copies of the weights, the optimiser's memory, the sums for the next update, the error, the counts.

        The sums are added over parts as the update does it, so that any number of parts can go on from there.
        """
        counts = np.array([self._epoch, self._step])
        arrays = self._kept | {"squared_error": self._squared_error, "counts": counts}
        arrays |= {name: _added(array) for name, array in self._sums.items()}
        return {name: array.copy() for name, array in arrays.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for name, array in self._kept.items():
            array[...] = state[name]
        for name, sums in self._sums.items():
            sums[0] = state[name]
            sums[1:] = 0
        self._squared_error[...] = state["squared_error"]
        self._epoch, self._step = (int(count) for count in state["counts"])


def n_parts_of(settings: Settings, most: int) -> int:
    """Return into how many parts to divide an update that has no more than `most`."""
    return min(settings.parts or settings.threads, most)


def n_batches_of(n_samples: int, settings: Settings) -> int:
    """Return the number of mini-batches of an epoch, 0 where all samples are taken at once."""
    return -(-n_samples // settings.batch_size) if settings.batch_size else 0


def _added(parts: Array) -> Array:
    """Return the sum over the first axis, one after the other: NumPy's own order depends on the shape."""
    return functools.reduce(np.add, parts)


def smallest_problem(n_in: int, dtype: np.dtype[Any], settings: Settings) -> tuple[Problem, Weights, Settings]:
    one_sample = Problem(np.zeros((1, n_in), dtype), np.zeros((1, 1), dtype), np.ones(1, dtype))
    one_unit = Weights(np.zeros((n_in, 1)), np.zeros(1), np.zeros((1, 1)), np.zeros(1))
    return one_sample, one_unit, replace(settings, schedule=None, batch_size=None, threads=1)

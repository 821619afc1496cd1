"""The base class of the two dense engines. It holds the arrays of a kernel, orders the samples and calls the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.memory import aligned_zeros
from fastmlp.compiled.threads import progress_counters, run_together
from fastmlp.engines.dense.kernels.epochs import Arrays, Parameters, Plan
from fastmlp.engines.dense.kernels.optimizer import Optimizer
from fastmlp.engines.dense.layout import broadcast_to_lanes, sum_of_parts
from fastmlp.engines.engine import Array, Memory, Problem, Record, Settings, Status, Weights


class DenseEngine:
    """The base class of `FewInputs` and `ManyInputs`, which decide how weights and samples lie in memory.

    Each call of the kernel continues from the arrays of the previous call: the parameters, their moments, and the
    gradients of the last pass, which the next update uses.
    """

    counts_crossings = False
    live_units = None
    _kernels: ModuleType

    def __init__(
        self,
        problem: Problem,
        settings: Settings,
        parameters: dict[str, Array],
        gradients: Any,
        scratch: Any,
        samples: Any,
    ) -> None:
        """Evaluate the initial weights.

        Parameters
        ----------
        problem, settings
            Those of `fastmlp.engines.engine.Engine`.
        parameters : dict
            "theta" and "b2" in the layout of the kernel.
        gradients, scratch : NamedTuple
            Zeros, as the kernel describes them: one row for each part.
        samples : NamedTuple
            Room for x, y and sample_weight: every batch, or all samples, takes the same number of places.
        """
        dtype, n_samples = problem.x.dtype, len(problem.x)
        self._problem = problem
        self._settings = settings
        self._n_batches = n_batches_of(n_samples, settings)
        self._samples = samples
        # The i-th sample of an epoch is in batch _batch[i] and lies at _place[i] among the padded samples.
        self._batch, within_batch = np.divmod(np.arange(n_samples), settings.batch_size or n_samples)
        self._batch_starts = np.flatnonzero(within_batch == 0)
        padded_batch_size = samples.sample_weight[0].size // max(1, self._n_batches)
        self._place = padded_batch_size * self._batch + within_batch
        self._epoch = 0
        self._n_updates = -1  # until the initial weights are evaluated
        self._squared_error = np.empty((1, problem.y.shape[1]))
        self._rates = np.array([settings.rates], float)

        self._state, self._parameters = with_moments(parameters, moments_of(settings))
        self._gradients = gradients
        self._scratch = scratch
        self._negative_slope = dtype.type(settings.negative_slope)
        self._optimizer = Optimizer(
            is_adam=settings.optimizer == "adam",
            nesterov=bool(settings.nesterov),
            momentum=dtype.type(settings.momentum),
            weight_decay=np.array(settings.decays, dtype),
        )
        self._n_parts = len(scratch.error)
        self._n_threads = min(settings.threads, self._n_parts)
        self._progress = progress_counters(self._n_parts)

        self._order_samples(np.arange(n_samples))
        self._evaluate_start()

    def _evaluate_start(self) -> None:
        """Compile the kernel and evaluate the net at the start."""
        arguments = self._arguments(self._squared_error[:, None], self._rates, n_batches=0)
        self._kernel = compiled(self._kernels.train, (*arguments, self._progress, 0))
        self._train(self._squared_error, self._rates, n_batches=0)
        if self._n_batches:  # the first update takes the gradient of a batch, not that of all samples
            for gradient in self._gradients:
                gradient[:] = 0
        self._n_updates = 0

    def _arguments(self, squared_error: Array, rates: Array, n_batches: int) -> tuple[Arrays, Plan]:
        """Return the first two arguments of the kernel, for squared_error (n_epochs, n_parts, n_out)."""
        arrays = Arrays(self._parameters, self._gradients, self._scratch, self._samples, squared_error)
        return arrays, Plan(self._negative_slope, self._optimizer, rates, n_batches, self._n_updates)

    def _train(self, squared_error: Array, rates: Array, n_batches: int) -> int:
        """Train an epoch for each row of squared_error and overwrite it; return how many rows are finite."""
        by_part = squared_error[:, None]
        if self._n_parts > 1:
            by_part = np.empty((len(squared_error), self._n_parts, squared_error.shape[1]))
        arrays, plan = self._arguments(by_part, rates, n_batches)
        progress = self._progress
        n_done = run_together(lambda thread: self._kernel(arrays, plan, progress, thread), self._n_threads, progress)
        if self._n_parts > 1:
            squared_error[: n_done + 1] = sum_of_parts(by_part[: n_done + 1].swapaxes(0, 1))
        return n_done

    def _order_samples(self, order: Array) -> None:
        """Copy the samples to their places in an order, batch by batch; padding repeats sample 0 with weight 0."""
        weight = self._problem.sample_weight[order]
        self._samples.sample_weight[0].reshape(-1)[self._place] = weight
        if self._n_batches:
            sums = np.add.reduceat(weight, self._batch_starts)
            self._samples.sample_weight[1].reshape(-1)[self._place] = weight / sums[self._batch]
        padded_order = np.zeros(self._samples.sample_weight[0].size, np.intp)
        padded_order[self._place] = order
        y = self._samples.y
        y[...] = self._problem.y[padded_order].reshape(y.shape)
        self._copy_x(padded_order)

    def _copy_x(self, padded_order: Array) -> None:
        """Overwrite the kernel's x with the samples in an order."""
        raise NotImplementedError

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engines.engine.Engine.advance` describes."""
        factors = self._settings.factors(self._epoch, n_epochs)[:, None]
        rates = self._rates if self._settings.schedule is None else self._rates * factors
        record.squared_error[0] = self._squared_error
        squared_error = record.squared_error[1 : n_epochs + 1]
        if self._n_batches:
            n_done = self._train_batches(squared_error, rates)
        else:
            n_done = self._train(squared_error, rates, 0)
            self._n_updates += n_done
        self._epoch += n_done
        self._squared_error[0] = record.squared_error[n_done]
        return n_done, Status.TRAINED if n_done == n_epochs else Status.DIVERGED

    def _train_batches(self, squared_error: Array, rates: Array) -> int:
        """Do what `_train` does, with the samples of each epoch in the order of its batches."""
        for i in range(len(squared_error)):
            self._order_samples(self._settings.shuffled(self._epoch + i, len(self._problem.x)))
            rate = rates[min(i, len(rates) - 1)][None]
            if not self._train(squared_error[i : i + 1], rate, self._n_batches):
                return i
            self._n_updates += self._n_batches
        return len(squared_error)

    def _theta(self, weights: Weights, dtype: np.dtype[Any]) -> Array:
        """Return w1, b1 and w2 in the layout of the kernel."""
        raise NotImplementedError

    def _weights(self, theta: Array, b2: Array) -> Weights:
        """Return copies of the weights in theta and b2 (n_out,)."""
        raise NotImplementedError

    def weights(self) -> Weights:
        """Return copies of the weights."""
        return self._weights(self._state["theta"], self._state["b2"][:, 0])

    def memory(self) -> Memory | None:
        """Return copies of the moments, and the number of updates."""
        if not self._settings.has_memory:
            return None
        arrays = self._state
        moments = {name: (arrays[f"theta_{name}"], arrays[f"b2_{name}"][:, 0]) for name in moments_of(self._settings)}
        return Memory(self._n_updates, **{name: self._weights(*moment) for name, moment in moments.items()})

    def remember(self, memory: Memory) -> None:
        """Take over a memory."""
        dtype = self._problem.x.dtype
        self._n_updates = memory.n_updates
        for name in moments_of(self._settings):
            moment = getattr(memory, name)
            self._state[f"theta_{name}"][...] = self._theta(moment, dtype)
            self._state[f"b2_{name}"][...] = broadcast_to_lanes(np.asarray(moment.b2, dtype), dtype)

    def state(self) -> Mapping[str, Array]:
        """Return copies of the parameters, moments, gradients, squared error, and the numbers of epochs and updates.

        The gradients are summed over parts in the order of an update, so an engine with any number of parts can
        continue from the state.
        """
        counts = np.array([self._epoch, self._n_updates])
        arrays = self._state | {"squared_error": self._squared_error, "counts": counts}
        arrays |= {name: sum_of_parts(array) for name, array in self._gradients._asdict().items()}
        return {name: array.copy() for name, array in arrays.items()}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for name, array in self._state.items():
            array[...] = state[name]
        for name, gradient in self._gradients._asdict().items():
            gradient[0] = state[name]
            gradient[1:] = 0
        self._squared_error[...] = state["squared_error"]
        self._epoch, self._n_updates = (int(count) for count in state["counts"])


def moments_of(settings: Settings) -> tuple[str, ...]:
    """Return the names of the moments that an optimiser keeps of each parameter."""
    if settings.optimizer == "adam":
        return "m", "v"
    return ("m",) if settings.momentum or any(settings.decays) else ()


def with_moments(parameters: dict[str, Array], moments: tuple[str, ...]) -> tuple[dict[str, Array], Parameters]:
    """Return theta and b2 with their moments, which are zeros: by name, and as the kernels take them.

    The kernels take two moments or none, so that only two kernels are compiled. Momentum, which has one, gives it
    twice.
    """
    named, pairs = dict(parameters), {}
    for name, array in parameters.items():
        arrays = [aligned_zeros(array.shape, array.dtype) for _ in moments]
        named |= {f"{name}_{moment}": zeros for moment, zeros in zip(moments, arrays, strict=True)}
        pairs[f"{name}_moments"] = tuple(arrays + arrays)[:2]
    return named, Parameters(**parameters, **pairs)


def n_parts_of(settings: Settings, most: int) -> int:
    """Return the number of parts of an update that cannot have more than `most`."""
    return min(settings.parts or settings.threads, most)


def n_batches_of(n_samples: int, settings: Settings) -> int:
    """Return the number of mini-batches in an epoch, 0 without mini-batches."""
    return -(-n_samples // settings.batch_size) if settings.batch_size else 0


def smallest_problem(n_in: int, dtype: np.dtype[Any], settings: Settings) -> tuple[Problem, Weights, Settings]:
    """Return the arguments of an engine with one sample and one unit, which compiles the kernel."""
    one_sample = Problem(np.zeros((1, n_in), dtype), np.zeros((1, 1), dtype), np.ones(1, dtype))
    one_unit = Weights(np.zeros((n_in, 1)), np.zeros(1), np.zeros((1, 1)), np.zeros(1))
    return one_sample, one_unit, replace(settings, schedule=None, batch_size=None, threads=1)

"""The dense engines: how samples and weights lie in memory for each of the two kernels."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.masks import mark_dtype
from fastmlp.compiled.threads import progress_counters, run_together
from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.dense import few_inputs, many_inputs
from fastmlp.engines.dense.descent import n_remembered, rule
from fastmlp.engines.engine import Array, Engine, Problem, Record, Settings, Shape, Status, Weights

# What a block of samples occupies in the kernel for few inputs. Of 8, 12, 16, 20, 24, 32 and 48 KiB, 24 and 32 were the
# fastest with 3, 4, 7 and 8 inputs, 8 slower by up to 1.2 times: then the sums over lanes after each block tell.
BLOCK_BYTES = 32 * 1024
CACHE_LINE = 64
# Samples in a block of the kernel for many inputs: of 24, 48, 96, 144, 192 and 288 these were the fastest or within 2 %
# for 64 to 1024 units. The hidden layer of 48 samples and 1000 units takes 384 KiB of a second-level cache of 512.
BLOCK_SAMPLES = 8 * many_inputs.ROWS

# Samples below which the kernel for many inputs is faster for few as well: the other one sums over the samples of each
# batch; 600 us against 340 for an epoch of 1024 samples in batches of 8 (one input, 256 units, float32).
SMALL_BATCH = 32
# Multiply-adds of one update: about 20 us in float32, which the ends of two phases hardly lengthen.
WORK_OF_A_THREAD = 2**20


def dense_engine(n_in: int, n_out: int, batch_size: int | None = None) -> type[Engine]:
    """Return the engine for a net of this many inputs and outputs, trained on so many samples at once."""
    is_small = batch_size is not None and batch_size < SMALL_BATCH
    return FewInputs if n_in <= few_inputs.MAX_INPUTS and n_out == 1 and not is_small else ManyInputs


def worthwhile_threads(shape: Shape, batch_size: int | None, usable: int) -> int:
    """Return how many of the usable threads a fit of this shape takes, unless it is told."""
    n_at_once = min(shape.n_samples, batch_size or shape.n_samples)
    work = (2 * shape.n_in + 3 * shape.n_out) * shape.n_hidden * n_at_once
    return max(1, min(usable, work // WORK_OF_A_THREAD))


def each_kernel() -> Iterator[tuple[type[Engine], Shape]]:
    """Yield an engine and a shape for each kernel that a fit may compile."""
    for n_in in range(1, few_inputs.MAX_INPUTS + 1):
        yield FewInputs, Shape(1, n_in, 1, 1)
    yield ManyInputs, Shape(1, 1, 1, 1)


class _Dense:
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
        self._n_batches = _n_batches(len(problem.x), settings)
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
            name: {f"{name}_memory_{i}": _zeros(array.shape, dtype) for i in range(n_remembered(settings))}
            for name, array in parameters.items()
        }
        self._sums = sums
        self._kept = dict(parameters)
        for arrays in memory.values():
            self._kept |= arrays
        self._n_parts = len(scratch[0])
        self._n_threads = min(settings.threads, self._n_parts)
        self._meeting = progress_counters(self._n_parts)
        # Two arrays or none, so that there are two kernels to compile; momentum makes use of one.
        remembered = [(*arrays.values(), *arrays.values())[:2] for arrays in memory.values()]
        self._first = (*parameters.values(), *remembered, *sums.values(), *scratch, self._meeting)
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
        n_done = run_together(lambda thread: self._kernel(*before, thread), self._n_threads, self._meeting)
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


class FewInputs(_Dense):
    """At most 8 inputs and one output."""

    method = "few inputs"
    _kernels = few_inputs

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        n_samples, n_in = problem.x.shape
        dtype = problem.x.dtype
        multiple = few_inputs.SAMPLE_VECTORS * n_lanes(dtype)
        n_at_once = min(n_samples, settings.batch_size or n_samples)
        n_parts = _n_parts(settings, -(-n_at_once // multiple))
        n_arrays = n_in + 3  # x, and y, sample_weight, error
        n_blocks = _round_up(-(-n_at_once * n_arrays * dtype.itemsize // BLOCK_BYTES), n_parts)
        block = _round_up(-(-n_at_once // n_blocks), multiple)
        n_places = n_blocks * block
        n_blocks *= max(1, _n_batches(n_samples, settings))

        self._n_hidden = weights.b1.size
        n_units = _round_up(self._n_hidden, few_inputs.units_at_once(n_in))
        theta = np.concatenate([weights.w1, weights.b1[None], weights.w2.T])
        theta = _padded(theta, (n_in + 2, _round_up(n_units, n_lanes(dtype))), dtype)
        super().__init__(
            problem,
            settings,
            {
                "theta": theta,
                "b2": _in_every_lane(weights.b2, dtype),
            },
            {
                "sums": _zeros((n_parts, n_in + 1, theta.shape[1]), dtype),
                "linear": _zeros((n_parts, n_in + 1), dtype),
            },
            [
                _zeros((n_parts, block), dtype),
                _zeros((n_parts, n_units, block // n_lanes(dtype)), np.dtype(mark_dtype(dtype))),
            ],
            [
                _zeros((n_blocks, n_in, block), dtype),
                _zeros((n_blocks, block), dtype),
                _zeros((2 if settings.batch_size else 1, n_blocks, block), dtype),
            ],
            n_places,
            tuple(range(n_in)),
        )

    def _arrange_inputs(self, x: Array, order: Array) -> None:
        n_blocks, n_in, block = x.shape
        x[...] = self._problem.x[order].reshape(n_blocks, block, n_in).swapaxes(1, 2)

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel for so many inputs, plain or remembering, by training the smallest net there is."""
        cls(*_smallest(shape.n_in, dtype, settings))

    def weights(self) -> Weights:
        """Return copies of the weights."""
        *w1, b1, w2 = self._kept["theta"][:, : self._n_hidden]
        return Weights(np.array(w1), b1.copy(), w2[:, None].copy(), self._kept["b2"][:, 0].copy())


class ManyInputs(_Dense):
    """Any number of inputs and outputs."""

    method = "many inputs"
    _kernels = many_inputs

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        n_samples, self._n_in = problem.x.shape
        self._n_hidden = weights.b1.size
        n_out = problem.y.shape[1]
        dtype = problem.x.dtype
        units = many_inputs.PANEL * n_lanes(dtype)
        n_in = max(4, _round_up(self._n_in, 2))
        n_places = _round_up(min(n_samples, settings.batch_size or n_samples), many_inputs.ROWS)
        n_parts = _n_parts(settings, n_places // many_inputs.ROWS)
        n_padded = n_places * max(1, _n_batches(n_samples, settings))
        block = min(BLOCK_SAMPLES, n_places)

        rows = np.zeros((n_in + 1 + n_out, _round_up(self._n_hidden, units)), dtype)
        rows[: self._n_in, : self._n_hidden] = weights.w1
        rows[n_in, : self._n_hidden] = weights.b1
        rows[n_in + 1 :, : self._n_hidden] = weights.w2.T
        panels = rows.reshape(len(rows), -1, units).swapaxes(0, 1)
        theta = _padded(panels, panels.shape, dtype)
        super().__init__(
            problem,
            settings,
            {
                "theta": theta,
                "b2": _in_every_lane(weights.b2, dtype),
            },
            {
                "dtheta": _zeros((n_parts, *theta.shape), dtype),
                "db2": _zeros((n_parts, n_out), dtype),
            },
            [
                _zeros((n_parts, len(theta), block, units), dtype),
                _zeros((n_parts, block, units), dtype),
                _zeros((n_parts, block, n_out, n_lanes(dtype)), dtype),
                _zeros((n_parts, block, n_out), dtype),
            ],
            [
                _zeros((n_padded, n_in), dtype),
                _zeros((n_padded, n_out), dtype),
                _zeros((2 if settings.batch_size else 1, n_padded), dtype),
            ],
            n_places,
        )

    def _arrange_inputs(self, x: Array, order: Array) -> None:
        x[:, : self._n_in] = self._problem.x[order]

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel, plain or remembering, one for all sizes, by training the smallest net there is."""
        cls(*_smallest(1, dtype, settings))

    def weights(self) -> Weights:
        """Return copies of the weights."""
        theta, b2 = self._kept["theta"], self._kept["b2"][:, 0]
        rows = theta.swapaxes(0, 1).reshape(theta.shape[1], -1)[:, : self._n_hidden]
        n_rows = len(rows) - b2.size
        return Weights(rows[: self._n_in].copy(), rows[n_rows - 1].copy(), rows[n_rows:].T.copy(), b2.copy())


def _n_parts(settings: Settings, most: int) -> int:
    """Return into how many parts to divide an update that has no more than `most`."""
    return min(settings.parts or settings.threads, most)


def _n_batches(n_samples: int, settings: Settings) -> int:
    """Return the number of mini-batches of an epoch, 0 where all samples are taken at once."""
    return -(-n_samples // settings.batch_size) if settings.batch_size else 0


def _added(parts: Array) -> Array:
    """Return the sum over the first axis, one after the other: NumPy's own order depends on the shape."""
    return functools.reduce(np.add, parts)


def _round_up(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return zeros that start on a cache line: a vector across two lines takes two loads."""
    n_bytes = math.prod(shape) * dtype.itemsize
    room = np.zeros(n_bytes + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start : start + n_bytes].view(dtype).reshape(shape)


def _padded(array: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Copy an array into the first corner of a C-ordered array of zeros."""
    padded = _zeros(shape, dtype)
    padded[tuple(slice(size) for size in array.shape)] = array
    return padded


def _in_every_lane(b2: Array, dtype: np.dtype[Any]) -> Array:
    """Return the output biases (n_out,) as the kernels hold them, (n_out, lanes)."""
    return _padded(np.repeat(b2[:, None], n_lanes(dtype), axis=1), (b2.size, n_lanes(dtype)), dtype)


def _smallest(n_in: int, dtype: np.dtype[Any], settings: Settings) -> tuple[Problem, Weights, Settings]:
    one_sample = Problem(np.zeros((1, n_in), dtype), np.zeros((1, 1), dtype), np.ones(1, dtype))
    one_unit = Weights(np.zeros((n_in, 1)), np.zeros(1), np.zeros((1, 1)), np.zeros(1))
    return one_sample, one_unit, replace(settings, schedule=None, batch_size=None, threads=1)

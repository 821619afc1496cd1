"""The dense engines: how samples and weights lie in memory for each of the two kernels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np

from fastmlp.compiling import compiled
from fastmlp.dense import few_inputs, many_inputs
from fastmlp.engine import Array, Engine, Problem, Rates, Record, Settings, Shape, Status, Weights
from fastmlp.vectors import mark_dtype, n_lanes

# What a block of samples occupies in the kernel for few inputs. Of 8, 12, 16, 20, 24, 32 and 48 KiB, 24 and 32 were the
# fastest with 3, 4, 7 and 8 inputs, 8 slower by up to 1.2 times: then the sums over lanes after each block tell.
BLOCK_BYTES = 32 * 1024
CACHE_LINE = 64
# Samples in a block of the kernel for many inputs: of 24, 48, 96, 144, 192 and 288 these were the fastest or within 2 %
# for 64 to 1024 units. The hidden layer of 48 samples and 1000 units takes 384 KiB of a second-level cache of 512.
BLOCK_SAMPLES = 8 * many_inputs.ROWS


def dense_engine(n_in: int, n_out: int) -> type[Engine]:
    """Return the engine for a net of this many inputs and outputs."""
    return FewInputs if n_in <= few_inputs.MAX_INPUTS and n_out == 1 else ManyInputs


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

    def __init__(self, held: dict[str, Array], scratch: list[Array], n_out: int, *fixed: Any) -> None:
        """Take the kernel's arguments in its order: what makes up the state, scratch, and those after squared_error."""
        self._held = held
        self._scratch = scratch
        self._fixed = fixed
        self._squared_error = np.empty((1, n_out))
        arguments = (*held.values(), *scratch, self._squared_error, *fixed, 1)
        self._kernel = compiled(self._kernels.train, arguments)
        # The gradients held are still zero, so this epoch changes no weight: it evaluates the start.
        self._train(1, self._squared_error)

    def _train(self, n_epochs: int, squared_error: Array) -> int:
        return int(self._kernel(*self._held.values(), *self._scratch, squared_error, *self._fixed, n_epochs))

    def advance(self, n_epochs: int, record: Record) -> tuple[int, Status]:
        """Train as `fastmlp.engine.Engine.advance` says."""
        record.squared_error[0] = self._squared_error
        n_done = self._train(n_epochs, record.squared_error[1 : n_epochs + 1])
        self._squared_error[0] = record.squared_error[n_done]
        return n_done, Status.TRAINED if n_done == n_epochs else Status.DIVERGED

    def state(self) -> Mapping[str, Array]:
        """Return copies of the weights, the gradients held for the next update, and the error."""
        return {name: array.copy() for name, array in (*self._held.items(), ("squared_error", self._squared_error))}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go back to a state."""
        for name, array in self._held.items():
            array[...] = state[name]
        self._squared_error[...] = state["squared_error"]


class FewInputs(_Dense):
    """At most 8 inputs and one output."""

    method = "few inputs"
    _kernels = few_inputs

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        n_samples, n_in = problem.x.shape
        dtype = problem.x.dtype
        n_arrays = n_in + 3  # x, and y, sample_weight, error
        n_blocks = -(-n_samples * n_arrays * dtype.itemsize // BLOCK_BYTES)
        block = _round_up(-(-n_samples // n_blocks), few_inputs.SAMPLE_VECTORS * n_lanes(dtype))
        n_padded = n_blocks * block
        x = _padded(problem.x.T, (n_in, n_padded), dtype).reshape(n_in, n_blocks, block).swapaxes(0, 1)
        y = _padded(problem.y[:, 0], (n_padded,), dtype).reshape(n_blocks, block)
        sample_weight = _padded(problem.sample_weight, (n_padded,), dtype).reshape(n_blocks, block)

        self._n_hidden = weights.b1.size
        n_units = _round_up(self._n_hidden, few_inputs.units_at_once(n_in))
        held = {
            "w1": _padded(weights.w1, (n_in, n_units), dtype),
            "b1": _padded(weights.b1, (n_units,), dtype),
            "w2": _padded(weights.w2[:, 0], (n_units,), dtype),
            "b2": _padded(weights.b2, (1,), dtype),
            "active_error_x": np.zeros((n_in, n_units), dtype),
            "active_error": np.zeros(n_units, dtype),
            "error_x": np.zeros(n_in, dtype),
            "error_sum": np.zeros(1, dtype),
        }
        super().__init__(
            held,
            [_zeros((block,), dtype), _zeros((n_units, block // n_lanes(dtype)), np.dtype(mark_dtype(dtype)))],
            1,
            _padded(x, x.shape, dtype),
            y,
            sample_weight,
            tuple(range(n_in)),
            np.array(settings.rates, dtype),
            dtype.type(settings.negative_slope),
        )

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel for so many inputs by training the smallest net there is."""
        cls(*_smallest(shape.n_in, dtype))

    def weights(self) -> Weights:
        """Return copies of the weights."""
        w1, b1, w2, b2 = (self._held[name] for name in Weights._fields)
        n_hidden = self._n_hidden
        return Weights(w1[:, :n_hidden].copy(), b1[:n_hidden].copy(), w2[:n_hidden, None].copy(), b2.copy())


class ManyInputs(_Dense):
    """Any number of inputs and outputs."""

    method = "many inputs"
    _kernels = many_inputs

    def __init__(self, problem: Problem, weights: Weights, settings: Settings) -> None:
        n_samples, self._n_in = problem.x.shape
        self._n_hidden = weights.b1.size
        n_out = problem.y.shape[1]
        dtype = problem.x.dtype
        self._units = many_inputs.PANEL * n_lanes(dtype)
        n_in = max(4, _round_up(self._n_in, 2))
        n_padded = _round_up(n_samples, many_inputs.ROWS)
        start = (
            self._in_panels(weights.w1, n_in, dtype),
            self._in_panels(weights.b1[None], 1, dtype)[:, 0],
            self._in_panels(weights.w2.T, n_out, dtype),
            _padded(weights.b2, (n_out,), dtype),
        )
        held = dict(zip(Weights._fields, start, strict=True))
        held |= {f"d{name}": _zeros(array.shape, dtype) for name, array in held.items()}
        n_panels = len(start[1])
        block = min(BLOCK_SAMPLES, n_padded)
        super().__init__(
            held,
            [
                _zeros((n_panels, block, self._units), dtype),
                _zeros((block, self._units), dtype),
                _zeros((block, n_out, n_lanes(dtype)), dtype),
                _zeros((block, n_out), dtype),
            ],
            n_out,
            _padded(problem.x, (n_padded, n_in), dtype),
            _padded(problem.y, (n_padded, n_out), dtype),
            _padded(problem.sample_weight, (n_padded,), dtype),
            -np.array(settings.rates, dtype),
            np.array([settings.negative_slope], dtype),
        )

    def _in_panels(self, rows: Array, n_rows: int, dtype: np.dtype[Any]) -> Array:
        """Copy (m, n_hidden) to (n_panels, n_rows, units), padded with zeros."""
        n_units = _round_up(self._n_hidden, self._units)
        by_panel = _padded(rows, (n_rows, n_units), dtype).reshape(n_rows, -1, self._units).swapaxes(0, 1)
        return _padded(by_panel, by_panel.shape, dtype)

    def _from_panels(self, panels: Array, n_rows: int) -> Array:
        """Return what `_in_panels` was given."""
        return panels.swapaxes(0, 1).reshape(panels.shape[1], -1)[:n_rows, : self._n_hidden].copy()

    @classmethod
    def compile(cls, shape: Shape, dtype: np.dtype[Any], settings: Settings) -> None:
        """Compile the kernel, one for all sizes, by training the smallest net there is."""
        cls(*_smallest(1, dtype))

    def weights(self) -> Weights:
        """Return copies of the weights."""
        w1, b1, w2, b2 = (self._held[name] for name in Weights._fields)
        n_out = b2.size
        return Weights(
            self._from_panels(w1, self._n_in),
            self._from_panels(b1[:, None], 1)[0],
            self._from_panels(w2, n_out).T.copy(),
            b2.copy(),
        )


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


def _smallest(n_in: int, dtype: np.dtype[Any]) -> tuple[Problem, Weights, Settings]:
    one_sample = Problem(np.zeros((1, n_in), dtype), np.zeros((1, 1), dtype), np.ones(1, dtype))
    one_unit = Weights(np.zeros((n_in, 1)), np.zeros(1), np.zeros((1, 1)), np.zeros(1))
    return one_sample, one_unit, Settings(Rates(0.0, 0.0, 0.0, 0.0))

"""Many small nets on a few tables, trained together by L-BFGS."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.cache import compiled
from fastmlp.compiled.memory import FLOAT64, aligned_zeros, round_up
from fastmlp.compiled.threads import progress_counters, run_together
from fastmlp.compiled.vectors import n_lanes
from fastmlp.engines.engine import Array, Weights
from fastmlp.engines.lbfgs.kernels.steps import Iterate, Pairs
from fastmlp.engines.lbfgs.rules import BLOCK, TRAINED, new_searches
from fastmlp.engines.net_batches.kernels.objective import PANEL_VECTORS, TILE_ROWS, Rows, Workspace
from fastmlp.engines.net_batches.kernels.outputs import Outputs, evaluate_nets
from fastmlp.engines.net_batches.kernels.training import Nets, Scratch, Tables, train_nets

# Of an evaluation. In float64 it takes 1.8 times as long (16.3 us for 8.9, with 824 rows, 8 inputs and 30 units). The
# mean R2 on 13 small tables is the same within 0.001. L-BFGS itself computes in float64.
DTYPE = np.dtype(np.float32)
N_PAIRS = 8  # with 12, a fit of 300 rows and 10 inputs takes 1.1 times as long, and the mean R2 is the same
MAX_STEPS = 400
SMALL_DECREASE, MAX_SMALL_DECREASES = 1e-5, 3
LANES = 8  # the vector of parameters is padded to a multiple of it
CALL_WORK = 10**9  # rows times weights of all steps of a call of the kernel in one thread: about 0.1 s


class TableRows(NamedTuple):
    """Rows in the coordinates of training: x (n_rows, n_in), y (n_rows, n_out), sample_weight (n_rows,) of sum 1."""

    x: Array
    y: Array
    sample_weight: Array


class NetSet(NamedTuple):
    """Nets of one shape.

    weights are stacked along a first axis of nets; table (n_nets,) has the number of the table that each net is trained
    on, decay (n_nets,) the factor of its penalty on w1 and w2.
    """

    weights: Weights
    table: Array
    decay: Array


class TrainedNets(NamedTuple):
    """The weights of trained nets, stacked, and the number of steps that each took (n_nets,)."""

    weights: Weights
    n_steps: Array


class Layout:
    """Where the parameters of a net of some shape lie in a vector of float64: panels of units, then b2."""

    def __init__(self, n_in: int, n_hidden: int, n_out: int, dtype: np.dtype[Any] = FLOAT64) -> None:
        self.n_in, self.n_hidden, self.n_out, self.dtype = n_in, n_hidden, n_out, dtype
        self.units = PANEL_VECTORS * n_lanes(dtype)
        self.n_panels = round_up(n_hidden, self.units) // self.units
        self.n_rows = n_in + 1 + n_out
        self.n_theta = self.n_panels * self.n_rows * self.units
        self.n_parameters = self.n_theta + round_up(n_out, LANES)

    def packed(self, weights: Weights) -> Array:
        """Return stacked weights as vectors (n_nets, n_parameters)."""
        n_nets = len(weights.b1)
        rows = np.zeros((n_nets, self.n_rows, self.n_panels * self.units))
        rows[:, : self.n_in, : self.n_hidden] = weights.w1
        rows[:, self.n_in, : self.n_hidden] = weights.b1
        rows[:, self.n_in + 1 :, : self.n_hidden] = weights.w2.swapaxes(1, 2)
        panels = rows.reshape(n_nets, self.n_rows, self.n_panels, self.units).swapaxes(1, 2)
        vectors = aligned_zeros((n_nets, self.n_parameters))
        vectors[:, : self.n_theta] = panels.reshape(n_nets, self.n_theta)
        vectors[:, self.n_theta : self.n_theta + self.n_out] = weights.b2
        return vectors

    def unpacked(self, vectors: Array) -> Weights:
        """Return copies of the weights in vectors (n_nets, n_parameters), stacked."""
        n_nets = len(vectors)
        panels = vectors[:, : self.n_theta].reshape(n_nets, self.n_panels, self.n_rows, self.units)
        rows = panels.swapaxes(1, 2).reshape(n_nets, self.n_rows, -1)[:, :, : self.n_hidden]
        w1, b1, w2 = rows[:, : self.n_in], rows[:, self.n_in], rows[:, self.n_in + 1 :].swapaxes(1, 2)
        b2 = vectors[:, self.n_theta : self.n_theta + self.n_out]
        return Weights(*(np.array(part, order="C") for part in (w1, b1, w2, b2)))

    def workspace(self, *n_threads: int) -> Workspace:
        """Return what an evaluation overwrites, for each of some threads."""
        panels, dtype = (self.n_panels, self.n_rows, self.units), self.dtype
        return Workspace(
            theta=aligned_zeros((*n_threads, *panels), dtype),
            dtheta=aligned_zeros((*n_threads, *panels), dtype),
            db2=aligned_zeros((*n_threads, self.n_out), dtype),
            hidden=aligned_zeros((*n_threads, self.n_panels, TILE_ROWS, self.units), dtype),
            sums=aligned_zeros((*n_threads, self.n_out, TILE_ROWS, n_lanes(dtype)), dtype),
            error=aligned_zeros((*n_threads, self.n_out, max(TILE_ROWS, n_lanes(dtype))), dtype),
        )


def layout_of(weights: Weights, dtype: np.dtype[Any] = FLOAT64) -> Layout:
    """Return the layout of stacked weights."""
    _, n_in, n_hidden = weights.w1.shape
    return Layout(n_in, n_hidden, weights.b2.shape[1], dtype)


def joined(tables: Sequence[TableRows], dtype: np.dtype[Any] = FLOAT64) -> Tables:
    """Return tables one after another, each padded with rows of weight 0."""
    sizes = np.array([round_up(len(table.x), TILE_ROWS) for table in tables])
    ends = np.cumsum(sizes)
    starts = ends - sizes
    n_rows, n_in, n_out = int(ends[-1]), tables[0].x.shape[1], tables[0].y.shape[1]
    rows = Rows(*(aligned_zeros(shape, dtype) for shape in ((n_rows, n_in), (n_out, n_rows), (n_rows,))))
    for start, table in zip(starts, tables, strict=True):
        place = slice(start, start + len(table.x))
        rows.x[place], rows.y[:, place], rows.s[place] = table.x, table.y.T, table.sample_weight
    return Tables(rows, np.stack([starts, ends], axis=1))


class Batch:
    """Nets in training: the arrays of the kernel, which trains each net for some steps in a call."""

    def __init__(self, tables: Sequence[TableRows], nets: NetSet, n_threads: int) -> None:
        n_nets = len(nets.table)
        self._layout = layout = layout_of(nets.weights, DTYPE)
        self._n_threads = min(n_threads, n_nets)
        self._tables = joined(tables, DTYPE)
        vectors = [aligned_zeros((n_nets, layout.n_parameters)) for _ in range(4)]
        pairs = Pairs(
            s=aligned_zeros((n_nets, N_PAIRS, layout.n_parameters)),
            y=aligned_zeros((n_nets, N_PAIRS, layout.n_parameters)),
            rho=np.zeros((n_nets, N_PAIRS)),
            alpha=np.zeros((n_nets, N_PAIRS)),
            cross=np.zeros((n_nets, N_PAIRS, BLOCK - 1)),
        )
        self._nets = Nets(
            Iterate(layout.packed(nets.weights), *vectors),
            pairs,
            new_searches(n_nets, N_PAIRS, SMALL_DECREASE, MAX_SMALL_DECREASES),
            nets.decay[:, None] * layout.packed(_is_decayed(nets.weights)),
            np.zeros((n_nets, layout.n_out)),
            np.asarray(nets.table, np.int64),
        )
        self._scratch = Scratch(
            layout.workspace(self._n_threads),
            np.zeros((self._n_threads, MAX_STEPS, layout.n_out)),
            np.ones(layout.n_parameters),
        )
        self._progress = progress_counters(n_nets)
        self._kernel = compiled(train_nets, (self._nets, self._tables, self._scratch, 0, self._progress, 0))
        self.n_steps = np.zeros(n_nets, np.int64)
        """The number of steps that each net has taken."""

    @property
    def work(self) -> int:
        """Rows times weights of a step of all nets, for each thread."""
        sizes = np.diff(self._tables.ends, axis=1)[self._nets.table]
        return int(sizes.sum()) * self._layout.n_theta // self._n_threads

    @property
    def is_going_on(self) -> bool:
        """Whether the search of a net has not ended."""
        return bool((self._nets.search["status"] == TRAINED).any())

    def advance(self, n_steps: int) -> None:
        """Train each net for some steps, or until its search ends."""
        was_going_on = self._nets.search["status"] == TRAINED

        def run(thread: int) -> Any:
            return self._kernel(self._nets, self._tables, self._scratch, n_steps, self._progress, thread)

        run_together(run, self._n_threads, self._progress)
        self.n_steps += np.where(was_going_on, self._nets.search["n_done"], 0)

    def weights(self) -> Weights:
        """Return copies of the weights, stacked."""
        return self._layout.unpacked(self._nets.iterate.theta)


def _is_decayed(weights: Weights) -> Weights:
    """Return 1 for weights that have a penalty, 0 for biases, in the shapes of a stack of one net."""
    w1, b1, w2, b2 = (part[:1] for part in weights)
    return Weights(np.ones_like(w1), np.zeros_like(b1), np.ones_like(w2), np.zeros_like(b2))


def train(tables: Sequence[TableRows], nets: NetSet, n_threads: int) -> TrainedNets:
    """Train nets by L-BFGS. Calls of the kernel take about a tenth of a second; between them Ctrl-C is noticed."""
    batch = Batch(tables, nets, n_threads)
    n_steps = int(np.clip(CALL_WORK // batch.work, 1, MAX_STEPS))
    for first in range(0, MAX_STEPS, n_steps):
        if batch.is_going_on:
            batch.advance(min(n_steps, MAX_STEPS - first))
    return TrainedNets(batch.weights(), batch.n_steps)


def evaluate(
    tables: Sequence[TableRows], weights: Weights, table: Array, *, is_sensitive: bool = False
) -> tuple[list[Array], Array]:
    """Evaluate each of some stacked nets on the rows of a table.

    Returns the outputs of each net (n_rows, n_out) and, if is_sensitive, the mean over the rows of the squared
    derivatives with respect to the inputs, summed over the outputs: (n_nets, n_in).
    """
    layout = layout_of(weights)
    sizes = np.array([len(tables[k].x) for k in table])
    ends = np.cumsum(sizes)
    places = np.stack([ends - sizes, ends], axis=1)
    outputs = Outputs(
        np.zeros((int(ends[-1]), layout.n_out)), places, np.zeros((len(table), layout.n_in)), is_sensitive
    )
    arguments = layout.packed(weights), layout.workspace(), joined(tables), np.asarray(table, np.int64), outputs
    compiled(evaluate_nets, arguments)(*arguments)
    return [outputs.h2[start:end] for start, end in places], outputs.squares


def compile_batches() -> None:
    """Compile the kernels, or load them, by training the smallest net."""
    table = TableRows(np.zeros((1, 1)), np.zeros((1, 1)), np.ones(1))
    start = Weights(np.zeros((1, 1, 1)), np.zeros((1, 1)), np.zeros((1, 1, 1)), np.zeros((1, 1)))
    nets = NetSet(start, np.zeros(1, np.int64), np.zeros(1))
    evaluate([table], train([table], nets, 1).weights, nets.table)

"""The outputs of trained nets, and their derivatives with respect to the inputs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.jit import inlined, njit
from fastmlp.compiled.masks import where_positive
from fastmlp.compiled.reductions import total
from fastmlp.compiled.vectors import add, lanes, load, multiply, zeros
from fastmlp.engines.net_batches.kernels.objective import TILE_ROWS, Workspace, forward


class Outputs(NamedTuple):
    """What `evaluate_nets` overwrites.

    h2 (n_rows, n_out) has the outputs of one net after another, at the rows `places` (n_nets, 2) on. If is_sensitive,
    squares (n_nets, n_in) has the weighted mean of the squared derivatives with respect to each input, summed over the
    outputs.
    """

    h2: Any
    places: Any
    squares: Any
    is_sensitive: bool


@inlined
def add_squared_derivatives(squares: Any, workspace: Workspace, s: Any, n_out: Any) -> None:
    """Add the squared derivatives of a tile of rows, whose hidden layer the workspace has, to squares (n_in,)."""
    theta, hidden = workspace.theta, workspace.hidden
    n_panels, n_rows, units = theta.shape
    n_in = n_rows - 1 - n_out
    for o in range(n_out):
        for k in range(n_in):
            for r in range(s.size):
                derivative = zeros(theta)
                for p in range(n_panels):
                    for u in range(0, units, lanes(theta)):
                        path = multiply(load(theta, (p, k, u)), load(theta, (p, n_in + 1 + o, u)))
                        derivative = add(derivative, where_positive(load(hidden, (p, r, u)), path, zeros(theta)))
                squares[k] += s[r] * np.float64(total(derivative)) ** 2


@njit
def evaluate_nets(trained: Any, workspace: Workspace, tables: Any, table: Any, outputs: Outputs) -> None:
    """Evaluate net i, whose parameters are trained[i], on the rows of table[i]; see `Outputs`."""
    theta = workspace.theta.reshape(-1)
    n_out = workspace.db2.size
    outputs.squares[:] = 0.0
    for i in range(table.size):
        for j in range(theta.size):
            theta[j] = trained[i, j]
        start, end = tables.ends[table[i], 0], tables.ends[table[i], 1]
        place, n_rows = outputs.places[i, 0], outputs.places[i, 1] - outputs.places[i, 0]
        for first in range(start, end, TILE_ROWS):
            forward(workspace, tables.rows.x, first)
            for r in range(min(TILE_ROWS, n_rows - (first - start))):
                for o in range(n_out):
                    outputs.h2[place + first - start + r, o] = (
                        total(load(workspace.sums, (o, r, 0))) + trained[i, theta.size + o]
                    )
            if outputs.is_sensitive:
                s = tables.rows.s[first : first + TILE_ROWS]
                add_squared_derivatives(outputs.squares[i], workspace, s, n_out)

"""The squared error of a small net and its gradient: SIMD over units, one tile of rows at a time.

The computation is that of `fastmlp.engines.reference`, for ReLU. Forward and backward pass of a tile follow each other
while its hidden layer is in the first-level cache, since a net of 30 units takes about a microsecond for 100 rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.hints import compiler_fence
from fastmlp.compiled.jit import inlined, strict_fp
from fastmlp.compiled.masks import where_positive
from fastmlp.compiled.reductions import total
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import REGISTERS, add, broadcast_load, fma, lanes, load, store, zeros

PANEL_VECTORS = 2  # vectors of units that are computed together: a panel
TILE_ROWS = 8 if REGISTERS == 32 else 4  # rows that are computed together; a table is padded to a multiple of it
TILE_VECTORS = TILE_ROWS * PANEL_VECTORS
BLOCK_ROWS = 256  # rows of which the gradients are summed in the dtype of the table, before they are added in float64


class Table(NamedTuple):
    """The rows that a net is trained on: x (n_rows, n_in), y (n_rows, n_out) and their weights s (n_rows,), of sum 1.

    Rows are padded to a multiple of TILE_ROWS with weight 0.
    """

    x: Any
    y: Any
    s: Any


class Workspace(NamedTuple):
    """What an evaluation overwrites.

    theta and dtheta (n_panels, n_in + 1 + n_out, units) have the rows of w1, b1 and w2 and their gradients in the dtype
    of the table, db2 (n_out,) likewise. hidden (n_panels, TILE_ROWS, units), sums (n_out, TILE_ROWS, lanes) and
    error (TILE_ROWS, n_out) are of one tile of rows.
    """

    theta: Any
    dtheta: Any
    db2: Any
    hidden: Any
    sums: Any
    error: Any


@strict_fp
def forward(workspace: Workspace, x: Any, first: Any) -> None:
    """Overwrite hidden with relu(x w1 + b1) and sums with the terms of h2 without b2, for the rows from the first."""
    theta, hidden, sums = workspace.theta, workspace.hidden, workspace.sums
    n_in, n_out = x.shape[1], sums.shape[0]
    step = lanes(theta)
    tile = vectors(theta, TILE_VECTORS)
    weights = vectors(theta, PANEL_VECTORS)
    for p in range(theta.shape[0]):
        for t in range(TILE_VECTORS):
            tile[t] = zeros(theta)
        for k in range(n_in):
            for v in range(PANEL_VECTORS):
                weights[v] = load(theta, (p, k, v * step))
            for r in range(TILE_ROWS):
                x_rk = broadcast_load(x, (first + r, k))
                for v in range(PANEL_VECTORS):
                    tile[PANEL_VECTORS * r + v] = fma(x_rk, weights[v], tile[PANEL_VECTORS * r + v])
            compiler_fence()
        for v in range(PANEL_VECTORS):
            weights[v] = load(theta, (p, n_in, v * step))
        for r in range(TILE_ROWS):
            for v in range(PANEL_VECTORS):
                # Added last, so that with one input w x is rounded by itself: a kink may lie exactly on a sample.
                z = add(tile[PANEL_VECTORS * r + v], weights[v])
                tile[PANEL_VECTORS * r + v] = where_positive(z, z, zeros(theta))
                store(hidden, (p, r, v * step), tile[PANEL_VECTORS * r + v])
        for o in range(n_out):
            for v in range(PANEL_VECTORS):
                weights[v] = load(theta, (p, n_in + 1 + o, v * step))
            for r in range(TILE_ROWS):
                sum_units = zeros(theta) if p == 0 else load(sums, (o, r, 0))
                for v in range(PANEL_VECTORS):
                    sum_units = fma(tile[PANEL_VECTORS * r + v], weights[v], sum_units)
                store(sums, (o, r, 0), sum_units)


@strict_fp
def backward(workspace: Workspace, x: Any, first: Any) -> None:
    """Add to dtheta the terms of the rows from the first, whose hidden layer and error the workspace has."""
    theta, dtheta, hidden, error = workspace.theta, workspace.dtheta, workspace.hidden, workspace.error
    n_in, n_out = x.shape[1], error.shape[1]
    step = lanes(theta)
    tile = vectors(theta, TILE_VECTORS)
    weights = vectors(theta, PANEL_VECTORS)
    sums = vectors(theta, PANEL_VECTORS)
    for p in range(theta.shape[0]):
        for t in range(TILE_VECTORS):
            tile[t] = zeros(theta)
        for o in range(n_out):
            for v in range(PANEL_VECTORS):
                weights[v] = load(theta, (p, n_in + 1 + o, v * step))
                sums[v] = load(dtheta, (p, n_in + 1 + o, v * step))
            for r in range(TILE_ROWS):
                e = broadcast_load(error, (r, o))
                for v in range(PANEL_VECTORS):
                    tile[PANEL_VECTORS * r + v] = fma(e, weights[v], tile[PANEL_VECTORS * r + v])
                    sums[v] = fma(e, load(hidden, (p, r, v * step)), sums[v])
            for v in range(PANEL_VECTORS):
                store(dtheta, (p, n_in + 1 + o, v * step), sums[v])
        for v in range(PANEL_VECTORS):
            sums[v] = load(dtheta, (p, n_in, v * step))
        for r in range(TILE_ROWS):
            for v in range(PANEL_VECTORS):
                dh1 = where_positive(load(hidden, (p, r, v * step)), tile[PANEL_VECTORS * r + v], zeros(theta))
                tile[PANEL_VECTORS * r + v] = dh1
                sums[v] = add(sums[v], dh1)
        for v in range(PANEL_VECTORS):
            store(dtheta, (p, n_in, v * step), sums[v])
        for k in range(n_in):
            for v in range(PANEL_VECTORS):
                sums[v] = load(dtheta, (p, k, v * step))
            for r in range(TILE_ROWS):
                x_rk = broadcast_load(x, (first + r, k))
                for v in range(PANEL_VECTORS):
                    sums[v] = fma(x_rk, tile[PANEL_VECTORS * r + v], sums[v])
            for v in range(PANEL_VECTORS):
                store(dtheta, (p, k, v * step), sums[v])
            compiler_fence()


@inlined
def output_error(workspace: Workspace, table: Table, b2: Any, first: Any, squared_error: Any) -> None:
    """Overwrite error with s (h2 - y), and add to db2 and to squared_error (n_out,), for a tile of rows."""
    sums, error, db2 = workspace.sums, workspace.error, workspace.db2
    for o in range(error.shape[1]):
        sum_error = error.dtype.type(0)
        sum_squares = 0.0
        for r in range(error.shape[0]):
            difference = total(load(sums, (o, r, 0))) + (error.dtype.type(b2[o]) - table.y[first + r, o])
            error[r, o] = table.s[first + r] * difference
            sum_error += error[r, o]
            sum_squares += np.float64(error[r, o]) * difference
        db2[o] += sum_error
        squared_error[o] += sum_squares


@inlined
def evaluate(workspace: Workspace, table: Table, trial: Any, gradient: Any, squared_error: Any) -> None:
    """Overwrite the gradient and the squared error (n_out,) of a trial.

    trial and gradient are vectors in float64: first theta, then b2.
    """
    theta, dtheta = workspace.theta.reshape(-1), workspace.dtheta.reshape(-1)
    b2, gradient_b2 = trial[theta.size :], gradient[theta.size :]
    for i in range(theta.size):
        theta[i] = trial[i]
    gradient[:] = 0.0
    squared_error[:] = 0.0
    for start in range(0, table.x.shape[0], BLOCK_ROWS):
        dtheta[:] = 0
        workspace.db2[:] = 0
        for first in range(start, min(start + BLOCK_ROWS, table.x.shape[0]), TILE_ROWS):
            forward(workspace, table.x, first)
            output_error(workspace, table, b2, first, squared_error)
            backward(workspace, table.x, first)
        for i in range(theta.size):
            gradient[i] += dtheta[i]
        for o in range(workspace.db2.size):
            gradient_b2[o] += workspace.db2[o]

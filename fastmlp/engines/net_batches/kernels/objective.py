"""The squared error of a small net and its gradient: SIMD over units, one tile of rows at a time.

The computation is that of `fastmlp.engines.reference`, for ReLU. Forward and backward pass of a tile follow each other
while its hidden layer is in the first-level cache, since a net of 30 units takes about a microsecond for 100 rows.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.hints import compiler_fence
from fastmlp.compiled.jit import inlined, strict_fp
from fastmlp.compiled.masks import positive_part, where_positive
from fastmlp.compiled.reductions import store_totals
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import REGISTERS, add, broadcast_load, fma, lanes, load, store, zeros

PANEL_VECTORS = 2  # vectors of units that are computed together: a panel
TILE_ROWS = 8 if REGISTERS == 32 else 4  # rows that are computed together; a table is padded to a multiple of it
EACH_ROW = tuple(range(TILE_ROWS))
TILE_VECTORS = TILE_ROWS * PANEL_VECTORS
BLOCK_ROWS = 256  # rows of which the gradients are summed in the dtype of the table, before they are added in float64


class Rows(NamedTuple):
    """The rows of all tables: x (n_rows, n_in), y (n_out, n_rows) and their weights s (n_rows,), of sum 1 in a table.

    Each table is padded to a multiple of TILE_ROWS with rows of weight 0.
    """

    x: Any
    y: Any
    s: Any


class Workspace(NamedTuple):
    """What an evaluation overwrites.

    theta and dtheta (n_panels, n_in + 1 + n_out, units) have the rows of w1, b1 and w2 and their gradients in the dtype
    of the table, db2 (n_out,) likewise. hidden (n_panels, TILE_ROWS, units), sums (n_out, TILE_ROWS, lanes) and
    error (n_out, lanes or TILE_ROWS, whichever is more) are of one tile of rows.
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
        for v in range(PANEL_VECTORS):
            weights[v] = load(theta, (p, n_in, v * step))
        for r in range(TILE_ROWS):
            for v in range(PANEL_VECTORS):
                tile[PANEL_VECTORS * r + v] = weights[v]
        for k in range(n_in):
            for v in range(PANEL_VECTORS):
                weights[v] = load(theta, (p, k, v * step))
            for r in range(TILE_ROWS):
                x_rk = broadcast_load(x, (first + r, k))
                for v in range(PANEL_VECTORS):
                    tile[PANEL_VECTORS * r + v] = fma(x_rk, weights[v], tile[PANEL_VECTORS * r + v])
            compiler_fence()
        for r in range(TILE_ROWS):
            for v in range(PANEL_VECTORS):
                tile[PANEL_VECTORS * r + v] = positive_part(tile[PANEL_VECTORS * r + v])
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
def sum_active(workspace: Workspace, x: Any, first: Any) -> None:
    """Add to dtheta the sums of error x and of error over the rows of a tile in which a unit is active, for one output.

    Those of error x are in the rows of w1, those of error in the row of b1; see `single_output_gradient`.
    """
    dtheta, hidden, error = workspace.dtheta, workspace.hidden, workspace.error
    step = lanes(dtheta)
    tile = vectors(dtheta, TILE_VECTORS)
    sums = vectors(dtheta, PANEL_VECTORS)
    for p in range(dtheta.shape[0]):
        for v in range(PANEL_VECTORS):
            sums[v] = load(dtheta, (p, x.shape[1], v * step))
        for r in range(TILE_ROWS):
            e = broadcast_load(error, (0, r))
            for v in range(PANEL_VECTORS):
                active = where_positive(load(hidden, (p, r, v * step)), e, zeros(dtheta))
                tile[PANEL_VECTORS * r + v] = active
                sums[v] = add(sums[v], active)
        for v in range(PANEL_VECTORS):
            store(dtheta, (p, x.shape[1], v * step), sums[v])
        add_products(dtheta, p, tile, x, first)


@inlined
def single_output_gradient(gradient: Any, theta: Any, shape: Any) -> None:
    """Turn the sums that `sum_active` adds up into the gradient, for theta of a shape (n_panels, n_in + 2, units).

    With the sums S of error and error x over the rows in which a unit is active, the gradients are w2 S for w1 and b1
    and w1 S + b1 S for w2.
    """
    n_panels, n_rows, units = shape
    n_sums = (n_rows - 1) * units
    for start in range(0, n_panels * n_rows * units, n_rows * units):
        w2, dw2 = theta[start + n_sums : start + n_rows * units], gradient[start + n_sums : start + n_rows * units]
        for row in range(start, start + n_sums, units):
            weight, total = theta[row : row + units], gradient[row : row + units]
            for u in range(units):
                dw2[u] += weight[u] * total[u]
                total[u] *= w2[u]


@strict_fp
def add_products(dtheta: Any, p: Any, tile: Any, x: Any, first: Any) -> None:
    """Add x^T dh1 of a tile of rows to the rows of w1 in panel p; tile has dh1."""
    step = lanes(dtheta)
    sums = vectors(dtheta, PANEL_VECTORS)
    for k in range(x.shape[1]):
        for v in range(PANEL_VECTORS):
            sums[v] = load(dtheta, (p, k, v * step))
        for r in range(TILE_ROWS):
            x_rk = broadcast_load(x, (first + r, k))
            for v in range(PANEL_VECTORS):
                sums[v] = fma(x_rk, tile[PANEL_VECTORS * r + v], sums[v])
        for v in range(PANEL_VECTORS):
            store(dtheta, (p, k, v * step), sums[v])
        compiler_fence()


@strict_fp
def backward(workspace: Workspace, x: Any, first: Any) -> None:
    """Add to dtheta the terms of the rows from the first, whose hidden layer and error the workspace has."""
    theta, dtheta, hidden, error = workspace.theta, workspace.dtheta, workspace.hidden, workspace.error
    n_in, n_out = x.shape[1], error.shape[0]
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
                e = broadcast_load(error, (o, r))
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
        add_products(dtheta, p, tile, x, first)


@inlined
def output_error(workspace: Workspace, rows: Rows, b2: Any, first: Any, squared_error: Any) -> None:
    """Overwrite error with s (h2 - y), and add to db2 and to squared_error (n_out,), for a tile of rows."""
    sums, error, db2 = workspace.sums, workspace.error, workspace.db2
    by_row = vectors(error, TILE_ROWS)
    s = rows.s[first : first + TILE_ROWS]
    for o in range(error.shape[0]):
        for r in range(TILE_ROWS):
            by_row[r] = load(sums, (o, r, 0))
        store_totals(error, (o, 0), by_row, EACH_ROW)
        e, y = error[o][:TILE_ROWS], rows.y[o][first : first + TILE_ROWS]
        bias = error.dtype.type(b2[o])
        sum_error = error.dtype.type(0)
        sum_squares = 0.0
        for r in range(TILE_ROWS):
            difference = e[r] + (bias - y[r])
            e[r] = s[r] * difference
            sum_error += e[r]
            sum_squares += np.float64(e[r]) * np.float64(difference)
        db2[o] += sum_error
        squared_error[o] += sum_squares


@inlined
def evaluate(workspace: Workspace, rows: Rows, ends: Any, trial: Any, gradient: Any, squared_error: Any) -> None:
    """Overwrite the gradient and the squared error (n_out,) of a trial on a table: the rows from ends[0] to ends[1].

    trial and gradient are vectors in float64: first theta, then b2.
    """
    theta, dtheta = workspace.theta.reshape(-1), workspace.dtheta.reshape(-1)
    b2, gradient_b2 = trial[theta.size :], gradient[theta.size :]
    for i in range(theta.size):
        theta[i] = trial[i]
    gradient[:] = 0.0
    squared_error[:] = 0.0
    for start in range(ends[0], ends[1], BLOCK_ROWS):
        dtheta[:] = 0
        workspace.db2[:] = 0
        for first in range(start, min(start + BLOCK_ROWS, ends[1]), TILE_ROWS):
            forward(workspace, rows.x, first)
            output_error(workspace, rows, b2, first, squared_error)
            if workspace.db2.size > 1:
                backward(workspace, rows.x, first)
            else:
                sum_active(workspace, rows.x, first)
        for i in range(theta.size):
            gradient[i] += dtheta[i]
        for o in range(workspace.db2.size):
            gradient_b2[o] += workspace.db2[o]
    if workspace.db2.size == 1:
        single_output_gradient(gradient, trial, workspace.theta.shape)

"""Ridge regression on the outputs of a hidden layer, by the Cholesky factor of a Gram matrix of its smaller side.

A sample with root weight r has the coordinates r (x, 1), a unit the coordinates (w1, b1), and the output of the unit is
act of their product, times r. So samples and units can change places: the rows, of which there are more, are taken in
blocks, and each block adds the products of its columns to the matrix.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inlined, njit
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import add, broadcast_load, fma, lanes, load, store, zeros
from fastmlp.engines.lbfgs.kernels.steps import dots

BLOCK_ROWS = 32  # with 104 columns a block has 26 KB
TILE_ROWS = 4
PANEL_VECTORS = 2
TILE_VECTORS = TILE_ROWS * PANEL_VECTORS
COLUMNS = 16  # the number of columns is a multiple of it, for any length of vectors


@inlined
def write_outputs(row: Any, columns: Any, negative_slope: Any, n: Any, outputs: Any) -> None:
    """Overwrite the outputs (n,) for the coordinates of a row and of n columns."""
    for j in range(n):
        outputs[j] = 0.0
    for k in range(row.size):
        column, factor = columns[k], row[k]
        for j in range(n):
            outputs[j] += factor * column[j]
    for j in range(n):
        outputs[j] = outputs[j] if outputs[j] > 0.0 else negative_slope * outputs[j]


@inlined
def write_block(first: Any, system: Any, negative_slope: Any, block: Any) -> None:
    """Overwrite the block with the outputs of rows from `first` on and with their extra columns, then zeros."""
    rows, columns, extra = system
    n = columns.shape[1]
    for r in range(BLOCK_ROWS):
        i = first + r
        if i < rows.shape[0]:
            write_outputs(rows[i], columns, negative_slope, n, block[r])
            for o in range(extra.shape[1]):
                block[r, n + o] = extra[i, o]
        else:
            block[r, :] = 0.0


@inlined
def add_products(block: Any, gram: Any) -> None:
    """Add the products of the columns of a block to the lower triangle of the Gram matrix, in tiles of registers."""
    step = lanes(block)
    tile = vectors(block, TILE_VECTORS)
    right = vectors(block, PANEL_VECTORS)
    for i in range(0, gram.shape[0], TILE_ROWS):
        for j in range(0, i + TILE_ROWS, PANEL_VECTORS * step):
            for v in range(TILE_VECTORS):
                tile[v] = zeros(block)
            for k in range(BLOCK_ROWS):
                for v in range(PANEL_VECTORS):
                    right[v] = load(block, (k, j + v * step))
                for r in range(TILE_ROWS):
                    left = broadcast_load(block, (k, i + r))
                    for v in range(PANEL_VECTORS):
                        tile[PANEL_VECTORS * r + v] = fma(left, right[v], tile[PANEL_VECTORS * r + v])
            for r in range(TILE_ROWS):
                for v in range(PANEL_VECTORS):
                    place = i + r, j + v * step
                    store(gram, place, add(load(gram, place), tile[PANEL_VECTORS * r + v]))


@inlined
def factor(gram: Any, n: Any, n_rows: Any) -> Any:
    """Overwrite the first n rows with the Cholesky factor L of the matrix, the next with L^-1 of them.

    Return whether the matrix is positive definite.
    """
    is_regular = True
    for i in range(n_rows):
        for first in range(0, min(i + 1, n), 4):
            products = dots(gram, (first, first + 1, first + 2, first + 3), gram[i, :first])
            for j in range(first, min(first + 4, i + 1, n)):
                rest = gram[i, j] - products[j - first]
                for k in range(first, j):
                    rest -= gram[i, k] * gram[j, k]
                if j < i:
                    gram[i, j] = rest / gram[j, j]
                else:
                    is_regular = is_regular and rest > 0.0
                    gram[i, i] = np.sqrt(rest)
    return is_regular


@njit
def solve(system: Any, negative_slope: Any, ridge: Any, right: Any, scratch: Any) -> Any:
    """Overwrite right (n_out, n_columns) with the solutions of (A^T A + ridge trace(A^T A) I) v = right.

    system are the coordinates of the rows (n_rows, n) and of the columns (n, n_columns), and extra columns (n_rows,
    n_out), which replace right by their products with A, or none. scratch is a block (BLOCK_ROWS, n_padded) and a Gram
    matrix (n_padded, n_padded) of zeros. Return whether the matrix is positive definite.
    """
    rows, _, extra = system
    block, gram = scratch
    n, n_out = right.shape[1], right.shape[0]
    for first in range(0, rows.shape[0], BLOCK_ROWS):
        write_block(first, system, negative_slope, block)
        add_products(block, gram)
    trace = 0.0
    for i in range(n):
        trace += gram[i, i]
    for i in range(n):
        gram[i, i] += ridge * trace
    if extra.shape[1] == 0:
        for o in range(n_out):
            for j in range(n):
                gram[n + o, j] = right[o, j]
    if not factor(gram, n, n + n_out):
        return False
    for o in range(n_out):
        for i in range(n - 1, -1, -1):
            value = gram[n + o, i] / gram[i, i]
            right[o, i] = value
            for j in range(i):
                gram[n + o, j] -= value * gram[i, j]
    return True


@njit
def multiply(system: Any, negative_slope: Any, z: Any, outputs: Any, products: Any) -> None:
    """Overwrite products (n_out, n_rows) with A z, for z (n_out, n_columns); outputs (n_columns,) is overwritten."""
    rows, columns, _ = system
    for i in range(rows.shape[0]):
        write_outputs(rows[i], columns, negative_slope, outputs.size, outputs)
        for o in range(z.shape[0]):
            total = 0.0
            for j in range(outputs.size):
                total += outputs[j] * z[o, j]
            products[o, i] = total

"""The kernel for many inputs or several outputs: products of matrices in tiles of registers, SIMD over units.

Units come in panels of two vectors, whose weights lie together, so that 6 rows of samples (or of inputs, backward)
times a panel are 12 vectors of sums in registers: 8 loads for 12 multiply-adds. Samples come in blocks whose hidden
layer stays in the second-level cache between the forward and the backward pass; it is never stored for all samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiling import exact, inlined, njit, spliced
from fastmlp.vectors import (
    add,
    fma,
    in_order,
    lanes,
    load,
    multiply,
    spread,
    store,
    total,
    vectors,
    where_positive,
    zeros,
)

ROWS = 6  # of a tile: the number of samples in a block is a multiple of it
PANEL = 2  # vectors of units


@exact
def descend(parameter: Any, gradient: Any, step: Any) -> Any:
    """Update rows of panels: parameter <- parameter + step * gradient, gradient <- 0, both (n, units).

    Return 0, or NaN if an entry is not finite: a unit of weight -inf is cut off at 0 and would not show in h2.
    """
    nothing = zeros(parameter)
    defect = nothing
    for row in range(parameter.shape[0]):
        for u in range(0, parameter.shape[1], lanes(parameter)):
            updated = fma(step, load(gradient, (row, u)), load(parameter, (row, u)))
            store(parameter, (row, u), updated)
            store(gradient, (row, u), nothing)
            defect = fma(nothing, updated, defect)
    return total(defect)


@exact
def product(tile: Any, a: Any, first: Any, b: Any) -> None:
    """Overwrite a tile with ROWS rows of a b, from the first, for a (n, m) and b (m, units)."""
    step = lanes(b)
    b_k = vectors(b, 2)
    for t in range(ROWS * PANEL):
        tile[t] = zeros(b)
    for k in range(b.shape[0]):
        for v in range(PANEL):
            b_k[v] = load(b, (k, v * step))
        for r in range(ROWS):
            a_rk = spread(a, (first + r, k))
            for v in range(PANEL):
                tile[PANEL * r + v] = fma(a_rk, b_k[v], tile[PANEL * r + v])
        in_order()


@exact
def add_outer_product(c: Any, first: Any, n_rows: Any, a: Any, b: Any) -> None:
    """Add n_rows rows of a^T b, from the first, to c (m, units), for a (n, m) and b (n, units)."""
    step = lanes(b)
    tile = vectors(b, 12)
    b_i = vectors(b, 2)
    for r in range(n_rows):
        for v in range(PANEL):
            tile[PANEL * r + v] = load(c, (first + r, v * step))
    for i in range(b.shape[0]):
        for v in range(PANEL):
            b_i[v] = load(b, (i, v * step))
        for r in range(n_rows):
            a_ir = spread(a, (i, first + r))
            for v in range(PANEL):
                tile[PANEL * r + v] = fma(a_ir, b_i[v], tile[PANEL * r + v])
        in_order()
    for r in range(n_rows):
        for v in range(PANEL):
            store(c, (first + r, v * step), tile[PANEL * r + v])


@exact
def forward(partial: Any, h1: Any, x: Any, w1: Any, b1: Any, w2: Any, negative_slope: Any, is_leaky: Any) -> None:
    """Overwrite h1 (n, units) with x w1 + b1 and add act(h1) w2, its lanes unsummed, to partial (n, n_out, lanes).

    For one panel of units: x (n, n_in), w1 (n_in, units), b1 (units,), w2 (n_out, units).
    """
    step = lanes(x)
    tile = vectors(x, 12)
    w2_o = vectors(x, 2)
    for first in range(0, h1.shape[0], ROWS):
        product(tile, x, first, w1)
        for r in range(ROWS):
            for v in range(PANEL):
                # Added last, so that with one input w x is rounded by itself: a kink may lie exactly on a sample.
                tile[PANEL * r + v] = add(tile[PANEL * r + v], load(b1, (v * step,)))
                store(h1, (first + r, v * step), tile[PANEL * r + v])
        activate(tile, zeros(x), negative_slope, is_leaky)
        for o in range(w2.shape[0]):
            for v in range(PANEL):
                w2_o[v] = load(w2, (o, v * step))
            for r in range(ROWS):
                sum_units = load(partial, (first + r, o, 0))
                for v in range(PANEL):
                    sum_units = fma(tile[PANEL * r + v], w2_o[v], sum_units)
                store(partial, (first + r, o, 0), sum_units)


@exact
def activate(tile: Any, nothing: Any, negative_slope: Any, is_leaky: Any) -> None:
    """Overwrite a tile z with act(z)."""
    if is_leaky:
        for t in range(ROWS * PANEL):
            tile[t] = where_positive(tile[t], tile[t], multiply(negative_slope, tile[t]))
    else:
        for t in range(ROWS * PANEL):
            tile[t] = where_positive(tile[t], tile[t], nothing)


@exact
def backward(
    dw1: Any, db1: Any, dw2: Any, dh1: Any, h1: Any, error: Any, x: Any, w2: Any, negative_slope: Any, is_leaky: Any
) -> None:
    """Add the gradients of one panel of units, in the shapes of `forward`, for error (n, n_out); dh1 is overwritten."""
    step = lanes(x)
    tile = vectors(x, 12)
    sums = vectors(x, 2)
    for first in range(0, h1.shape[0], ROWS):
        for r in range(ROWS):
            for v in range(PANEL):
                tile[PANEL * r + v] = load(h1, (first + r, v * step))
        activate(tile, zeros(x), negative_slope, is_leaky)
        for o in range(w2.shape[0]):
            for v in range(PANEL):
                sums[v] = zeros(x)
            for r in range(ROWS):
                e = spread(error, (first + r, o))
                for v in range(PANEL):
                    sums[v] = fma(e, tile[PANEL * r + v], sums[v])
            for v in range(PANEL):
                store(dw2, (o, v * step), add(load(dw2, (o, v * step)), sums[v]))

        product(tile, error, first, w2)
        for v in range(PANEL):
            sums[v] = zeros(x)
        for r in range(ROWS):
            for v in range(PANEL):
                passed = tile[PANEL * r + v]
                stopped = multiply(negative_slope, passed) if is_leaky else zeros(x)
                passed = where_positive(load(h1, (first + r, v * step)), passed, stopped)
                store(dh1, (first + r, v * step), passed)
                sums[v] = add(sums[v], passed)
        for v in range(PANEL):
            store(db1, (v * step,), add(load(db1, (v * step,)), sums[v]))

    # Of 6 inputs at a time and at the end of 4, which together make any even number from 4 on.
    n_in = dw1.shape[0]
    n_sixes = n_in - 4 * (n_in % 3)
    for k in range(0, n_sixes, 6):
        add_outer_product(dw1, k, 6, x, dh1)
    for k in range(n_sixes, n_in, 4):
        add_outer_product(dw1, k, 4, x, dh1)


@inlined
def output_error(error: Any, db2: Any, squared_error: Any, partial: Any, y: Any, sample_weight: Any, b2: Any) -> None:
    """Overwrite error (n, n_out) with s (h2 - y), add to db2 (n_out,) and to squared_error (n_out,), zero partial."""
    for o in range(error.shape[1]):
        sum_error = b2.dtype.type(0)
        sum_squares = 0.0
        for i in range(error.shape[0]):
            difference = total(load(partial, (i, o, 0))) + b2[o] - y[i, o]
            store(partial, (i, o, 0), zeros(partial))
            error[i, o] = sample_weight[i] * difference
            sum_error += error[i, o]
            sum_squares += np.float64(error[i, o]) * difference
        db2[o] += sum_error
        squared_error[o] += sum_squares


@spliced
def visit(
    dw1: Any,
    db1: Any,
    dw2: Any,
    db2: Any,
    h1: Any,
    dh1: Any,
    partial: Any,
    error: Any,
    squared_error: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    w1: Any,
    b1: Any,
    w2: Any,
    b2: Any,
    negative_slope: Any,
) -> None:
    """Pass over the samples given, forward and backward, a block at a time: add to the gradients and squared_error."""
    is_leaky = negative_slope[0] != 0
    slope = spread(negative_slope, (0,))
    n_samples = x.shape[0]
    block = h1.shape[1]
    for first in range(0, n_samples, block):
        n = min(block, n_samples - first)
        here = slice(first, first + n)
        for p in range(b1.shape[0]):
            forward(partial, h1[p, :n], x[here], w1[p], b1[p], w2[p], slope, is_leaky)
        output_error(error[:n], db2, squared_error, partial, y[here], sample_weight[here], b2)
        for p in range(b1.shape[0]):
            backward(dw1[p], db1[p], dw2[p], dh1[:n], h1[p, :n], error, x[here], w2[p], slope, is_leaky)


@exact
def is_finite(value: Any) -> Any:
    """Return whether a value is neither infinite nor NaN: value - value, which reassociation would take for 0."""
    return np.isfinite(value)


@njit
def train(
    w1: Any,
    b1: Any,
    w2: Any,
    b2: Any,
    dw1: Any,
    db1: Any,
    dw2: Any,
    db2: Any,
    h1: Any,
    dh1: Any,
    partial: Any,
    error: Any,
    squared_error: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    steps: Any,
    negative_slope: Any,
    n_epochs: Any,
) -> Any:
    """Train for n_epochs; return the number of epochs before the first with a non-finite error, or n_epochs.

    An epoch updates the weights with the gradients of the pass before, then passes over the data once: the formulas
    of `fastmlp.reference` for a block of samples and a panel of units at a time.

    Parameters
    ----------
    w1 (n_panels, n_in, units), b1 (n_panels, units), w2 (n_panels, n_out, units), b2 (n_out,)
        Updated in place. A panel has PANEL vectors of units; n_in is even and at least 4.
    dw1, db1, dw2, db2
        The gradients, of the same shapes; zeros before the first call. Overwritten.
    h1 (n_panels, block, units), dh1 (block, units), partial (block, n_out, lanes), error (block, n_out)
        Scratch; partial is zero before and after. The block is a multiple of ROWS.
    squared_error (n_epochs, n_out) float64
        Written: sum over samples of s (h2 - y)^2 after each update.
    x (n_samples, at least n_in), y (n_samples, n_out), sample_weight (n_samples,)
        Samples padded, with samples of no weight and inputs of 0, to multiples of ROWS and to n_in.
    steps (4,), negative_slope (1,)
        Minus the rates of w1, b1, w2, b2.
    """
    for epoch in range(n_epochs):
        defect = np.float64(0)
        for p in range(b1.shape[0]):
            defect += descend(w1[p], dw1[p], spread(steps, (0,)))
            defect += descend(w2[p], dw2[p], spread(steps, (2,)))
        defect += descend(b1, db1, spread(steps, (1,)))
        for o in range(b2.size):
            b2[o] += steps[3] * db2[o]
            db2[o] = 0

        squared_error[epoch] = defect
        visit(
            dw1,
            db1,
            dw2,
            db2,
            h1,
            dh1,
            partial,
            error,
            squared_error[epoch],
            x,
            y,
            sample_weight,
            w1,
            b1,
            w2,
            b2,
            negative_slope,
        )
        for o in range(b2.size):
            if not is_finite(squared_error[epoch, o]):
                return epoch
    return n_epochs

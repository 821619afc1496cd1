"""The kernel for many inputs or several outputs: products of matrices in tiles of registers, SIMD over units.

Units come in panels of two vectors, whose weights lie together, so that 6 rows of samples (or of inputs, backward)
times a panel are 12 vectors of sums in registers: 8 loads for 12 multiply-adds. Samples come in blocks whose hidden
layer stays in the second-level cache between the forward and the backward pass; it is never stored for all samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import in_order
from fastmlp.compiled.jit import inline_ir, inlined, njit, strict_fp
from fastmlp.compiled.masks import where_positive
from fastmlp.compiled.reductions import total
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.threads import claim, finish, wait
from fastmlp.compiled.vectors import add, broadcast_load, broadcast_value, fma, lanes, load, multiply, store, zeros
from fastmlp.engines.dense.kernels.optimizer import SLOPE, corrections, descend

ROWS = 6  # of a tile: the number of samples in a block is a multiple of it
PANEL = 2  # vectors of units


@inlined
def share(n: Any, part: Any, n_parts: Any) -> Any:
    """Return where a part begins of n things shared out evenly: it ends where the next one begins."""
    return n * part // n_parts


@strict_fp
def update(
    theta: Any,
    b2: Any,
    memory: Any,
    b2_memory: Any,
    dtheta: Any,
    db2: Any,
    rates: Any,
    n_updates: Any,
    rule: Any,
    part: Any,
) -> Any:
    """Descend along the gradients added over parts, in one part of the panels, and zero that part of them.

    Return 0, or NaN if a weight is not finite: a unit of weight -inf is cut off at 0 and would not show in h2.
    """
    n_parts = dtheta.shape[0]
    n_in = theta.shape[1] - 1 - db2.shape[1]
    of_mean, of_square = corrections(n_updates)
    scales = broadcast_value(theta, of_mean), broadcast_value(theta, of_square)
    nothing = zeros(theta)
    defect = nothing
    for p in range(share(theta.shape[0], part, n_parts), share(theta.shape[0], part + 1, n_parts)):
        for row in range(theta.shape[1]):
            along = broadcast_value(theta, -(rates[0] if row < n_in else rates[1] if row == n_in else rates[2]))
            for u in range(0, theta.shape[2], lanes(theta)):
                gradient = load(dtheta, (0, p, row, u))
                store(dtheta, (0, p, row, u), nothing)
                for i in range(1, n_parts):
                    gradient = add(gradient, load(dtheta, (i, p, row, u)))
                    store(dtheta, (i, p, row, u), nothing)
                updated = descend(theta, memory, (p, row, u), gradient, along, scales, rule)
                defect = fma(nothing, updated, defect)
    if part == 0:
        for o in range(db2.shape[1]):
            gradient = nothing
            for i in range(n_parts):
                gradient = add(gradient, broadcast_load(db2, (i, o)))
            descend(b2, b2_memory, (o, 0), gradient, broadcast_value(theta, -rates[3]), scales, rule)
    return total(defect)


@strict_fp
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
            a_rk = broadcast_load(a, (first + r, k))
            for v in range(PANEL):
                tile[PANEL * r + v] = fma(a_rk, b_k[v], tile[PANEL * r + v])
        in_order()


@strict_fp
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
            a_ir = broadcast_load(a, (i, first + r))
            for v in range(PANEL):
                tile[PANEL * r + v] = fma(a_ir, b_i[v], tile[PANEL * r + v])
        in_order()
    for r in range(n_rows):
        for v in range(PANEL):
            store(c, (first + r, v * step), tile[PANEL * r + v])


@strict_fp
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


@strict_fp
def activate(tile: Any, nothing: Any, negative_slope: Any, is_leaky: Any) -> None:
    """Overwrite a tile z with act(z)."""
    if is_leaky:
        for t in range(ROWS * PANEL):
            tile[t] = where_positive(tile[t], tile[t], multiply(negative_slope, tile[t]))
    else:
        for t in range(ROWS * PANEL):
            tile[t] = where_positive(tile[t], tile[t], nothing)


@strict_fp
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
                e = broadcast_load(error, (first + r, o))
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
            difference = total(load(partial, (i, o, 0))) + b2[o, 0] - y[i, o]
            store(partial, (i, o, 0), zeros(partial))
            error[i, o] = sample_weight[i] * difference
            sum_error += error[i, o]
            sum_squares += np.float64(error[i, o]) * difference
        db2[o] += sum_error
        squared_error[o] += sum_squares


@strict_fp
def is_finite(value: Any) -> Any:
    """Return whether a value is neither infinite nor NaN: value - value, which reassociation would take for 0."""
    return np.isfinite(value)


@inline_ir
def visit(
    dtheta: Any,
    db2: Any,
    h1: Any,
    dh1: Any,
    partial: Any,
    error: Any,
    squared_error: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    first_sample: Any,
    end_sample: Any,
    theta: Any,
    b2: Any,
    rule: Any,
    is_trained: Any,
) -> None:
    """Pass over samples from the first up to the end, forward and backward, a block at a time.

    Adds to squared_error, and to the gradient dtheta unless it only evaluates; db2 is overwritten.
    """
    n_out = db2.size
    n_in = theta.shape[1] - 1 - n_out
    is_leaky = rule[SLOPE] != 0
    slope = broadcast_load(rule, (SLOPE,))
    block = h1.shape[1]
    db2[:] = 0
    for first in range(first_sample, end_sample, block):
        n = min(block, end_sample - first)
        here = slice(first, first + n)
        for p in range(theta.shape[0]):
            rows = theta[p]
            forward(partial, h1[p, :n], x[here], rows[:n_in], rows[n_in], rows[n_in + 1 :], slope, is_leaky)
        output_error(error[:n], db2, squared_error, partial, y[here], sample_weight[here], b2)
        if is_trained:
            for p in range(theta.shape[0]):
                drows, w2 = dtheta[p], theta[p, n_in + 1 :]
                backward(
                    drows[:n_in],
                    drows[n_in],
                    drows[n_in + 1 :],
                    dh1[:n],
                    h1[p, :n],
                    error,
                    x[here],
                    w2,
                    slope,
                    is_leaky,
                )


@njit
def train(
    theta: Any,
    b2: Any,
    memory: Any,
    b2_memory: Any,
    dtheta: Any,
    db2: Any,
    h1: Any,
    dh1: Any,
    partial: Any,
    error: Any,
    progress: Any,
    squared_error: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    rule: Any,
    rates: Any,
    n_batches: Any,
    step: Any,
    n_epochs: Any,
    thread: Any,
) -> Any:
    """Train for n_epochs; return the number of epochs before the first with a non-finite error, or n_epochs.

    To be called in any number of threads, in as many parts as dtheta is for, and with epochs as in
    `fastmlp.engines.dense.few_inputs.train`: the formulas of `fastmlp.engines.reference` for a block of samples and a
    panel of units at a time.

    Parameters
    ----------
    theta (n_panels, n_in + 1 + n_out, units), b2 (n_out, lanes)
        Rows of w1, b1 and w2. A panel has PANEL vectors of units; n_in is even and at least 4. Each lane of
        b2 holds it. Updated in place.
    memory, b2_memory : tuples of arrays of the same shapes
        What the optimiser remembers, updated in place: none for plain descent, else two, which may be the same.
    dtheta (n_parts, as theta), db2 (n_parts, n_out)
        The gradients; zeros before the first call. Overwritten.
    h1 (n_parts, n_panels, block, units), dh1 (n_parts, block, units), partial (n_parts, block, n_out, lanes),
    error (n_parts, block, n_out)
        Scratch; partial is zero before and after. The block is a multiple of ROWS.
    progress
        Of `fastmlp.compiled.threads`.
    squared_error (n_epochs, n_parts, n_out) float64
        Written: sums of s (h2 - y)^2 after each epoch, over each part of the samples.
    x (n_samples, at least n_in), y (n_samples, n_out), sample_weight (1 or 2, n_samples)
        Samples padded, with samples of no weight and inputs of 0, to multiples of ROWS and to n_in; the second weights
        are those within the sample's batch.
    rule, rates, n_batches, step
        As for few inputs; batches divide the samples evenly.
    """
    n_parts = dtheta.shape[0]
    n_tiles = x.shape[0] // ROWS
    phase = 0
    for epoch in range(n_epochs):
        for batch in range(n_batches + 1):
            is_last = batch == n_batches
            if batch > 0 or n_batches == 0:
                step += 1
                rate = rates[min(epoch, rates.shape[0] - 1)]
                phase += 1
                for i in range(n_parts):
                    part = (thread + i) % n_parts
                    if n_parts == 1 or claim(progress, part, phase):
                        squared_error[epoch, part] = 0
                        if step > 0:
                            squared_error[epoch, part] = update(
                                theta, b2, memory, b2_memory, dtheta, db2, rate, step, rule, part
                            )
                        finish(progress)
                wait(progress, phase * n_parts)

            first, last = 0, n_tiles
            if not is_last:
                first, last = share(n_tiles, batch, n_batches), share(n_tiles, batch + 1, n_batches)
            phase += 1
            for i in range(n_parts):
                part = (thread + i) % n_parts
                if n_parts == 1 or claim(progress, part, phase):
                    visit(
                        dtheta[part],
                        db2[part],
                        h1[part],
                        dh1[part],
                        partial[part],
                        error[part],
                        squared_error[epoch, part],
                        x,
                        y,
                        sample_weight[0 if is_last else 1],
                        ROWS * (first + share(last - first, part, n_parts)),
                        ROWS * (first + share(last - first, part + 1, n_parts)),
                        theta,
                        b2,
                        rule,
                        not is_last or n_batches == 0,
                    )
                    finish(progress)
            wait(progress, phase * n_parts)
        for part in range(n_parts):
            for o in range(db2.shape[1]):
                if not is_finite(squared_error[epoch, part, o]):
                    return epoch
    return n_epochs

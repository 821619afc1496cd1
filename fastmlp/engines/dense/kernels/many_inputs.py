"""The kernel for any number of inputs and outputs: products of matrices in tiles of registers, SIMD over units.

It computes the formulas of `fastmlp.engines.reference` for a block of samples and a panel of units at a time. A panel
is two vectors of units, whose weights lie together. So a tile, 6 rows of samples (or of inputs, backward) times a
panel, is 12 vectors of sums in registers: 8 loads for 12 multiply-adds. The hidden layer of a block stays in the
second-level cache between the forward and the backward pass; it is never stored for all samples.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.hints import compiler_fence
from fastmlp.compiled.jit import inline_ir, inlined, njit, strict_fp
from fastmlp.compiled.masks import where_positive
from fastmlp.compiled.reductions import total
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import add, broadcast_load, broadcast_value, fma, lanes, load, multiply, store, zeros
from fastmlp.engines.dense.kernels.epochs import Arrays, Plan, train_epochs
from fastmlp.engines.dense.kernels.optimizer import group_vectors, optimizer_vectors, update_parameter
from fastmlp.engines.dense.kernels.parts import batch_part, broadcast_sum, part_start, take_sum

TILE_ROWS = 6  # the number of samples in a block is a multiple of it
PANEL_VECTORS = 2
TILE_VECTORS = TILE_ROWS * PANEL_VECTORS


class Gradients(NamedTuple):
    """The gradients from each part of the samples: dtheta (n_parts, as theta) and db2 (n_parts, n_out)."""

    dtheta: Any
    db2: Any


class Scratch(NamedTuple):
    """What a pass overwrites, for each part of the samples.

    h1 (n_parts, n_panels, block, units), dh1 (n_parts, block, units) and error (n_parts, block, n_out). h2 (n_parts,
    block, n_out, lanes) has sums over every lanes-th unit; it is zero before and after a pass.
    """

    h1: Any
    dh1: Any
    h2: Any
    error: Any


class Samples(NamedTuple):
    """x (n_samples, at least n_in), y (n_samples, n_out) and sample_weight (1 or 2, n_samples).

    They are padded with samples of weight 0 and with inputs of 0. sample_weight[0] sums to 1, sample_weight[1] sums
    to 1 in each batch. Every batch has the same number of samples, a multiple of TILE_ROWS.
    """

    x: Any
    y: Any
    sample_weight: Any


class Panel(NamedTuple):
    """The weights or gradients of a panel of units: w1 (n_in, units), b1 (units,), w2 (n_out, units)."""

    w1: Any
    b1: Any
    w2: Any


class Activation(NamedTuple):
    """Whether the activation is leaky, and its negative_slope as a vector."""

    is_leaky: Any
    negative_slope: Any


def padded_inputs(n_in: int) -> int:
    """Return the number of inputs with padding: `backward` takes an even number of at least 4."""
    return max(4, n_in + n_in % 2)


@inlined
def panel_of(theta: Any, p: Any, n_out: Any) -> Any:
    """Return panel p of theta or dtheta."""
    rows = theta[p]
    n_in = rows.shape[0] - 1 - n_out
    return Panel(rows[:n_in], rows[n_in], rows[n_in + 1 :])


@strict_fp
def update(arrays: Arrays, plan: Plan, rates: Any, n_updates: Any, part: Any) -> Any:
    """Update a part of the panels, and part 0 the output biases; zero the gradients of these panels.

    Returns 0, or NaN if a weight is not finite: a unit of weight -inf is never active and would not show in h2.
    """
    theta, b2, theta_moments, b2_moments = arrays.parameters
    dtheta, db2 = arrays.gradients
    n_parts, n_panels, n_rows, units = dtheta.shape
    n_out = db2.shape[1]
    n_in = n_rows - 1 - n_out
    optimizer = optimizer_vectors(theta, theta_moments, plan.optimizer, n_updates)
    not_finite = zeros(theta)
    for p in range(part_start(n_panels, part, n_parts), part_start(n_panels, part + 1, n_parts)):
        for row in range(n_rows):
            group = group_vectors(theta, rates, plan.optimizer, 0 if row < n_in else 1 if row == n_in else 2)
            for u in range(0, units, lanes(theta)):
                gradient = take_sum(dtheta, (p, row, u))
                updated = update_parameter(theta, theta_moments, (p, row, u), gradient, group, optimizer)
                not_finite = fma(zeros(theta), updated, not_finite)
    if part == 0:
        for o in range(n_out):
            group = group_vectors(theta, rates, plan.optimizer, 3)
            update_parameter(b2, b2_moments, (o, 0), broadcast_sum(db2, o), group, optimizer)
    return total(not_finite)


@strict_fp
def product(tile: Any, a: Any, first: Any, b: Any) -> None:
    """Overwrite a tile with TILE_ROWS rows of a b, from the first, for a (n, m) and b (m, units)."""
    step = lanes(b)
    b_k = vectors(b, PANEL_VECTORS)
    for t in range(TILE_VECTORS):
        tile[t] = zeros(b)
    for k in range(b.shape[0]):
        for v in range(PANEL_VECTORS):
            b_k[v] = load(b, (k, v * step))
        for r in range(TILE_ROWS):
            a_rk = broadcast_load(a, (first + r, k))
            for v in range(PANEL_VECTORS):
                tile[PANEL_VECTORS * r + v] = fma(a_rk, b_k[v], tile[PANEL_VECTORS * r + v])
        compiler_fence()


@strict_fp
def add_outer_product(c: Any, first: Any, n_rows: Any, a: Any, b: Any) -> None:
    """Add n_rows rows of a^T b, from the first, to c (m, units), for a (n, m) and b (n, units)."""
    step = lanes(b)
    tile = vectors(b, TILE_VECTORS)
    b_i = vectors(b, PANEL_VECTORS)
    for r in range(n_rows):
        for v in range(PANEL_VECTORS):
            tile[PANEL_VECTORS * r + v] = load(c, (first + r, v * step))
    for i in range(b.shape[0]):
        for v in range(PANEL_VECTORS):
            b_i[v] = load(b, (i, v * step))
        for r in range(n_rows):
            a_ir = broadcast_load(a, (i, first + r))
            for v in range(PANEL_VECTORS):
                tile[PANEL_VECTORS * r + v] = fma(a_ir, b_i[v], tile[PANEL_VECTORS * r + v])
        compiler_fence()
    for r in range(n_rows):
        for v in range(PANEL_VECTORS):
            store(c, (first + r, v * step), tile[PANEL_VECTORS * r + v])


@strict_fp
def activate(tile: Any, zero: Any, activation: Activation) -> None:
    """Overwrite a tile z with act(z); zero is a vector."""
    if activation.is_leaky:
        for t in range(TILE_VECTORS):
            tile[t] = where_positive(tile[t], tile[t], multiply(activation.negative_slope, tile[t]))
    else:
        for t in range(TILE_VECTORS):
            tile[t] = where_positive(tile[t], tile[t], zero)


@strict_fp
def forward(h2: Any, h1: Any, x: Any, panel: Panel, activation: Activation) -> None:
    """Overwrite h1 (n, units) with x w1 + b1 and add act(h1) w2 to h2 (n, n_out, lanes), for one panel.

    x is (n, at least n_in). The lanes of h2 are not summed.
    """
    step = lanes(x)
    tile = vectors(x, TILE_VECTORS)
    w2_o = vectors(x, PANEL_VECTORS)
    for first in range(0, h1.shape[0], TILE_ROWS):
        product(tile, x, first, panel.w1)
        for r in range(TILE_ROWS):
            for v in range(PANEL_VECTORS):
                # Added last, so that with one input w x is rounded by itself: a kink may lie exactly on a sample.
                tile[PANEL_VECTORS * r + v] = add(tile[PANEL_VECTORS * r + v], load(panel.b1, (v * step,)))
                store(h1, (first + r, v * step), tile[PANEL_VECTORS * r + v])
        activate(tile, zeros(x), activation)
        for o in range(panel.w2.shape[0]):
            for v in range(PANEL_VECTORS):
                w2_o[v] = load(panel.w2, (o, v * step))
            for r in range(TILE_ROWS):
                sum_units = load(h2, (first + r, o, 0))
                for v in range(PANEL_VECTORS):
                    sum_units = fma(tile[PANEL_VECTORS * r + v], w2_o[v], sum_units)
                store(h2, (first + r, o, 0), sum_units)


@strict_fp
def backward(gradient: Panel, hidden: Any, error: Any, x: Any, w2: Any, activation: Activation) -> None:
    """Add to the gradients of one panel of units, for error (n, n_out), x (n, at least n_in) and w2 (n_out, units).

    hidden is h1 and dh1 (n, units), of which dh1 is overwritten.
    """
    h1, dh1 = hidden
    step = lanes(x)
    tile = vectors(x, TILE_VECTORS)
    sums = vectors(x, PANEL_VECTORS)
    for first in range(0, h1.shape[0], TILE_ROWS):
        for r in range(TILE_ROWS):
            for v in range(PANEL_VECTORS):
                tile[PANEL_VECTORS * r + v] = load(h1, (first + r, v * step))
        activate(tile, zeros(x), activation)
        for o in range(w2.shape[0]):
            for v in range(PANEL_VECTORS):
                sums[v] = zeros(x)
            for r in range(TILE_ROWS):
                e = broadcast_load(error, (first + r, o))
                for v in range(PANEL_VECTORS):
                    sums[v] = fma(e, tile[PANEL_VECTORS * r + v], sums[v])
            for v in range(PANEL_VECTORS):
                store(gradient.w2, (o, v * step), add(load(gradient.w2, (o, v * step)), sums[v]))

        product(tile, error, first, w2)
        for v in range(PANEL_VECTORS):
            sums[v] = zeros(x)
        for r in range(TILE_ROWS):
            for v in range(PANEL_VECTORS):
                active = tile[PANEL_VECTORS * r + v]
                inactive = multiply(activation.negative_slope, active) if activation.is_leaky else zeros(x)
                dh1_v = where_positive(load(h1, (first + r, v * step)), active, inactive)
                store(dh1, (first + r, v * step), dh1_v)
                sums[v] = add(sums[v], dh1_v)
        for v in range(PANEL_VECTORS):
            store(gradient.b1, (v * step,), add(load(gradient.b1, (v * step,)), sums[v]))

    # 6 inputs at a time and 4 at the end: together they make any even number from 4 on.
    n_in = gradient.w1.shape[0]
    n_sixes = n_in - 4 * (n_in % 3)
    for k in range(0, n_sixes, 6):
        add_outer_product(gradient.w1, k, 6, x, dh1)
    for k in range(n_sixes, n_in, 4):
        add_outer_product(gradient.w1, k, 4, x, dh1)


@inlined
def output_error(error: Any, db2: Any, squared_error: Any, h2: Any, block: Samples, b2: Any) -> None:
    """Overwrite error (n, n_out) with s (h2 - y), add to db2 (n_out,) and to squared_error (n_out,), and zero h2."""
    for o in range(error.shape[1]):
        sum_error = b2.dtype.type(0)
        sum_squares = 0.0
        for i in range(error.shape[0]):
            difference = total(load(h2, (i, o, 0))) + b2[o, 0] - block.y[i, o]
            store(h2, (i, o, 0), zeros(h2))
            error[i, o] = block.sample_weight[i] * difference
            sum_error += error[i, o]
            sum_squares += np.float64(error[i, o]) * difference
        db2[o] += sum_error
        squared_error[o] += sum_squares


@inline_ir
def forward_backward(arrays: Arrays, plan: Plan, epoch: Any, batch: Any, part: Any) -> None:
    """Pass over a part of the samples of a batch, forward and backward, one block at a time.

    Adds to the squared error and to dtheta, and overwrites db2. Batch n_batches has all samples; with mini-batches it
    is evaluated only, not trained on.
    """
    theta, b2, _, _ = arrays.parameters
    x, y, sample_weights = arrays.samples
    dtheta, db2 = arrays.gradients.dtheta[part], arrays.gradients.db2[part]
    h1, dh1 = arrays.scratch.h1[part], arrays.scratch.dh1[part]
    h2, error = arrays.scratch.h2[part], arrays.scratch.error[part]
    squared_error = arrays.squared_error[epoch, part]
    n_out = db2.size
    block_size = h1.shape[1]
    is_trained = batch < plan.n_batches or plan.n_batches == 0
    activation = Activation(plan.negative_slope != 0, broadcast_value(theta, plan.negative_slope))
    sample_weight = sample_weights[1 if batch < plan.n_batches else 0]
    n_tiles = x.shape[0] // TILE_ROWS
    start, end = batch_part(n_tiles, batch, plan.n_batches, part, arrays.squared_error.shape[1])
    db2[:] = 0
    for first in range(TILE_ROWS * start, TILE_ROWS * end, block_size):
        n = min(block_size, TILE_ROWS * end - first)
        block = Samples(x[first : first + n], y[first : first + n], sample_weight[first : first + n])
        for p in range(theta.shape[0]):
            forward(h2, h1[p, :n], block.x, panel_of(theta, p, n_out), activation)
        output_error(error[:n], db2, squared_error, h2, block, b2)
        if is_trained:
            for p in range(theta.shape[0]):
                w2 = panel_of(theta, p, n_out).w2
                backward(panel_of(dtheta, p, n_out), (h1[p, :n], dh1[:n]), error, block.x, w2, activation)


@njit
def train(arrays: Arrays, plan: Plan, progress: Any, thread: Any) -> Any:
    """Train as `train_epochs` describes.

    theta is (n_panels, n_in + 1 + n_out, units): for each panel the rows of w1, b1 and w2. n_in is even and at least
    4, with weights of 0 for inputs that are padding. The gradients, scratch and samples are those of this file.
    """
    return train_epochs(update, forward_backward, arrays, plan, progress, thread)

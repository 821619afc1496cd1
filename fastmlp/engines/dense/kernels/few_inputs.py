"""The kernel for at most 8 inputs and one output: SIMD over samples, compiled for each number of inputs.

With one output the gradient of unit j needs only two sums over the samples on which it is active, of the weighted
error e_i = s_i (h2_i - y_i) and of e_i x_i::

    dw1_j = w2_j sum e x        db1_j = w2_j sum e        dw2_j = w1_j . sum e x + b1_j sum e

So the backward pass does not multiply by w2, and the gradient is computed once per unit and update. A leaky net is
negative_slope times the linear net of the same weights plus (1 - negative_slope) times the ReLU net, forward and
backward. Its linear part costs O(n_samples + n_hidden), and the loops over samples and units compute ReLU only.

Samples come in blocks that stay in the first-level cache during the forward and the backward pass over all units.
Between the two passes, one bit per unit and sample stores whether the unit is active.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.hints import compiler_fence
from fastmlp.compiled.jit import inline_ir, inlined, njit, strict_fp
from fastmlp.compiled.masks import mark_positive, where_marked, where_positive
from fastmlp.compiled.reductions import total
from fastmlp.compiled.registers import registers, vectors
from fastmlp.compiled.vectors import (
    REGISTERS,
    add,
    broadcast_load,
    broadcast_value,
    fma,
    lanes,
    load,
    multiply,
    store,
    zeros,
)
from fastmlp.engines.dense.kernels.epochs import Arrays, Plan, train_epochs
from fastmlp.engines.dense.kernels.optimizer import group_vectors, optimizer_vectors, update_parameter
from fastmlp.engines.dense.kernels.parts import batch_part, broadcast_sum, part_start, take_sum

MAX_INPUTS = 8
FORWARD_UNITS = 2  # that `forward` computes at once
MAX_FORWARD_VECTORS = 4  # of samples that `forward` computes at once
MAX_BACKWARD_UNITS = 4  # that `backward` computes at once
# Lengths of arrays of vectors, which must be constants.
MAX_SUMS = MAX_INPUTS + 1
MAX_FORWARD_WEIGHTS = FORWARD_UNITS * MAX_INPUTS
MAX_FORWARD_TILE = FORWARD_UNITS * MAX_FORWARD_VECTORS
MAX_BACKWARD_TILE = MAX_BACKWARD_UNITS * MAX_INPUTS
SAMPLE_VECTORS = 4  # the number of samples in a block is a multiple of so many vectors


class Gradients(NamedTuple):
    """Sums from which the gradient follows, for each part of the samples; n_padded is the number of units in theta.

    active_sums (n_parts, n_in + 1, n_padded) has the sums of e x_k and of e over the active samples of each unit.
    all_sums (n_parts, n_in + 1) has the same sums over all samples, those of e x_k for a leaky net only.
    """

    active_sums: Any
    all_sums: Any


class Scratch(NamedTuple):
    """What a pass overwrites, for each part of the samples.

    error (n_parts, block) is h2 and then e. active (n_parts, n_units, block / lanes) has one bit for each unit and
    sample; n_units is a multiple of `units_at_once`.
    """

    error: Any
    active: Any


class Samples(NamedTuple):
    """The samples in blocks: x (n_blocks, n_in, block), y (n_blocks, block), sample_weight (1 or 2, n_blocks, block).

    Padding has weight 0. sample_weight[0] sums to 1, sample_weight[1] sums to 1 in each batch. inputs is a tuple of
    n_in integers, from whose length the compiler knows n_in.
    """

    x: Any
    y: Any
    sample_weight: Any
    inputs: Any


def units_at_once(n_in: int) -> int:
    """Return a multiple of the numbers of units that `forward` and `backward` compute at once."""
    if REGISTERS == 32:
        return 4 if n_in <= 4 else 2
    return {1: 4, 2: 6}.get(n_in, 2)


@strict_fp
def update(arrays: Arrays, plan: Plan, rates: Any, n_updates: Any, part: Any) -> Any:
    """Update a part of the units, and part 0 the output bias; zero the sums over active samples of these units.

    Returns 0, or NaN if a weight is not finite: a unit of weight -inf is never active and would not show in h2.
    """
    theta, b2, theta_moments, b2_moments = arrays.parameters
    active_sums, all_sums = arrays.gradients
    n_parts = active_sums.shape[0]
    n_in = len(arrays.samples.inputs)
    step = lanes(theta)
    optimizer = optimizer_vectors(theta, theta_moments, plan.optimizer, n_updates)
    of_w1, of_b1, of_w2 = (
        group_vectors(theta, rates, plan.optimizer, 0),
        group_vectors(theta, rates, plan.optimizer, 1),
        group_vectors(theta, rates, plan.optimizer, 2),
    )
    relu_factor = broadcast_value(theta, 1 - plan.negative_slope)
    linear_sums = vectors(theta, MAX_SUMS)  # negative_slope times the sums over all samples, of e x_k and of e
    for k in range(n_in + 1):
        linear_sums[k] = multiply(broadcast_value(theta, plan.negative_slope), broadcast_sum(all_sums, k))
    not_finite = zeros(theta)
    n_vectors = theta.shape[1] // step
    for v in range(part_start(n_vectors, part, n_parts), part_start(n_vectors, part + 1, n_parts)):
        j = v * step
        w2 = load(theta, (n_in + 1, j))
        sum_e = fma(relu_factor, take_sum(active_sums, (n_in, j)), linear_sums[n_in])
        dw2 = multiply(load(theta, (n_in, j)), sum_e)
        b1 = update_parameter(theta, theta_moments, (n_in, j), multiply(w2, sum_e), of_b1, optimizer)
        not_finite = fma(zeros(theta), b1, not_finite)
        for k in range(n_in):
            sum_ex = fma(relu_factor, take_sum(active_sums, (k, j)), linear_sums[k])
            dw2 = fma(load(theta, (k, j)), sum_ex, dw2)
            w1 = update_parameter(theta, theta_moments, (k, j), multiply(w2, sum_ex), of_w1, optimizer)
            not_finite = fma(zeros(theta), w1, not_finite)
        update_parameter(theta, theta_moments, (n_in + 1, j), dw2, of_w2, optimizer)
    if part == 0:
        db2 = broadcast_sum(all_sums, n_in)
        of_b2 = group_vectors(theta, rates, plan.optimizer, 3)
        update_parameter(b2, b2_moments, (0, 0), db2, of_b2, optimizer)
    return total(not_finite)


@strict_fp
def forward(h2: Any, active: Any, x: Any, theta: Any, inputs: Any) -> None:
    """Overwrite h2 (block,) with max(x w1 + b1, 0) w2, without b2, for x (n_in, block) and theta (n_in + 2, n_padded).

    active (n_units, n_vectors) is overwritten with the marks of positive x w1 + b1. Two units share the loads of x and
    h2. Weights need not fit into registers: a multiply-add reads them from memory as fast.
    """
    n_in = len(inputs)
    step = lanes(x)
    at_once = 2 if n_in <= 4 else 4  # vectors of samples; with 8 inputs 4 take 0.9 of the time of 2, with 4 inputs 1.1
    w1 = vectors(x, MAX_FORWARD_WEIGHTS)
    b1 = vectors(x, FORWARD_UNITS)
    w2 = vectors(x, FORWARD_UNITS)
    h1 = vectors(x, MAX_FORWARD_TILE)
    for i in range(0, h2.size, step):
        store(h2, (i,), zeros(x))
    for j in range(0, active.shape[0], FORWARD_UNITS):
        for u in range(FORWARD_UNITS):
            b1[u] = broadcast_load(theta, (n_in, j + u))
            w2[u] = broadcast_load(theta, (n_in + 1, j + u))
            for k in range(n_in):
                w1[FORWARD_UNITS * k + u] = broadcast_load(theta, (k, j + u))
        for first in range(0, h2.size // step, at_once):
            for v in range(at_once):
                for u in range(FORWARD_UNITS):
                    # With one input w x is rounded before b is added, for a kink exactly on a sample.
                    h1[FORWARD_UNITS * v + u] = zeros(x) if n_in == 1 else b1[u]
            for k in range(n_in):
                for v in range(at_once):
                    x_k = load(x, (k, (first + v) * step))
                    for u in range(FORWARD_UNITS):
                        h1[FORWARD_UNITS * v + u] = fma(w1[FORWARD_UNITS * k + u], x_k, h1[FORWARD_UNITS * v + u])
            for v in range(at_once):
                sum_units = load(h2, ((first + v) * step,))
                for u in range(FORWARD_UNITS):
                    z = add(h1[FORWARD_UNITS * v + u], b1[u]) if n_in == 1 else h1[FORWARD_UNITS * v + u]
                    mark_positive(active, (j + u, first + v), z)
                    sum_units = fma(w2[u], where_positive(z, z, zeros(x)), sum_units)
                store(h2, ((first + v) * step,), sum_units)
            compiler_fence()


@inlined
def add_linear_net(h2: Any, x: Any, theta: Any, inputs: Any, negative_slope: Any) -> None:
    """Overwrite h2 (block,) with (1 - negative_slope) h2 + negative_slope (x w1 + b1) w2, for x (n_in, block)."""
    n_in = len(inputs)
    zero = x.dtype.type(0)
    slope = registers(x, MAX_INPUTS)
    offset = zero
    for k in range(n_in):
        slope[k] = zero
    for j in range(theta.shape[1]):
        w2_j = theta[n_in + 1, j]
        offset += w2_j * theta[n_in, j]
        for k in range(n_in):
            slope[k] += w2_j * theta[k, j]
    for i in range(h2.size):
        linear = offset
        for k in range(n_in):
            linear += slope[k] * x[k, i]
        h2[i] += negative_slope * (linear - h2[i])


@strict_fp
def backward(active_sums: Any, error: Any, active: Any, x: Any, inputs: Any) -> None:
    """Add each unit's sums of e x_k and e over its active samples to active_sums (n_in + 1, n_padded).

    error is (block,) and x (n_in, block); active (n_units, n_vectors) has the marks that `forward` made.

    Computing several units at once hides the 4 cycles of a multiply-add, as long as their sums fit into the registers.
    With 16 registers these are 4 units for one input (0.7 of the time of 2) and 3 for two inputs (0.8), and more than 6
    inputs are divided into two parts (0.65). With 32 registers, all inputs are computed at once (0.97).
    """
    n_in = len(inputs)
    n_first = n_in
    units = 4 if n_in <= 4 else 2
    if REGISTERS < 32:
        n_first = n_in if n_in <= 6 else 4
        units = max(2, 5 - n_in)
    step = lanes(x)
    e = vectors(x, MAX_BACKWARD_UNITS)
    sum_e = vectors(x, MAX_BACKWARD_UNITS)
    sum_ex = vectors(x, MAX_BACKWARD_TILE)
    for j in range(0, active.shape[0], units):
        for u in range(units):
            sum_e[u] = zeros(x)
            for k in range(n_in):
                sum_ex[u * n_in + k] = zeros(x)
        for i in range(error.size // step):
            for u in range(units):
                e[u] = where_marked(active, (j + u, i), load(error, (i * step,)))
                sum_e[u] = add(sum_e[u], e[u])
            for k in range(n_first):
                x_k = load(x, (k, i * step))
                for u in range(units):
                    sum_ex[u * n_in + k] = fma(e[u], x_k, sum_ex[u * n_in + k])
            compiler_fence()
        if n_first < n_in:
            for i in range(error.size // step):
                for u in range(units):
                    e[u] = where_marked(active, (j + u, i), load(error, (i * step,)))
                for k in range(n_first, n_in):
                    x_k = load(x, (k, i * step))
                    for u in range(units):
                        sum_ex[u * n_in + k] = fma(e[u], x_k, sum_ex[u * n_in + k])
                compiler_fence()
        for u in range(units):
            active_sums[n_in, j + u] += total(sum_e[u])
            for k in range(n_in):
                active_sums[k, j + u] += total(sum_ex[u * n_in + k])


@inline_ir
def forward_backward(arrays: Arrays, plan: Plan, epoch: Any, batch: Any, part: Any) -> None:
    """Pass over a part of the blocks of a batch, forward and backward, one block at a time.

    Adds to the squared error and to the sums over active samples, and overwrites the sums over all samples. Batch
    n_batches has all samples; with mini-batches it is evaluated only, not trained on.
    """
    theta, b2, _, _ = arrays.parameters
    x, y, sample_weights, inputs = arrays.samples
    active_sums, all_sums = arrays.gradients.active_sums[part], arrays.gradients.all_sums[part]
    error, active = arrays.scratch.error[part], arrays.scratch.active[part]
    n_in = len(inputs)
    is_trained = batch < plan.n_batches or plan.n_batches == 0
    is_leaky = plan.negative_slope != 0
    sample_weight = sample_weights[1 if batch < plan.n_batches else 0]
    start, end = batch_part(x.shape[0], batch, plan.n_batches, part, arrays.squared_error.shape[1])
    squared_error = 0.0
    all_sums[:] = 0
    for block in range(start, end):
        x_block, y_block, s_block = x[block], y[block], sample_weight[block]
        forward(error, active, x_block, theta, inputs)
        if is_leaky:
            add_linear_net(error, x_block, theta, inputs, plan.negative_slope)

        block_sum = x.dtype.type(0)
        block_total = 0.0
        for i in range(error.size):
            difference = error[i] + b2[0, 0] - y_block[i]
            error[i] = s_block[i] * difference
            block_sum += error[i]
            block_total += np.float64(error[i]) * difference
        all_sums[n_in] += block_sum
        squared_error += block_total
        if is_leaky:
            for k in range(n_in):
                row = x_block[k]
                block_sum = x.dtype.type(0)
                for i in range(error.size):
                    block_sum += error[i] * row[i]
                all_sums[k] += block_sum
        if is_trained:
            backward(active_sums, error, active, x_block, inputs)
    arrays.squared_error[epoch, part, 0] += squared_error


@njit
def train(arrays: Arrays, plan: Plan, progress: Any, thread: Any) -> Any:
    """Train as `train_epochs` describes.

    theta is (n_in + 2, n_padded): the rows of w1, then b1 and w2, with units padded to whole vectors. The gradients,
    scratch and samples are those of this file.
    """
    return train_epochs(update, forward_backward, arrays, plan, progress, thread)

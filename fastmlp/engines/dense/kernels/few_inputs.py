"""The kernel for few inputs and one output: SIMD over samples, the number of inputs known when it is compiled.

With one output the gradient of unit j needs only two sums over the samples on which it is active, of the weighted
error e_i = s_i (h2_i - y_i) and of e_i x_i::

    dw1_j = w2_j sum e x        db1_j = w2_j sum e        dw2_j = w1_j . sum e x + b1_j sum e

so that the error reaches the hidden layer without a product by w2, and the update is done once per unit and epoch. A
leaky net is negative_slope times the linear net of the same weights plus (1 - negative_slope) times the ReLU net,
forward as backward: its linear part costs O(n_samples + n_hidden) and the loops over both know only ReLU.

Samples come in blocks that stay in the first-level cache while all units pass over them, forward and then backward. In
between one bit per unit and sample of the block remembers where the unit is active.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import in_order
from fastmlp.compiled.jit import inline_ir, inlined, njit, strict_fp
from fastmlp.compiled.masks import mark_positive, where_marked, where_positive
from fastmlp.compiled.reductions import total
from fastmlp.compiled.registers import registers, vectors
from fastmlp.compiled.threads import claim, finish, wait
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
from fastmlp.engines.dense.kernels.optimizer import SLOPE, corrections, descend

MAX_INPUTS = 8
SAMPLE_VECTORS = 4  # a block of samples is so many vectors or a multiple


def units_at_once(n_in: int) -> int:
    """Return the multiple of which there must be units: what `forward` and `backward` take at once."""
    if REGISTERS == 32:
        return 4 if n_in <= 4 else 2
    return {1: 4, 2: 6}.get(n_in, 2)


@inlined
def share(n: Any, part: Any, n_parts: Any) -> Any:
    """Return where a part begins of n things shared out evenly: it ends where the next one begins."""
    return n * part // n_parts


@strict_fp
def collected(sums: Any, k: Any, j: Any) -> Any:
    """Return the vector at sums[:, k, j], added over parts, which is zeroed."""
    collected = load(sums, (0, k, j))
    store(sums, (0, k, j), zeros(sums))
    for thread in range(1, sums.shape[0]):
        collected = add(collected, load(sums, (thread, k, j)))
        store(sums, (thread, k, j), zeros(sums))
    return collected


@strict_fp
def update(
    theta: Any,
    b2: Any,
    memory: Any,
    b2_memory: Any,
    sums: Any,
    linear: Any,
    inputs: Any,
    rates: Any,
    n_updates: Any,
    rule: Any,
    part: Any,
) -> Any:
    """Descend along the gradients that the sums give, in one part of the units; shapes as in `train`.

    Zeroes that part of the sums over active samples. Return 0, or NaN if a weight is not finite: a unit of weight -inf
    is cut off at 0 and would not show in h2.
    """
    n_in = len(inputs)
    n_parts = sums.shape[0]
    step = lanes(theta)
    of_mean, of_square = corrections(n_updates)
    scales = broadcast_value(theta, of_mean), broadcast_value(theta, of_square)
    slope = broadcast_value(theta, rule[SLOPE])
    relu_part = broadcast_value(theta, 1 - rule[SLOPE])
    along_w1, along_b1, along_w2 = (
        broadcast_value(theta, -rates[0]),
        broadcast_value(theta, -rates[1]),
        broadcast_value(theta, -rates[2]),
    )
    whole = vectors(theta, 9)  # slope times the sums over all samples, of e x and of e
    for k in range(n_in + 1):
        whole[k] = zeros(theta)
        for i in range(n_parts):
            whole[k] = add(whole[k], broadcast_load(linear, (i, k)))
        whole[k] = multiply(slope, whole[k])
    n_vectors = theta.shape[1] // step
    defect = zeros(theta)
    for v in range(share(n_vectors, part, n_parts), share(n_vectors, part + 1, n_parts)):
        j = v * step
        w2 = load(theta, (n_in + 1, j))
        sum_e = fma(relu_part, collected(sums, n_in, j), whole[n_in])
        dw2 = multiply(load(theta, (n_in, j)), sum_e)
        b1 = descend(theta, memory, (n_in, j), multiply(w2, sum_e), along_b1, scales, rule)
        defect = fma(zeros(theta), b1, defect)
        for k in range(n_in):
            sum_ex = fma(relu_part, collected(sums, k, j), whole[k])
            dw2 = fma(load(theta, (k, j)), sum_ex, dw2)
            w1 = descend(theta, memory, (k, j), multiply(w2, sum_ex), along_w1, scales, rule)
            defect = fma(zeros(theta), w1, defect)
        descend(theta, memory, (n_in + 1, j), dw2, along_w2, scales, rule)
    if part == 0:
        sum_e = zeros(theta)
        for i in range(n_parts):
            sum_e = add(sum_e, broadcast_load(linear, (i, n_in)))
        descend(b2, b2_memory, (0, 0), sum_e, broadcast_value(theta, -rates[3]), scales, rule)
    return total(defect)


@strict_fp
def forward(h2: Any, active: Any, x: Any, theta: Any, inputs: Any) -> None:
    """Overwrite h2 (block,) with max(x w1 + b1, 0) w2, without b2, for x (n_in, block) and theta as in `train`.

    active (n_units, n_vectors) is overwritten with the marks of positive x w1 + b1. Two units share the loads of x and
    h2. Weights in registers cost nothing to spill: a product takes them from memory as fast.
    """
    n_in = len(inputs)
    step = lanes(x)
    at_once = 2 if n_in <= 4 else 4  # vectors of samples; with 8 inputs 4 take 0.9 of the time of 2, with 4 inputs 1.1
    weight = vectors(x, 16)
    bias = vectors(x, 2)
    outgoing = vectors(x, 2)
    h1 = vectors(x, 8)
    for i in range(0, h2.size, step):
        store(h2, (i,), zeros(x))
    for j in range(0, active.shape[0], 2):
        for u in range(2):
            bias[u] = broadcast_load(theta, (n_in, j + u))
            outgoing[u] = broadcast_load(theta, (n_in + 1, j + u))
            for k in range(n_in):
                weight[2 * k + u] = broadcast_load(theta, (k, j + u))
        for first in range(0, h2.size // step, at_once):
            for v in range(at_once):
                for u in range(2):
                    # With one input w x is rounded before b is added, for a kink exactly on a sample.
                    h1[2 * v + u] = zeros(x) if n_in == 1 else bias[u]
            for k in range(n_in):
                for v in range(at_once):
                    x_k = load(x, (k, (first + v) * step))
                    for u in range(2):
                        h1[2 * v + u] = fma(weight[2 * k + u], x_k, h1[2 * v + u])
            for v in range(at_once):
                sum_units = load(h2, ((first + v) * step,))
                for u in range(2):
                    z = add(h1[2 * v + u], bias[u]) if n_in == 1 else h1[2 * v + u]
                    mark_positive(active, (j + u, first + v), z)
                    sum_units = fma(outgoing[u], where_positive(z, z, zeros(x)), sum_units)
                store(h2, ((first + v) * step,), sum_units)
            in_order()


@inlined
def add_linear_net(h2: Any, x: Any, theta: Any, inputs: Any, negative_slope: Any) -> None:
    """Overwrite h2 (block,) with (1 - negative_slope) h2 + negative_slope (x w1 + b1) w2, for x (n_in, block)."""
    n_in = len(inputs)
    zero = x.dtype.type(0)
    slope = registers(x, 8)
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
def backward(sums: Any, error: Any, active: Any, x: Any, inputs: Any) -> None:
    """Add each unit's sums of e x and e over its active samples to sums (n_in + 1, n_units or more).

    error is (block,) and x (n_in, block); active (n_units, n_vectors) holds the marks that `forward` made.

    Enough units at once hide the 4 cycles of a sum of products, as far as their sums fit into the registers: of 16,
    with one input 4 (against 2 in 0.7 of the time), with two 3 (0.8), and more than 6 inputs come in two parts (0.65).
    Of 32, always in one part (0.97).
    """
    n_in = len(inputs)
    n_first = n_in
    units = 4 if n_in <= 4 else 2
    if REGISTERS < 32:
        n_first = n_in if n_in <= 6 else 4
        units = max(2, 5 - n_in)
    step = lanes(x)
    e = vectors(x, 4)
    sum_e = vectors(x, 4)
    sum_ex = vectors(x, 24)
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
            in_order()
        if n_first < n_in:
            for i in range(error.size // step):
                for u in range(units):
                    e[u] = where_marked(active, (j + u, i), load(error, (i * step,)))
                for k in range(n_first, n_in):
                    x_k = load(x, (k, i * step))
                    for u in range(units):
                        sum_ex[u * n_in + k] = fma(e[u], x_k, sum_ex[u * n_in + k])
                in_order()
        for u in range(units):
            sums[n_in, j + u] += total(sum_e[u])
            for k in range(n_in):
                sums[k, j + u] += total(sum_ex[u * n_in + k])


@strict_fp
def is_finite(value: Any) -> Any:
    """Return whether a value is neither infinite nor NaN: value - value, which reassociation would take for 0."""
    return np.isfinite(value)


@inline_ir
def visit(
    sums: Any,
    linear: Any,
    error: Any,
    active: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    first_block: Any,
    end_block: Any,
    theta: Any,
    b2: Any,
    inputs: Any,
    negative_slope: Any,
    is_trained: Any,
) -> Any:
    """Pass over blocks from the first up to the end, forward and backward; return their squared error.

    Overwrites linear (n_in + 1,), of `train`, and adds to sums (n_in + 1, n_units or more), unless it only evaluates.
    """
    n_in = len(inputs)
    is_leaky = negative_slope != 0
    squared_error = 0.0
    linear[:] = 0
    for block in range(first_block, end_block):
        x_block, y_block, s_block = x[block], y[block], sample_weight[block]
        forward(error, active, x_block, theta, inputs)
        if is_leaky:
            add_linear_net(error, x_block, theta, inputs, negative_slope)

        block_sum = x.dtype.type(0)
        block_total = 0.0
        for i in range(error.size):
            difference = error[i] + b2[0, 0] - y_block[i]
            error[i] = s_block[i] * difference
            block_sum += error[i]
            block_total += np.float64(error[i]) * difference
        linear[n_in] += block_sum
        squared_error += block_total
        if is_leaky:
            for k in range(n_in):
                row = x_block[k]
                block_sum = x.dtype.type(0)
                for i in range(error.size):
                    block_sum += error[i] * row[i]
                linear[k] += block_sum
        if is_trained:
            backward(sums, error, active, x_block, inputs)
    return squared_error


@njit
def train(
    theta: Any,
    b2: Any,
    memory: Any,
    b2_memory: Any,
    sums: Any,
    linear: Any,
    error: Any,
    active: Any,
    progress: Any,
    squared_error: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    inputs: Any,
    rule: Any,
    rates: Any,
    n_batches: Any,
    step: Any,
    n_epochs: Any,
    thread: Any,
) -> Any:
    """Train for n_epochs; return the number of epochs before the first with a non-finite error, or n_epochs.

    To be called in any number of threads, as `compiled.threads` says, in as many parts as `sums` is for. An epoch
    updates the weights with the sums of the pass before, then passes over the data once; or it passes over one batch
    after another, updates after each, and then evaluates.

    Parameters
    ----------
    theta (n_in + 2, n_stored), b2 (1, lanes)
        Rows of w1, then b1 and w2; units padded to whole vectors. Each lane of b2 holds it. Updated in place.
    memory, b2_memory : tuples of arrays of the same shapes
        What the optimiser remembers, updated in place: none for plain descent, else two, which may be the same.
    sums (n_parts, n_in + 1, n_stored), linear (n_parts, n_in + 1)
        The sums of e x_k and of e over each unit's active samples, and over all; zeros before the first call.
        Overwritten. Those of e x_k over all are only summed for a leaky net.
    error (n_parts, block), active (n_parts, n_units, block / lanes)
        Scratch. n_units is a multiple of `units_at_once`.
    progress
        Of `fastmlp.compiled.threads`.
    squared_error (n_epochs, n_parts, 1) float64
        Written: sums of s (h2 - y)^2 after each epoch, over each part of the samples.
    x (n_blocks, n_in, block), y (n_blocks, block), sample_weight (1 or 2, n_blocks, block)
        Samples, padded with zeros that have no weight; the second weights are those within the sample's batch.
    inputs : tuple of n_in integers
        Its length tells the compiler the number of inputs.
    rule
        Of `fastmlp.engines.dense.descent`.
    rates (1 or n_epochs, 4) float64
        Of w1, b1, w2, b2.
    n_batches
        Into which the blocks are divided evenly; 0 for all samples at once.
    step
        Updates before this call; -1 if the first pass of all is to come, which no update precedes.
    """
    n_parts = sums.shape[0]
    n_blocks = x.shape[0]
    negative_slope = rule[SLOPE]
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
                        squared_error[epoch, part, 0] = 0
                        if step > 0:
                            squared_error[epoch, part, 0] = update(
                                theta, b2, memory, b2_memory, sums, linear, inputs, rate, step, rule, part
                            )
                        finish(progress)
                wait(progress, phase * n_parts)

            first, last = 0, n_blocks
            if not is_last:
                first, last = share(n_blocks, batch, n_batches), share(n_blocks, batch + 1, n_batches)
            phase += 1
            for i in range(n_parts):
                part = (thread + i) % n_parts
                if n_parts == 1 or claim(progress, part, phase):
                    squared_error[epoch, part, 0] += visit(
                        sums[part],
                        linear[part],
                        error[part],
                        active[part],
                        x,
                        y,
                        sample_weight[0 if is_last else 1],
                        first + share(last - first, part, n_parts),
                        first + share(last - first, part + 1, n_parts),
                        theta,
                        b2,
                        inputs,
                        negative_slope,
                        not is_last or n_batches == 0,
                    )
                    finish(progress)
            wait(progress, phase * n_parts)
        for part in range(n_parts):
            if not is_finite(squared_error[epoch, part, 0]):
                return epoch
    return n_epochs

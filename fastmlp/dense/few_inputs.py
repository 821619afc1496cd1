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

from fastmlp.compiling import exact, inlined, njit, registers, spliced
from fastmlp.vectors import (
    add,
    fma,
    in_order,
    lanes,
    load,
    mark_positive,
    spread,
    store,
    total,
    vectors,
    where_marked,
    where_positive,
    zeros,
)

MAX_INPUTS = 8
SAMPLE_VECTORS = 4  # a block of samples is so many vectors or a multiple


def units_at_once(n_in: int) -> int:
    """Return the multiple of which there must be units: what `forward` and `backward` take at once."""
    return {1: 4, 2: 6}.get(n_in, 2)


@inlined
def update(
    w1: Any,
    b1: Any,
    w2: Any,
    active_error_x: Any,
    active_error: Any,
    error_x: Any,
    error_sum: Any,
    inputs: Any,
    rates: Any,
    negative_slope: Any,
) -> Any:
    """Descend along the gradients that the sums give; shapes as in `train`. Zeroes the sums over active samples.

    Return 0, or NaN if a weight is not finite: a unit of weight -inf is cut off at 0 and would not show in h2.
    """
    zero = rates.dtype.type(0)
    relu_part = rates.dtype.type(1) - negative_slope
    defect = zero
    for j in range(b1.size):
        sum_e = negative_slope * error_sum[0] + relu_part * active_error[j]
        active_error[j] = 0
        step = w2[j]
        dw2 = b1[j] * sum_e
        b1[j] -= rates[1] * (step * sum_e)
        for k in range(len(inputs)):
            sum_ex = negative_slope * error_x[k] + relu_part * active_error_x[k, j]
            active_error_x[k, j] = 0
            dw2 += w1[k, j] * sum_ex
            w1[k, j] -= rates[0] * (step * sum_ex)
            defect += zero * w1[k, j]
        w2[j] -= rates[2] * dw2
        defect += zero * b1[j]
    return defect


@exact
def forward(h2: Any, active: Any, x: Any, w1: Any, b1: Any, w2: Any, inputs: Any) -> None:
    """Overwrite h2 (block,) with max(x w1 + b1, 0) w2, without b2, for x (n_in, block).

    active (n_hidden, n_vectors) is overwritten with the marks of positive x w1 + b1. Two units share the loads of x and
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
    for j in range(0, b1.size, 2):
        for u in range(2):
            bias[u] = spread(b1, (j + u,))
            outgoing[u] = spread(w2, (j + u,))
            for k in range(n_in):
                weight[2 * k + u] = spread(w1, (k, j + u))
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
def add_linear_net(h2: Any, x: Any, w1: Any, b1: Any, w2: Any, inputs: Any, negative_slope: Any) -> None:
    """Overwrite h2 (block,) with (1 - negative_slope) h2 + negative_slope (x w1 + b1) w2, for x (n_in, block)."""
    n_in = len(inputs)
    zero = x.dtype.type(0)
    slope = registers(x, 8)
    offset = zero
    for k in range(n_in):
        slope[k] = zero
    for j in range(b1.size):
        offset += w2[j] * b1[j]
        for k in range(n_in):
            slope[k] += w2[j] * w1[k, j]
    for i in range(h2.size):
        linear = offset
        for k in range(n_in):
            linear += slope[k] * x[k, i]
        h2[i] += negative_slope * (linear - h2[i])


@exact
def backward(active_error_x: Any, active_error: Any, error: Any, active: Any, x: Any, inputs: Any) -> None:
    """Add each unit's sums of e x and e over its active samples, for e (block,) and x (n_in, block).

    active (n_hidden, n_vectors) holds the marks that `forward` made.

    Enough units at once hide the 4 cycles of a sum of products, as far as their sums fit into 16 registers: with one
    input 4 (against 2 in 0.7 of the time), with two 3 (0.8). More than 6 inputs come in two parts (0.65).
    """
    n_in = len(inputs)
    n_first = n_in if n_in <= 6 else 4
    units = max(2, 5 - n_in)
    step = lanes(x)
    e = vectors(x, 4)
    sum_e = vectors(x, 4)
    sum_ex = vectors(x, 16)
    for j in range(0, active_error.size, units):
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
            active_error[j + u] += total(sum_e[u])
            for k in range(n_in):
                active_error_x[k, j + u] += total(sum_ex[u * n_in + k])


@exact
def is_finite(value: Any) -> Any:
    """Return whether a value is neither infinite nor NaN: value - value, which reassociation would take for 0."""
    return np.isfinite(value)


@spliced
def visit(
    active_error_x: Any,
    active_error: Any,
    error_x: Any,
    error_sum: Any,
    error: Any,
    active: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    w1: Any,
    b1: Any,
    w2: Any,
    b2: Any,
    inputs: Any,
    negative_slope: Any,
) -> Any:
    """Pass over the blocks given, forward and backward: add to the sums and return the squared error, as in `train`."""
    is_leaky = negative_slope != 0
    squared_error = 0.0
    for block in range(x.shape[0]):
        x_block, y_block, s_block = x[block], y[block], sample_weight[block]
        forward(error, active, x_block, w1, b1, w2, inputs)
        if is_leaky:
            add_linear_net(error, x_block, w1, b1, w2, inputs, negative_slope)

        block_sum = x.dtype.type(0)
        block_total = 0.0
        for i in range(error.size):
            difference = error[i] + b2[0] - y_block[i]
            error[i] = s_block[i] * difference
            block_sum += error[i]
            block_total += np.float64(error[i]) * difference
        error_sum[0] += block_sum
        squared_error += block_total
        if is_leaky:
            for k in range(len(inputs)):
                row = x_block[k]
                block_sum = x.dtype.type(0)
                for i in range(error.size):
                    block_sum += error[i] * row[i]
                error_x[k] += block_sum
        backward(active_error_x, active_error, error, active, x_block, inputs)
    return squared_error


@njit
def train(
    w1: Any,
    b1: Any,
    w2: Any,
    b2: Any,
    active_error_x: Any,
    active_error: Any,
    error_x: Any,
    error_sum: Any,
    error: Any,
    active: Any,
    squared_error: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    inputs: Any,
    rates: Any,
    negative_slope: Any,
    n_epochs: Any,
) -> Any:
    """Train for n_epochs; return the number of epochs before the first with a non-finite error, or n_epochs.

    An epoch updates the weights with the sums of the pass before, then passes over the data once.

    Parameters
    ----------
    w1 (n_in, n_hidden), b1 (n_hidden,), w2 (n_hidden,), b2 (1,)
        Updated in place. n_hidden is a multiple of `units_at_once`.
    active_error_x (n_in, n_hidden), active_error (n_hidden,), error_x (n_in,), error_sum (1,)
        The sums of e x and e over each unit's active samples and over all; zeros before the first call. Overwritten.
        error_x is only summed for a leaky net.
    error (block,), active (n_hidden, block / lanes)
        Scratch.
    squared_error (n_epochs, 1) float64
        Written: sum of s (h2 - y)^2 after each update.
    x (n_blocks, n_in, block), y (n_blocks, block), sample_weight (n_blocks, block)
        Samples, padded with zeros that have no weight.
    inputs : tuple of n_in integers
        Its length tells the compiler the number of inputs.
    rates (4,), negative_slope
        Of w1, b1, w2, b2.
    """
    for epoch in range(n_epochs):
        defect = update(w1, b1, w2, active_error_x, active_error, error_x, error_sum, inputs, rates, negative_slope)
        b2[0] -= rates[3] * error_sum[0]
        error_sum[0] = 0
        error_x[:] = 0
        squared_error[epoch, 0] = defect + visit(
            active_error_x,
            active_error,
            error_x,
            error_sum,
            error,
            active,
            x,
            y,
            sample_weight,
            w1,
            b1,
            w2,
            b2,
            inputs,
            negative_slope,
        )
        if not is_finite(squared_error[epoch, 0]):
            return epoch
    return n_epochs

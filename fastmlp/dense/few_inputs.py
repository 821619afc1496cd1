"""The kernel for few inputs and one output: SIMD over samples, the number of inputs known when it is compiled.

With one output the gradient of unit j needs only two sums over the samples on which it is active, of the weighted
error e_i = s_i (h2_i - y_i) and of e_i x_i::

    dw1_j = w2_j sum e x        db1_j = w2_j sum e        dw2_j = w1_j . sum e x + b1_j sum e

so that the error reaches the hidden layer without a product by w2, and the update is done once per unit and epoch. A
leaky net is negative_slope times the linear net of the same weights plus (1 - negative_slope) times the ReLU net,
forward as backward: its linear part costs O(n_samples + n_hidden) and the loops over both know only ReLU.

Samples come in blocks that stay in the first-level cache while all units pass over them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiling import inlined, njit, registers

MAX_INPUTS = 8
MAX_INPUTS_AT_ONCE = 4  # a unit's weights, its sums and what is on the way between them fit into 16 registers


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


@inlined
def forward(h2: Any, x: Any, w1: Any, b1: Any, w2: Any, inputs: Any) -> None:
    """Overwrite h2 (block,) with max(x w1 + b1, 0) w2, without b2, for x (n_in, block)."""
    n_in = len(inputs)
    zero = x.dtype.type(0)
    # Two units share each load of x and h2; from three inputs on they no longer fit into 16 registers.
    units = 2 if n_in < 3 else 1
    weight = registers(x, 16)
    bias = registers(x, 2)
    outgoing = registers(x, 2)
    h2[:] = zero
    for j in range(0, b1.size, units):
        for u in range(units):
            bias[u] = b1[j + u]
            outgoing[u] = w2[j + u]
            for k in range(n_in):
                weight[u * n_in + k] = w1[k, j + u]
        for i in range(h2.size):
            sum_units = h2[i]
            for u in range(units):
                h1 = bias[u]
                for k in range(n_in):
                    h1 += weight[u * n_in + k] * x[k, i]
                sum_units += outgoing[u] * max(h1, zero)
            h2[i] = sum_units


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


@inlined
def backward(active_error_x: Any, active_error: Any, error: Any, x: Any, w1: Any, b1: Any, inputs: Any) -> None:
    """Add each unit's sums of e x and e over its active samples, for e (block,) and x (n_in, block)."""
    n_in = len(inputs)
    zero = x.dtype.type(0)
    units = 2 if n_in < 3 else 1
    weight = registers(x, 8)
    bias = registers(x, 2)
    sum_e = registers(x, 2)
    sum_ex = registers(x, 8)
    for j in range(0, b1.size, units):
        for u in range(units):
            bias[u] = -b1[j + u]
            sum_e[u] = zero
            for k in range(n_in):
                weight[u * n_in + k] = w1[k, j + u]
                sum_ex[u * n_in + k] = zero
        for i in range(error.size):
            for u in range(units):
                product = zero
                for k in range(n_in):
                    product += weight[u * n_in + k] * x[k, i]
                active = error[i] if product > bias[u] else zero
                sum_e[u] += active
                for k in range(n_in):
                    sum_ex[u * n_in + k] += active * x[k, i]
        for u in range(units):
            active_error[j + u] += sum_e[u]
            for k in range(n_in):
                active_error_x[k, j + u] += sum_ex[u * n_in + k]


@inlined
def backward_in_parts(
    active_error_x: Any, active_error: Any, active: Any, error: Any, x: Any, w1: Any, b1: Any, inputs: Any
) -> None:
    """Do what `backward` does, for more than MAX_INPUTS_AT_ONCE inputs; active (block,) is overwritten.

    The active errors are written down and read again for each part of the inputs. With 8 inputs (256 units, 1000
    samples, float64) an epoch takes 450 us, against 640 when 8 weights and 9 sums compete for 16 registers.
    """
    n_in = len(inputs)
    n_first = MAX_INPUTS_AT_ONCE
    zero = x.dtype.type(0)
    weight = registers(x, 8)
    sum_ex = registers(x, 8)
    for j in range(b1.size):
        bias = -b1[j]
        for k in range(n_in):
            weight[k] = w1[k, j]
            sum_ex[k] = zero
        for i in range(error.size):
            product = zero
            for k in range(n_in):
                product += weight[k] * x[k, i]
            active[i] = error[i] if product > bias else zero
        sum_e = zero
        for i in range(error.size):
            sum_e += active[i]
            for k in range(n_first):
                sum_ex[k] += active[i] * x[k, i]
        for i in range(error.size):
            for k in range(n_first, n_in):
                sum_ex[k] += active[i] * x[k, i]
        active_error[j] += sum_e
        for k in range(n_in):
            active_error_x[k, j] += sum_ex[k]


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
        Updated in place. n_hidden is even.
    active_error_x (n_in, n_hidden), active_error (n_hidden,), error_x (n_in,), error_sum (1,)
        The sums of e x and e over each unit's active samples and over all; zeros before the first call. Overwritten.
        error_x is only summed for a leaky net.
    error, active (block,)
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
    is_leaky = negative_slope != 0
    for epoch in range(n_epochs):
        defect = update(w1, b1, w2, active_error_x, active_error, error_x, error_sum, inputs, rates, negative_slope)
        b2[0] -= rates[3] * error_sum[0]
        error_sum[0] = 0
        error_x[:] = 0

        total = np.float64(defect)
        for block in range(x.shape[0]):
            x_block, y_block, s_block = x[block], y[block], sample_weight[block]
            forward(error, x_block, w1, b1, w2, inputs)
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
            total += block_total
            if is_leaky:
                for k in range(len(inputs)):
                    row = x_block[k]
                    block_sum = x.dtype.type(0)
                    for i in range(error.size):
                        block_sum += error[i] * row[i]
                    error_x[k] += block_sum

            if len(inputs) <= MAX_INPUTS_AT_ONCE:
                backward(active_error_x, active_error, error, x_block, w1, b1, inputs)
            else:
                backward_in_parts(active_error_x, active_error, active, error, x_block, w1, b1, inputs)
        squared_error[epoch, 0] = total
        if not np.isfinite(total):
            return epoch
    return n_epochs

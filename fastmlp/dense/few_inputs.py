"""The kernel for few inputs and one output: SIMD over samples, the number of inputs known when it is compiled.

With one output the gradient of unit j needs only two sums over the samples on which it is active, of the weighted
error e_i = s_i (h2_i - y_i) and of e_i x_i::

    dw1_j = w2_j sum e x        db1_j = w2_j sum e        dw2_j = w1_j . sum e x + b1_j sum e

so that the error reaches the hidden layer without a product by w2, and the update is done once per unit and epoch. A
leaky net is negative_slope times the linear net of the same weights plus (1 - negative_slope) times the ReLU net,
forward as backward: its linear part costs O(n_samples + n_hidden) and the loops over both know only ReLU.

Samples come in blocks that stay in the first-level cache: 10,000 of them at 4 inputs in one block took 1.5 times longer
(float32, 32 units).
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic

from fastmlp.compiling import njit

MAX_INPUTS = 8


@intrinsic  # type: ignore[untyped-decorator]
def registers(typing_context: Any, like: Any, length: Any) -> Any:
    """Return room on the stack for `length` (a literal) values of the dtype of `like`.

    Loops over it have constant bounds and are unrolled, whereupon LLVM replaces it by registers; an array would be
    memory that the vectoriser must take for aliased.
    """
    if not isinstance(length, numba.types.IntegerLiteral):
        return None
    signature = numba.types.CPointer(like.dtype)(like, length)

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value = context.get_data_type(signature.return_type.dtype)
        with builder.goto_entry_block():
            room = builder.alloca(ir.ArrayType(value, length.literal_value))
        return builder.bitcast(room, value.as_pointer())

    return signature, codegen


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
    error (block,)
        Scratch.
    squared_error (n_epochs, 1) float64
        Written: sum of s (h2 - y)^2 after each update.
    x (n_blocks, n_in, block), y (n_blocks, block), sample_weight (n_blocks, block)
        Samples, padded with ones of no weight.
    inputs : tuple of n_in integers
        Its length tells the compiler the number of inputs.
    rates (4,), negative_slope
        Of w1, b1, w2, b2.
    """
    n_in = len(inputs)
    n_hidden = b1.size
    zero = x.dtype.type(0)
    relu_part = x.dtype.type(1) - negative_slope
    # Two units share each load of x and e; from three inputs on their sums no longer fit into 16 registers
    # (float32, 4 inputs, 10,000 samples: 115 us an epoch one by one, 186 in pairs).
    units = 2 if n_in < 3 else 1
    weight = registers(x, 16)
    bias = registers(x, 2)
    outgoing = registers(x, 2)
    sum_e = registers(x, 2)
    sum_ex = registers(x, 16)
    linear = registers(x, 8)

    for epoch in range(n_epochs):
        for j in range(n_hidden):
            step = w2[j]
            sum_active = negative_slope * error_sum[0] + relu_part * active_error[j]
            dw2 = b1[j] * sum_active
            b1[j] -= rates[1] * (step * sum_active)
            active_error[j] = zero
            for k in range(n_in):
                sum_active = negative_slope * error_x[k] + relu_part * active_error_x[k, j]
                dw2 += w1[k, j] * sum_active
                w1[k, j] -= rates[0] * (step * sum_active)
                active_error_x[k, j] = zero
            w2[j] -= rates[2] * dw2
        b2[0] -= rates[3] * error_sum[0]
        error_sum[0] = zero
        error_x[:] = zero
        linear_bias = zero
        for k in range(n_in):
            linear[k] = zero
        if negative_slope != zero:
            for j in range(n_hidden):
                linear_bias += w2[j] * b1[j]
                for k in range(n_in):
                    linear[k] += w2[j] * w1[k, j]

        total = 0.0
        for block in range(x.shape[0]):
            x_block = x[block]
            y_block = y[block]
            s_block = sample_weight[block]

            error[:] = zero
            for j in range(0, n_hidden, units):
                for u in range(units):
                    bias[u] = b1[j + u]
                    outgoing[u] = w2[j + u]
                    for k in range(n_in):
                        weight[u * n_in + k] = w1[k, j + u]
                for i in range(error.size):
                    h2 = error[i]
                    for u in range(units):
                        h1 = bias[u]
                        for k in range(n_in):
                            h1 += weight[u * n_in + k] * x_block[k, i]
                        h2 += outgoing[u] * max(h1, zero)
                    error[i] = h2
            if negative_slope != zero:
                for i in range(error.size):
                    h2 = linear_bias
                    for k in range(n_in):
                        h2 += linear[k] * x_block[k, i]
                    error[i] = relu_part * error[i] + negative_slope * h2

            block_sum = zero
            block_total = 0.0
            for i in range(error.size):
                difference = error[i] + b2[0] - y_block[i]
                error[i] = s_block[i] * difference
                block_sum += error[i]
                block_total += np.float64(error[i] * difference)
            error_sum[0] += block_sum
            total += block_total
            if negative_slope != zero:
                for k in range(n_in):
                    block_sum = zero
                    for i in range(error.size):
                        block_sum += error[i] * x_block[k, i]
                    error_x[k] += block_sum

            for j in range(0, n_hidden, units):
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
                            product += weight[u * n_in + k] * x_block[k, i]
                        active = error[i] if product > bias[u] else zero
                        sum_e[u] += active
                        for k in range(n_in):
                            sum_ex[u * n_in + k] += active * x_block[k, i]
                for u in range(units):
                    active_error[j + u] += sum_e[u]
                    for k in range(n_in):
                        active_error_x[k, j + u] += sum_ex[u * n_in + k]
        squared_error[epoch, 0] = total
        if not np.isfinite(total):
            return epoch
    return n_epochs

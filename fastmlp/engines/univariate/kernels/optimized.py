"""Prefix sums with another optimiser than plain gradient descent, which runs on the same gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.hints import assume_nonnegative
from fastmlp.compiled.jit import inlined, njit
from fastmlp.engines.engine import Array, Rates
from fastmlp.engines.univariate.kernels.layout import (
    LANES,
    Data,
    OptimizedNet,
    Optimizer,
    PatternSums,
    Record,
    Units,
    address_of,
)
from fastmlp.engines.univariate.kernels.look_up import has_left, look_up
from fastmlp.engines.univariate.kernels.sums import forward, gradient_sum


@inlined
def write_gradients(net: OptimizedNet, sums: PatternSums, data: Data) -> None:
    """Overwrite the gradient of each row of parameters."""
    n_out = len(data.outputs)
    parameters, gradient = net.parameters, net.gradient
    for j in range(np.uint64(net.codes.size)):
        code = assume_nonnegative(net.codes[j])
        w = parameters[0][j]
        b = parameters[1][j]
        t0 = 0.0
        t1 = 0.0
        for o in range(n_out):
            s0 = gradient_sum(code, 2 * o, sums, data)
            s1 = gradient_sum(code, 2 * o + 1, sums, data)
            v = parameters[2 + o][j]
            t0 += v * s0
            t1 += v * s1
            gradient[2 + o][j] = w * s1 + b * s0
        gradient[0][j] = t1
        gradient[1][j] = t0
    for o in range(n_out):
        gradient[2 + n_out][o] = gradient_sum(0, 2 * o, sums, data)


@inlined
def of_row(groups: Rates, k: Any, n_rows: Any) -> Any:
    """Return the number of the group of parameters that row k of n_rows belongs to: w, b, v_0, v_1, ..., b2."""
    layer = groups.w2 if k < n_rows - 1 else groups.b2
    return groups.w1 if k == 0 else (groups.b1 if k == 1 else layer)


@inlined
def update_row(net: OptimizedNet, k: Any, rate: Any, optimizer: Optimizer) -> None:
    """Update row k of the parameters as torch.optim.SGD or Adam does in its step number counters.epoch."""
    row, gradient = net.parameters[k], net.gradient[k]
    first, second = net.first[k], net.second[k]
    decay = of_row(optimizer.weight_decay, k, len(net.parameters))
    if optimizer.is_adam:
        step = np.float64(net.counters[0].epoch)
        beta1, beta2 = optimizer.beta1, optimizer.beta2
        adam_rate = rate / (1.0 - beta1**step)
        scale = 1.0 / np.sqrt(1.0 - beta2**step)
        for j in range(row.size):
            g = gradient[j] + decay * row[j]
            mean = beta1 * first[j] + (1.0 - beta1) * g
            square = beta2 * second[j] + (1.0 - beta2) * g * g
            first[j] = mean
            second[j] = square
            row[j] -= adam_rate * mean / (scale * np.sqrt(square) + optimizer.epsilon)
        return
    momentum = optimizer.momentum
    of_gradient = 1.0 if optimizer.is_nesterov else 0.0
    of_velocity = momentum if optimizer.is_nesterov else 1.0
    for j in range(row.size):
        g = gradient[j] + decay * row[j]
        velocity = momentum * first[j] + g
        first[j] = velocity
        row[j] -= rate * (of_gradient * g + of_velocity * velocity)


@inlined
def sum_lines(units: Units, codes: Array, sums: PatternSums, data: Data) -> Any:
    """Look up the patterns that units have left, overwrite the lines of all patterns, and return the crossings."""
    n_out = len(data.outputs)
    sums.lines[:] = 0
    n_crossings = 0
    for j in range(np.uint64(codes.size)):
        code = assume_nonnegative(codes[j])
        w = units[0][j]
        b = units[1][j]
        if has_left(w, b, code, data):
            code, n_flips = look_up(w, b, code, data)
            n_crossings += n_flips
            codes[j] = code
        at = assume_nonnegative(address_of(code, 2 * n_out))
        for o in range(n_out):
            v = units[2 + o][j]
            sums.lines[at + 2 * o * LANES] += v * w
            sums.lines[at + (2 * o + 1) * LANES] += v * b
    return n_crossings


@njit
def train_optimized(
    net: OptimizedNet, optimizer: Optimizer, sums: PatternSums, record: Record, data: Data, is_training: Any
) -> Any:
    """Train a net by an optimiser; x must not be centred.

    An epoch makes three passes over the units: gradients, the optimiser's update, which is SIMD, and sums by pattern.

    Parameters
    ----------
    net, sums
        Updated in place; net.parameters[-1] is b2.
    optimizer
        Read.
    record
        Overwritten; its length is the number of epochs.
    data
        Read.
    is_training : bool
        False: one epoch that only evaluates the net.

    Returns
    -------
    int
        The number of epochs before the first with a non-finite error, or of all.
    """
    n_rows = len(net.parameters)
    counters = net.counters[0]
    for epoch in range(record.crossings.size):
        if is_training:
            counters.epoch += 1
            write_gradients(net, sums, data)
            for k in range(n_rows):
                rate = of_row(optimizer.rates, k, n_rows)
                if rate != 0.0:
                    update_row(net, k, rate * optimizer.factors[epoch], optimizer)
        counters.crossings += sum_lines(net.parameters, net.codes, sums, data)
        error = forward(sums, net.parameters[n_rows - 1], record.squared_error[epoch], data)
        record.crossings[epoch] = counters.crossings
        if not np.isfinite(error):
            return epoch
    return record.crossings.size

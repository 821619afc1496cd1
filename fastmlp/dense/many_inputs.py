"""The kernel for many inputs or several outputs: SIMD over units, four samples at a time.

The four hidden rows stay in the first-level cache and two inputs are taken together, so that a weight is loaded once
for four samples and a hidden value once for two inputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiling import inlined, njit

SAMPLES = 4  # at a time: the number of samples is a multiple of it
INPUTS = 2  # at a time: the number of inputs is a multiple of it


@inlined
def descend(parameter: Any, gradient: Any, rate: Any) -> None:
    """Update a row: parameter <- parameter - rate * gradient, gradient <- 0; both (n,) are overwritten."""
    for j in range(parameter.size):
        parameter[j] -= rate * gradient[j]
        gradient[j] = 0


@inlined
def first_layer(hidden: Any, w1: Any, x: Any) -> None:
    """Overwrite hidden (4, n_hidden) with x w1, from w1 (n_in, n_hidden) and x (4, n_in)."""
    row0, row1, row2, row3 = hidden[0], hidden[1], hidden[2], hidden[3]
    hidden[:] = 0
    for k in range(0, x.shape[1], INPUTS):
        even, odd = w1[k], w1[k + 1]
        x00, x10, x20, x30 = x[0, k], x[1, k], x[2, k], x[3, k]
        x01, x11, x21, x31 = x[0, k + 1], x[1, k + 1], x[2, k + 1], x[3, k + 1]
        for j in range(even.size):
            row0[j] += x00 * even[j] + x01 * odd[j]
            row1[j] += x10 * even[j] + x11 * odd[j]
            row2[j] += x20 * even[j] + x21 * odd[j]
            row3[j] += x30 * even[j] + x31 * odd[j]


@inlined
def first_layer_gradient(dw1: Any, x: Any, dh1: Any) -> None:
    """Add x^T dh1 to dw1 (n_in, n_hidden), from x (4, n_in) and dh1 (4, n_hidden)."""
    row0, row1, row2, row3 = dh1[0], dh1[1], dh1[2], dh1[3]
    for k in range(0, x.shape[1], INPUTS):
        even, odd = dw1[k], dw1[k + 1]
        x00, x10, x20, x30 = x[0, k], x[1, k], x[2, k], x[3, k]
        x01, x11, x21, x31 = x[0, k + 1], x[1, k + 1], x[2, k + 1], x[3, k + 1]
        for j in range(even.size):
            even[j] += x00 * row0[j] + x10 * row1[j] + x20 * row2[j] + x30 * row3[j]
            odd[j] += x01 * row0[j] + x11 * row1[j] + x21 * row2[j] + x31 * row3[j]


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
    relu: Any,
    slope: Any,
    dh1: Any,
    squared_error: Any,
    x: Any,
    y: Any,
    sample_weight: Any,
    rates: Any,
    negative_slope: Any,
    n_epochs: Any,
) -> Any:
    """Train for n_epochs; return the number of epochs before the first with a non-finite error, or n_epochs.

    An epoch updates the weights with the gradients of the pass before, then passes over the data once: the formulas
    of `fastmlp.reference` for four samples at a time.

    Parameters
    ----------
    w1 (n_in, n_hidden), b1 (n_hidden,), w2 (n_out, n_hidden), b2 (n_out,)
        Updated in place.
    dw1, db1, dw2, db2
        The gradients, of the same shapes; zeros before the first call. Overwritten.
    relu, slope, dh1 (4, n_hidden)
        Scratch.
    squared_error (n_epochs, n_out) float64
        Written: sum over samples of s (h2 - y)^2 after each update.
    x (n_samples, n_in), y (n_samples, n_out), sample_weight (n_samples,)
        Samples and inputs padded, with samples of no weight and inputs of 0, to multiples of SAMPLES and INPUTS.
    rates (4,), negative_slope
        Of w1, b1, w2, b2.
    """
    n_out = y.shape[1]
    one = x.dtype.type(1)
    relu0, relu1, relu2, relu3 = relu[0], relu[1], relu[2], relu[3]
    row0, row1, row2, row3 = dh1[0], dh1[1], dh1[2], dh1[3]
    for epoch in range(n_epochs):
        for k in range(w1.shape[0]):
            descend(w1[k], dw1[k], rates[0])
        descend(b1, db1, rates[1])
        for o in range(n_out):
            descend(w2[o], dw2[o], rates[2])
        descend(b2, db2, rates[3])

        squared_error[epoch] = 0
        for i in range(0, x.shape[0], SAMPLES):
            first_layer(relu, w1, x[i : i + SAMPLES])
            for r in range(SAMPLES):
                row, row_slope = relu[r], slope[r]
                for j in range(b1.size):
                    row_slope[j] = one if row[j] > -b1[j] else negative_slope
                    row[j] = row_slope[j] * (row[j] + b1[j])

            dh1[:] = 0
            for o in range(n_out):
                outgoing, gradient = w2[o], dw2[o]
                dh20, dh21, dh22, dh23 = b2[o] - y[i, o], b2[o] - y[i + 1, o], b2[o] - y[i + 2, o], b2[o] - y[i + 3, o]
                for j in range(outgoing.size):
                    dh20 += relu0[j] * outgoing[j]
                    dh21 += relu1[j] * outgoing[j]
                    dh22 += relu2[j] * outgoing[j]
                    dh23 += relu3[j] * outgoing[j]
                e0, e1 = sample_weight[i] * dh20, sample_weight[i + 1] * dh21
                e2, e3 = sample_weight[i + 2] * dh22, sample_weight[i + 3] * dh23
                squared_error[epoch, o] += (
                    np.float64(e0) * dh20 + np.float64(e1) * dh21 + np.float64(e2) * dh22 + np.float64(e3) * dh23
                )
                db2[o] += e0 + e1 + e2 + e3
                for j in range(outgoing.size):
                    gradient[j] += e0 * relu0[j] + e1 * relu1[j] + e2 * relu2[j] + e3 * relu3[j]
                    row0[j] += e0 * outgoing[j]
                    row1[j] += e1 * outgoing[j]
                    row2[j] += e2 * outgoing[j]
                    row3[j] += e3 * outgoing[j]

            for r in range(SAMPLES):
                row, row_slope = dh1[r], slope[r]
                for j in range(b1.size):
                    row[j] *= row_slope[j]
                    db1[j] += row[j]
            first_layer_gradient(dw1, x[i : i + SAMPLES], dh1)
        if not np.isfinite(squared_error[epoch].sum()):
            return epoch
    return n_epochs

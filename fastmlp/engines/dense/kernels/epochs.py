"""The loop over epochs that both kernels share, and the arguments of a kernel.

An epoch is a sequence of phases: an update of the parameters, then a forward and backward pass over all samples, whose
gradients the next update takes. With mini-batches it is a pass over each batch and an update after each of them, then a
forward pass over all samples for the squared error. The threads share the parts of a phase out and wait until all are
done before the next phase begins, as `fastmlp.compiled.threads` describes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.jit import inline_ir, strict_fp
from fastmlp.compiled.threads import claim, finish, wait
from fastmlp.engines.dense.kernels.optimizer import Optimizer


class Parameters(NamedTuple):
    """The parameters of a net in the layout of a kernel, and their moments; all updated in place.

    theta has the rows of w1, b1 and w2. b2 (n_out, lanes) has each output bias in every lane. The moments are tuples
    of arrays of the same shapes: none for plain gradient descent, else two, which may be the same.
    """

    theta: Any
    b2: Any
    theta_moments: Any
    b2_moments: Any


class Arrays(NamedTuple):
    """The arrays of a kernel, which says what gradients, scratch and samples are.

    gradients are zeros before the first call. squared_error (n_epochs, n_parts, n_out), float64, is overwritten with
    the sums of s (h2 - y)^2 after each epoch, over each part of the samples.
    """

    parameters: Parameters
    gradients: Any
    scratch: Any
    samples: Any
    squared_error: Any


class Plan(NamedTuple):
    """How a call trains.

    rates (1 or n_epochs, 4), float64, are those of w1, b1, w2 and b2. n_batches is the number of mini-batches in an
    epoch, 0 without mini-batches. n_updates is the number of updates before this call, or -1 if no pass has been made:
    then the first update is left out.
    """

    negative_slope: Any
    optimizer: Optimizer
    rates: Any
    n_batches: Any
    n_updates: Any


@strict_fp
def is_finite(value: Any) -> Any:
    """Return whether a value is neither infinite nor NaN.

    Numba computes value - value, which a kernel that may reassociate takes for 0.
    """
    return np.isfinite(value)


@inline_ir
def train_epochs(update: Any, forward_backward: Any, arrays: Arrays, plan: Plan, progress: Any, thread: Any) -> Any:
    """Train for as many epochs as squared_error has rows; return how many precede the first non-finite error.

    Any number of threads may call this with the same arrays. The functions of a kernel are known when it is compiled:

    update(arrays, plan, rates, n_updates, part)
        Update a part of the units along the gradients. Returns 0, or NaN if a parameter is no longer finite.
    forward_backward(arrays, plan, epoch, batch, part)
        Add a part of the samples of a batch to the squared error and the gradients. Batch n_batches has all samples.
    """
    n_epochs, n_parts, n_out = arrays.squared_error.shape
    n_updates = plan.n_updates
    n_phases = 0
    for epoch in range(n_epochs):
        rates = plan.rates[min(epoch, plan.rates.shape[0] - 1)]
        # Updates are the even phases. With mini-batches the first phase is the pass over batch 0.
        for phase in range(min(plan.n_batches, 1), 2 * plan.n_batches + 2):
            is_update = phase % 2 == 0
            n_updates += is_update
            n_phases += 1
            for i in range(n_parts):
                part = (thread + i) % n_parts
                if n_parts == 1 or claim(progress, part, n_phases):
                    if is_update:
                        # NaN if a parameter has become infinite or NaN, which the error need not show.
                        start = update(arrays, plan, rates, n_updates, part) if n_updates > 0 else 0.0
                        for o in range(n_out):
                            arrays.squared_error[epoch, part, o] = start
                    else:
                        forward_backward(arrays, plan, epoch, phase // 2, part)
                    finish(progress)
            wait(progress, n_phases * n_parts)
        for part in range(n_parts):
            for o in range(n_out):
                if not is_finite(arrays.squared_error[epoch, part, o]):
                    return epoch
    return n_epochs

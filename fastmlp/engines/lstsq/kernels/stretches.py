"""The stretches between the kinks: their samples, and the dimensions in which two neighbouring lines may differ.

The units whose kinks lie between the same two samples can change the step from one line to the next in one dimension,
if all their kinks are equal, else in two.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inlined
from fastmlp.engines.lbfgs.kernels.univariate import Samples, Scratch
from fastmlp.engines.lstsq.kernels.layout import Stretches

ROUNDING = 2e-15  # relative; sines up to this many times the cancellation are 0
LEAST_SINE = 1e-5  # between 0 and this, the dimension is a matter of rounding


@inlined
def find_moments(last: Any, samples: Samples, scratch: Scratch, stretches: Stretches) -> None:
    """Overwrite the moments of the samples of each stretch."""
    for t in range(last):
        total, first_moment, second_moment = 0.0, 0.0, 0.0
        middle = samples.x[scratch.starts[t]]
        for i in range(scratch.starts[t], scratch.starts[t + 1]):
            total += samples.sample_weight[i]
            first_moment += samples.sample_weight[i] * (samples.x[i] - middle)
        middle += first_moment / total
        for i in range(scratch.starts[t], scratch.starts[t + 1]):
            second_moment += samples.sample_weight[i] * (samples.x[i] - middle) ** 2
        is_one = scratch.starts[t + 1] - scratch.starts[t] == 1
        stretches.moments[t, 0] = middle
        stretches.moments[t, 1] = np.sqrt(total)
        stretches.moments[t, 2] = 0.0 if is_one else np.sqrt(second_moment)


@inlined
def mean_square(w: Any, beta: Any, moments: Any) -> Any:
    """Return the weighted sum of (w x + beta)^2 from those of 1, x and x^2."""
    return beta * (beta * moments[0] + 2.0 * w * moments[1]) + w * w * moments[2]


@inlined
def find_trace(theta: Any, last: Any, samples: Samples, arrays: Any) -> Any:
    """Return the weighted sum of squares of the outputs of all units; gaps is overwritten with moments of x."""
    scratch, stretches = arrays
    n_hidden, alpha = scratch.kinks.size, samples.negative_slope
    sums = stretches.gaps
    for t in range(last - 1, -1, -1):
        centre, weight = stretches.moments[t, 0], stretches.moments[t, 1] ** 2
        own = weight, weight * centre, weight * centre * centre + stretches.moments[t, 2] ** 2
        for k in range(3):
            sums[t, k] = own[k] + (sums[t + 1, k] if t + 1 < last else 0.0)
    trace = 0.0
    for j in range(n_hidden):
        w = theta[j]
        beta = theta[n_hidden + j] + samples.centre * w
        whole = mean_square(w, beta, sums[0])
        t = scratch.stretches[scratch.kinks[j]]
        after = mean_square(w, beta, sums[t]) if t < last else 0.0
        active = after if scratch.sides[j] == 0 else whole - after
        trace += active + alpha * alpha * (whole - active)
    return trace


@inlined
def find_dimensions(theta: Any, last: Any, samples: Samples, scratch: Scratch, stretches: Stretches) -> Any:
    """Overwrite is_rigid of each stretch; return whether all dimensions are clear."""
    n_hidden = scratch.kinks.size
    n = samples.x.size
    is_clear = True
    for t in range(last):
        stretches.gaps[t, 2] = -1.0
    for j in range(n_hidden):
        k = scratch.kinks[j]
        if 0 < k < n:
            w = theta[j]
            beta = theta[n_hidden + j] + samples.centre * w
            left = w * samples.x[k - 1] + beta
            right = w * samples.x[k] + beta
            size = np.sqrt(left * left + right * right)
            gap = stretches.gaps[scratch.stretches[k]]
            if gap[2] < 0.0:
                gap[0], gap[1], gap[2] = left / size, right / size, 0.0
            else:
                sine = abs(gap[0] * right - gap[1] * left) / size
                if sine > ROUNDING * (1.0 + (abs(w * samples.x[k]) + abs(beta)) / size):
                    gap[2] = max(gap[2], sine)
                elif not sine >= 0.0:
                    is_clear = False
    for t in range(last):
        sine = stretches.gaps[t, 2]
        stretches.is_rigid[t] = sine <= 0.0 and t > 0
        if t > 0 and 0.0 < sine < LEAST_SINE:
            is_clear = False
    return is_clear


@inlined
def find_residuals(o: Any, b2: Any, last: Any, samples: Samples, arrays: Any) -> Any:
    """Overwrite the residuals of output o of each stretch, whose lines are known; return the squared error."""
    scratch, stretches = arrays
    squared_error = 0.0
    for t in range(last):
        right_slope, right_offset = scratch.sums[0, t, 0], scratch.sums[0, t, 1] + b2
        left_slope, left_offset = scratch.sums[1, t, 0], scratch.sums[1, t, 1]
        centre, root, spread = stretches.moments[t, 0], stretches.moments[t, 1], stretches.moments[t, 2]
        level = 0.0
        slope = 0.0
        for i in range(scratch.starts[t], scratch.starts[t + 1]):
            x = samples.x[i]
            residual = samples.y[o, i] - ((right_slope * x + right_offset) + (left_slope * x + left_offset))
            weighted = samples.sample_weight[i] * residual
            squared_error += weighted * residual
            level += weighted
            slope += weighted * (x - centre)
        stretches.residuals[t, 0] = level / root
        stretches.residuals[t, 1] = slope / spread if spread > 0.0 else 0.0
    return squared_error

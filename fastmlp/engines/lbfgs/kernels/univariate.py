"""The loss and its gradient for one input, by running sums in O(n_samples + n_hidden), and L-BFGS on them.

With x sorted, a unit with w > 0 is active on a suffix of the samples, any other unit on a prefix. Its kink is the
number of samples before the suffix, or in the prefix. The kinks divide the samples into stretches, on each of which the
net is a line. Its slope and offset are the sums of v w and v (b + centre w) over the active units, added up from the
side on which the units become active. The sums of the weighted errors e and e (x - centre) over stretches, added up
likewise, give for each unit the sums S0 and S1 over its active samples::

    db = sum_o v_o S0_o      dw = sum_o v_o S1_o + centre db      dv_o = w S1_o + (b + centre w) S0_o

Sums over suffixes and over prefixes are kept apart: no sum is the difference of two larger ones. A leaky unit adds
negative_slope times the sums over its inactive samples, from the other side.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.compiled.jit import inlined, njit
from fastmlp.engines.lbfgs.kernels.steps import Run, next_trial


class Samples(NamedTuple):
    """raw_x ascending, x = raw_x - centre and sample_weight (n_samples,), y (n_out, n_samples); floats."""

    raw_x: Any
    x: Any
    y: Any
    sample_weight: Any
    centre: Any
    negative_slope: Any


class Scratch(NamedTuple):
    """What an evaluation overwrites.

    kinks and sides (n_hidden,) have the kink of each unit, which the next evaluation tries first, and 0 for a unit that
    is active on a suffix, 1 on a prefix. The arrays by kink have n_samples + 1 entries: has_units, stretches (the
    number of the stretch that begins there) and lines (n_out, 2, n_samples + 1, 2), the sums over units by side.
    has_units and lines are zero before and after. The arrays by stretch are as long: starts (the kink where it begins)
    and sums (2, n_samples + 1, 4), slope, offset and the sums of e and e x of each side; the last stretch has no
    samples. unit_sums (n_out, 2, n_samples + 1, 2) are S0 and S1 by side and stretch.
    """

    kinks: Any
    sides: Any
    has_units: Any
    stretches: Any
    lines: Any
    starts: Any
    sums: Any
    unit_sums: Any


@inlined
def find_kink(w: Any, b: Any, guess: Any, x: Any) -> Any:
    """Return the number of samples at which a unit is inactive if w > 0, else at which it is active."""
    is_rising = w > 0.0
    is_after = guess == 0 or (w * x[guess - 1] > -b) != is_rising
    if is_after and (guess == x.size or (w * x[guess] > -b) == is_rising):
        return guess
    low, high = 0, x.size
    while low < high:
        middle = (low + high) // 2
        if (w * x[middle] > -b) == is_rising:
            high = middle
        else:
            low = middle + 1
    return low


@inlined
def add_units(theta: Any, samples: Samples, scratch: Scratch) -> None:
    """Find the kinks of all units and add the units to the lines."""
    n_hidden = scratch.kinks.size
    for j in range(n_hidden):
        w = theta[j]
        b = theta[n_hidden + j]
        k = find_kink(w, b, scratch.kinks[j], samples.raw_x)
        side = 0 if w > 0.0 else 1
        scratch.kinks[j] = k
        scratch.sides[j] = side
        scratch.has_units[k] = 1
        beta = b + samples.centre * w
        for o in range(scratch.lines.shape[0]):
            v = theta[(2 + o) * n_hidden + j]
            scratch.lines[o, side, k, 0] += v * w
            scratch.lines[o, side, k, 1] += v * beta


@inlined
def find_stretches(scratch: Scratch) -> Any:
    """Find the stretches between kinks that have units; return the number of the last, which has no samples."""
    n = scratch.starts.size - 1
    scratch.starts[0] = 0
    last = 1
    for k in range(1, n):
        scratch.starts[last] = k
        last += scratch.has_units[k]
    scratch.starts[last] = n
    for t in range(last + 1):
        scratch.stretches[scratch.starts[t]] = t
        scratch.has_units[scratch.starts[t]] = 0
    return last


@inlined
def add_lines(o: Any, last: Any, scratch: Scratch, alpha: Any) -> None:
    """Overwrite the slope and the offset of each stretch from the lines of output o, which become zero.

    Those of side 0 come from the left: the active units of suffixes, and the inactive ones of prefixes.
    """
    lines = scratch.lines[o]
    for side in range(2):
        slope = 0.0
        offset = 0.0
        for i in range(last + 1):
            t = last - i if side else i
            k = scratch.starts[t]
            if side == 0:
                slope += lines[0, k, 0] + alpha * lines[1, k, 0]
                offset += lines[0, k, 1] + alpha * lines[1, k, 1]
            scratch.sums[side, t, 0] = slope
            scratch.sums[side, t, 1] = offset
            if side == 1:  # a prefix ends where its kink begins a stretch
                slope += lines[1, k, 0] + alpha * lines[0, k, 0]
                offset += lines[1, k, 1] + alpha * lines[0, k, 1]
    for t in range(last + 1):
        k = scratch.starts[t]
        lines[0, k, 0] = lines[0, k, 1] = lines[1, k, 0] = lines[1, k, 1] = 0.0


@inlined
def sum_samples(o: Any, b2: Any, last: Any, samples: Samples, scratch: Scratch) -> Any:
    """Overwrite the sums of e and e x over each stretch; return the squared error of output o."""
    squared_error = 0.0
    for t in range(last):
        right_slope, right_offset = scratch.sums[0, t, 0], scratch.sums[0, t, 1] + b2
        left_slope, left_offset = scratch.sums[1, t, 0], scratch.sums[1, t, 1]
        s0 = 0.0
        s1 = 0.0
        for i in range(scratch.starts[t], scratch.starts[t + 1]):
            x = samples.x[i]
            difference = (right_slope * x + right_offset) + (left_slope * x + left_offset) - samples.y[o, i]
            e = samples.sample_weight[i] * difference
            squared_error += e * difference
            s0 += e
            s1 += e * x
        scratch.sums[0, t, 2] = s0
        scratch.sums[0, t, 3] = s1
    return squared_error


@inlined
def sum_stretches(o: Any, last: Any, scratch: Scratch, alpha: Any) -> Any:
    """Overwrite S0 and S1 of the units of each kink, without v, for output o; return the sum of e over all samples."""
    sums, unit_sums = scratch.sums[0], scratch.unit_sums[o]
    s0 = 0.0
    s1 = 0.0
    for t in range(last + 1):
        unit_sums[0, t, 0], unit_sums[0, t, 1] = alpha * s0, alpha * s1
        unit_sums[1, t, 0], unit_sums[1, t, 1] = s0, s1
        if t < last:
            s0 += sums[t, 2]
            s1 += sums[t, 3]
    s0 = 0.0
    s1 = 0.0
    for t in range(last - 1, -1, -1):
        s0 += sums[t, 2]
        s1 += sums[t, 3]
        unit_sums[0, t, 0] += s0
        unit_sums[0, t, 1] += s1
        unit_sums[1, t, 0] += alpha * s0
        unit_sums[1, t, 1] += alpha * s1
    return s0


@inlined
def evaluate(run: Run, samples: Samples, scratch: Scratch) -> None:
    """Overwrite the gradient and the squared errors of the trial.

    The parameters are w (n_hidden,), b (n_hidden,), v (n_out, n_hidden) and b2 (n_out,), one after the other.
    """
    theta, gradient = run.iterate.trial, run.iterate.trial_gradient
    n_hidden = scratch.kinks.size
    n_out = run.trial_error.size
    add_units(theta, samples, scratch)
    last = find_stretches(scratch)
    for o in range(n_out):
        place = (2 + n_out) * n_hidden + o
        add_lines(o, last, scratch, samples.negative_slope)
        run.trial_error[o] = sum_samples(o, theta[place], last, samples, scratch)
        gradient[place] = sum_stretches(o, last, scratch, samples.negative_slope)
    for j in range(n_hidden):
        w = theta[j]
        beta = theta[n_hidden + j] + samples.centre * w
        side, t = scratch.sides[j], scratch.stretches[scratch.kinks[j]]
        t0 = 0.0
        t1 = 0.0
        for o in range(n_out):
            s0 = scratch.unit_sums[o, side, t, 0]
            s1 = scratch.unit_sums[o, side, t, 1]
            v = theta[(2 + o) * n_hidden + j]
            t0 += v * s0
            t1 += v * s1
            gradient[(2 + o) * n_hidden + j] = w * s1 + beta * s0
        gradient[j] = t1 + samples.centre * t0
        gradient[n_hidden + j] = t0


@njit
def minimise(run: Run, samples: Samples, scratch: Scratch) -> None:
    """Train for as many epochs as squared_error has rows, or until the search ends."""
    while True:
        next_trial(run)
        if not run.search[0].is_searching:
            return
        evaluate(run, samples, scratch)

"""One step of gradient descent on all units, from the sums of the weighted errors on the stretches."""

from __future__ import annotations

from fastmlp.compiled.jit import inlined, strict_fp
from fastmlp.compiled.masks import mask_greater
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import add, broadcast, fma, lanes, load, multiply, store, zeros
from fastmlp.engines.engine import Array
from fastmlp.engines.univariate.kernels.stretch_layout import BLOCK_SIZE, COLUMNS, ROWS, Descent, Scratch, State


@inlined
def update_v(state: State, t0: Array, t1: Array, block: int, o: int, rate: float) -> None:
    """Take the step of the weights v of output o in one block, and add v S0 and v S1 to t0 and t1 (BLOCK_SIZE,).

    S = slope_left P + slope_right Q, with the sums P over the samples left of the kink, taken from the left, and Q over
    those right of it, taken from the right.
    """
    unit, v = state.units.blocks[block], state.units.v[block, o]
    output, starts = state.outputs[block, o], state.column_sums[o]
    right_r, right_rx = vectors(v, ROWS), vectors(v, ROWS)
    negative_rate = broadcast(-rate)
    for column in range(0, COLUMNS, lanes(v)):
        at_column = block * COLUMNS + column
        sum_r, sum_rx = load(starts, (2, at_column)), load(starts, (3, at_column))
        for from_last in range(ROWS):  # a stretch lies left of the kink at its position
            row = ROWS - 1 - from_last
            at = (row * COLUMNS + column,)
            right_r[row] = sum_r
            right_rx[row] = sum_rx
            sum_r = add(sum_r, load(output.sum_r, at))
            sum_rx = add(sum_rx, load(output.sum_rx, at))
        sum_r, sum_rx = load(starts, (0, at_column)), load(starts, (1, at_column))
        for row in range(ROWS):
            at = (row * COLUMNS + column,)
            sum_r = add(sum_r, load(output.sum_r, at))
            sum_rx = add(sum_rx, load(output.sum_rx, at))
            slope_left, slope_right = load(unit.slope_left, at), load(unit.slope_right, at)
            s0 = fma(slope_left, sum_r, multiply(slope_right, right_r[row]))
            s1 = fma(slope_left, sum_rx, multiply(slope_right, right_rx[row]))
            old_v = load(v, at)
            store(t0, at, fma(old_v, s0, load(t0, at)))
            store(t1, at, fma(old_v, s1, load(t1, at)))
            gradient = fma(load(unit.w, at), s1, multiply(load(unit.beta, at), s0))
            store(v, at, fma(negative_rate, gradient, old_v))


@strict_fp
def subtract_step(weight: float, step: float) -> float:
    """Return weight - step, both rounded.

    With w = beta and S0 = S1 a kink stays on the sample x = -1 to the last bit only if both steps are rounded alike;
    fused with the subtraction, one of them would not be rounded.
    """
    return weight - step


@inlined
def write_marks(marks: Array, is_moved: Array) -> int:
    """Write a bit for each entry of is_moved (BLOCK_SIZE,), which are 0 or 1, to marks (2,); return 0 if all are 0."""
    zero = zeros(is_moved)
    for half in range(2):
        bits = 0
        for i in range(0, BLOCK_SIZE // 2, lanes(is_moved)):
            bits |= mask_greater(load(is_moved, (half * BLOCK_SIZE // 2 + i,)), zero) << i
        marks[half] = bits
    any_moved: int = marks[0] | marks[1]
    return any_moved


@inlined
def update(state: State, scratch: Scratch, descent: Descent) -> int:
    """Take one step down the gradients, and mark the units whose guards changed sign; return 0 if there is none.

    A unit that the step did not change keeps its active set. Where x is centred, w x > -beta may decide a tie on a
    sample differently than the mask with which the unit started.
    """
    rates, centre = descent.rates, descent.centre
    t0, t1, is_moved = scratch.gradients[0], scratch.gradients[1], scratch.is_moved
    any_moved = 0
    for block in range(state.units.blocks.size):
        for i in range(BLOCK_SIZE):  # a slice set to 0 would be a call
            t0[i] = 0.0
            t1[i] = 0.0
        for o in range(state.b2.size):
            update_v(state, t0, t1, block, o, rates.w2)
        unit = state.units.blocks[block]
        w, beta = unit.w, unit.beta
        for i in range(BLOCK_SIZE):
            step = rates.w1 * (t1[i] + centre * t0[i])
            new_w = subtract_step(w[i], step)
            new_beta = subtract_step(beta[i], rates.b1 * t0[i] + centre * step)
            left = 1.0 if new_w * unit.x_left[i] > -new_beta else 0.0
            right = 2.0 if new_w * unit.x_right[i] > -new_beta else 0.0
            changed = (new_w != w[i]) | (new_beta != beta[i])
            is_moved[i] = 1.0 if (left + right != unit.active_guards[i]) & changed else 0.0
            w[i] = new_w
            beta[i] = new_beta
        any_moved |= write_marks(scratch.moved[block], is_moved)
    for o in range(state.b2.size):
        state.b2[o] -= rates.b2 * state.total_r[o]
    return any_moved

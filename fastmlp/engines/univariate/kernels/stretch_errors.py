"""The errors of a net on every stretch, and their sums left and right of every kink.

A running sum over the positions is taken in three steps: the sums of the columns of every block, in vectors
(`sum_lines`, `sum_errors`); the sums of the columns before each, one after the other (`scan_columns`); and from these
the running sums down the columns, in vectors again, where they are used (`sum_errors`, `stretch_update.update_v`).
"""

from __future__ import annotations

from fastmlp.compiled.jit import inline_ir, inlined
from fastmlp.compiled.reductions import total
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import add, broadcast, fma, lanes, load, multiply, store, subtract, zeros
from fastmlp.engines.engine import Array
from fastmlp.engines.univariate.kernels.stretch_layout import COLUMNS, ROWS, Scratch, State, Units


@inlined
def sum_lines(units: Units, sums: Array, o: int) -> None:
    """Overwrite sums (4, n_columns) by the sums over the units of each column.

    Rows 0 and 1 sum slope_right (v w, v beta), rows 2 and 3 slope_left (v w, v beta).
    """
    for block in range(units.blocks.size):
        unit, v = units.blocks[block], units.v[block, o]
        for column in range(0, COLUMNS, lanes(v)):
            right_rise, right_offset, left_rise, left_offset = zeros(v), zeros(v), zeros(v), zeros(v)
            for row in range(ROWS):
                at = (row * COLUMNS + column,)
                w, beta = load(unit.w, at), load(unit.beta, at)
                right = multiply(load(v, at), load(unit.slope_right, at))
                left = multiply(load(v, at), load(unit.slope_left, at))
                right_rise = fma(right, w, right_rise)
                right_offset = fma(right, beta, right_offset)
                left_rise = fma(left, w, left_rise)
                left_offset = fma(left, beta, left_offset)
            at_column = block * COLUMNS + column
            store(sums, (0, at_column), right_rise)
            store(sums, (1, at_column), right_offset)
            store(sums, (2, at_column), left_rise)
            store(sums, (3, at_column), left_offset)


@inlined
def scan_columns(sums: Array) -> tuple[float, float, float, float]:
    """Overwrite column sums (4, n_columns) by the sums of the columns before each; return the sums of all columns.

    Before a column are those left of it for rows 0 and 1, and those right of it for rows 2 and 3.
    """
    n_columns = sums.shape[1]
    left_0, left_1, right_2, right_3 = 0.0, 0.0, 0.0, 0.0
    for i in range(n_columns):
        j = n_columns - 1 - i
        sum_0, sum_1, sum_2, sum_3 = sums[0, i], sums[1, i], sums[2, j], sums[3, j]
        sums[0, i] = left_0
        sums[1, i] = left_1
        sums[2, j] = right_2
        sums[3, j] = right_3
        left_0 += sum_0
        left_1 += sum_1
        right_2 += sum_2
        right_3 += sum_3
    return left_0, left_1, right_2, right_3


@inlined
def sum_errors(state: State, starts: Array, o: int) -> float:
    """Write the sums of r and r x over each stretch, and over each column; return the squared error of output o.

    starts (4, n_columns) holds the sums of the columns before each, of what `sum_lines` writes.
    """
    sums = state.column_sums[o]
    squared_error, squared_turn = zeros(sums), zeros(sums)
    b2 = broadcast(state.b2[o])
    line_rise, line_offset = vectors(sums, ROWS), vectors(sums, ROWS)
    for block in range(state.stretches.size):
        unit, v = state.units.blocks[block], state.units.v[block, o]
        stretch, output = state.stretches[block], state.outputs[block, o]
        for column in range(0, COLUMNS, lanes(sums)):
            at_column = block * COLUMNS + column
            rise, offset = load(starts, (2, at_column)), load(starts, (3, at_column))
            for from_last in range(ROWS):  # the unit at the right end of a stretch counts
                row = ROWS - 1 - from_last
                at = (row * COLUMNS + column,)
                left = multiply(load(v, at), load(unit.slope_left, at))
                rise = fma(left, load(unit.w, at), rise)
                offset = fma(left, load(unit.beta, at), offset)
                line_rise[row] = rise
                line_offset[row] = add(offset, b2)
            rise, offset = load(starts, (0, at_column)), load(starts, (1, at_column))
            column_r, column_rx = zeros(sums), zeros(sums)
            for row in range(ROWS):
                at = (row * COLUMNS + column,)
                mean_x = load(stretch.mean_x, at)
                a = add(line_rise[row], rise)
                c = add(line_offset[row], offset)
                error = fma(a, mean_x, subtract(c, load(output.mean_y, at)))
                turn = subtract(a, load(output.fit_slope, at))
                sum_r = multiply(load(stretch.mass, at), error)
                sum_turn = multiply(load(stretch.s_xx, at), turn)
                sum_rx = fma(mean_x, sum_r, sum_turn)
                store(output.sum_r, at, sum_r)
                store(output.sum_rx, at, sum_rx)
                column_r = add(column_r, sum_r)
                column_rx = add(column_rx, sum_rx)
                squared_error = fma(sum_r, error, add(squared_error, load(output.fit_error, at)))
                squared_turn = fma(sum_turn, turn, squared_turn)
                right = multiply(load(v, at), load(unit.slope_right, at))
                rise = fma(right, load(unit.w, at), rise)
                offset = fma(right, load(unit.beta, at), offset)
            store(sums, (0, at_column), column_r)
            store(sums, (1, at_column), column_rx)
            store(sums, (2, at_column), column_r)
            store(sums, (3, at_column), column_rx)
    result: float = total(add(squared_error, squared_turn))
    return result


@inline_ir
def write_errors(state: State, scratch: Scratch, o: int) -> float:
    """Write the sums of the weighted errors of output o on all stretches; return its squared error.

    It is NaN if a unit has a weight that is not finite, even one that is active on no sample.
    """
    starts = scratch.line_starts
    sum_lines(state.units, starts, o)
    lines = scan_columns(starts)
    squared_error: float = sum_errors(state, starts, o) + 0.0 * (lines[0] + lines[1] + lines[2] + lines[3])
    state.total_r[o] = scan_columns(state.column_sums[o])[0]
    return squared_error

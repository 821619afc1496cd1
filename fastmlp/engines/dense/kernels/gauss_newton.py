"""The kernel of a product with the Gauss-Newton matrix J^T S J, in the tiles of the kernel for many inputs.

J is the Jacobian of all outputs with respect to all parameters, S holds the sample weights s. For a vector
v = (v1, c1, v2, c2) in the shapes of w1, b1, w2, b2 and the derivative d of the activation at h1 = x w1 + b1::

    J v = act(h1) v2 + (d * (x v1 + c1)) w2 + c2      J^T S J v = the gradients for the error signal s * (J v)

The second line is the backward pass of training.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fastmlp.compiled.jit import inlined, njit, strict_fp
from fastmlp.compiled.masks import where_positive
from fastmlp.compiled.reductions import total
from fastmlp.compiled.registers import vectors
from fastmlp.compiled.vectors import add, broadcast_value, fma, lanes, load, multiply, store, zeros
from fastmlp.engines.dense.kernels.many_inputs import (
    PANEL_VECTORS,
    TILE_ROWS,
    TILE_VECTORS,
    Activation,
    Gradients,
    Panel,
    Scratch,
    activate,
    backward,
    panel_of,
    product,
)
from fastmlp.engines.dense.kernels.parts import part_start


class Matrix(NamedTuple):
    """What a product reads: the samples, padded as for training, and the weights (n_panels, n_in + 1 + n_out, units).

    x is (n_samples, n_in), sample_weight is (n_samples,); n_samples is a multiple of TILE_ROWS.
    """

    x: Any
    sample_weight: Any
    theta: Any
    negative_slope: Any


class Direction(NamedTuple):
    """The vector that is multiplied: v has the rows of v1, c1 and v2 in the layout of theta; c2 is (n_out,)."""

    v: Any
    c2: Any


@strict_fp
def add_outputs(h2: Any, tile: Any, first: Any, w2: Any) -> None:
    """Add tile w2 to the rows of h2 (n, n_out, lanes) from the first; the lanes are not summed."""
    step = lanes(w2)
    w2_o = vectors(w2, PANEL_VECTORS)
    for o in range(w2.shape[0]):
        for k in range(PANEL_VECTORS):
            w2_o[k] = load(w2, (o, k * step))
        for r in range(TILE_ROWS):
            sum_units = load(h2, (first + r, o, 0))
            for k in range(PANEL_VECTORS):
                sum_units = fma(tile[PANEL_VECTORS * r + k], w2_o[k], sum_units)
            store(h2, (first + r, o, 0), sum_units)


@strict_fp
def add_directional(h2: Any, h1: Any, x: Any, panel: Panel, panel_v: Panel, activation: Activation) -> None:
    """Overwrite h1 (n, units) with x w1 + b1 and add the panel's part of J v to h2 (n, n_out, lanes)."""
    step = lanes(x)
    tile = vectors(x, TILE_VECTORS)
    for first in range(0, h1.shape[0], TILE_ROWS):
        product(tile, x, first, panel.w1)
        for r in range(TILE_ROWS):
            for k in range(PANEL_VECTORS):
                tile[PANEL_VECTORS * r + k] = add(tile[PANEL_VECTORS * r + k], load(panel.b1, (k * step,)))
                store(h1, (first + r, k * step), tile[PANEL_VECTORS * r + k])
        activate(tile, zeros(x), activation)
        add_outputs(h2, tile, first, panel_v.w2)
        product(tile, x, first, panel_v.w1)
        for r in range(TILE_ROWS):
            for k in range(PANEL_VECTORS):
                active = add(tile[PANEL_VECTORS * r + k], load(panel_v.b1, (k * step,)))
                inactive = multiply(activation.negative_slope, active)
                h1_k = load(h1, (first + r, k * step))
                tile[PANEL_VECTORS * r + k] = where_positive(h1_k, active, inactive)
        add_outputs(h2, tile, first, panel.w2)


@inlined
def output_error(error: Any, db2: Any, h2: Any, sample_weight: Any, c2: Any) -> None:
    """Overwrite error (n, n_out) with s * (J v), add its sum to db2 (n_out,), and zero h2."""
    for o in range(error.shape[1]):
        for i in range(error.shape[0]):
            error[i, o] = sample_weight[i] * (total(load(h2, (i, o, 0))) + c2[o])
            store(h2, (i, o, 0), zeros(h2))
            db2[o] += error[i, o]


@njit
def multiply_part(matrix: Matrix, direction: Direction, gradients: Gradients, scratch: Scratch, part: Any) -> None:
    """Overwrite the part's gradients with the product over a part of the samples; scratch is that of training."""
    x, theta = matrix.x, matrix.theta
    dtheta, db2 = gradients.dtheta[part], gradients.db2[part]
    h1, dh1, h2, error = scratch.h1[part], scratch.dh1[part], scratch.h2[part], scratch.error[part]
    n_parts, n_out = gradients.db2.shape
    block_size = h1.shape[1]
    n_tiles = x.shape[0] // TILE_ROWS
    end = TILE_ROWS * part_start(n_tiles, part + 1, n_parts)
    activation = Activation(True, broadcast_value(theta, matrix.negative_slope))
    dtheta[:] = 0
    db2[:] = 0
    for first in range(TILE_ROWS * part_start(n_tiles, part, n_parts), end, block_size):
        n = min(block_size, end - first)
        block = x[first : first + n]
        for p in range(theta.shape[0]):
            panel, panel_v = panel_of(theta, p, n_out), panel_of(direction.v, p, n_out)
            add_directional(h2, h1[p, :n], block, panel, panel_v, activation)
        output_error(error[:n], db2, h2, matrix.sample_weight[first : first + n], direction.c2)
        for p in range(theta.shape[0]):
            w2 = panel_of(theta, p, n_out).w2
            backward(panel_of(dtheta, p, n_out), (h1[p, :n], dh1[:n]), error, block, w2, activation)

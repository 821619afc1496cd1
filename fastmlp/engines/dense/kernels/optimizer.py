"""SGD and Adam for one vector of parameters, as in torch.optim.SGD and torch.optim.Adam.

::

    g = dL/dw + weight_decay w

    SGD     m = momentum m + g                     change = g + momentum m (Nesterov) or m
    Adam    m = beta1 m + (1 - beta1) g            change = m_hat / (sqrt(v_hat) + epsilon)
            v = beta2 v + (1 - beta2) g^2          m_hat = m / (1 - beta1^t),  v_hat = v / (1 - beta2^t)

    w = w - rate change

m and v are the moments of a parameter. Plain gradient descent has none and gets a kernel of its own, because the
compiler knows the length of the tuple of moments.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fastmlp.compiled.jit import inlined, strict_fp
from fastmlp.compiled.vectors import add, broadcast_value, divide, fma, load, multiply, root, store
from fastmlp.engines.adam import BETA1, BETA2, EPSILON


class Optimizer(NamedTuple):
    """The options of an optimiser; momentum and weight_decay (4,), by group, have the dtype of the parameters."""

    is_adam: Any
    nesterov: Any
    momentum: Any
    weight_decay: Any


class OptimizerVectors(NamedTuple):
    """The options as vectors, and the factors of Adam's bias correction: m_hat = m_scale m, v_hat = v_scale^2 v."""

    is_adam: Any
    nesterov: Any
    momentum: Any
    m_scale: Any
    v_scale: Any


class GroupVectors(NamedTuple):
    """The numbers of a group of parameters (w1, b1, w2 or b2) as vectors."""

    minus_rate: Any
    weight_decay: Any


@inlined
def bias_corrections(n_updates: Any) -> Any:
    """Return the factors of m and of sqrt(v) in update n_updates, which undo that the moments started at 0."""
    return 1 / (1 - BETA1**n_updates), 1 / np.sqrt(1 - BETA2**n_updates)


@strict_fp
def optimizer_vectors(like: Any, moments: Any, optimizer: Optimizer, n_updates: Any) -> Any:
    """Return the constants of update n_updates (from 1 on) as vectors of the dtype of an array."""
    m_scale, v_scale = 1.0, 1.0
    if len(moments) == 2:  # compiling the powers takes a tenth of the time of a kernel
        m_scale, v_scale = bias_corrections(n_updates)
    return OptimizerVectors(
        optimizer.is_adam,
        optimizer.nesterov,
        broadcast_value(like, optimizer.momentum),
        broadcast_value(like, m_scale),
        broadcast_value(like, v_scale),
    )


@strict_fp
def group_vectors(like: Any, rates: Any, optimizer: Optimizer, group: Any) -> Any:
    """Return the numbers of group 0 (w1), 1 (b1), 2 (w2) or 3 (b2) as vectors of the dtype of an array."""
    return GroupVectors(broadcast_value(like, -rates[group]), broadcast_value(like, optimizer.weight_decay[group]))


@strict_fp
def update_parameter(
    parameter: Any, moments: Any, index: Any, gradient: Any, group: GroupVectors, optimizer: OptimizerVectors
) -> Any:
    """Update the vectors at parameter[index] and at the same index of its moments; return the new parameters.

    moments holds no array for plain gradient descent, else two of the shape of parameter: m and v, which SGD does not
    use. gradient is a vector.
    """
    before = load(parameter, index)
    change = gradient
    if len(moments) == 2:
        gradient = fma(group.weight_decay, before, gradient)
        m = load(moments[0], index)
        if optimizer.is_adam:
            m = fma(broadcast_value(parameter, 1 - BETA1), gradient, multiply(broadcast_value(parameter, BETA1), m))
            v = multiply(broadcast_value(parameter, BETA2), load(moments[1], index))
            v = fma(multiply(broadcast_value(parameter, 1 - BETA2), gradient), gradient, v)
            store(moments[1], index, v)
            size = add(multiply(optimizer.v_scale, root(v)), broadcast_value(parameter, EPSILON))
            change = divide(multiply(optimizer.m_scale, m), size)
        else:
            m = fma(optimizer.momentum, m, gradient)
            change = add(gradient, multiply(optimizer.momentum, m)) if optimizer.nesterov else m
        store(moments[0], index, m)
    after = fma(group.minus_rate, change, before)
    store(parameter, index, after)
    return after

"""One update of a vector of parameters along its gradient, by the optimisers of `fastmlp.engines.reference`.

A part of both kernels, whose names in the compile cache it changes. Whether an optimiser remembers anything is known to
the compiler, from the length of a tuple: plain descent is compiled by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fastmlp.compiled.jit import inlined, strict_fp
from fastmlp.compiled.vectors import add, broadcast_load, divide, fma, load, multiply, root, store
from fastmlp.engines.engine import BETA1, BETA2, EPSILON, Array, Settings

# Where `rule` has what `descend` reads.
SLOPE, DECAY, MOMENTUM, GRADIENT_PART, MEMORY_PART, IS_ADAM, KEPT, NEW, KEPT_SQUARE, NEW_SQUARE, SMALL = range(11)


def n_remembered(settings: Settings) -> int:
    """Return how many numbers an optimiser remembers of each parameter."""
    if settings.optimizer == "adam":
        return 2
    return 1 if settings.momentum or settings.weight_decay else 0


def rule(settings: Settings, dtype: np.dtype[Any]) -> Array:
    """Return the constants of a net's slope and its optimiser, each where the names above say."""
    is_adam = settings.optimizer == "adam"
    change = (1.0, settings.momentum) if settings.nesterov else (0.0, 1.0)
    adam = (is_adam, BETA1, 1 - BETA1, BETA2, 1 - BETA2, EPSILON)
    return np.array([settings.negative_slope, settings.weight_decay, settings.momentum, *change, *adam], dtype)


@inlined
def corrections(n_updates: Any) -> Any:
    """Return by what Adam's two means are multiplied in so many updates: the first ones are short of gradients."""
    return 1 / (1 - BETA1**n_updates), 1 / np.sqrt(1 - BETA2**n_updates)


@strict_fp
def descend(parameter: Any, memory: Any, index: Any, gradient: Any, step: Any, scales: Any, rule: Any) -> Any:
    """Update the vector at parameter[index] and what the arrays of `memory` hold there; return the vector.

    memory has no array or two, of which Adam alone uses the second. step is a vector of minus the rate, scales a pair
    of vectors, `corrections`.
    """
    before = load(parameter, index)
    change = gradient
    if len(memory) == 2:
        gradient = fma(broadcast_load(rule, (DECAY,)), before, gradient)
        first = load(memory[0], index)
        if rule[IS_ADAM] == 0:
            first = fma(broadcast_load(rule, (MOMENTUM,)), first, gradient)
            change = fma(
                broadcast_load(rule, (GRADIENT_PART,)), gradient, multiply(broadcast_load(rule, (MEMORY_PART,)), first)
            )
        else:
            first = fma(broadcast_load(rule, (NEW,)), gradient, multiply(broadcast_load(rule, (KEPT,)), first))
            square = multiply(broadcast_load(rule, (KEPT_SQUARE,)), load(memory[1], index))
            square = fma(multiply(broadcast_load(rule, (NEW_SQUARE,)), gradient), gradient, square)
            store(memory[1], index, square)
            change = divide(
                multiply(scales[0], first), add(multiply(scales[1], root(square)), broadcast_load(rule, (SMALL,)))
            )
        store(memory[0], index, first)
    after = fma(step, change, before)
    store(parameter, index, after)
    return after

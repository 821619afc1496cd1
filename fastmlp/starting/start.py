"""The start of the training: initial weights and learning rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from fastmlp.engines.engine import Problem, Weights
from fastmlp.engines.optimizers import OPTIMIZERS
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.coordinates import Coordinates
from fastmlp.starting.initial_weights import initial_weights
from fastmlp.starting.rate import Rate, automatic_rates


class Start(NamedTuple):
    """What training starts from.

    Attributes
    ----------
    weights : Weights
        Initial weights, in the coordinates trained in.
    lr : float, dict or callable
        The learning rate.
    """

    weights: Weights
    lr: Rate


def find_starts(
    init: str | float | Weights,
    lr: Rate | None,
    architecture: Architecture,
    coordinates: Coordinates,
    rngs: Sequence[np.random.Generator],
    check: Callable[[], None] = lambda: None,
) -> list[Start]:
    """Return a start for each random number generator.

    Parameters
    ----------
    init : str, float or Weights
        The rule by which weights are drawn, or weights in the units of the data.
    lr : float, dict, callable or None
        The learning rate; None finds the automatic one.
    architecture : Architecture
        The form of the networks.
    coordinates : Coordinates
        The coordinates to train in.
    rngs : sequence of numpy.random.Generator
        One for each network.
    check : callable
        Is called now and then. Its exceptions end the search for the automatic rate.
    """
    if isinstance(init, Weights):
        nets = [coordinates.maps.unfold(init)] * len(rngs)
    else:
        nets = [_without_constants(initial_weights(init, architecture, rng), coordinates) for rng in rngs]
    if lr is not None:
        return [Start(weights, lr) for weights in nets]
    rates = automatic_rates(coordinates.x, coordinates.sample_weight, nets, architecture, check)
    return [Start(weights, rate) for weights, rate in zip(nets, rates, strict=True)]


def _without_constants(weights: Weights, coordinates: Coordinates) -> Weights:
    """Set the drawn weights of constant inputs and of constant targets to 0, in place.

    They stay 0, because these columns are 0 in training. So a constant target is the prediction everywhere, and a
    constant input has no influence where it has another value.
    """
    weights.w1[coordinates.constant_inputs] = 0.0
    weights.w2[:, coordinates.constant_targets] = 0.0
    return weights


def solved_start(
    start: Start, init: str | float | Weights, problem: Problem, architecture: Architecture, optimizer: str
) -> Start:
    """Return a start whose w2 and b2 are solved for with a ridge, if the optimiser asks for it.

    Weights that a caller gave stay as they are.
    """
    ridge = OPTIMIZERS[optimizer].start_ridge if optimizer in OPTIMIZERS else 0.0
    if not ridge or isinstance(init, Weights):
        return start
    from fastmlp.engines.lstsq.ridge_start import ridge_start  # kernels make the import slower

    slope, has_bias = architecture.negative_slope, architecture.output_bias
    return start._replace(weights=ridge_start(problem, start.weights, slope, ridge, has_bias=has_bias))

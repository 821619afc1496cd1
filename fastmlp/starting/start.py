"""The start of the training: initial weights and learning rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from fastmlp.engines.engine import Weights
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
    lr : float, dict, callable or None
        The learning rate; None if Ctrl-C came before the automatic one was found.
    """

    weights: Weights
    lr: Rate | None


def find_starts(
    init: str | float | Weights,
    lr: Rate | None,
    architecture: Architecture,
    coordinates: Coordinates,
    rngs: Sequence[np.random.Generator],
    interrupted: Callable[[], bool] = lambda: False,
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
    interrupted : callable
        Returns whether to give up the search for the automatic rate.
    """
    if isinstance(init, Weights):
        nets = [coordinates.maps.unfold(init)] * len(rngs)
    else:
        nets = [initial_weights(init, architecture, rng) for rng in rngs]
    if lr is not None:
        return [Start(weights, lr) for weights in nets]
    rates = automatic_rates(coordinates.x, coordinates.sample_weight, nets, architecture, interrupted)
    return [Start(weights, rate) for weights, rate in zip(nets, rates, strict=True)]

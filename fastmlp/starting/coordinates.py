"""The coordinates of the training: the data as they were given, or standardised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fastmlp.checks import Samples
from fastmlp.engines.engine import Array
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.scaling import Standardization, identity, standardization


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The maps to the coordinates of the training, and the data in these coordinates.

    Attributes
    ----------
    maps : Standardization
        Between the units of the data and the coordinates.
    x : ndarray of float64, shape (n_samples, n_in)
        Inputs.
    y : ndarray of float64, shape (n_samples, n_out)
        Targets.
    sample_weight : ndarray of float64, shape (n_samples,)
        Weights of the samples, which sum to 1.
    """

    maps: Standardization
    x: Array
    y: Array
    sample_weight: Array


def find_coordinates(
    data: Samples, architecture: Architecture, *, standardize: bool, known_maps: Standardization | None
) -> Coordinates:
    """Return the coordinates to train in.

    They are those of the model that the fit continues (`known_maps`) if there is one. Otherwise they are standardised
    if `standardize` is True, and the units of the data if not. A number that overflows becomes infinite; `make_problem`
    refuses it.
    """
    with np.errstate(all="ignore"):
        if known_maps is not None:
            maps = known_maps
        elif standardize:
            shifts = {"shift_inputs": architecture.hidden_bias, "shift_targets": architecture.output_bias}
            maps = standardization(data.x, data.y, data.sample_weight, **shifts)
        else:
            maps = identity(architecture.n_in, architecture.n_out)
        return Coordinates(maps, maps.inputs(data.x), maps.targets(data.y), data.sample_weight)

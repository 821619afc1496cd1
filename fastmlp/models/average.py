"""The average of models as one net."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.engines.engine import Weights
from fastmlp.models.model import Model
from fastmlp.nets.averaging import averaged
from fastmlp.nets.net import Net


def averaged_net(models: Sequence[Model]) -> Net:
    """Return the net whose outputs are the mean of those of the models; their inputs and outputs must be the same.

    Its range of the inputs contains those of the models. Names are those of the first model.
    """
    first = models[0]
    if len(models) == 1:
        return first
    if any(model.y_clip is not None for model in models):
        raise ValueError("The average of models with y_clip is not one net. Export the models one by one.")
    if any(model.negative_slope != first.negative_slope for model in models):
        raise ValueError("The average of models with different negative_slope is not one net. Export them one by one.")
    weights = averaged([Weights(*(array[None] for array in model.weights)) for model in models])
    ranges = [model.x_range for model in models if model.x_range is not None]
    x_range = None
    if len(ranges) == len(models):
        limits = np.stack(ranges)
        x_range = np.stack([limits[:, :, 0].min(axis=0), limits[:, :, 1].max(axis=0)], axis=1)
    return Net(
        *weights,
        first.negative_slope,
        x_range=x_range,
        y_ndim=first.y_ndim,
        feature_names=first.feature_names,
        target_names=first.target_names,
    )

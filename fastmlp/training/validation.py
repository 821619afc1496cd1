"""The RMSE on validation samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fastmlp.checks import Samples
from fastmlp.engines.engine import Weights
from fastmlp.models.model import Model
from fastmlp.nets.net import root_mean_square


def validation_rmse(data: Samples, negative_slope: float, *, is_compiled: bool) -> Callable[[Weights], float]:
    """Return a function that maps the weights of a `Model` to its RMSE on some samples.

    It agrees with `Model.rmse` to rounding. For networks of one input it is fast if is_compiled: its time grows with
    the sum of samples and units, not with their product.
    """
    if data.x.shape[1] > 1 or not is_compiled:
        return lambda weights: Model(*weights, negative_slope).rmse(data.x, data.y, data.sample_weight)
    from fastmlp.engines.univariate.outputs import outputs_at  # kernels make the import slower

    order = np.argsort(data.x[:, 0], kind="stable")
    x, y, sample_weight = data.x[order, 0], data.y[order], data.sample_weight[order]
    outputs = outputs_at(x, y.shape[1], negative_slope)

    def rmse(weights: Weights) -> float:
        return root_mean_square(outputs(Weights(*(array.astype(np.float64) for array in weights))) - y, sample_weight)

    return rmse

"""The scores that scikit-learn's users read, from the RMSEs of a history."""

from __future__ import annotations

import numpy as np

from fastmlp.engines.engine import Array


def r2(rmse: Array, validation: tuple[Array, ...]) -> Array:
    """Return the R^2 of each RMSE on the validation samples. 0 / 0 counts as 1, as in scikit-learn."""
    y = validation[1].reshape(len(validation[1]), -1).astype(np.float64)
    weights = validation[2] if len(validation) == 3 else None
    variance = np.average((y - np.average(y, axis=0, weights=weights)) ** 2, axis=0, weights=weights).mean()
    if variance == 0:
        return np.where(rmse == 0, 1.0, 0.0)
    return np.asarray(1 - rmse**2 / variance)

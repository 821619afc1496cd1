"""The weights of a net in float32, for formats that have no float64."""

from __future__ import annotations

import numpy as np

from fastmlp.checks import wording
from fastmlp.engines.engine import Weights
from fastmlp.nets.net import Net


def float32_weights(net: Net) -> Weights:
    """Return the weights rounded to float32; raise a ValueError if one is too large for it."""
    with np.errstate(over="ignore"):
        rounded = Weights(*(array.astype(np.float32) for array in net.weights))
    for name, array in rounded._asdict().items():
        if not np.isfinite(array).all():
            largest = np.abs(getattr(net, name)).max()
            raise ValueError(wording(name, "within the range of float32", f"{largest:.3g}", "Rescale the data."))
    return rounded

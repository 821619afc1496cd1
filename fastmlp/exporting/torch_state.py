"""The weights of a net under PyTorch's names and in its shapes."""

from __future__ import annotations

import numpy as np

from fastmlp.engines.engine import Array
from fastmlp.nets.net import Net


def torch_state(net: Net) -> dict[str, Array]:
    """Return copies of the weights; see `Model.to_torch_state`."""
    return {
        "0.weight": np.array(net.w1.T, order="C"),
        "0.bias": net.b1.copy(),
        "2.weight": np.array(net.w2.T, order="C"),
        "2.bias": net.b2.copy(),
    }

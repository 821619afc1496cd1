"""A net as a module of PyTorch, and its weights under PyTorch's names and in its shapes."""

from __future__ import annotations

from typing import Any

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


def torch_module(net: Net) -> Any:
    """Return the module; see `Model.to_torch`."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("to_torch needs the package torch: pip install torch. to_torch_state does not.") from error
    options = {"dtype": torch.float32 if net.w1.dtype == np.float32 else torch.float64}
    slope = net.negative_slope
    layers = [
        torch.nn.Linear(net.n_in, net.n_hidden, **options),
        torch.nn.LeakyReLU(slope) if slope else torch.nn.ReLU(),
        torch.nn.Linear(net.n_hidden, net.n_out, **options),
    ]
    if net.y_clip is not None:
        from fastmlp.exporting.torch_clip import Clip

        layers.append(Clip(*(torch.tensor(limits, **options) for limits in net.y_clip.T)))
    module = torch.nn.Sequential(*layers)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in torch_state(net).items()})
    return module

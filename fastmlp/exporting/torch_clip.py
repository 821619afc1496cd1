"""The limits of a net's outputs as a module of PyTorch, `Clip`, which is defined when it is first used."""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def _clip_class() -> Any:
    import torch

    class Clip(torch.nn.Module):  # type: ignore[misc]
        """Clips outputs (n, n_out) to a lower and an upper limit of each."""

        def __init__(self, low: Any, high: Any) -> None:
            super().__init__()
            # Not in the state dict, which has the keys of `Model.to_torch_state` then.
            self.register_buffer("low", low, persistent=False)
            self.register_buffer("high", high, persistent=False)

        def forward(self, outputs: Any) -> Any:
            """Return the clipped outputs."""
            return torch.minimum(torch.maximum(outputs, self.low), self.high)

    Clip.__qualname__ = "Clip"  # where pickle finds it
    return Clip


def __getattr__(name: str) -> Any:
    if name == "Clip":
        return _clip_class()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

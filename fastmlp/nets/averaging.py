"""The average of nets as one net."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.engines.engine import Weights


def averaged(stacks: Sequence[Weights]) -> Weights:
    """Return the average of all nets in some stacks as one net, which has the units of all of them."""
    n_nets = sum(len(weights.b1) for weights in stacks)
    w1 = np.concatenate([part for weights in stacks for part in weights.w1], axis=1)
    b1 = np.concatenate([part for weights in stacks for part in weights.b1])
    w2 = np.concatenate([part for weights in stacks for part in weights.w2]) / n_nets
    b2 = np.concatenate([weights.b2 for weights in stacks])
    # Exact where all are equal, as those of a constant target are.
    return Weights(w1, b1, w2, b2[0] + np.mean(b2 - b2[0], axis=0))

"""The initial weights of nets."""

from __future__ import annotations

import numpy as np

from fastmlp.engines.engine import Weights


def drawn_starts(n_nets: int, is_used: np.ndarray, n_hidden: int, n_out: int, rng: np.random.Generator) -> Weights:
    """Return stacked weights: w1 ~ N(0, 1 / inputs), b1 ~ N(0, 1), w2 ~ N(0, 1 / units), b2 = 0.

    is_used (n_in,) says which inputs count.
    """
    n_used = max(1, int(np.count_nonzero(is_used)))
    w1 = rng.standard_normal((n_nets, is_used.size, n_hidden)) / np.sqrt(n_used)
    b1 = rng.standard_normal((n_nets, n_hidden))
    w2 = rng.standard_normal((n_nets, n_hidden, n_out)) / np.sqrt(n_hidden)
    return Weights(w1 * is_used[:, None], b1, w2, np.zeros((n_nets, n_out)))


def repeated(weights: Weights, n_times: int) -> Weights:
    """Return stacked weights n_times, one stack after the other."""
    return Weights(*(np.concatenate([part] * n_times) for part in weights))

"""The one rule that chooses among the univariate methods: by sizes and by what was counted, never by clocks.

Pattern moments count at every rebuild what an epoch costs them, and leave when training every unit by itself is cheaper
(`patterns.rebuild`). Prefix sums count nothing; after a stay they let pattern moments try again, at one
rebuild's cost.
"""

from __future__ import annotations

from fastmlp.engine import Shape
from fastmlp.univariate.methods import Method, PatternMoments, PrefixSums
from fastmlp.univariate.patterns import MAX_MAPS

METHODS: tuple[type[Method], ...] = (PrefixSums, PatternMoments)
FIRST_STAY = 1024  # epochs that prefix sums train before pattern moments are tried again; doubled each time
LONGEST_STAY = 2**17


def first_method(shape: Shape) -> type[Method]:
    """Return the method that a fit starts with; n_samples counts distinct inputs."""
    return PatternMoments if shape.n_out <= MAX_MAPS else PrefixSums


def next_method(method: type[Method], shape: Shape) -> type[Method]:
    """Return the method that follows one that has left or stayed long enough."""
    return PatternMoments if method is PrefixSums and shape.n_out <= MAX_MAPS else PrefixSums

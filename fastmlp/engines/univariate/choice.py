"""The one rule that chooses among the univariate methods: by sizes and by what was counted, never by clocks.

Pattern moments count at every rebuild what an epoch costs them, and leave when training every unit by itself is cheaper
(`kernels.rebuilding.rebuild`); stretches count the kinks that move, and leave likewise (`Stretches.train`). Prefix
sums count nothing; after a stay they let the other try again. Another optimiser than plain descent is trained by
prefix sums throughout: only they need no more than gradients.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastmlp.engines.engine import Shape
from fastmlp.engines.univariate.kernels.layout import MAX_MAPS
from fastmlp.engines.univariate.methods import Method, OptimizedSums, PatternMoments, PrefixSums
from fastmlp.engines.univariate.stretches import Stretches

METHODS: tuple[type[Method], ...] = (PrefixSums, PatternMoments, Stretches, OptimizedSums)
# Samples per unit from which stretches pay, unless kinks move all the time: against pattern moments whose maps are
# near, and against prefix sums (2,000 samples and units: 16 us, which take 26).
SAMPLES_PER_UNIT, FAR_SAMPLES_PER_UNIT = 2, 1
MIN_SAMPLES = 200  # up to which they do not
MIN_UNITS = 20  # for which pattern moments pay: two blocks of patterns and a rebuild cost as much as 14
# Samples whose maps fit into the second-level cache; of more, the maps cost what three units each would.
NEAR_SAMPLES, UNITS_PER_MAP = 1200, 3
FIRST_STAY = 2048  # epochs that prefix sums train before the other method is tried again; doubled each time
LONGEST_STAY = 2**17


def each_start() -> Iterator[Shape]:
    """Yield a shape of one output for each method."""
    yield Shape(1, 1, 1, 1)
    yield Shape(1, 1, MIN_UNITS, 1)
    yield Shape(MIN_SAMPLES + 1, 1, 1, 1)


def first_method(shape: Shape) -> type[Method]:
    """Return the method that a fit starts with; n_samples counts distinct inputs."""
    is_near = shape.n_samples <= max(NEAR_SAMPLES, shape.n_hidden // UNITS_PER_MAP)
    samples_per_unit = SAMPLES_PER_UNIT if is_near else FAR_SAMPLES_PER_UNIT
    if shape.n_samples > MIN_SAMPLES and shape.n_samples >= samples_per_unit * shape.n_hidden:
        return Stretches
    if shape.n_out <= MAX_MAPS and shape.n_hidden >= MIN_UNITS and is_near:
        return PatternMoments
    return PrefixSums


def next_method(method: type[Method], shape: Shape) -> type[Method]:
    """Return the method that follows one that has left or stayed long enough."""
    return first_method(shape) if method is PrefixSums else PrefixSums

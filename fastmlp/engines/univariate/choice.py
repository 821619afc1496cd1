"""The rule that chooses among the univariate methods: by sizes and counts, never by clocks.

At every rebuild pattern moments count what an epoch costs, and leave when training every unit by itself is cheaper
(`kernels.rebuilding.rebuild`). Stretches count the kinks that move, and leave likewise (`Stretches.train`). Prefix sums
count nothing: after some time they let the other method try again. An optimiser other than plain gradient descent runs
on prefix sums throughout, the only method that needs no more than gradients.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastmlp.engines.engine import Shape
from fastmlp.engines.univariate.kernels.layout import MAX_MAP_OUTPUTS
from fastmlp.engines.univariate.methods import Method
from fastmlp.engines.univariate.pattern_moments import PatternMoments
from fastmlp.engines.univariate.stretches import Stretches
from fastmlp.engines.univariate.unit_by_unit import OptimizedSums, PrefixSums

METHODS: tuple[type[Method], ...] = (PrefixSums, PatternMoments, Stretches, OptimizedSums)
# Samples per unit from which stretches pay, unless kinks move all the time: against pattern moments with few maps, and
# against prefix sums (2,000 samples and units: 16 us, prefix sums 26).
SAMPLES_PER_UNIT, FAR_SAMPLES_PER_UNIT = 2, 1
MIN_SAMPLES = 200  # up to which stretches do not pay
MIN_UNITS = 20  # for which pattern moments pay: two blocks of patterns and a rebuild cost as much as 14
# Samples whose maps fit into the second-level cache; beyond, each map costs as much as three units.
NEAR_SAMPLES, UNITS_PER_MAP = 1200, 3
FIRST_STAY = 2048  # epochs that prefix sums train before the other method is tried again; it doubles each time
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
    if shape.n_out <= MAX_MAP_OUTPUTS and shape.n_hidden >= MIN_UNITS and is_near:
        return PatternMoments
    return PrefixSums


def next_method(method: type[Method], shape: Shape) -> type[Method]:
    """Return the method that follows one that has left or stayed long enough."""
    return first_method(shape) if method is PrefixSums else PrefixSums

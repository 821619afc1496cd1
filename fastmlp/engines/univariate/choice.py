"""The choice of the method that trains a net of one input. It depends on sizes and counts, never on clocks.

`first_method` chooses by the shape of a fit. During a fit, pattern moments estimate the cost of an epoch at every
rebuild (`kernels.rebuilding.rebuild`), and stretches estimate it from the number of kinks that moved
(`Stretches.train`). If prefix sums are cheaper, the engine changes to them. Prefix sums estimate nothing; after a
number of epochs the engine tries the first method again. A fit with another optimiser than plain gradient descent uses
prefix sums from beginning to end, because the other methods implement plain gradient descent only.
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
# Samples per unit from which stretches are faster, unless kinks move all the time: than pattern moments with few maps,
# and than prefix sums (2,000 samples and units: 16 us, prefix sums 26).
MIN_SAMPLES_PER_UNIT, MIN_FAR_SAMPLES_PER_UNIT = 2, 1
MIN_SAMPLES = 200  # for stretches to be faster
MIN_UNITS = 20  # for pattern moments to be faster: two blocks of patterns and a rebuild cost as much as 14 units
# Samples whose maps fit into the second-level cache; beyond, each map costs as much as three units.
NEAR_SAMPLES, UNITS_PER_MAP = 1200, 3
FIRST_PREFIX_EPOCHS = 2048  # epochs before the first method is tried again; doubled each time
MAX_PREFIX_EPOCHS = 2**17


def each_first_shape() -> Iterator[Shape]:
    """Yield a shape of one output for each method that a fit may start with."""
    yield Shape(1, 1, 1, 1)
    yield Shape(1, 1, MIN_UNITS, 1)
    yield Shape(MIN_SAMPLES + 1, 1, 1, 1)


def first_method(shape: Shape) -> type[Method]:
    """Return the method that a fit starts with; n_samples counts distinct inputs."""
    is_near = shape.n_samples <= max(NEAR_SAMPLES, shape.n_hidden // UNITS_PER_MAP)
    samples_per_unit = MIN_SAMPLES_PER_UNIT if is_near else MIN_FAR_SAMPLES_PER_UNIT
    if shape.n_samples > MIN_SAMPLES and shape.n_samples >= samples_per_unit * shape.n_hidden:
        return Stretches
    if shape.n_out <= MAX_MAP_OUTPUTS and shape.n_hidden >= MIN_UNITS and is_near:
        return PatternMoments
    return PrefixSums


def next_method(method: type[Method], shape: Shape) -> type[Method]:
    """Return the method that replaces another during a fit."""
    return first_method(shape) if method is PrefixSums else PrefixSums

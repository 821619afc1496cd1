"""How much memory and time a fit needs, estimated before it starts."""

from __future__ import annotations

from typing import NamedTuple

from fastmlp.checks import duration, gigabytes
from fastmlp.starting.architecture import Architecture

ITEM = 8  # bytes of a float64
COPIES = 18  # of the weights; measured with one input: 17 at two million units
# Of the samples, and samples in a block, for which the dense kernels keep rows of all units: 8 parts, and with what is
# alive beside them as much as 10 (3.9 GB for 200 samples, 4 inputs and a million units).
PARTS, BLOCK = 10, 32
# Seconds on one core at 3 GHz, within a factor of three of what was measured.
PER_WEIGHT = 1e-6  # to draw, sort and fold the weights, and to find the rate
PER_SAMPLE = 2e-7  # to sort and map an entry of the data
PER_PRODUCT = 1.5e-10  # of a sample, a unit and an input or output, in an epoch of "dense"
PER_UNIT = 3e-9  # or sample, in an epoch of "univariate"
PRODUCTS = 20  # epochs of "dense" that take as long as finding the rate
LARGE = 2**30  # bytes from which on a fit says what it needs


class Needs(NamedTuple):
    """An estimate of the memory and the time of a fit.

    Attributes
    ----------
    n_bytes : int
        Bytes of the arrays that grow with the number of hidden units.
    start_seconds, seconds : float
        Seconds until the first epoch, and in all.
    """

    n_bytes: int
    start_seconds: float
    seconds: float

    def __str__(self) -> str:
        return f"This fit needs about {gigabytes(self.n_bytes)} of memory and about {duration(self.seconds)}."


def needs_of(architecture: Architecture, n_samples: int, algorithm: str, epochs: int, *, stores_layer: bool) -> Needs:
    """Return what a fit needs. `stores_layer` says whether the hidden layer of all samples is stored."""
    n_in, n_hidden, n_out = architecture[:3]
    n_bytes = ITEM * COPIES * n_hidden * (n_in + n_out + 1)
    if algorithm == "univariate":
        start, epoch = 0.0, PER_UNIT * (min(n_hidden, 10**30) + n_samples) * n_out
    else:
        epoch = PER_PRODUCT * n_samples * min(n_hidden, 10**30) * (n_in + n_out)
        start = PRODUCTS * epoch
        n_bytes += ITEM * PARTS * n_hidden * (n_in + 1 + n_out + min(BLOCK, n_samples))
    if stores_layer:
        n_bytes += 3 * ITEM * n_hidden * n_samples
    start += PER_SAMPLE * n_samples * (n_in + n_out) + PER_WEIGHT * min(n_hidden, 10**30) * (n_in + n_out)
    return Needs(n_bytes, start, start + epoch * epochs)

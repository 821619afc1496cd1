"""What training needs to go on, besides the weights: the memory of the optimiser, and how far training has come."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from fastmlp.engines.engine import Array, Memory, Weights

MOMENTS = ("m", "v")


@dataclass(frozen=True, eq=False)
class StoredEngine:
    """An engine as it was at the end of a fit, from which a fit of the same problem goes on with the same bits.

    Attributes
    ----------
    key : str
        Hash of the problem and the settings of the engine.
    first_epoch : int
        Number of epochs of the training before the engine was made.
    start : dict of str to ndarray
        The weights that it was made from.
    arrays : dict of str to ndarray
        Its state.
    """

    key: str
    first_epoch: int
    start: dict[str, Array]
    arrays: dict[str, Array]


@dataclass(frozen=True, eq=False)
class OptimizerState:
    """What a fit takes over from the model that it continues, besides the weights.

    Two are equal if all but `engine` is, which a file does not keep.

    Attributes
    ----------
    epochs : int
        Number of epochs that led to the weights, in all fits.
        It is the position in a schedule and in the order of mini-batches.
    samples_seen : int
        Number of samples seen in training, in all fits: the sum of epochs times samples.
    seed : int or None
        Seed of the order of mini-batches; None if there were none.
    rng_digests : tuple of str
        Hashes of the generator before and after the seed was drawn.
        A fit with one of these generators, or without one, goes on with the seed.
    n_updates : int
        Number of updates with the present optimiser, by which Adam corrects its means.
    moments : dict of str to ndarray
        The moments of the optimiser, in the coordinates of the training: "m_w1", "m_b1", "m_w2" and "m_b2" with
        momentum, and "v_w1" and so on too with Adam.
    weights_digest : str
        Hash of the weights of the model, by which a fit recognises weights that were changed.
    engine : StoredEngine or None
        The engine itself, in memory and in pickles; None with ``lr="auto"``.
    """

    epochs: int
    samples_seen: int
    seed: int | None = field(repr=False)
    rng_digests: tuple[str, ...] = field(repr=False)
    n_updates: int
    weights_digest: str = field(repr=False)
    moments: dict[str, Array] = field(default_factory=dict, repr=False)
    engine: StoredEngine | None = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OptimizerState):
            return NotImplemented
        has_same_moments = self.moments.keys() == other.moments.keys() and all(
            np.array_equal(array, other.moments[name]) for name, array in self.moments.items()
        )
        return has_same_moments and self.facts() == other.facts()

    def __hash__(self) -> int:
        return hash((self.epochs, self.samples_seen, self.weights_digest))

    def facts(self) -> dict[str, int | str | tuple[str, ...] | None]:
        """Return the fields that are not arrays."""
        return {name: value for name, value in vars(self).items() if name not in ("moments", "engine")}

    def without_memory(self) -> OptimizerState:
        """Return the state of an optimiser that starts anew."""
        return replace(self, n_updates=0, moments={}, engine=None)


def named_moments(memory: Memory | None) -> dict[str, Array]:
    """Return the moments of a memory by the names of `OptimizerState`."""
    if memory is None:
        return {}
    given = {name: getattr(memory, name) for name in MOMENTS if getattr(memory, name) is not None}
    return {f"{name}_{group}": array for name, groups in given.items() for group, array in groups._asdict().items()}


def memory_of(state: OptimizerState) -> Memory | None:
    """Return the memory in a state; None if there is none."""
    given = {
        name: Weights(*(state.moments[f"{name}_{group}"] for group in Weights._fields))
        for name in MOMENTS
        if f"{name}_w1" in state.moments
    }
    return Memory(state.n_updates, **given) if given else None


def digest(parts: Iterable[object]) -> str:
    """Return a hash of arrays and of objects that have a repr."""
    known = hashlib.blake2b(digest_size=16)
    for part in parts:
        known.update(np.ascontiguousarray(part).data if isinstance(part, np.ndarray) else repr(part).encode() + b"\0")
    return known.hexdigest()


def rng_digest(rng: np.random.Generator) -> str:
    """Return a hash of the state of a generator."""
    return digest([rng.bit_generator.state])

"""The file of an ensemble.

An ensemble may have a hundred thousand nets of different shapes. Their arrays are concatenated to one array for each
dtype, and of each net only the facts that differ from those of the first net are written.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array
from fastmlp.files.archives import checked_path, read, refuse, write
from fastmlp.models.loading import model_from, of_type
from fastmlp.models.model import Model
from fastmlp.models.saving import changed_facts, model_contents

KIND, VERSION = "ensemble", 1


def save_ensemble(
    path: str | os.PathLike[str], models: Sequence[Model | None], failures: Mapping[int, Exception]
) -> None:
    """Write an ensemble to a file; see `Ensemble.save`."""
    target = checked_path("path", path)
    entries: list[dict[str, Any] | None] = []
    pools: dict[str, list[Array]] = {}
    common: dict[str, Any] = {}
    for model in models:
        if model is None:
            entries.append(None)
            continue
        facts, arrays = model_contents(model, model.history, model.info, model.out_of_fold)
        for array in arrays.values():
            pools.setdefault(array.dtype.name, []).append(array.ravel())
        facts["arrays"] = {name: [array.dtype.name, *array.shape] for name, array in arrays.items()}
        common = common or facts
        entry = changed_facts(facts, common)
        if facts["info"] is not None:
            entry["info"] = changed_facts(facts["info"], common["info"])
        entries.append(entry)
    texts = {str(i): [type(error).__name__, str(error)] for i, error in failures.items()}
    facts = {"models": entries, "common": common, "failures": texts}
    write(target, KIND, VERSION, facts, {name: np.concatenate(pool) for name, pool in pools.items()})


def load_ensemble(path: str | os.PathLike[str]) -> tuple[tuple[Model | None, ...], dict[int, Exception]]:
    """Return the models and the failures in a file that `save_ensemble` wrote."""
    source = checked_path("path", path)
    facts, pools = read(source, KIND, VERSION)
    try:
        models = _models(facts, _Pools(pools))
        failures: dict[int, Exception] = {
            int(i): RuntimeError(f"{of_type(kind, str)}: {of_type(text, str)}")
            for i, (kind, text) in facts["failures"].items()
        }
        if not failures.keys() <= {i for i, model in enumerate(models) if model is None}:
            raise ValueError("the failures do not belong to the missing nets")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        refuse(source, f"a valid ensemble file of fastmlp ({error})")
    return tuple(models), failures


class _Pools:
    """The concatenated arrays by dtype, from which the arrays of the nets are taken in order."""

    def __init__(self, pools: Mapping[str, Array]) -> None:
        self._pools = pools
        self._taken = dict.fromkeys(pools, 0)

    def take(self, dtype: str, *shape: Any) -> Array:
        """Return a copy of the next array of this dtype and shape."""
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"an array has the shape {shape}")
        start = self._taken[dtype]
        self._taken[dtype] = stop = start + math.prod(shape)
        return self._pools[dtype][start:stop].reshape(shape).copy()

    def are_used_up(self) -> bool:
        """Return whether all entries have been taken, and no more than there are."""
        return all(self._taken[name] == pool.size for name, pool in self._pools.items())


def _models(facts: Mapping[str, Any], pools: _Pools) -> list[Model | None]:
    common = facts["common"]
    models: list[Model | None] = []
    for entry in facts["models"]:
        if entry is None:
            models.append(None)
            continue
        own = {**common, **entry}
        if own["info"] is not None:
            own["info"] = {**(common["info"] or {}), **own["info"]}
        models.append(model_from(own, {name: pools.take(*layout) for name, layout in own["arrays"].items()}))
    if not pools.are_used_up():
        raise ValueError("the arrays have another length than the nets")
    return models

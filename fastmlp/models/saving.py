"""The file of a model: what it contains, and how it is written. `fastmlp.models.loading` reads it.

This module knows `Net`, `History` and `FitInfo` but not `Model`, so that `Model.save` can import it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.files.archives import checked_path, write
from fastmlp.models.fit_info import FitInfo
from fastmlp.models.history import History
from fastmlp.models.out_of_fold import OutOfFold
from fastmlp.models.out_of_fold_arrays import out_of_fold_arrays
from fastmlp.nets.net import Net
from fastmlp.starting.scaling import Standardization

KIND, VERSION = "model", 1
NAME_FIELDS = ("feature_names", "target_names")  # missing in files of early versions
STANDARDIZATION_FIELDS = tuple(field.name for field in fields(Standardization))
HISTORY_ARRAYS = ("epoch", "rmse", "val_rmse", "crossings")
ARRAY_FIELDS = ("standardization", "optimizer_state")  # fields of an info that hold arrays
MOMENT = "moment_"  # the names of the moments of the optimiser begin with it
RESUME = "resume/"  # the names of the arrays of a checkpoint begin with it


class Contents(NamedTuple):
    """The contents of a file: facts, which can be written as JSON, and arrays by name."""

    facts: dict[str, Any]
    arrays: dict[str, Array]


def save_model(
    path: str | os.PathLike[str],
    net: Net,
    history: History | None,
    info: FitInfo | None,
    out_of_fold: OutOfFold | None = None,
) -> None:
    """Write a model to a file; see `Model.save`."""
    write_model(checked_path("path", path), model_contents(net, history, info, out_of_fold))


def write_model(path: Path, contents: Contents, resume: Contents | None = None) -> None:
    """Write the contents of a model, and those that a fit needs to resume if the file is a checkpoint."""
    facts, arrays = contents
    if resume is not None:
        facts = facts | {"resume": resume.facts}
        arrays = arrays | {f"{RESUME}{name}": array for name, array in resume.arrays.items()}
    write(path, KIND, VERSION, facts, arrays)


def model_contents(
    net: Net, history: History | None, info: FitInfo | None, out_of_fold: OutOfFold | None = None
) -> Contents:
    """Return the facts and the arrays of a model."""
    arrays: dict[str, Array] = dict(net.weights._asdict())
    facts: dict[str, Any] = {name: getattr(net, name) for name in ("negative_slope", "y_ndim", *NAME_FIELDS)}
    facts["info"] = None
    if net.x_range is not None:
        arrays["x_range"] = net.x_range
    if net.y_clip is not None:
        arrays["y_clip"] = net.y_clip
    if out_of_fold is not None:
        arrays |= out_of_fold_arrays(out_of_fold)
    if info is not None:
        facts["info"] = info_facts(info)
        if info.standardization is not None:
            arrays |= {name: getattr(info.standardization, name) for name in STANDARDIZATION_FIELDS}
        if info.optimizer_state is not None:
            arrays |= {f"{MOMENT}{name}": array for name, array in info.optimizer_state.moments.items()}
    if history is not None:
        arrays |= {name: array for name in HISTORY_ARRAYS if (array := getattr(history, name)) is not None}
        facts["snapshots"] = _snapshot_facts(history, facts["info"])
        arrays |= _snapshot_arrays(history)
    return Contents(facts, arrays)


def info_facts(info: FitInfo) -> dict[str, Any]:
    """Return the facts of an info that are not arrays. A callable rate becomes None.

    Of the state of the optimiser, the stored engine is left out: a kernel would trust the indices in its arrays.
    """
    facts = {field.name: getattr(info, field.name) for field in fields(info) if field.name not in ARRAY_FIELDS}
    state = info.optimizer_state
    if state is not None:  # missing in files of early versions, as in those of models without it
        facts["optimizer_state"] = state.facts() | {"rng_digests": list(state.rng_digests)}
    return facts | {"lr": None if callable(info.lr) else info.lr, "versions": dict(info.versions)}


def changed_facts(facts: Mapping[str, Any], known: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the facts that are missing in the known ones or differ from them."""
    return {name: fact for name, fact in facts.items() if known is None or name not in known or known[name] != fact}


def _snapshot_facts(history: History, known: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return the epoch of each snapshot, and the entries of its info that differ from the info of the model."""
    return [
        {"epoch": epoch, "info": None if snapshot.info is None else changed_facts(info_facts(snapshot.info), known)}
        for epoch, snapshot in history.snapshots.items()
    ]


def _snapshot_arrays(history: History) -> dict[str, Array]:
    """Return the weights of the snapshots, stacked: all snapshots have the same shape."""
    snapshots = history.snapshots.values()
    if not snapshots:
        return {}
    return {
        f"snapshots_{name}": np.stack([getattr(snapshot, name) for snapshot in snapshots]) for name in Weights._fields
    }

"""Reading the files of models, with a check of every field: a file may be damaged or hostile."""

from __future__ import annotations

import functools
import os
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.files.archives import checked_path, read, refuse
from fastmlp.models.fit_info import FitInfo
from fastmlp.models.history import History, rate_falls, read_only_history
from fastmlp.models.model import Model
from fastmlp.models.out_of_fold_arrays import out_of_fold_from
from fastmlp.models.saving import (
    ARRAY_FIELDS,
    KIND,
    MOMENT,
    NAME_FIELDS,
    RESUME,
    STANDARDIZATION_FIELDS,
    VERSION,
    Contents,
)
from fastmlp.starting.optimizer_state import MOMENTS, OptimizerState
from fastmlp.starting.scaling import Standardization


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model from a file that `Model.save` wrote, or from a checkpoint of `fastmlp.fit`.

    Parameters
    ----------
    path : str or os.PathLike
        Name of the file.

    Returns
    -------
    Model
        The saved model with its history, snapshots and info.
        From a checkpoint, it is the model at the time of the checkpoint. A callable learning rate cannot be saved:
        `info.lr` is None in that case.

    Raises
    ------
    FileFormatError
        If the file is damaged, does not contain a model, or has a format that this version of fastmlp does not know.
        Nothing in the file is executed.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import fastmlp, pathlib, tempfile
    >>> model = fastmlp.Model([[2.0]], [1.0], [[3.0]], [0.5])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.npz")
    ...     model.save(path)
    ...     fastmlp.load(path).predict([0.0, 1.0])
    array([3.5, 9.5])
    """
    return read_model(checked_path("path", path))[0]


def read_model(path: Path) -> tuple[Model, Contents | None]:
    """Return the model in a file and, if the file is a checkpoint, the contents that a fit resumes from."""
    facts, arrays = read(path, KIND, VERSION)
    resume_arrays = {name.removeprefix(RESUME): arrays.pop(name) for name in [*arrays] if name.startswith(RESUME)}
    try:
        resume_facts = facts.get("resume")
        if not isinstance(resume_facts, dict | None):
            raise TypeError("the metadata to resume from are not a mapping")
        model = model_from(facts, arrays)
    except (KeyError, TypeError, ValueError) as error:
        refuse(path, f"a valid model file of fastmlp ({error})")
    return model, None if resume_facts is None else Contents(resume_facts, resume_arrays)


def model_from(facts: Mapping[str, Any], arrays: dict[str, Array]) -> Model:
    """Return the model with these contents; the arrays are removed from the dict."""
    weights = Weights(*(arrays.pop(name) for name in Weights._fields))
    if len({array.dtype for array in weights}) != 1 or weights.w1.dtype not in (np.float32, np.float64):
        raise ValueError("the weights are not all float32 or all float64")
    info = None if facts["info"] is None else _info(facts["info"], _standardization(weights, arrays))
    if info is not None and "optimizer_state" in facts["info"]:
        info = replace(info, optimizer_state=_optimizer_state(facts["info"]["optimizer_state"], weights, arrays))
    x_range = _array(arrays, "x_range", np.float64, (weights.w1.shape[0], 2)) if "x_range" in arrays else None
    y_clip = _array(arrays, "y_clip", np.float64, (*weights.b2.shape, 2)) if "y_clip" in arrays else None
    names: dict[str, Any] = {name: facts.get(name) for name in NAME_FIELDS}
    model = Model(
        *weights,
        of_type(facts["negative_slope"], float),
        x_range=x_range,
        y_ndim=of_type(facts["y_ndim"], int),
        y_clip=y_clip,
        info=info,
        out_of_fold=out_of_fold_from(arrays, weights),
        **names,
    )
    if "epoch" in arrays:
        model = replace(model, history=_history(model, facts["snapshots"], facts["info"], arrays))
    if arrays:
        raise ValueError(f"there are unknown arrays {list(arrays)[:3]}")
    return model


def of_type(value: Any, hint: Any) -> Any:
    """Return a value from JSON if it has the type that a field is annotated with, else raise a TypeError."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    for option in options:
        if typing.get_origin(option) in (dict, Mapping) and isinstance(value, dict):
            return {key: of_type(entry, typing.get_args(option)[1]) for key, entry in value.items()}
        if typing.get_origin(option) is tuple and isinstance(value, list):
            return _tuple_of_type(value, typing.get_args(option))
        if type(value) is option and (option is not float or np.isfinite(value)):
            return value
    raise TypeError(f"{str(value)[:40]!r} instead of {hint}")


def _tuple_of_type(values: list[Any], hints: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a list from JSON as a tuple of these types; a second type `...` repeats the first."""
    if hints[1:] == (...,):
        hints = hints[:1] * len(values)
    if len(hints) != len(values):
        raise TypeError(f"{len(values)} values instead of {len(hints)}")
    return tuple(map(of_type, values, hints))


def _array(arrays: dict[str, Array], name: str, dtype: Any, shape: tuple[int, ...]) -> Array:
    array = arrays.pop(name)
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{name} has dtype {array.dtype} and shape {array.shape}")
    return array


def _standardization(weights: Weights, arrays: dict[str, Array]) -> Standardization | None:
    if STANDARDIZATION_FIELDS[0] not in arrays:
        return None
    sizes = (weights.w1.shape[0],) * 2 + weights.b2.shape * 2
    maps = [_array(arrays, name, np.float64, (size,)) for name, size in zip(STANDARDIZATION_FIELDS, sizes, strict=True)]
    if not all(np.isfinite(array).all() for array in maps) or not (maps[1].all() and maps[3].all()):
        raise ValueError("the standardization is not finite or has a scale of 0")
    return Standardization(*maps)


def _optimizer_state(facts: Any, weights: Weights, arrays: dict[str, Array]) -> OptimizerState:
    """Return the state of the optimiser, without its engine; the moments are removed from the arrays."""
    hints = typing.get_type_hints(OptimizerState)
    if not isinstance(facts, dict) or facts.keys() != hints.keys() - {"moments", "engine"}:
        raise ValueError("the state of the optimiser has missing or unknown fields")
    checked = {name: of_type(facts[name], hints[name]) for name in facts}
    if min(checked["epochs"], checked["samples_seen"], checked["n_updates"], checked["seed"] or 0) < 0:
        raise ValueError("the state of the optimiser has a negative count")
    names = [f"{moment}_{group}" for moment in MOMENTS for group in Weights._fields]
    moments = {name: arrays.pop(f"{MOMENT}{name}") for name in names if f"{MOMENT}{name}" in arrays}
    if [*moments] not in ([], names[: len(Weights._fields)], names):
        raise ValueError("moments of the optimiser are missing")
    for name, array in moments.items():
        if array.dtype.kind != "f" or array.shape != getattr(weights, name[2:]).shape or not np.isfinite(array).all():
            raise ValueError(f"the moment {name} is not like the weights")
    return OptimizerState(**checked, moments=moments)


def _info(facts: Any, standardization: Standardization | None) -> FitInfo:
    hints = _info_hints()
    if not isinstance(facts, dict) or not _required_facts() <= facts.keys() - {"optimizer_state"} <= hints.keys():
        raise ValueError("the info has missing or unknown fields")
    checked = {name: of_type(facts[name], hint) for name, hint in hints.items() if name in facts}
    return FitInfo(**checked, standardization=standardization)


@functools.cache
def _info_hints() -> dict[str, Any]:
    """Return the types of the fields of an info that are not arrays."""
    return {name: hint for name, hint in typing.get_type_hints(FitInfo).items() if name not in ARRAY_FIELDS}


@functools.cache
def _required_facts() -> set[str]:
    """Return the names of the facts that files of all versions have."""
    return {field.name for field in fields(FitInfo) if field.default is MISSING and field.name != "standardization"}


def _history(model: Model, snapshot_facts: Any, info_facts: Any, arrays: dict[str, Array]) -> History:
    """Return the history of a model, which is given without it."""
    epoch = arrays.pop("epoch")
    if epoch.dtype != np.int64 or epoch.ndim != 1 or not epoch.size or epoch[0] < 0 or (np.diff(epoch) <= 0).any():
        raise ValueError("the recorded epochs are not in ascending order")
    rmse = _array(arrays, "rmse", np.float64, epoch.shape)
    val_rmse = _array(arrays, "val_rmse", np.float64, epoch.shape) if "val_rmse" in arrays else None
    crossings = _array(arrays, "crossings", np.int64, epoch.shape) if "crossings" in arrays else None
    snapshots = _snapshots(model, snapshot_facts, info_facts, arrays) if snapshot_facts else {}
    falls = rate_falls(None if model.info is None else model.info.lr_schedule)
    return read_only_history(epoch, rmse, val_rmse, snapshots, crossings, falls)


def _snapshots(model: Model, snapshot_facts: Any, info_facts: Any, arrays: dict[str, Array]) -> dict[int, Model]:
    """Return the snapshots: models that differ from `model` by their weights and by some facts of the info."""
    stacks = (
        _array(arrays, f"snapshots_{name}", array.dtype, (len(snapshot_facts), *array.shape))
        for name, array in model.weights._asdict().items()
    )
    standardization = None if model.info is None else model.info.standardization
    snapshots = {}
    for facts, *weights in zip(snapshot_facts, *stacks, strict=True):
        own = facts["info"]
        info = None if own is None else _info({**(info_facts or {}), **own}, standardization)
        snapshots[of_type(facts["epoch"], int)] = replace(model, **Weights(*weights)._asdict(), info=info)
    return snapshots

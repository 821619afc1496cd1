"""Models and ensembles as files: `Model.save` and `load`, `Ensemble.save` and `Ensemble.load`."""

from __future__ import annotations

import functools
import math
import os
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from fastmlp.engines.engine import Array, Weights
from fastmlp.files.archives import checked_path, read, refuse, write
from fastmlp.models.model import FitInfo, Model
from fastmlp.starting.scaling import Standardization
from fastmlp.training.recording import History, read_only_history

KIND, VERSION = "model", 1
ENSEMBLE_KIND, ENSEMBLE_VERSION = "ensemble", 1
_RESUME = "resume/"
_NAMES = ("feature_names", "target_names")  # absent in files of early versions
_MAPS = tuple(field.name for field in fields(Standardization))


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model to a file, as `Model.save` says."""
    write_model(model, checked_path("path", path))


def write_model(
    model: Model, path: Path, resume: Mapping[str, Any] | None = None, resumed: Mapping[str, Array] | None = None
) -> None:
    """Write a model, and if a fit is to go on from it, facts and arrays of that besides."""
    facts, arrays = _parts(model)
    if resume is not None:
        facts["resume"] = resume
        arrays |= {f"{_RESUME}{name}": array for name, array in (resumed or {}).items()}
    write(path, KIND, VERSION, facts, arrays)


def _parts(model: Model) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the facts and the arrays of a model."""
    arrays: dict[str, Array] = dict(model.weights._asdict())
    facts: dict[str, Any] = {name: getattr(model, name) for name in ("negative_slope", "y_ndim", *_NAMES)}
    facts["info"] = None
    if model.x_range is not None:
        arrays["x_range"] = model.x_range
    if model.info is not None:
        facts["info"] = _info_facts(model.info)
        if model.info.standardization is not None:
            arrays |= {name: getattr(model.info.standardization, name) for name in _MAPS}
    if model.history is not None:
        arrays |= {name: array for name in _CURVES if (array := getattr(model.history, name)) is not None}
        _add_snapshots(model.history, facts, arrays)
    return facts, arrays


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model that `Model.save` wrote, or the one so far from a checkpoint of `fastmlp.fit`.

    Parameters
    ----------
    path : str or os.PathLike
        The file.

    Returns
    -------
    Model
        What was saved: weights, history with its snapshots, and info, but for a callable learning rate, which no file
        can hold: `info.lr` is None then.

    Raises
    ------
    FileFormatError
        If the file is damaged, no model, or written by a later version in a format unknown to this one. Nothing in it
        is ever executed.
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


def read_model(path: Path) -> tuple[Model, dict[str, Any] | None, dict[str, Array]]:
    """Return a model, and the facts and arrays that `write_model` was given besides."""
    facts, arrays = read(path, KIND, VERSION)
    resumed = {name.removeprefix(_RESUME): arrays.pop(name) for name in [*arrays] if name.startswith(_RESUME)}
    try:
        resume = facts.get("resume")
        if not isinstance(resume, dict | None):
            raise TypeError("no facts to resume from")
        return _model(facts, arrays), resume, resumed
    except (KeyError, TypeError, ValueError) as error:
        refuse(path, f"a model of fastmlp that holds together ({error})")


_CURVES = ("epoch", "rmse", "val_rmse", "crossings")


def _model(facts: dict[str, Any], arrays: dict[str, Array]) -> Model:
    weights = Weights(*(arrays.pop(name) for name in Weights._fields))
    if len({array.dtype for array in weights}) != 1 or weights.w1.dtype not in (np.float32, np.float64):
        raise ValueError("weights of other dtypes")
    info = None if facts["info"] is None else _info(facts["info"], _maps(weights, arrays))
    slope, y_ndim = _of_type(facts["negative_slope"], float), _of_type(facts["y_ndim"], int)
    x_range = _array(arrays, "x_range", np.float64, (weights.w1.shape[0], 2)) if "x_range" in arrays else None
    names: dict[str, Any] = {name: facts.get(name) for name in _NAMES}
    bare = Model(*weights, slope, x_range=x_range, y_ndim=y_ndim, info=info, **names)
    model = (
        bare
        if "epoch" not in arrays
        else replace(bare, history=_history(bare, facts["snapshots"], facts["info"], arrays))
    )
    if arrays:
        raise ValueError(f"unknown arrays {list(arrays)[:3]}")
    return model


def _array(arrays: dict[str, Array], name: str, dtype: Any, shape: tuple[int, ...]) -> Array:
    array = arrays.pop(name)
    if array.dtype != dtype or array.shape != shape:
        raise ValueError(f"{name} of dtype {array.dtype} and shape {array.shape}")
    return array


def _maps(weights: Weights, arrays: dict[str, Array]) -> Standardization | None:
    if _MAPS[0] not in arrays:
        return None
    sizes = (weights.w1.shape[0],) * 2 + weights.b2.shape * 2
    maps = [_array(arrays, name, np.float64, (size,)) for name, size in zip(_MAPS, sizes, strict=True)]
    if not all(np.isfinite(array).all() for array in maps) or not (maps[1].all() and maps[3].all()):
        raise ValueError("a standardization that is not finite")
    return Standardization(*maps)


def _info_facts(info: FitInfo) -> dict[str, Any]:
    facts = {field.name: getattr(info, field.name) for field in fields(info) if field.name != "standardization"}
    return facts | {"lr": None if callable(info.lr) else info.lr, "versions": dict(info.versions)}


def _info(facts: Any, maps: Standardization | None) -> FitInfo:
    hints = _hints()
    if not isinstance(facts, dict) or facts.keys() != hints.keys():
        raise ValueError("an info of other fields")
    return FitInfo(**{name: _of_type(facts[name], hint) for name, hint in hints.items()}, standardization=maps)


@functools.cache
def _hints() -> dict[str, Any]:
    """Return the types of an info's fields, but for the maps, which are arrays."""
    return {name: hint for name, hint in typing.get_type_hints(FitInfo).items() if name != "standardization"}


def _of_type(value: Any, hint: Any) -> Any:
    """Return a value read from JSON if it is of the type that a field is annotated with."""
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    for option in options:
        if typing.get_origin(option) in (dict, Mapping) and isinstance(value, dict):
            return {key: _of_type(entry, typing.get_args(option)[1]) for key, entry in value.items()}
        if type(value) is option and (option is not float or np.isfinite(value)):
            return value
    raise TypeError(f"{str(value)[:40]!r} where {hint} is due")


def _add_snapshots(history: History, facts: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Add the snapshots, nets of one shape: their weights stacked, and what differs from the info of the model."""
    snapshots = history.snapshots.values()
    facts["snapshots"] = [
        {
            "epoch": epoch,
            "info": None if snapshot.info is None else _differing(_info_facts(snapshot.info), facts["info"]),
        }
        for epoch, snapshot in history.snapshots.items()
    ]
    if snapshots:
        for name in Weights._fields:
            arrays[f"snapshots_{name}"] = np.stack([getattr(snapshot, name) for snapshot in snapshots])


def _differing(facts: dict[str, Any], known: dict[str, Any] | None) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if known is None or name not in known or known[name] != fact}


def _history(model: Model, facts: Any, info_facts: Any, arrays: dict[str, Array]) -> History:
    """Return the history of a model that has all but that."""
    epoch = arrays.pop("epoch")
    if epoch.dtype != np.int64 or epoch.ndim != 1 or not epoch.size or epoch[0] < 0 or (np.diff(epoch) <= 0).any():
        raise ValueError("epochs that do not increase")
    rmse = _array(arrays, "rmse", np.float64, epoch.shape)
    val_rmse, crossings = (
        _array(arrays, name, dtype, epoch.shape) if name in arrays else None
        for name, dtype in (("val_rmse", np.float64), ("crossings", np.int64))
    )
    snapshots = {}
    if facts:
        stacks = (
            _array(arrays, f"snapshots_{name}", array.dtype, (len(facts), *array.shape))
            for name, array in model.weights._asdict().items()
        )
        maps = None if model.info is None else model.info.standardization
        for entry, *weights in zip(facts, *stacks, strict=True):
            info = None if entry["info"] is None else _info({**(info_facts or {}), **entry["info"]}, maps)
            snapshots[_of_type(entry["epoch"], int)] = replace(model, **Weights(*weights)._asdict(), info=info)
    return read_only_history(epoch, rmse, val_rmse, snapshots, crossings)


def save_ensemble(
    models: Sequence[Model | None], failures: Mapping[int, Exception], path: str | os.PathLike[str]
) -> None:
    """Write an ensemble to a file, as `Ensemble.save` says.

    Nets may differ in shape and there may be a hundred thousand: their arrays are put end to end, one array for each
    dtype, and of facts only those are written in which a net differs from the first.
    """
    target = checked_path("path", path)
    entries: list[dict[str, Any] | None] = []
    pools: dict[str, list[Array]] = {}
    common: dict[str, Any] = {}
    for model in models:
        if model is None:
            entries.append(None)
            continue
        facts, arrays = _parts(model)
        layout = {}
        for name, array in arrays.items():
            layout[name] = [array.dtype.name, *array.shape]
            pools.setdefault(array.dtype.name, []).append(array.ravel())
        facts["arrays"] = layout
        common = common or facts
        entry = _differing(facts, common)
        if facts["info"] is not None:
            entry["info"] = _differing(facts["info"], common["info"])
        entries.append(entry)
    texts = {str(i): [type(error).__name__, str(error)] for i, error in failures.items()}
    facts = {"models": entries, "common": common, "failures": texts}
    write(target, ENSEMBLE_KIND, ENSEMBLE_VERSION, facts, {name: np.concatenate(pool) for name, pool in pools.items()})


def load_ensemble(path: str | os.PathLike[str]) -> tuple[tuple[Model | None, ...], dict[int, Exception]]:
    """Read models and failures that `save_ensemble` wrote."""
    source = checked_path("path", path)
    facts, pools = read(source, ENSEMBLE_KIND, ENSEMBLE_VERSION)
    try:
        return _ensemble(facts, pools)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        refuse(source, f"an ensemble of fastmlp that holds together ({error})")


def _ensemble(facts: dict[str, Any], pools: dict[str, Array]) -> tuple[tuple[Model | None, ...], dict[int, Exception]]:
    at = dict.fromkeys(pools, 0)

    def take(dtype: str, *shape: Any) -> Array:
        if not all(type(size) is int and size >= 0 for size in shape):
            raise ValueError(f"an array of shape {shape}")
        start, at[dtype] = at[dtype], at[dtype] + math.prod(shape)
        return pools[dtype][start : at[dtype]].reshape(shape).copy()

    models: list[Model | None] = []
    for entry in facts["models"]:
        if entry is None:
            models.append(None)
            continue
        whole = {**facts["common"], **entry}
        if whole["info"] is not None:
            whole["info"] = {**(facts["common"]["info"] or {}), **whole["info"]}
        models.append(_model(whole, {name: take(*layout) for name, layout in whole["arrays"].items()}))
    if any(at[name] != pool.size for name, pool in pools.items()):
        raise ValueError("arrays of another length")
    failures: dict[int, Exception] = {
        int(i): RuntimeError(f"{_of_type(kind, str)}: {_of_type(text, str)}")
        for i, (kind, text) in facts["failures"].items()
    }
    if sorted(failures) != [i for i, model in enumerate(models) if model is None]:
        raise ValueError("failures of other nets")
    return tuple(models), failures

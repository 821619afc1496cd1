"""Data frames and series of pandas, polars and Arrow: their columns and the names of these.

None of these packages is imported here, nor needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fastmlp.checks.messages import wording

LIBRARIES = ("pandas", "polars", "pyarrow")


class Column(NamedTuple):
    """A column of a data frame: its name, which need not be a string, and its entries."""

    name: Any
    entries: Any


def library_of(value: object) -> str | None:
    """Return the library that a data frame, a series or a table belongs to; None for any other value."""
    if type(value) is np.ndarray:
        return None
    roots = {kind.__module__.partition(".")[0] for kind in type(value).__mro__}
    return next((library for library in LIBRARIES if library in roots), None)


def frame_columns(value: Any) -> list[Column] | None:
    """Return the columns of a data frame; None for any other value."""
    library = library_of(value)
    if library is None or not hasattr(value, "columns"):
        return None
    if library == "pandas":
        return [Column(name, value.iloc[:, i]) for i, name in enumerate(value.columns)]
    if library == "polars":
        return (
            [Column(series.name, series) for series in value.get_columns()] if hasattr(value, "get_columns") else None
        )
    return [Column(*named) for named in zip(value.column_names, value.columns, strict=True)]


def column_names(value: Any) -> tuple[str, ...] | None:
    """Return the names of the columns of a data frame, or of a series; None if there are none.

    Names that are not all strings, such as the numbers that pandas gives to columns without names, count as none.
    """
    library = library_of(value)
    if library is None:
        return None
    if hasattr(value, "columns"):
        names = list(value.column_names if library == "pyarrow" else value.columns)
    else:
        names = [getattr(value, "name", None) or None]  # the name of a polars Series without name is ""
    return tuple(map(str, names)) if names and all(isinstance(name, str) for name in names) else None


def require_names(label: str, given: Sequence[str] | None, known: Sequence[str] | None) -> None:
    """Refuse columns that are not the known ones in their order. Columns without names are accepted.

    Parameters
    ----------
    label : str
        Name of the argument.
    given : sequence of str or None
        Names of its columns.
    known : sequence of str or None
        Names of the columns that the network was, or is to be, trained with.
    """
    if given is None or known is None or tuple(given) == tuple(known):
        return
    missing = [name for name in known if name not in given]
    unknown = [name for name in given if name not in known]
    if missing:
        got = f"no {missing[0]!r}" + (f" but {unknown[0]!r}" if unknown else "")
    elif unknown:
        got = f"{unknown[0]!r} too"
    else:
        swapped = ((name, expected) for name, expected in zip(given, known, strict=False) if name != expected)
        got = next((f"{name!r} in place of {expected!r}" for name, expected in swapped), f"{len(given)} columns")
    remedy = "Select the columns by name. An array has no names: its columns are taken in their order."
    raise ValueError(wording(f"the columns of {label}", "those of the fit in their order", got, remedy))

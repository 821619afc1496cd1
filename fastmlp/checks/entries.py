"""Entries of arrays that are not numbers: what they are, where they are, and how to convert them."""

from __future__ import annotations

import datetime
import decimal
import math
import numbers
from typing import Any, NamedTuple

import numpy as np

from fastmlp.checks.messages import described, shortened, wording
from fastmlp.engines.engine import Array

PLAIN = {float, int, bool, np.float64, np.bool_}  # the usual types of numbers, which need no slow isinstance
TEXT_KINDS, DATE_KIND, DURATION_KIND = "UST", "M", "m"  # of dtypes

# By what an entry is and by the library of its frame or series. {x} is the column, {frame} the argument.
REMEDIES = {
    "missing": {
        "": "Leave such samples out of x and y.",
        "pandas": "Drop such rows with dropna() before the table is split into x and y, or fill them with fillna().",
        "polars": "Drop such rows with drop_nulls() and drop_nans() before the table is split into x and y.",
    },
    "numeric text": {
        "": "Convert it with numpy.asarray({x}, dtype=float).",
        "pandas": "Convert the text with {x}.astype(float).",
        "polars": "Convert the text with {x}.cast(float).",
    },
    "text with a comma": {"": "Write numbers with a decimal point, as pandas.read_csv(..., decimal=',') does."},
    "text": {
        "": "Encode text as numbers, for example as one column of 0 and 1 for each word.",
        "pandas": "Encode text as numbers, for example with pandas.get_dummies({frame}).",
        "polars": "Encode text as numbers, for example with {x}.to_dummies().",
    },
    "date": {
        "": "Convert dates to seconds with numpy.asarray({x}, 'datetime64[s]').astype(float).",
        "pandas": "Convert dates to seconds: t = pandas.to_datetime(pandas.Series({x})), then (t - t.min())"
        ".dt.total_seconds().",
        "polars": "Convert dates to seconds with ({x} - {x}.min()).dt.total_seconds().",
    },
    "duration": {
        "": "Convert durations to seconds with numpy.asarray({x}, 'timedelta64[us]') / numpy.timedelta64(1, 's').",
        "pandas": "Convert durations to seconds with pandas.to_timedelta(pandas.Series({x})).dt.total_seconds().",
        "polars": "Convert durations to seconds with {x}.dt.total_seconds().",
    },
    "complex": {"": "Pass real and imaginary parts as two columns."},
    "other": {"": ""},
}


class Source(NamedTuple):
    """Where entries come from.

    Attributes
    ----------
    name : str
        Name of the argument.
    library : str or None
        Library of the data frame or the series, if it is one.
    columns : sequence or None
        Names of the columns of these entries; None for an argument that is no data frame.
    """

    name: str
    library: str | None = None
    columns: Any = None

    def place(self, index: int, shape: tuple[int, ...]) -> str:
        """Return the words for the place of an entry, given by its index in the flat array."""
        row, *column = (int(i) for i in np.unravel_index(index, shape))
        if self.columns is not None:
            return f"row {row}, column {self.columns[column[0] if column else 0]!r}"
        return f"row {row}, column {column[0]}" if column else f"position {row}"

    def in_column(self) -> str:
        """Return the words for the column, if there is only one."""
        return "" if self.columns is None else f" in column {self.columns[0]!r}"

    def remedy(self, kind: str, column: int = 0) -> str:
        """Return what to do about entries of a kind, in words of the library."""
        options = REMEDIES[kind]
        x = self.argument if self.columns is None else f"{self.argument}[{self.columns[column]!r}]"
        return options.get(self.library or "", options[""]).format(x=x, frame=self.argument)

    @property
    def argument(self) -> str:
        """The name of the argument in a remedy: "validation x" is called x."""
        return self.name.split()[-1]


def numbers_in(array: Array, source: Source) -> Array:
    """Return an array of Python objects as float64; raise the error of the first entry that is not a number."""
    flat = array.ravel().tolist()
    for i, entry in enumerate(flat):
        if type(entry) not in PLAIN and not _is_number(entry):
            raise _refusal(flat, i, array.shape, source)
    return np.reshape([_float(entry) for entry in flat], array.shape)


def refused_dtype(array: Array, source: Source) -> Exception:
    """Return the error of an array whose dtype is not real."""
    rule = "an array of real numbers"
    if array.dtype.kind in (*TEXT_KINDS, DATE_KIND, DURATION_KIND) and array.size:
        return _refusal([*array.ravel()], 0, array.shape, source)
    got, remedy = f"dtype {array.dtype}", ""
    if array.dtype.kind == "c":
        remedy = source.remedy("complex")
    elif array.dtype.names is not None:
        remedy = f"Pass numpy.lib.recfunctions.structured_to_unstructured({source.argument})."
    elif array.dtype == object:
        got = "None" if array.item() is None else described(array.item())
    return TypeError(wording(source.name, rule, got + source.in_column(), remedy))


def _refusal(flat: list[Any], first: int, shape: tuple[int, ...], source: Source) -> Exception:
    """Return the error of entries, of which the one with index `first` is the first that is not a number."""
    kind = kind_of(flat[first])
    if kind == "text":  # of "1.5" and "n/a", the second is the problem
        texts = [i for i, entry in enumerate(flat) if isinstance(entry, (str, bytes))]
        wrong = next((i for i in texts if not _is_numeric(flat[i])), None)
        first = first if wrong is None else wrong
        if wrong is None:
            kind = "numeric text"
        elif _is_numeric(str(flat[first]).replace(",", "", 1)):
            kind = "text with a comma"
    rule = "an array of real numbers" + (" without missing ones" if kind == "missing" else "")
    entry = flat[first]
    shown = repr(str(entry)) if isinstance(entry, str) else f"{entry}"  # numpy.str_ has a repr of its own
    if not shape:
        return TypeError(wording(source.name, rule, shown))
    text = (
        f"{source.name} must be {rule}, got {shortened(shown)} at {source.place(first, shape)}. {source.remedy(kind)}"
    )
    return (ValueError if kind == "missing" else TypeError)(text.rstrip())


def kind_of(entry: Any) -> str:
    """Return what an entry is that is not a number."""
    if entry is None or type(entry).__name__ in ("NAType", "NaTType") or _is_not_a_time(entry):
        return "missing"
    kinds = {
        "text": (str, bytes),
        "date": (datetime.date, np.datetime64),
        "duration": (datetime.timedelta, np.timedelta64),
        "complex": (complex, np.complexfloating),
    }
    return next((kind for kind, types in kinds.items() if isinstance(entry, types)), "other")


def _is_not_a_time(entry: Any) -> bool:
    return isinstance(entry, (np.datetime64, np.timedelta64)) and bool(np.isnat(entry))


def _is_number(entry: Any) -> bool:
    return isinstance(entry, (numbers.Real, decimal.Decimal, np.bool_)) and not isinstance(entry, np.timedelta64)


def _is_numeric(text: str | bytes) -> bool:
    """Return whether Python reads a text as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _float(number: Any) -> float:
    """Return a number as float64, infinite if it is too large."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf

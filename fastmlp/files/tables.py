"""Delimited text with a header, from a file or standard input. Errors name the line and the column."""

from __future__ import annotations

import codecs
import csv
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from fastmlp.checks import counted, wording
from fastmlp.engines.engine import Array

DELIMITERS = "\t;,"  # the comma is last: if another delimiter fits as well, commas are parts of names or numbers
DECIMAL_SIGNS = (".", ",")
STANDARD_INPUT = "-"
MISSING = frozenset({"", "na", "n/a", "nan", "null"})  # fields without a number, in lower case


class TableError(ValueError):
    """A table is invalid. The message says where and why."""


@dataclass(frozen=True)
class Table:
    """The text of a table: the names of the columns, and the rows, each with the number of its last line.

    A column without a name, such as the index that pandas and R write first, has the name "" and cannot be read.
    """

    source: str
    names: Sequence[str]
    rows: Sequence[tuple[int, Sequence[str]]]
    decimal: str = "."

    def has(self, name: str) -> bool:
        """Return whether there is a column with this name."""
        return bool(name) and name in self.names

    def columns(self, names: Sequence[str]) -> Array:
        """Return columns as float64 (n_rows, n_names), or raise a TableError if an entry is not a finite number."""
        places = self._places(names)
        numbers = [self._number(line, row[place], name) for line, row in self.rows for place, name in places]
        return np.reshape(numbers, (len(self.rows), len(places)))

    def complete(self, names: Sequence[str]) -> Table:
        """Return the table without the rows in which one of some columns is empty, NA, N/A, NaN or null."""
        places = self._places(names)
        rows = [(line, row) for line, row in self.rows if all(row[i].strip().lower() not in MISSING for i, _ in places)]
        if not rows:
            raise TableError(f"{self.source} must have a row without missing values in {listed(names)}, got none.")
        return replace(self, rows=rows)

    def missing_columns(self, names: Sequence[str]) -> str:
        """Return the text of the error that there are no such columns."""
        remedy = " Columns are separated by commas, semicolons or tabs." if len(self.names) == 1 else ""
        return f"{self.source} has no column {listed(names)}; it has {listed(filter(None, self.names))}.{remedy}"

    def _places(self, names: Sequence[str]) -> list[tuple[int, str]]:
        """Return the number and the name of each column."""
        missing = [name for name in names if not self.has(name)]
        if missing:
            raise TableError(self.missing_columns(missing))
        return [(self.names.index(name), name) for name in names]

    def _number(self, line: int, text: str, name: str) -> float:
        number = _read(text, self.decimal)
        if number is not None and math.isfinite(number):
            return number
        place = f"{self.source}: line {line}, column {name!r}"
        rule = "a finite number" if self.decimal == "." else "a finite number with a decimal comma"
        if text.strip().lower() in MISSING:
            got = repr(text) if text.strip() else "an empty field"
            raise TableError(wording(place, rule, got, "Leave out such rows with --missing drop."))
        raise TableError(wording(place, rule, repr(text), self._remedy(text)))

    def _remedy(self, text: str) -> str:
        """Return how to write or read a number that has other signs."""
        if self.decimal == "," and "." in text and _read(text, ".") is not None:
            return "Read numbers with a decimal point without --decimal."
        if self.decimal == "." and "," in text and _read(text, ",") is not None:
            return "If the comma is the decimal sign, add --decimal ,"
        parts = [text.replace(",", ""), text.replace(".", "").replace(",", ".")]
        has_separators = "," in text and any(_read(part, ".") is not None for part in parts)
        return "Write numbers without separators of thousands." if has_separators else ""


def listed(names: Iterable[str]) -> str:
    """Return names as errors list them."""
    return ", ".join(repr(name) for name in names)


def read_table(path: str, decimal: str = ".") -> Table:
    """Read a table from a file, or from standard input if the path is "-".

    The decimal sign of its numbers is a point or a comma. The delimiter is a tab, a semicolon or a comma: the one that
    splits the header and the first row into the same number of fields, else the one that splits the header into most
    fields. Empty lines are skipped.

    Raises
    ------
    TableError
        If the table is empty, has no header, or has a row whose number of fields is not that of the header.
    OSError
        If the file cannot be read.
    """
    piped = path == STANDARD_INPUT
    if piped and sys.stdin is None:
        raise TableError("There is no standard input. Give the name of a file.")
    with open(sys.stdin.fileno() if piped else path, "rb", closefd=not piped) as file:
        lines = file.read().removeprefix(codecs.BOM_UTF8).splitlines(keepends=True)
    source = "standard input" if piped else path
    records = _records(source, lines, max(DELIMITERS, key=lambda delimiter: _delimiter_score(lines, delimiter)))
    line, header = next(records, (1, []))
    names = _names(f"{source}: line {line}", header)
    rows = list(records)
    for line, row in rows:
        if len(row) != len(names):
            fields = counted(len(names), "field")
            raise TableError(f"{source}: line {line} must have {fields}, as the header does, got {len(row)}.")
    if not rows:
        raise TableError(f"{source} must have at least one row below its header, got none.")
    return Table(source, names, rows, decimal)


def _records(source: str, lines: Sequence[bytes], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line and the fields of each record that is not empty."""
    text = (line.decode() for line in lines)  # UTF-8, whatever the locale's encoding
    reader = csv.reader(text, delimiter=delimiter, skipinitialspace=True, strict=True)
    end = 0
    try:
        for record in reader:
            end = reader.line_num
            if record:
                yield end, record
    except UnicodeDecodeError as error:
        got, remedy = f"{error.reason} on line {reader.line_num + 1}", 'Save it as UTF-8 ("CSV UTF-8" in Excel).'
        raise TableError(wording(source, "text in UTF-8", got, remedy)) from error
    except csv.Error as error:
        raise TableError(f"{source}: the row that starts on line {end + 1} cannot be read: {error}.") from error


def _delimiter_score(lines: Sequence[bytes], delimiter: str) -> float:
    """Return the number of fields of the header, or infinity if the first row has the same number, above 1."""
    records = _records("", lines, delimiter)
    header = row = 0
    with suppress(TableError, StopIteration):
        header = len(next(records)[1])
        row = len(next(records)[1])
    return math.inf if header == row > 1 else header


def _names(place: str, header: list[str]) -> list[str]:
    """Check the header and return the names of the columns."""
    names = [name.strip() for name in header]
    rule = "the names of the columns"
    if not any(names):
        raise TableError(wording(place, rule, "nothing"))
    for i, name in enumerate(names):
        if name and name in names[:i]:
            raise TableError(wording(place, rule, f"{name!r} twice"))
    if all(_read(name.replace(",", "."), ".") is not None for name in names if name):
        raise TableError(wording(place, rule, f"numbers ({listed(names)})", "Add a line with the names above them."))
    return names


def _read(text: str, decimal: str) -> float | None:
    """Return the number that a text represents, else None. Python also reads "1_000", which tables do not use."""
    if decimal == ",":
        if "." in text:
            return None
        text = text.replace(",", ".")
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None

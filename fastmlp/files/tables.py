"""Delimited text with a header, read from a file or a pipe; every error names the line and the column."""

from __future__ import annotations

import codecs
import csv
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from fastmlp.checks import counted, wording
from fastmlp.engines.engine import Array

DELIMITERS = "\t;,"  # the comma last: where another delimiter does as well, commas stand within names and numbers
STANDARD_INPUT = "-"


class TableError(ValueError):
    """A table cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Table:
    """The text of a table: the names of its columns, and its rows, each after the line that it ends on."""

    source: str
    names: Sequence[str]
    rows: Sequence[tuple[int, Sequence[str]]]

    def columns(self, names: Sequence[str]) -> Array:
        """Return some columns as numbers (n_rows, n_names); a TableError where one is not a finite number."""
        missing = [name for name in names if name not in self.names]
        if missing:
            raise TableError(self.lacking(missing))
        places = [(self.names.index(name), name) for name in names]
        numbers = [self._number(line, row[place], name) for line, row in self.rows for place, name in places]
        return np.reshape(numbers, (len(self.rows), len(places)))

    def lacking(self, names: Sequence[str]) -> str:
        """Return the text of an error: there are no such columns."""
        remedy = " Columns are separated by commas, semicolons or tabs." if len(self.names) == 1 else ""
        return f"{self.source} has no column {listed(names)}; it has {listed(self.names)}.{remedy}"

    def _number(self, line: int, text: str, name: str) -> float:
        number = _read(text)
        if number is not None and math.isfinite(number):
            return number
        place = f"{self.source}: line {line}, column {name!r}"
        has_comma = "," in text and _read(text.replace(",", "")) is not None
        remedy = "Numbers need a decimal point, and no commas." if has_comma else ""
        raise TableError(wording(place, "a finite number", repr(text) if text.strip() else "an empty field", remedy))


def listed(names: Iterable[str]) -> str:
    """Return names as they are read out in an error."""
    return ", ".join(repr(name) for name in names)


def read_table(path: str) -> Table:
    """Read a table; "-" is standard input.

    The delimiter is the one of tab, semicolon and comma that splits header and first row into equally many fields, or
    else the header into most. Empty lines are passed over.

    Raises
    ------
    TableError
        If it is empty, has no header, or a line has not as many fields as the header.
    OSError
        If the file cannot be read.
    """
    piped = path == STANDARD_INPUT
    with open(sys.stdin.fileno() if piped else path, "rb", closefd=not piped) as file:
        lines = file.read().removeprefix(codecs.BOM_UTF8).splitlines(keepends=True)
    source = "standard input" if piped else path
    records = _records(source, lines, max(DELIMITERS, key=lambda delimiter: _merit(lines, delimiter)))
    line, header = next(records, (1, []))
    names = _names(f"{source}: line {line}", header)
    rows = list(records)
    for line, row in rows:
        if len(row) != len(names):
            rule = f"of {counted(len(names), 'field')}, as the header is"
            raise TableError(wording(f"{source}: line {line}", rule, f"{len(row)}"))
    if not rows:
        raise TableError(f"{source} must have at least one row below its header, got none.")
    return Table(source, names, rows)


def _records(source: str, lines: Sequence[bytes], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the records that are not empty, each after the line that it ends on."""
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
        raise TableError(f"{source}: what starts on line {end + 1} cannot be read: {error}.") from error


def _merit(lines: Sequence[bytes], delimiter: str) -> float:
    """Return the number of fields that a delimiter gives the header; beyond any if the first row has as many."""
    records = _records("", lines, delimiter)
    header = row = 0
    with suppress(TableError, StopIteration):
        header = len(next(records)[1])
        row = len(next(records)[1])
    return math.inf if header == row > 1 else header


def _names(place: str, header: list[str]) -> list[str]:
    """Check the header."""
    names = [name.strip() for name in header]
    rule = "the names of the columns"
    if not any(names):
        raise TableError(wording(place, rule, "nothing"))
    for i, name in enumerate(names):
        if not name or name in names[:i]:
            got = f"{name!r} twice" if name else f"no name for column {i + 1}"
            raise TableError(wording(place, rule, got))
    if all(_read(name) is not None for name in names):
        raise TableError(wording(place, rule, f"numbers ({listed(names)})", "Put a header above them."))
    return names


def _read(text: str) -> float | None:
    """Return the number that a text is; "1_000" is one in Python, but in no table."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None

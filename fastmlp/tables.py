"""Delimited text with a header, read from a file or a pipe; every error names the line and the column."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TextIO

import numpy as np

from fastmlp.checks import counted, wording
from fastmlp.engine import Array

DELIMITERS = ",;\t"
STANDARD_INPUT = "-"


class TableError(ValueError):
    """A table cannot be used; the message says where and why."""


@dataclass(frozen=True)
class Table:
    """The text of a table: the names of its columns, its rows, and the line that each row ends on."""

    source: str
    names: Sequence[str]
    rows: Sequence[Sequence[str]]
    lines: Sequence[int]

    def columns(self, names: Sequence[str]) -> Array:
        """Return some columns as numbers (n_rows, n_names); a TableError where one is not a finite number."""
        places = [self._place(name) for name in names]
        numbers = np.empty((len(self.rows), len(places)))
        for i, row in enumerate(self.rows):
            for j, place in enumerate(places):
                numbers[i, j] = self._number(i, row[place], names[j])
        return numbers

    def _place(self, name: str) -> int:
        if name not in self.names:
            raise TableError(f"{self.source} has no column {name!r}; it has {listed(self.names)}.")
        return list(self.names).index(name)

    def _number(self, row: int, text: str, name: str) -> float:
        number = _read(text)
        if number is not None and math.isfinite(number):
            return number
        place = f"{self.source}: line {self.lines[row]}, column {name!r}"
        raise TableError(wording(place, "a finite number", repr(text) if text.strip() else "an empty field"))


def listed(names: Iterable[str]) -> str:
    """Return names as they are read out in an error."""
    return ", ".join(repr(name) for name in names)


def read_table(path: str) -> Table:
    """Read a table; "-" is standard input.

    The delimiter is the one of comma, semicolon and tab that the header has most of. Empty lines are passed over.

    Raises
    ------
    TableError
        If it is empty, has no header, or a line has not as many fields as the header.
    OSError
        If the file cannot be read.
    """
    piped = path == STANDARD_INPUT
    opened = sys.stdin.fileno() if piped else path
    with open(opened, encoding="utf-8-sig", newline="", closefd=not piped) as file:  # whatever the locale's encoding
        return _parse("standard input" if piped else path, file)


def _parse(source: str, file: TextIO) -> Table:
    rows: list[list[str]] = []
    lines: list[int] = []
    line = 1
    try:
        header = file.readline()
        delimiter = max(DELIMITERS, key=header.count)
        names = _names(source, next(csv.reader([header], delimiter=delimiter, strict=True), []))
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        for row in reader:
            line = 1 + reader.line_num
            if row and len(row) != len(names):
                rule = f"of {counted(len(names), 'field')}, as the header is"
                raise TableError(wording(f"{source}: line {line}", rule, f"{len(row)}"))
            if row:
                rows.append(row)
                lines.append(line)
    except UnicodeDecodeError as error:
        raise TableError(f"{source} must be text in UTF-8, got {error.reason} after line {line}.") from error
    except csv.Error as error:
        raise TableError(f"{source}: what follows line {line} cannot be read: {error}.") from error
    if not rows:
        raise TableError(f"{source} must have at least one row below its header, got none.")
    return Table(source, names, rows, lines)


def _names(source: str, header: list[str]) -> list[str]:
    """Check the header."""
    names = [name.strip() for name in header]
    rule = "the names of the columns"
    if not any(names):
        raise TableError(wording(f"{source}: line 1", rule, "nothing"))
    for place, name in enumerate(names):
        if not name or name in names[:place]:
            got = f"{name!r} twice" if name else f"no name for column {place + 1}"
            raise TableError(wording(f"{source}: line 1", rule, got))
    if all(_read(name) is not None for name in names):
        raise TableError(wording(f"{source}: line 1", rule, f"numbers ({listed(names)})", "Put a header above them."))
    return names


def _read(text: str) -> float | None:
    """Return the number that a text is; "1_000" is one in Python, but in no table."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None

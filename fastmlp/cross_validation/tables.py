"""The standardised tables of a round: all rows, and the training and test rows of each fold."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastmlp.cross_validation.coordinates import Coordinates, find_coordinates
from fastmlp.cross_validation.folds import Fold
from fastmlp.cross_validation.rows import Rows
from fastmlp.engines.engine import Array
from fastmlp.engines.net_batches.batch import TableRows


class FoldTables(NamedTuple):
    """For each fold the coordinates of its training rows, and its training and test rows in these coordinates."""

    within: list[Coordinates]
    trained: list[TableRows]
    tested: list[TableRows]


class RoundTables(NamedTuple):
    """All rows in their own coordinates, and the folds."""

    coordinates: Coordinates
    all_rows: TableRows
    folds: FoldTables


def all_coordinates(rows: Rows, folds: Sequence[Fold]) -> list[Coordinates]:
    """Return the coordinates of all rows, then those of the training rows of each fold."""
    parts = [np.arange(len(rows.x)), *(fold.train for fold in folds)]
    return [find_coordinates(rows.x[part], rows.y[part], rows.weight[part]) for part in parts]


def round_tables(rows: Rows, folds: Sequence[Fold], coordinates: Sequence[Coordinates]) -> RoundTables:
    """Return the tables in coordinates as `all_coordinates` returns them."""

    def table(own: Coordinates, part: Array) -> TableRows:
        return own.table(rows.x[part], rows.y[part], rows.weight[part])

    first, *within = coordinates
    trained = [table(own, fold.train) for own, fold in zip(within, folds, strict=True)]
    tested = [table(own, fold.test) for own, fold in zip(within, folds, strict=True)]
    return RoundTables(first, first.table(rows.x, rows.y, rows.weight), FoldTables(within, trained, tested))

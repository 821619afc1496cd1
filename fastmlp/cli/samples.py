"""From a table to samples: reading it, choosing its columns, leaving out rows with missing values."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from fastmlp.checks import counted
from fastmlp.cli.errors import UsageError
from fastmlp.cli.output import first_few, tell
from fastmlp.engines.engine import Array
from fastmlp.files.tables import Table, TableError, listed, read_table
from fastmlp.training.progress import Activity


def read(path: str, decimal: str) -> Table:
    """Read a table, and say so if it takes long."""
    with Activity(None) as activity:
        activity.begin(f"reading {path}")
        return read_table(path, decimal)


def input_names(args: argparse.Namespace, table: Table) -> list[str]:
    """Return the names of the input columns, after checking that every named column exists and is named once."""
    named = [*args.target, *([args.weight] if args.weight else [])]
    inputs = args.inputs or [name for name in table.names if name not in named]
    if not args.inputs:
        check_all_named(table)
    check_columns(table, [*named, *inputs])
    if not inputs:
        raise UsageError(f"{table.source} must have an input column besides {listed(named)}.")
    return inputs


def check_all_named(table: Table) -> None:
    """Check that a table of which all columns are used has no column without a name."""
    if "" in table.names:
        number = table.names.index("") + 1
        raise UsageError(f"{table.source}: column {number} has no name. Name the inputs with --inputs to ignore it.")


def check_columns(table: Table, names: Sequence[str]) -> None:
    """Check that columns exist and are named once."""
    for name in names:
        if not table.has(name):
            raise UsageError(table.missing_columns([name]))
        if names.count(name) > 1:
            raise UsageError(f"column {name!r} must be used only once.")


def used_rows(table: Table, names: Sequence[str], missing: str) -> Table:
    """Return the table, without the rows that have missing values in some columns if `missing` is "drop"."""
    if missing != "drop":
        return table
    complete = table.complete(names)
    kept = {line for line, _ in complete.rows}
    dropped = [f"line {line}" for line, _ in table.rows if line not in kept]
    if dropped:
        tell(f"{table.source}: left out {counted(len(dropped), 'row')} with missing values: {first_few(dropped)}")
    return complete


def samples(table: Table, inputs: Sequence[str], args: argparse.Namespace) -> tuple[Array, ...]:
    """Return x and y, and the sample weights if their column is named."""
    targets, weight = args.target, args.weight
    table = used_rows(table, [*inputs, *targets, *([weight] if weight else [])], args.missing)
    x, y = table.columns(inputs), table.columns(targets)
    found = (x, y[:, 0] if len(targets) == 1 else y)
    if weight is None:
        return found
    weights = table.columns([weight])[:, 0]
    if (weights < 0).any() or not weights.any():
        raise TableError(f"{table.source}: column {weight!r} must contain weights of at least 0, and one above 0.")
    return *found, weights


def announce(table: Table, n_rows: int, targets: Sequence[str], inputs: Sequence[str]) -> None:
    """Say what is fitted to what."""
    tell(f"{table.source}: {counted(n_rows, 'row')}; fitting {listed(targets)} from {listed(inputs)}")

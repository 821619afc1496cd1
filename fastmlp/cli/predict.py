"""``fastmlp predict``: predictions for the rows of a table, and intervals."""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

import fastmlp
from fastmlp.checks import counted, wording
from fastmlp.cli.arguments import add_table, json_option
from fastmlp.cli.destinations import check_destinations
from fastmlp.cli.errors import CommandError, UsageError
from fastmlp.cli.facts import loaded
from fastmlp.cli.output import first_few, tell
from fastmlp.cli.samples import check_all_named, check_columns, read, used_rows
from fastmlp.engines.engine import Array
from fastmlp.files.atomic import replacing
from fastmlp.files.tables import Table, TableError, listed


def add(commands: Any) -> None:
    """Add the subcommand."""
    line = "predict targets from a table with a saved model"
    parser = commands.add_parser("predict", parents=[json_option()], help=line, description=line)
    parser.add_argument("model", metavar="MODEL.npz", help="file of the model")
    add_table(parser, "names of the input columns, in the order of the fit (default: the names of the fit)")
    interval = "add the ends of an interval for new observations, such as 0.9; requires a model of fit-cv"
    parser.add_argument("--interval", type=float, metavar="COVERAGE", help=interval)
    parser.add_argument("--out", metavar="PREDICTED.csv", help="file for the predictions (default: standard output)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Predict and write the predictions."""
    if args.data.endswith(".npz"):
        raise UsageError(wording("the model", "named before the table", f"{args.model} before {args.data}"))
    if args.out is None and sys.stdout is None:
        raise UsageError("--out must name a file for the predictions, because there is no standard output.")
    check_destinations([args.out], [args.model, args.data])
    model = loaded(args.model)
    table = read(args.data, args.decimal)
    inputs = _inputs_of(model, table, args.inputs)
    table = used_rows(table, inputs, args.missing)
    x = table.columns(inputs)
    columns = _predictions(model, x, args.interval)
    _tell_outside(model, table, inputs, x)
    if args.out is None:
        _write(sys.stdout, columns, args.json)
        return
    with replacing(args.out) as temporary, temporary.open("x", encoding="utf-8") as file:
        _write(file, columns, args.json)


def _inputs_of(model: fastmlp.Model, table: Table, named: list[str] | None) -> Sequence[str]:
    """Return the input columns: those named, else those with the names of the fit, else all columns."""
    known = model.feature_names
    inputs = named or known or table.names
    if named is None and known is not None:
        missing = [name for name in known if not table.has(name)]
        if missing:
            remedy = "If the columns have other names, list them with --inputs."
            raise TableError(f"{table.missing_columns(missing)} {remedy}")
    if inputs is table.names:
        check_all_named(table)
    check_columns(table, inputs)
    if len(inputs) != model.n_in:
        given = f"{table.source} has" if named is None else "--inputs names"
        rule = f"the inputs of the model must be {counted(model.n_in, 'column')}, but {given} {len(inputs)}."
        raise UsageError(f"{rule} Name them with --inputs.")
    if known is not None and any(name in known and name != known[i] for i, name in enumerate(inputs)):
        raise UsageError(wording("--inputs", f"in the order of the fit ({listed(known)})", listed(inputs)))
    return inputs


def _predictions(model: fastmlp.Model, x: Array, coverage: float | None) -> dict[str, Array]:
    """Return the columns of the result: the predictions, and the ends of the intervals after each of them.

    Their headers differ from those of the table.
    """
    parts = {"predicted": model.predict(x)}
    if coverage is not None:
        try:
            parts["low"], parts["high"] = model.predict_interval(x, coverage)
        except AttributeError as error:
            raise CommandError(
                "--interval requires a model of fastmlp fit-cv, which keeps the errors of folds."
            ) from error
        except ValueError as error:
            raise UsageError(f"--interval: {error}") from error
        if not math.isfinite(float(max(parts["high"].max(), 0.0))):
            tell(
                "fastmlp predict: warning: the model has too few samples for this coverage; the intervals are infinite."
            )
    outputs = {what: values.reshape(len(x), -1) for what, values in parts.items()}
    names: Sequence[object] = model.target_names or (range(1, model.n_out + 1) if model.n_out > 1 else ("",))
    return {
        f"{what}_{name}" if name else what: values[:, k]
        for k, name in enumerate(names)
        for what, values in outputs.items()
    }


def _tell_outside(model: fastmlp.Model, table: Table, inputs: Sequence[str], x: Array) -> None:
    """Warn of rows outside the range of the training data, by their lines."""
    if model.x_range is None:
        return
    low, high = model.x_range.T
    is_outside = (x < low) | (x > high)
    rows = is_outside.any(axis=1).nonzero()[0]
    outside = []
    for row, column in zip(rows, is_outside[rows].argmax(axis=1), strict=True):
        excess = _excess(inputs[column], x[row, column], model.x_range[column])
        outside.append(f"line {table.rows[row][0]} ({excess})")
    if outside:
        share = f"{len(outside)} of {counted(len(x), 'row')}"
        verb = "is" if len(outside) == 1 else "are"
        tell(f"fastmlp predict: warning: {share} {verb} outside the trained range: {first_few(outside)}")


def _excess(name: str, value: float, limits: Array) -> str:
    """Return by which value an input is outside its limits."""
    low, high = limits
    return f"{name} {value:.6g} is below {low:.6g}" if value < low else f"{name} {value:.6g} is above {high:.6g}"


def _write(file: TextIO, columns: Mapping[str, Array], as_json: bool) -> None:
    if as_json:  # which has no infinity
        rows = {name: [v if math.isfinite(v) else None for v in values.tolist()] for name, values in columns.items()}
        json.dump(rows, file)
        file.write("\n")
    else:
        rows_of_text = zip(*(values.astype(str) for values in columns.values()), strict=True)
        csv.writer(file, lineterminator="\n").writerows([[*columns], *rows_of_text])

"""``fastmlp export``: a saved model as a C function, an ONNX graph or a table of breakpoints."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import fastmlp
from fastmlp.checks import counted
from fastmlp.cli.destinations import check_destinations, check_different
from fastmlp.cli.errors import CommandError, UsageError
from fastmlp.cli.output import tell
from fastmlp.exporting.c_function import Request
from fastmlp.exporting.c_source import NUMBERS, Source
from fastmlp.files.archives import FileFormatError
from fastmlp.files.atomic import replacing
from fastmlp.files.tables import listed
from fastmlp.models.exportable import Exportable, c_source_of, exported_net

DTYPES = {"float": "float32", "double": "float64"}


def add(commands: Any) -> None:
    """Add the subcommand."""
    line = "write a saved model, or the average of an ensemble, as C, ONNX or a table"
    parser = commands.add_parser("export", help=line, description=line)
    parser.add_argument("model", metavar="MODEL.npz", help="file of the model or of the ensemble")
    parser.add_argument("--c", metavar="SENSOR.c", help="file for a C function with a self-test")
    parser.add_argument("--onnx", metavar="NET.onnx", help="file for an ONNX graph")
    parser.add_argument("--table", metavar="TABLE.csv", help="file for the breakpoints of a model with one input")
    formats = "numbers of the C function or the graph (default: float); fixed is for C only"
    parser.add_argument("--format", choices=NUMBERS, default="float", help=formats)
    parser.add_argument("--clamp", action="store_true", help="C: clamp the inputs to the trained range")
    parser.add_argument("--name", help="C: name of the function (default: the name of the file)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the files. Nothing is written if one of the formats is impossible."""
    files = {"c": args.c, "onnx": args.onnx, "table": args.table}
    if not any(name is not None for name in files.values()):
        raise UsageError("name a file with --c, --onnx or --table.")
    if args.c is None and (args.clamp or args.name is not None):
        raise UsageError(f"{'--clamp' if args.clamp else '--name'} requires --c.")
    if args.onnx is not None and args.format == "fixed":
        raise UsageError("--onnx requires --format float or --format double.")
    check_different(**files)
    check_destinations([*files.values()], [args.model])
    model = _loaded(args.model)
    try:
        rows = None if args.table is None else _table(model)
        source = None if args.c is None else _source(model, args)
        if args.onnx is not None:
            model.to_onnx(args.onnx, DTYPES[args.format])
    except (ImportError, ValueError) as error:
        raise CommandError(str(error)) from error
    if rows is not None:
        with replacing(args.table) as temporary, temporary.open("x", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        tell(f"{args.table}: {counted(len(rows) - 1, 'point')}")
    if source is not None:
        with replacing(args.c) as temporary:
            temporary.write_text(source.text, encoding="ascii")
        tell(f"{args.c}: tables of {source.table_bytes:,} bytes of flash")


def _loaded(path: str) -> Exportable:
    """Read a model or an ensemble."""
    try:
        return fastmlp.load(path)
    except FileFormatError as error:
        try:
            return fastmlp.Ensemble.load(path)
        except FileFormatError:
            raise CommandError(str(error)) from error


def _source(model: Exportable, args: argparse.Namespace) -> Source:
    """Return the source of the C function."""
    name = Path(args.c).stem if args.name is None else args.name
    try:
        return c_source_of(model, Request(name, args.format, args.clamp))
    except ValueError as error:
        remedy = " Give the function another name with --name." if "C identifier" in str(error) else ""
        raise CommandError(f"{error}{remedy}") from error


def _table(model: Exportable) -> list[Sequence[object]]:
    """Return the header and the rows of the table, which is for linear interpolation within the trained range."""
    net = exported_net(model)
    if net.n_in > 1:
        inputs = f" ({listed(net.feature_names)})" if net.feature_names else ""
        raise ValueError(f"--table requires a model with one input; this one has {net.n_in}{inputs}.")
    curve = model.to_piecewise(clamp=True)
    outputs = net.target_names or (["y"] if net.n_out == 1 else [f"y{k}" for k in range(1, net.n_out + 1)])
    header = [*(net.feature_names or ["x"]), *outputs]
    values = curve.values.reshape(len(curve.breakpoints), -1)
    return [header, *([float(x), *y] for x, y in zip(curve.breakpoints, values.tolist(), strict=True))]

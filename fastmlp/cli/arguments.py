"""The subcommands of the command ``fastmlp`` and their arguments."""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, get_type_hints

import fastmlp
from fastmlp.starting.options import FitOptions

# The options of `fastmlp.fit` that ``fastmlp fit`` takes as they are declared, and the placeholders of their values.
OPTIONS = {
    "hidden": "N",
    "epochs": "N",
    "lr": "RATE",
    "negative_slope": "S",
    "optimizer": "NAME",
    "momentum": "M",
    "weight_decay": "D",
    "batch_size": "N",
    "patience": "N",
}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; its result names the subcommand in `command`."""
    command = argparse.ArgumentParser(prog="fastmlp", description=fastmlp.__doc__)
    command.add_argument("--version", action="version", version=f"fastmlp {fastmlp.__version__}")
    commands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print the result as JSON")

    fit = commands.add_parser("fit", parents=[as_json], help="train a network on a table and save it")
    _add_table(fit, "names of the input columns (default: all other columns)")
    target = "name of the column to predict, or several names: Y,Z"
    fit.add_argument("--target", action="extend", type=_names, required=True, metavar="Y", help=target)
    fit.add_argument("--weight", metavar="W", help="name of the column of sample weights (default: equal weights)")
    fit.add_argument("--out", required=True, metavar="MODEL.npz", help="file for the model")
    fit.add_argument("--plot", metavar="FIT.png", help="file for a plot of the fit and its history")
    _add_options(fit)
    validation = "table of validation samples with the same columns"
    fit.add_argument("--validation", metavar="TABLE.csv", help=validation)
    fit.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random numbers (default: 0)")

    predict = commands.add_parser("predict", parents=[as_json], help="predict targets from a table with a saved model")
    predict.add_argument("model", metavar="MODEL.npz", help="file of the model")
    _add_table(predict, "names of the input columns, in the order of the fit (default: the names of the fit)")
    predict.add_argument("--out", metavar="PREDICTED.csv", help="file for the predictions (default: standard output)")

    info = commands.add_parser("info", parents=[as_json], help="describe a saved model and its training")
    info.add_argument("model", metavar="MODEL.npz", help="file of the model")

    commands.add_parser("warmup", help="compile all kernels ahead of time")
    commands.add_parser("versions", parents=[as_json], help="print the versions of the software, for a bug report")
    return command


def _add_table(parser: argparse.ArgumentParser, inputs: str) -> None:
    parser.add_argument("data", metavar="DATA.csv", help='delimited text with a header; "-" is standard input')
    quoting = "; quote a name that contains a comma: '\"T, K\",B'"
    parser.add_argument("--inputs", action="extend", type=_names, metavar="A,B", help=inputs + quoting)


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of `fastmlp.fit` with their declared types, defaults and first lines of documentation."""
    types = get_type_hints(FitOptions)
    for option in fields(FitOptions):
        if option.name in OPTIONS:
            default = "" if option.default is None else f" (default: {option.default})"
            line = option.metadata["line"].removesuffix(".")
            parser.add_argument(
                "--" + option.name.replace("_", "-"),
                type=_reader(types[option.name]),
                default=option.default,
                metavar=OPTIONS[option.name],
                help=line[0].lower() + line[1:] + default,
            )


def _reader(annotation: object) -> Callable[[str], Any]:
    """Return the function that turns text into a value of an option's type."""
    for kind in (int, float, str):
        if annotation in (kind, kind | None):
            return kind
    return float if annotation == float | Mapping[str, float] else _rate


def _names(text: str) -> list[str]:
    """Read a list of column names, written like the header of a table."""
    try:
        names = next(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"invalid names: {text!r} ({error})") from error
    return [name.strip() for name in names or [""]]


def _rate(text: str) -> float | str:
    if text in ("auto", "constant"):
        return text
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid rate: {text!r} (a number, auto or constant)") from error

"""What the command `fastmlp` can be told: its subcommands and their options."""

from __future__ import annotations

import argparse
import csv

import fastmlp


def parser() -> argparse.ArgumentParser:
    """Return what reads the arguments of the command; the attribute `command` names the subcommand."""
    command = argparse.ArgumentParser(prog="fastmlp", description=fastmlp.__doc__)
    command.add_argument("--version", action="version", version=f"fastmlp {fastmlp.__version__}")
    commands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print the result as JSON")

    fit = commands.add_parser("fit", parents=[as_json], help="train a net on a table and save it")
    _add_table(fit, "the columns of the inputs (all others)")
    target = "the column to predict, or several: Y,Z"
    fit.add_argument("--target", action="extend", type=_names, required=True, metavar="Y", help=target)
    fit.add_argument("--weight", metavar="W", help="the column of sample weights (all 1)")
    fit.add_argument("--out", required=True, metavar="MODEL.npz", help="where the model goes")
    fit.add_argument("--plot", metavar="FIT.png", help="where a picture of the fit and its course goes (none)")
    fit.add_argument("--hidden", type=int, default=1000, metavar="N", help="hidden units (%(default)s)")
    fit.add_argument("--epochs", type=int, default=32000, metavar="N", help="passes over the data (%(default)s)")
    fit.add_argument("--lr", type=_rate, default="auto", metavar="RATE", help="learning rate (%(default)s)")
    fit.add_argument("--negative-slope", type=float, default=0.0, metavar="S", help="of leaky units (%(default)s)")
    fit.add_argument("--optimizer", default="sgd", metavar="NAME", help="sgd or adam (%(default)s)")
    fit.add_argument("--momentum", type=float, default=0.0, metavar="M", help="of sgd (%(default)s)")
    fit.add_argument("--weight-decay", type=float, default=0.0, metavar="D", help="L2 penalty (%(default)s)")
    fit.add_argument("--batch-size", type=int, metavar="N", help="samples in a mini-batch (all)")
    fit.add_argument("--validation", metavar="TABLE.csv", help="a table with the same columns to stop by (none)")
    fit.add_argument("--patience", type=int, metavar="N", help="epochs to wait for a smaller RMSE, on it if given")
    fit.add_argument("--seed", type=int, default=0, metavar="N", help="of the initial weights (%(default)s)")

    predict = commands.add_parser("predict", parents=[as_json], help="evaluate a saved net on a table")
    predict.add_argument("model", metavar="MODEL.npz", help="a model that fit saved")
    _add_table(predict, "the columns of the inputs, in the order of the fit (found by their names)")
    predict.add_argument("--out", metavar="PREDICTED.csv", help="where the predictions go (standard output)")

    info = commands.add_parser("info", parents=[as_json], help="say what a saved net is and how it was trained")
    info.add_argument("model", metavar="MODEL.npz", help="a model that fit saved")

    commands.add_parser("warmup", help="compile ahead of time what fits will need")
    commands.add_parser("versions", parents=[as_json], help="print what a bug report needs to say")
    return command


def _add_table(parser: argparse.ArgumentParser, inputs: str) -> None:
    parser.add_argument("data", metavar="DATA.csv", help='delimited text with a header; "-" is standard input')
    quoting = "; one with a comma in quotes: '\"T, K\",B'"
    parser.add_argument("--inputs", action="extend", type=_names, metavar="A,B", help=inputs + quoting)


def _names(text: str) -> list[str]:
    """Read a list of column names, which is written as the header of a table."""
    try:
        names = next(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"invalid names: {text!r} ({error})") from error
    return [name.strip() for name in names or [""]]


def _rate(text: str) -> float | str:
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid rate: {text!r} (a number, or auto)") from error

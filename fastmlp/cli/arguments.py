"""Arguments that several subcommands have, and the readers of their values."""

from __future__ import annotations

import argparse
import csv

from fastmlp.files.tables import DECIMAL_SIGNS


def json_option() -> argparse.ArgumentParser:
    """Return a parent parser with the option --json."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--json", action="store_true", help="print the result as JSON")
    return parent


def add_table(parser: argparse.ArgumentParser, inputs: str) -> None:
    """Add the table and how it is read; `inputs` is the help of --inputs."""
    parser.add_argument("data", metavar="DATA.csv", help='delimited text with a header; "-" is standard input')
    quoting = "; quote a name that contains a comma: '\"T, K\",B'"
    parser.add_argument("--inputs", action="extend", type=names, metavar="A,B", help=inputs + quoting)
    decimal = "decimal sign of the numbers: . or , (default: .)"
    parser.add_argument("--decimal", choices=DECIMAL_SIGNS, default=".", metavar="SIGN", help=decimal)
    missing = "what to do with rows that lack a value in a used column (default: error)"
    parser.add_argument("--missing", choices=("error", "drop"), default="error", help=missing)


def add_fit(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of every fit: the table, its columns, the results and the seed."""
    add_table(parser, "names of the input columns (default: all other columns)")
    target = "name of the column to predict, or several names: Y,Z"
    parser.add_argument("--target", action="extend", type=names, required=True, metavar="Y", help=target)
    parser.add_argument("--weight", metavar="W", help="name of the column of sample weights (default: equal weights)")
    parser.add_argument("--out", required=True, metavar="MODEL.npz", help="file for the model")
    parser.add_argument("--plot", metavar="FIT.png", help="file for a plot of the fit")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the random numbers (default: 0)")


def names(text: str) -> list[str]:
    """Read a list of column names, written like the header of a table."""
    try:
        fields = next(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"invalid names: {text!r} ({error})") from error
    return [name.strip() for name in fields or [""]]

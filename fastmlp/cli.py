"""The command ``fastmlp``: fit a table, predict, look at a model, compile ahead of time.

Results go to standard output, and with --json nothing else does; what happens meanwhile goes to standard error. The
exit code is 0, or 1 where the command failed, or 2 where it was given wrongly.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import fastmlp
from fastmlp.engine import Array
from fastmlp.files import replacing
from fastmlp.recording import record_at
from fastmlp.tables import STANDARD_INPUT, Table, TableError, listed, read_table
from fastmlp.versions import installation

FAILED, WRONGLY_GIVEN = 1, 2
INFO_FACTS = ("algorithm", "method", "lr", "epochs_run", "best_epoch", "stop_reason", "fit_seconds", "compile_seconds")


class UsageError(Exception):
    """The command was given wrongly; the message says how."""


class CommandError(Exception):
    """The command failed; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; arguments are those of the process by default."""
    args = _parser().parse_args(arguments)
    command = f"fastmlp {args.command}"

    def show_warning(message: Warning | str, *_: object, **__: object) -> None:
        _tell(f"{command}: warning: {message}")

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            args.run(args)
            sys.stdout.flush()
    except UsageError as error:
        _tell(f"{command}: error: {error}")
        return WRONGLY_GIVEN
    except BrokenPipeError:  # nobody reads on; the interpreter must not flush into the pipe again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (CommandError, TableError, OSError, MemoryError, fastmlp.DivergenceError) as error:
        _tell(f"{command}: error: {error}")
        return FAILED
    except KeyboardInterrupt:
        _tell(f"{command}: error: interrupted.")
        return FAILED
    return 0


def _fit(args: argparse.Namespace) -> None:
    _check_destinations([args.out, args.plot], [args.data, args.validation])
    if args.plot:
        _check_plot(args.plot, args.out)
    table = read_table(args.data)
    inputs = _inputs(args, table)
    samples = _samples(table, inputs, args.target, args.weight)
    validation = None
    if args.validation:
        validation = _samples(read_table(args.validation), inputs, args.target, args.weight)
    n_rows = len(table.rows)
    _tell(f"{table.source}: {n_rows} rows; fitting {listed(args.target)} from {listed(inputs)}")
    model = _trained(args, samples, validation)
    model.save(args.out)
    if args.plot:
        _plot(model, samples, args.plot)
    result = _facts(model) | {"n_samples": n_rows, "inputs": inputs, "targets": args.target, "model": args.out}
    _print_facts(result, args.json)
    if model.info is not None and model.info.stop_reason == "interrupted":
        raise CommandError(f"interrupted; {args.out} holds the model so far.")


def _inputs(args: argparse.Namespace, table: Table) -> list[str]:
    """Return the columns of the inputs; every column named must be there, and be named once."""
    named = [*args.target, *([args.weight] if args.weight else [])]
    inputs = args.inputs or [name for name in table.names if name not in named]
    _check_columns(table, [*named, *inputs])
    if not inputs:
        raise UsageError(f"{table.source} must have a column beside {listed(named)}, got none.")
    return inputs


def _check_columns(table: Table, names: Sequence[str]) -> None:
    for name in names:
        if name not in table.names:
            raise UsageError(f"{table.source} has no column {name!r}; it has {listed(table.names)}.")
        if names.count(name) > 1:
            raise UsageError(f"column {name!r} must be used once, got it twice.")


def _samples(table: Table, inputs: list[str], targets: list[str], weight: str | None) -> tuple[Array, ...]:
    """Return x and y, and the weights if a column of them is named."""
    x, y = table.columns(inputs), table.columns(targets)
    samples = (x, y[:, 0] if len(targets) == 1 else y)
    if weight is None:
        return samples
    weights = table.columns([weight])[:, 0]
    if (weights < 0).any() or not weights.any():
        raise TableError(f"{table.source}: column {weight!r} must be weights of at least 0 that are not all 0.")
    return *samples, weights


def _trained(
    args: argparse.Namespace, samples: tuple[Array, ...], validation: tuple[Array, ...] | None
) -> fastmlp.Model:
    options = {name: getattr(args, name) for name in ("hidden", "epochs", "lr", "negative_slope", "optimizer")}
    options |= {name: getattr(args, name) for name in ("momentum", "weight_decay", "batch_size", "patience")}
    x, y, *weight = samples
    try:
        return fastmlp.fit(
            x, y, sample_weight=weight[0] if weight else None, rng=args.seed, validation=validation, **options
        )
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def _plot(model: fastmlp.Model, samples: tuple[Array, ...], path: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    fit, course = figure.subplots(1, 2)
    model.plot(*samples[:2], ax=fit)
    assert model.history is not None
    model.history.plot(ax=course)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _predict(args: argparse.Namespace) -> None:
    _check_destinations([args.out], [args.model, args.data])
    model = _loaded(args.model)
    table = read_table(args.data)
    inputs = args.inputs or table.names
    _check_columns(table, inputs)
    if len(inputs) != model.n_in:
        given = f"{table.source} has {len(inputs)} columns" if args.inputs is None else f"--inputs names {len(inputs)}"
        text = f"the inputs of the net must be {model.n_in} columns, but {given}. Name them with --inputs."
        raise UsageError(text)
    predicted = model.predict(table.columns(inputs)).reshape(len(table.rows), -1)
    if not args.out:
        _write_predictions(sys.stdout, predicted, args.json)
        return
    with replacing(args.out) as temporary, temporary.open("x", encoding="utf-8") as file:
        _write_predictions(file, predicted, args.json)


def _write_predictions(file: TextIO, predicted: Array, as_json: bool) -> None:
    n_out = predicted.shape[1]
    names = ["predicted"] if n_out == 1 else [f"predicted_{k}" for k in range(1, n_out + 1)]
    if as_json:
        json.dump({name: column.tolist() for name, column in zip(names, predicted.T, strict=True)}, file)
        file.write("\n")
    else:
        csv.writer(file, lineterminator="\n").writerows([names, *predicted.astype(str)])


def _info(args: argparse.Namespace) -> None:
    _print_facts(_facts(_loaded(args.model)), args.json)


def _warmup(args: argparse.Namespace) -> None:
    _tell("compiling every kernel; a minute or two where the cache is empty")
    fastmlp.warmup()


def _versions(args: argparse.Namespace) -> None:
    _print_facts(installation(), args.json)


def _loaded(path: str) -> fastmlp.Model:
    try:
        return fastmlp.load(path)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _facts(model: fastmlp.Model) -> dict[str, Any]:
    """Return what there is to say of a model, in types that JSON has."""
    facts: dict[str, Any] = {name: getattr(model, name) for name in ("n_in", "n_hidden", "n_out", "negative_slope")}
    facts["dtype"] = str(model.w1.dtype)
    if model.x_range is not None:
        facts["x_range"] = model.x_range.tolist()
    if model.info is not None:
        facts |= {name: getattr(model.info, name) for name in INFO_FACTS}
        facts["versions"] = dict(model.info.versions)
        if model.history is not None:
            record = record_at(model.history, model.info.best_epoch)
            facts["rmse"] = float(model.history.rmse[record])
            if model.history.val_rmse is not None:
                facts["val_rmse"] = float(model.history.val_rmse[record])
    return facts


def _print_facts(facts: dict[str, Any], as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    width = max(len(name) for name in facts)
    for name, fact in facts.items():
        sys.stdout.write(f"{name:{width}} {_shown(fact)}\n")


def _shown(fact: object) -> str:
    if isinstance(fact, float):
        return f"{fact:.6g}"
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_shown(value)}" for name, value in fact.items())
    if isinstance(fact, list):
        return ", ".join(f"[{_shown(part)}]" if isinstance(part, list) else _shown(part) for part in fact)
    return str(fact)


def _tell(text: str) -> None:
    """Say in one line what happens."""
    sys.stderr.write(" ".join(text.split()) + "\n")


def _check_destinations(written: Sequence[str | None], read: Sequence[str | None]) -> None:
    """Find out before hours of training whether their result can be written, and over nothing that is read."""
    sources = [Path(name).resolve() for name in read if name and name != STANDARD_INPUT]
    for path in (Path(name) for name in written if name):
        if path.is_dir() or not os.access(path.resolve().parent, os.W_OK):
            raise CommandError(f"{path} must be the name of a file in a folder that can be written to.")
        if path.resolve() in sources:
            raise UsageError(f"{path} must be the name of another file than one that is read.")


def _check_plot(plot: str, out: str) -> None:
    """Find out likewise whether the picture has a format, and a file of its own."""
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if Path(plot).suffix.lower().lstrip(".") not in kinds:
        raise UsageError(f"--plot must end in one of {', '.join(f'.{kind}' for kind in kinds)}, got {plot!r}.")
    if Path(plot).resolve() == Path(out).resolve():
        raise UsageError(f"--plot must be another file than --out, got {plot!r}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fastmlp", description=fastmlp.__doc__)
    parser.add_argument("--version", action="version", version=f"fastmlp {fastmlp.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    as_json = argparse.ArgumentParser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="print the result as JSON")

    fit = commands.add_parser("fit", parents=[as_json], help="train a net on a table and save it")
    fit.set_defaults(run=_fit)
    _add_table(fit, "the columns of the inputs (all others)")
    fit.add_argument("--target", type=_names, required=True, metavar="Y", help="the column to predict, or several: Y,Z")
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
    predict.set_defaults(run=_predict)
    predict.add_argument("model", metavar="MODEL.npz", help="a model that fit saved")
    _add_table(predict, "the columns of the inputs, in the order they had in the fit (all)")
    predict.add_argument("--out", metavar="PREDICTED.csv", help="where the predictions go (standard output)")

    info = commands.add_parser("info", parents=[as_json], help="say what a saved net is and how it was trained")
    info.set_defaults(run=_info)
    info.add_argument("model", metavar="MODEL.npz", help="a model that fit saved")

    commands.add_parser("warmup", help="compile ahead of time what fits will need").set_defaults(run=_warmup)
    versions = commands.add_parser("versions", parents=[as_json], help="print what a bug report needs to say")
    versions.set_defaults(run=_versions)
    return parser


def _add_table(parser: argparse.ArgumentParser, inputs: str) -> None:
    parser.add_argument("data", metavar="DATA.csv", help='delimited text with a header; "-" is standard input')
    parser.add_argument("--inputs", type=_names, metavar="A,B", help=inputs)


def _names(text: str) -> list[str]:
    """Read a list of column names."""
    return [name.strip() for name in text.split(",")]


def _rate(text: str) -> float | str:
    if text == "auto":
        return text
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid rate: {text!r} (a number, or auto)") from error

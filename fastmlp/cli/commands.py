"""The command ``fastmlp``: fit a table, predict, describe a model, compile ahead of time.

Results go to standard output; messages and warnings go to standard error. The exit code is 0 on success, 1 if the
command failed, and 2 if it was used wrongly.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO

import fastmlp
from fastmlp.checks import counted, wording
from fastmlp.cli.arguments import OPTIONS, parser
from fastmlp.engines.engine import Array
from fastmlp.files.atomic import replacing
from fastmlp.files.tables import STANDARD_INPUT, Table, TableError, listed, read_table
from fastmlp.models.history import record_at
from fastmlp.training.progress import Activity
from fastmlp.versions import installation

FAILED, USED_WRONGLY = 1, 2
INFO_FACTS = ("algorithm", "method", "lr", "epochs_run", "best_epoch", "stop_reason", "fit_seconds", "compile_seconds")


class UsageError(Exception):
    """The command was used wrongly."""


class CommandError(Exception):
    """The command failed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code.

    Parameters
    ----------
    arguments : sequence of str, optional
        Arguments of the command; those of the process by default.
    """
    args = parser().parse_args(arguments)
    command = f"fastmlp {args.command}"

    def show_warning(message: Warning | str, *_: object, **__: object) -> None:
        _tell(f"{command}: warning: {message}")

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            COMMANDS[args.command](args)
            if sys.stdout is not None:
                sys.stdout.flush()
    except UsageError as error:
        _tell(f"{command}: error: {error}")
        return USED_WRONGLY
    except BrokenPipeError:  # the reader is gone; the interpreter must not flush into the pipe again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (CommandError, TableError, OSError, MemoryError, UnicodeEncodeError, fastmlp.DivergenceError) as error:
        _tell(f"{command}: error: {error}")
        return FAILED
    except KeyboardInterrupt:
        _tell(f"{command}: error: interrupted.")
        return FAILED
    return 0


def _fit(args: argparse.Namespace) -> None:
    _check_destinations([args.out, args.plot], [args.data, args.validation])
    if args.plot is not None:
        _check_plot(args.plot, args.out)
    table = _read(args.data)
    inputs = _inputs(args, table)
    samples = _samples(table, inputs, args.target, args.weight)
    validation = None
    if args.validation is not None:
        validation = _samples(_read(args.validation), inputs, args.target, args.weight)
    n_rows = len(table.rows)
    _tell(f"{table.source}: {counted(n_rows, 'row')}; fitting {listed(args.target)} from {listed(inputs)}")
    model = replace(_trained(args, samples, validation), feature_names=inputs, target_names=args.target)
    model.save(args.out)
    if args.plot is not None:
        _plot(model, samples, args.plot)
    _print_facts(_facts(model) | {"n_samples": n_rows, "model": args.out}, args.json)
    if model.info is not None and model.info.stop_reason == "interrupted":
        raise CommandError(f"interrupted; {args.out} contains the model trained so far.")


def _read(path: str) -> Table:
    """Read a table, and say so if it takes long."""
    with Activity(None) as activity:
        activity.begin(f"reading {path}")
        return read_table(path)


def _inputs(args: argparse.Namespace, table: Table) -> list[str]:
    """Return the names of the input columns, after checking that every named column exists and is named once."""
    named = [*args.target, *([args.weight] if args.weight else [])]
    inputs = args.inputs or [name for name in table.names if name not in named]
    _check_columns(table, [*named, *inputs])
    if not inputs:
        raise UsageError(f"{table.source} must have an input column besides {listed(named)}.")
    return inputs


def _check_columns(table: Table, names: Sequence[str]) -> None:
    for name in names:
        if name not in table.names:
            raise UsageError(table.missing_columns([name]))
        if names.count(name) > 1:
            raise UsageError(f"column {name!r} must be used only once.")


def _samples(table: Table, inputs: list[str], targets: list[str], weight: str | None) -> tuple[Array, ...]:
    """Return x and y, and the sample weights if their column is named."""
    x, y = table.columns(inputs), table.columns(targets)
    samples = (x, y[:, 0] if len(targets) == 1 else y)
    if weight is None:
        return samples
    weights = table.columns([weight])[:, 0]
    if (weights < 0).any() or not weights.any():
        raise TableError(f"{table.source}: column {weight!r} must contain weights of at least 0, and one above 0.")
    return *samples, weights


def _trained(
    args: argparse.Namespace, samples: tuple[Array, ...], validation: tuple[Array, ...] | None
) -> fastmlp.Model:
    options = {name: getattr(args, name) for name in OPTIONS}
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
    if args.data.endswith(".npz"):
        raise UsageError(wording("the model", "named before the table", f"{args.model} before {args.data}"))
    if args.out is None and sys.stdout is None:
        raise UsageError("--out must name a file for the predictions, because there is no standard output.")
    _check_destinations([args.out], [args.model, args.data])
    model = _loaded(args.model)
    table = _read(args.data)
    inputs = _inputs_of(model, table, args.inputs)
    predicted = model.predict(table.columns(inputs)).reshape(len(table.rows), -1)
    names = _predicted_names(model)
    if args.out is None:
        _write_predictions(sys.stdout, names, predicted, args.json)
        return
    with replacing(args.out) as temporary, temporary.open("x", encoding="utf-8") as file:
        _write_predictions(file, names, predicted, args.json)


def _inputs_of(model: fastmlp.Model, table: Table, named: list[str] | None) -> Sequence[str]:
    """Return the input columns: those named, else those with the names of the fit, else all columns."""
    known = model.feature_names
    inputs = named or known or table.names
    if named is None and known is not None:
        missing = [name for name in known if name not in table.names]
        if missing:
            remedy = "If the columns have other names, list them with --inputs."
            raise TableError(f"{table.missing_columns(missing)} {remedy}")
    _check_columns(table, inputs)
    if len(inputs) != model.n_in:
        given = f"{table.source} has" if named is None else "--inputs names"
        rule = f"the inputs of the model must be {counted(model.n_in, 'column')}, but {given} {len(inputs)}."
        raise UsageError(f"{rule} Name them with --inputs.")
    if known is not None and any(name in known and name != known[i] for i, name in enumerate(inputs)):
        raise UsageError(wording("--inputs", f"in the order of the fit ({listed(known)})", listed(inputs)))
    return inputs


def _predicted_names(model: fastmlp.Model) -> list[str]:
    """Return headers for the predictions that differ from those of the table."""
    if model.target_names is not None:
        return [f"predicted_{name}" for name in model.target_names]
    return ["predicted"] if model.n_out == 1 else [f"predicted_{k}" for k in range(1, model.n_out + 1)]


def _write_predictions(file: TextIO, names: Sequence[str], predicted: Array, as_json: bool) -> None:
    if as_json:
        json.dump({name: column.tolist() for name, column in zip(names, predicted.T, strict=True)}, file)
        file.write("\n")
    else:
        csv.writer(file, lineterminator="\n").writerows([names, *predicted.astype(str)])


def _info(args: argparse.Namespace) -> None:
    _print_facts(_facts(_loaded(args.model)), args.json)


def _warmup(args: argparse.Namespace) -> None:
    _tell("compiling all kernels; this takes about two minutes if the cache is empty")
    fastmlp.warmup()


def _versions(args: argparse.Namespace) -> None:
    _print_facts(installation(), args.json)


def _loaded(path: str) -> fastmlp.Model:
    try:
        return fastmlp.load(path)
    except ValueError as error:
        raise CommandError(str(error)) from error


def _facts(model: fastmlp.Model) -> dict[str, Any]:
    """Return the facts about a model, in types that JSON has."""
    facts: dict[str, Any] = {name: getattr(model, name) for name in ("n_in", "n_hidden", "n_out", "negative_slope")}
    facts["dtype"] = str(model.w1.dtype)
    for fact, names in (("inputs", model.feature_names), ("targets", model.target_names)):
        if names is not None:
            facts[fact] = list(names)
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
    if sys.stdout is None:  # in a program without a console
        return
    if as_json:
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    width = max(len(name) for name in facts)
    text = "".join(f"{name:{width}} {_shown(fact)}\n" for name, fact in facts.items())
    encoding = sys.stdout.encoding or "utf-8"  # some terminals cannot show every letter of the names
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))


def _shown(fact: object) -> str:
    if isinstance(fact, float):
        return f"{fact:.6g}"
    if isinstance(fact, dict):
        return ", ".join(f"{name} {_shown(value)}" for name, value in fact.items())
    if isinstance(fact, list):
        return ", ".join(f"[{_shown(part)}]" if isinstance(part, list) else _shown(part) for part in fact)
    return str(fact)


def _tell(text: str) -> None:
    """Write a message in one line to standard error, which a program without a console does not have."""
    if sys.stderr is not None:
        sys.stderr.write(" ".join(text.splitlines()) + "\n")


def _check_destinations(written: Sequence[str | None], read: Sequence[str | None]) -> None:
    """Check before the training that the results can be written, and that they do not overwrite what is read."""
    sources = [Path(name).resolve() for name in read if name and name != STANDARD_INPUT]
    for name in written:
        if name is None:
            continue
        path = Path(name)
        is_taken = path.exists() and not path.is_file()
        if is_taken or not os.access(path.resolve().parent, os.W_OK):
            raise CommandError(f"{name or repr(name)} must be the name of a file in a writable folder.")
        if path.resolve() in sources:
            raise UsageError(f"{path} must not be overwritten, because the command reads it.")


def _check_plot(plot: str, out: str) -> None:
    """Check that the picture has a known format and does not overwrite the model."""
    from matplotlib.backend_bases import FigureCanvasBase

    kinds = FigureCanvasBase.get_supported_filetypes()
    if Path(plot).suffix.lower().lstrip(".") not in kinds:
        raise UsageError(f"--plot must end in one of {', '.join(f'.{kind}' for kind in kinds)}, got {plot!r}.")
    if Path(plot).resolve() == Path(out).resolve():
        raise UsageError(f"--plot and --out must be different files, got {plot!r} for both.")


COMMANDS = {"fit": _fit, "predict": _predict, "info": _info, "warmup": _warmup, "versions": _versions}

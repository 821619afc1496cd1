"""``fastmlp fit``: gradient descent on the samples of a table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, get_type_hints

import fastmlp
from fastmlp.cli.arguments import add_fit, json_option
from fastmlp.cli.destinations import check_destinations, check_different
from fastmlp.cli.errors import CommandError, UsageError
from fastmlp.cli.facts import facts
from fastmlp.cli.output import print_facts
from fastmlp.cli.plots import check_plot, save_plot
from fastmlp.cli.samples import announce, input_names, read, samples
from fastmlp.engines.engine import Array
from fastmlp.starting.options import FitOptions

# The options of `fastmlp.fit` that the command takes as they are declared, and the placeholders of their values.
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


def add(commands: Any) -> None:
    """Add the subcommand."""
    line = "train a network on a table by gradient descent and save it"
    parser = commands.add_parser("fit", parents=[json_option()], help=line, description=line)
    add_fit(parser)
    types = get_type_hints(FitOptions)
    for option in fields(FitOptions):
        if option.name in OPTIONS:
            default = "" if option.default is None else f" (default: {option.default})"
            text = option.metadata["line"].removesuffix(".")
            parser.add_argument(
                flag(option.name),
                type=_reader(types[option.name]),
                default=option.default,
                metavar=OPTIONS[option.name],
                help=text[0].lower() + text[1:] + default,
            )
    validation = "table of validation samples with the same columns"
    parser.add_argument("--validation", metavar="TABLE.csv", help=validation)
    parser.set_defaults(run=run)


def flag(option: str) -> str:
    """Return the argument of an option."""
    return "--" + option.replace("_", "-")


def run(args: argparse.Namespace) -> None:
    """Fit, save and describe the model."""
    check_destinations([args.out, args.plot], [args.data, args.validation])
    if args.plot is not None:
        check_plot(args.plot)
    check_different(plot=args.plot, out=args.out)
    table = read(args.data, args.decimal)
    inputs = input_names(args, table)
    data = samples(table, inputs, args)
    validation = None
    if args.validation is not None:
        validation = samples(read(args.validation, args.decimal), inputs, args)
    announce(table, len(data[0]), args.target, inputs)
    model = replace(_trained(args, data, validation), feature_names=inputs, target_names=args.target)
    model.save(args.out)
    if args.plot is not None:
        save_plot(model, data, args.plot)
    print_facts(facts(model) | {"n_samples": len(data[0]), "model": args.out}, args.json)
    if model.info is not None and model.info.stop_reason == "interrupted":
        raise CommandError(f"interrupted; {args.out} contains the model trained so far.")


def _trained(args: argparse.Namespace, data: tuple[Array, ...], validation: tuple[Array, ...] | None) -> fastmlp.Model:
    options = {name: getattr(args, name) for name in OPTIONS}
    x, y, *weight = data
    try:
        return fastmlp.fit(
            x, y, sample_weight=weight[0] if weight else None, rng=args.seed, validation=validation, **options
        )
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def _reader(annotation: object) -> Callable[[str], Any]:
    """Return the function that turns text into a value of an option's type."""
    for kind in (int, float, str):
        if annotation in (kind, kind | None):
            return kind
    return float if annotation == float | Mapping[str, float] else _rate


def _rate(text: str) -> float | str:
    if text in ("auto", "constant"):
        return text
    try:
        return float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid rate: {text!r} (a number, auto or constant)") from error

"""``fastmlp fit-cv``: a cross-validated fit of the samples of a table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NoReturn

import fastmlp
from fastmlp.cli.arguments import add_fit, json_option
from fastmlp.cli.destinations import check_destinations, check_different
from fastmlp.cli.errors import UsageError
from fastmlp.cli.facts import facts
from fastmlp.cli.fit import OPTIONS, flag
from fastmlp.cli.output import print_facts
from fastmlp.cli.plots import check_plot, save_plot
from fastmlp.cli.samples import announce, input_names, read, samples
from fastmlp.files.tables import TableError


class _OptionOfDescent(argparse.Action):
    """An option that only ``fastmlp fit`` has."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        option: Sequence[str] = self.option_strings
        parser.error(f"{option[0]} is an option of gradient descent, which fit-cv does not do. Use fastmlp fit.")


def add(commands: Any) -> None:
    """Add the subcommand."""
    line = "train a network on a small table, with a cross-validated error and intervals, and save it"
    parser = commands.add_parser("fit-cv", parents=[json_option()], help=line, description=line)
    add_fit(parser)
    hidden = "number of hidden units of each network that is averaged (default: 30)"
    parser.add_argument("--hidden", type=int, default=30, metavar="N", help=hidden)
    parser.add_argument("--cv", type=int, default=5, metavar="N", help="number of folds (default: 5)")
    for option in (*OPTIONS, "validation"):
        if option != "hidden":
            parser.add_argument(flag(option), action=_OptionOfDescent, nargs="?", help=argparse.SUPPRESS)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Fit, save and describe the model."""
    check_destinations([args.out, args.plot], [args.data])
    if args.plot is not None:
        check_plot(args.plot)
    check_different(plot=args.plot, out=args.out)
    table = read(args.data, args.decimal)
    inputs = input_names(args, table)
    x, y, *weight = data = samples(table, inputs, args)
    if len(x) < 2:
        raise TableError(f"{table.source} must have at least two rows for a cross-validation, got 1.")
    announce(table, len(x), args.target, inputs)
    weights = weight[0] if weight else None
    try:
        trained = fastmlp.fit_cv(x, y, hidden=args.hidden, cv=args.cv, sample_weight=weights, rng=args.seed)
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error
    model = replace(trained, feature_names=inputs, target_names=args.target)
    model.save(args.out)
    if args.plot is not None:
        save_plot(model, data, args.plot)
    errors = {"rmse": model.rmse(x, y, weights)}
    print_facts(facts(model) | errors | {"n_samples": len(x), "model": args.out}, args.json)

"""``fastmlp info``, ``fastmlp warmup`` and ``fastmlp versions``."""

from __future__ import annotations

import argparse
from typing import Any

import fastmlp
from fastmlp.cli.arguments import json_option
from fastmlp.cli.facts import facts, loaded
from fastmlp.cli.output import print_facts, tell
from fastmlp.versions import installation


def add(commands: Any) -> None:
    """Add the subcommands."""
    info = commands.add_parser("info", parents=[json_option()], help="describe a saved model and its training")
    info.add_argument("model", metavar="MODEL.npz", help="file of the model")
    info.set_defaults(run=_info)
    commands.add_parser("warmup", help="compile all kernels ahead of time").set_defaults(run=_warmup)
    versions = "print the versions of the software, for a bug report"
    commands.add_parser("versions", parents=[json_option()], help=versions).set_defaults(run=_versions)


def _info(args: argparse.Namespace) -> None:
    print_facts(facts(loaded(args.model)), args.json)


def _warmup(_: argparse.Namespace) -> None:
    tell("compiling all kernels; this takes about two minutes if the cache is empty")
    fastmlp.warmup()


def _versions(args: argparse.Namespace) -> None:
    print_facts(installation(), args.json)

"""The command ``fastmlp``: its subcommands, and what happens to their errors.

Results go to standard output; messages and warnings go to standard error. The exit code is 0 on success, 1 if the
command failed, and 2 if it was used wrongly.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Sequence

import fastmlp
from fastmlp.cli import about, export, fit, fit_cv, predict
from fastmlp.cli.errors import FAILED, USED_WRONGLY, CommandError, UsageError
from fastmlp.cli.output import tell
from fastmlp.files.tables import TableError


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line; its result has the function of the subcommand in `run`."""
    command = argparse.ArgumentParser(prog="fastmlp", description=fastmlp.__doc__)
    command.add_argument("--version", action="version", version=f"fastmlp {fastmlp.__version__}")
    commands = command.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for subcommand in (fit, fit_cv, predict, export, about):
        subcommand.add(commands)
    return command


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
        tell(f"{command}: warning: {message}")

    try:
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            args.run(args)
            if sys.stdout is not None:
                sys.stdout.flush()
    except UsageError as error:
        tell(f"{command}: error: {error}")
        return USED_WRONGLY
    except BrokenPipeError:  # the reader is gone; the interpreter must not flush into the pipe again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (CommandError, TableError, OSError, MemoryError, UnicodeEncodeError, fastmlp.DivergenceError) as error:
        tell(f"{command}: error: {error}")
        return FAILED
    except KeyboardInterrupt:
        tell(f"{command}: error: interrupted.")
        return FAILED
    return 0

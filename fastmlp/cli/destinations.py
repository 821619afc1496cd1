"""Checks, before a command computes anything, that its results can be written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from fastmlp.cli.errors import CommandError, UsageError
from fastmlp.files.tables import STANDARD_INPUT


def check_destinations(written: Sequence[str | None], read: Sequence[str | None]) -> None:
    """Check that files can be written, and that they do not overwrite what is read."""
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


def check_different(**names: str | None) -> None:
    """Check that the files that some options name are different; the keywords are the names of the options."""
    given = {option: name for option, name in names.items() if name is not None}
    for option, name in given.items():
        for other, taken in given.items():
            if other != option and Path(name).resolve() == Path(taken).resolve():
                raise UsageError(f"--{option} and --{other} must be different files, got {name!r} for both.")

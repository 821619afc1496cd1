"""Atomic replacement of files: after a failure, the old file is still there."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the name of a temporary file that replaces `path` at the end of the block.

    The temporary file is in the same folder. It is written to the disk before it is renamed, so that `path` is the old
    file or the complete new one at any time. If `path` is a symbolic link, its target is replaced. The temporary name
    keeps the suffix of `path`, from which other libraries derive the format.

    Raises
    ------
    OSError
        If the block or the renaming raises one; the error then names `path`. Also if `path` exists and is not a regular
        file, such as /dev/null.
    """
    final = Path(os.path.realpath(path))
    if final.exists() and not final.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(final))
    temporary = final.with_name(f".{final.name}.{secrets.token_hex(4)}.tmp{final.suffix}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        with contextlib.suppress(FileNotFoundError):
            shutil.copymode(final, temporary)
        temporary.replace(final)
    except OSError as error:
        reason = f"{os.strerror(error.errno or 0)}; an existing file is left unchanged"
        raise OSError(error.errno, reason, str(final)) from error
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(final.parent)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of processes that were killed while they wrote this path."""
    pattern = rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.tmp{re.escape(path.suffix)}"
    for leftover in path.parent.iterdir():
        if re.fullmatch(pattern, leftover.name):
            leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Write the renaming to the disk, if the file system supports it for folders."""
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

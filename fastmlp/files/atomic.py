"""Writing files whole or not at all."""

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
    """Yield the name of a temporary file beside `path`, which reaches the disk and takes its place after the block.

    Whatever happens, `path` holds the old file or the new one; a link stays one. The name keeps its suffix, by which
    other libraries choose a format.

    Raises
    ------
    OSError
        Of the block or of the renaming, with the name of `path`; or if something else is there than a file, such as
        /dev/null, which a file must not take the place of.
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
        reason = f"{os.strerror(error.errno or 0)}; the file before it, if any, is untouched"
        raise OSError(error.errno, reason, str(final)) from error
    finally:
        temporary.unlink(missing_ok=True)
    _sync_folder(final.parent)


def remove_leftovers(path: Path) -> None:
    """Remove what writers of this path left behind that were killed."""
    pattern = rf"\.{re.escape(path.name)}\.[0-9a-f]{{8}}\.tmp{re.escape(path.suffix)}"
    for leftover in path.parent.iterdir():
        if re.fullmatch(pattern, leftover.name):
            leftover.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Have the rename reach the disk too, where the file system can do that with folders."""
    with contextlib.suppress(OSError, AttributeError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

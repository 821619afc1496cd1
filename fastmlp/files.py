"""Writing files whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the name of a temporary file beside `path`, which takes its place at the end of the block.

    After an error in the block the temporary file is removed, and what stood at `path` still does. The name keeps its
    suffix, by which other libraries choose a format.
    """
    final = Path(os.path.realpath(path))  # a link stays one
    temporary = final.with_name(f".{secrets.token_hex(4)}.{final.name}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(final)
    finally:
        temporary.unlink(missing_ok=True)

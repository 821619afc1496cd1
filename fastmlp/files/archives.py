"""Files of named arrays and facts: written atomically, and read so that a damaged or hostile file does no harm.

A file is an npz archive as `numpy.savez` writes it, without compression and without pickle. The member "facts" is a
JSON object with the kind of the file, the version of its format, and all values that are not arrays.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from fastmlp.checks import fits_memory, wording
from fastmlp.engines.engine import Array
from fastmlp.files.atomic import replacing

READERS = {"model": "fastmlp.load", "ensemble": "fastmlp.Ensemble.load"}  # for each kind of file
MAX_READ = 2**20  # bytes read at once: a hostile file may claim any length
MAX_FACTS = 2**24  # bytes of JSON, which take about twenty times as much memory when they are parsed
DTYPES = ("f4", "f8", "i4", "i8", "u1", "u4", "u8")
# The header that numpy.lib.format writes. NumPy's own reader evaluates it as a Python literal, this one does not.
_HEADER = re.compile(
    rb"\{'descr': '[<|](?P<dtype>\w\w)', 'fortran_order': False, "
    rb"'shape': \((?P<shape>|[0-9]{1,19},|[0-9]{1,19}(?:, [0-9]{1,19}){1,7})\), \} *\n"
)
_MAGIC = struct.Struct("<6sBBH")
_DAMAGE = (  # all errors that zipfile and json raise for damaged files
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    OverflowError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)


class FileFormatError(ValueError):
    """A file is damaged, was not written by fastmlp, or has a format that this version does not know.

    Examples
    --------
    >>> import fastmlp, pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "model.npz")
    ...     _ = path.write_text("not an archive")
    ...     try:
    ...         fastmlp.load(path)
    ...     except fastmlp.FileFormatError:
    ...         print("not a model")
    not a model
    """


def checked_path(name: str, path: Any) -> Path:
    """Check the path of a file, which need not exist, and return it with symbolic links resolved."""
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(wording(name, "a path", repr(path)))
    if not os.fspath(path):  # realpath would return the working folder
        raise ValueError(wording(name, "the name of a file", repr(path)))
    resolved = Path(os.path.realpath(path))
    if resolved.exists() and not resolved.is_file():
        raise ValueError(wording(name, "a path of a regular file", repr(str(path))))
    return resolved


def write(path: Path, kind: str, version: int, facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Write a file, or leave an existing one unchanged if that fails."""
    text = json.dumps({"kind": kind, "version": version, "arrays": [*arrays], **facts}, allow_nan=False).encode()
    if len(text) > MAX_FACTS:
        rule, remedy = f"at most {MAX_FACTS} bytes", "Keep fewer snapshots, or save fewer nets in one file."
        raise ValueError(wording(f"the metadata of the {kind}", rule, f"{len(text)}", remedy))
    members = {"facts": np.frombuffer(text, np.uint8)}
    members |= {name: np.asarray(array, array.dtype.newbyteorder("<"), order="C") for name, array in arrays.items()}
    assert all(array.dtype.str[1:] in DTYPES for array in members.values())
    with replacing(path) as temporary, temporary.open("xb") as file:
        np.savez(file, **members)  # type: ignore[arg-type]


def read(path: Path, kind: str, version: int) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the facts and the arrays of a file.

    Raises
    ------
    FileFormatError
        If it is not a complete file of this kind and version. No allocation is larger than the file.
    OSError
        If it cannot be opened.
    """
    with _Bounded(os.fspath(path)) as file:  # as a str, which the text of an OSError shows best
        try:
            arrays = _members(file)
            text = arrays.pop("facts")
            if text.dtype != np.uint8 or text.size > MAX_FACTS:
                raise FileFormatError("the metadata are not JSON")
            facts = json.loads(text.tobytes().decode(), parse_constant=_refuse_constant)
        except _DAMAGE as error:
            refuse(path, f"an undamaged file of fastmlp ({error or type(error).__name__})")
    held = facts.pop("kind", None) if isinstance(facts, dict) else None
    if held != kind:
        remedy = [
            f"; it is {_with_article(name)}, which {reader} reads" for name, reader in READERS.items() if name == held
        ]
        refuse(path, f"{_with_article(kind)} of fastmlp{''.join(remedy)}")
    found = facts.pop("version", None)
    if type(found) is not int or found < 1:
        refuse(path, f"{_with_article(kind)} of fastmlp with a version number")
    if found != version:
        raise FileFormatError(
            f"{path} has format {found}, but this version of fastmlp reads format {version}. Update fastmlp."
        )
    if facts.pop("arrays", None) != [*arrays]:  # a damaged directory may lack some
        refuse(path, "a complete file of fastmlp, with all its arrays")
    return facts, arrays


def _with_article(kind: str) -> str:
    """Return the kind with its article."""
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def refuse(path: Path, rule: str) -> NoReturn:
    """Raise a `FileFormatError`: the file must be what the rule says."""
    raise FileFormatError(f"{path} must be {rule}.")


class _Bounded(io.FileIO):
    """A file that refuses to read more than MAX_READ bytes at once, whatever length a damaged header states."""

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(MAX_READ + 1 if size is None or size < 0 else min(size, MAX_READ + 1)) or b""
        if len(piece) > MAX_READ:
            raise FileFormatError(f"a part is longer than {MAX_READ} bytes")
        return piece


def _members(file: _Bounded) -> dict[str, Array]:
    size = os.fstat(file.fileno()).st_size
    arrays = {}
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        # Members are not compressed and share no bytes, so together they are smaller than the file.
        n_bytes = sum(member.file_size for member in members)
        if n_bytes > size or not fits_memory(n_bytes):
            raise FileFormatError("the members are larger than the file or the memory")
        for member in members:
            name = member.filename.removesuffix(".npy")
            if member.compress_type != zipfile.ZIP_STORED or name in arrays or name == member.filename:
                raise FileFormatError(f"the member {member.filename[:40]!r} is invalid")
            arrays[name] = _array(archive, member)
    return arrays


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    """Read one array, whose header must have the exact form that NumPy writes."""
    with archive.open(member) as stream:
        magic, major, minor, length = _MAGIC.unpack(stream.read(_MAGIC.size))
        header = _HEADER.fullmatch(stream.read(length))
        if (magic, major, minor) != (b"\x93NUMPY", 1, 0) or header is None or header["dtype"].decode() not in DTYPES:
            raise FileFormatError(f"the header of {member.filename[:40]!r} is invalid")
        dtype = np.dtype("<" + header["dtype"].decode())
        shape = tuple(int(part) for part in header["shape"].split(b",") if part.strip())
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes != member.file_size - _MAGIC.size - length or max(shape, default=0) > member.file_size:
            raise FileFormatError(f"the length of {member.filename[:40]!r} is wrong")
        raw = np.empty(n_bytes, np.uint8)
        for first in range(0, n_bytes, MAX_READ):
            piece = stream.read(min(MAX_READ, n_bytes - first))
            raw[first : first + len(piece)] = np.frombuffer(piece, np.uint8)
        if stream.read(1):  # at the end, zipfile compares the checksum
            raise FileFormatError(f"the length of {member.filename[:40]!r} is wrong")
    array = raw.view(dtype).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _refuse_constant(constant: str) -> NoReturn:
    raise FileFormatError(f"the metadata contain {constant}")

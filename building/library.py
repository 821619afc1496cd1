"""The library of a level: its kernels compiled in several processes, and linked by the C compiler."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from building.levels import CPU_NAMES, FEATURES
from building.signatures import Signature, registered_kernels, signatures
from fastmlp.compiled.shipped import MANIFEST, stamp
from fastmlp.compiled.stamps import closure

PACKAGE = "fastmlp"
SUPPORT = Path(__file__).parent / "support.c"


def environment(level: str) -> dict[str, str]:
    """Return the environment of a process that compiles for a level: Numba and `vector_bytes` read it."""
    return os.environ | {
        "FASTMLP_KERNELS": "none",
        "NUMBA_CPU_NAME": CPU_NAMES.get(level, level),
        "NUMBA_CPU_FEATURES": FEATURES[level],
        "NUMBA_DISABLE_INTEL_SVML": "1",  # the library must not need it
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), os.environ.get("PYTHONPATH", "")]),
    }


def c_compiler() -> str | None:
    """Return the C compiler, or None."""
    name = os.environ.get("CC", "cc").split()[0]
    return shutil.which(name)


def build_level(level: str, folder: Path, n_processes: int) -> None:
    """Write the library of a level into a folder. The environment must be that of `environment`."""
    started = time.perf_counter()
    found = signatures()
    report_missing(found)
    with tempfile.TemporaryDirectory() as objects:
        context = multiprocessing.get_context("spawn")
        with context.Pool(n_processes) as pool:
            tasks = [(signature, level, objects) for signature in _longest_first(found)]
            paths = [path for path in pool.imap_unordered(_write_object, tasks, chunksize=1) if path is not None]
        link(level, paths, folder / f"{level}.so")
    _write_manifest(level, found, folder)
    size = (folder / f"{level}.so").stat().st_size
    print(
        f"{level}: {len(paths)} of {len(found)} kernels, {size / 1e6:.2f} MB, {time.perf_counter() - started:.0f} s",
        flush=True,
    )


def _longest_first(found: list[Signature]) -> list[Signature]:
    """Return the kernels such that those that take longest to compile begin: with the most arguments."""
    return sorted(found, key=lambda signature: -len(str(signature.types)))


def _write_object(task: tuple[Signature, str, str]) -> str | None:
    """Write an object file and return its path, or None if the kernel needs Python or Numba."""
    from building.objects import NotSelfContainedError, object_code

    signature, level, folder = task
    kernel = getattr(importlib.import_module(signature.module), signature.kernel)
    path = Path(folder, f"{signature.symbol}.o")
    try:
        path.write_bytes(object_code(kernel, signature.types, signature.symbol, level))
    except NotSelfContainedError as needed:
        print(f"not built: {signature.module}.{signature.kernel} needs {needed}", file=sys.stderr, flush=True)
        return None
    return str(path)


def link(level: str, objects: list[str], library: Path) -> None:
    """Link the objects of a level. A symbol that neither they nor libc and libm define is an error."""
    compiler = c_compiler()
    assert compiler is not None
    options = ["-shared", "-O2", "-fPIC", "-s", "-Wl,-z,defs", "-Wl,--gc-sections", f'-DLEVEL="{level}"']
    command = [compiler, *options, "-o", str(library), str(SUPPORT), *sorted(objects), "-lm"]
    subprocess.run(command, check=True)


def report_missing(found: list[Signature]) -> None:
    """Print the kernels of the package that no call has reached."""
    missing = registered_kernels() - {(signature.module, signature.kernel) for signature in found}
    for module, kernel in sorted(missing):
        print(f"not built, compiled at first use: {module}.{kernel}", file=sys.stderr, flush=True)


def _write_manifest(level: str, found: list[Signature], folder: Path) -> None:
    """Add a level to the manifest, which says from which sources the libraries are."""
    root = Path(__file__).parent.parent / PACKAGE
    modules = {name for signature in found for name in closure(signature.module)}
    files = {_file_of(name, root) for name in modules} | set((root / "compiled").glob("*.py"))
    sources = sorted(path.relative_to(root).as_posix() for path in files)
    manifest = {"sources": sources, "stamp": stamp(sources), "sizes": {}}
    path = folder / MANIFEST
    if path.exists():
        before = json.loads(path.read_text())
        if before["stamp"] == manifest["stamp"]:
            manifest["sizes"] = before["sizes"]
    manifest["sizes"][level] = (folder / f"{level}.so").stat().st_size
    path.write_text(json.dumps(manifest, indent=1))


def _file_of(module: str, root: Path) -> Path:
    path = root.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

"""Kernels compiled when the package is built: found without a list, called with checks, replaced where they miss."""

import compileall
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

import fastmlp
from fastmlp.compiled import shipped
from fastmlp.compiled.binding import Bound
from fastmlp.compiled.kinds import kind_of

ROOT = Path(__file__).parent.parent
PACKAGE = Path(fastmlp.__file__).parent
FIT = """
import fastmlp, numpy as np, sys
x = np.linspace(-3, 3, 100)
print(fastmlp.fit(x, np.sin(x), hidden=50, epochs=200, rng=0, algorithm="dense").w1.tobytes().hex())
"""


def run(code, *, cwd=ROOT, **environment):
    """Run Python code in a process of its own; return what it printed."""
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Pair(NamedTuple):
    array: np.ndarray
    number: float


class Function:
    """Stands for a function of a library: keeps what it was called with."""

    def __call__(self, slots):
        self.slots = slots
        return 7


def bound(*arguments):
    function = Function()
    return function, Bound(function, arguments)


def test_a_call_packs_addresses_shapes_and_numbers():
    array, fortran = np.zeros((2, 3)), np.zeros((2, 3), np.float32, order="F")
    arguments = Pair(array, 0.5), fortran, True, 3, np.float32(0.25)
    function, call = bound(*arguments)
    for _ in range(2):  # the second call takes what the first packed
        assert call(*arguments) == 7
        address, *shape = struct.unpack("=qqq", function.slots[:24])
        assert (address, shape) == (array.ctypes.data, [2, 3])
        assert struct.unpack("=d", function.slots[24:32]) == (0.5,)
        assert struct.unpack("=5q", function.slots[32:72]) == (fortran.ctypes.data, 2, 3, 4, 8)
        assert struct.unpack("=qqd", function.slots[72:]) == (1, 3, 0.25)
    other = np.ones((4, 1))  # contiguous in both orders
    call(Pair(other, 2.0), *arguments[1:])
    assert struct.unpack("=qqqd", function.slots[:32]) == (other.ctypes.data, 4, 1, 2.0)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3), np.float32),
        np.zeros(6),
        np.zeros((3, 2)).T,
        np.zeros((4, 6))[::2, ::2],
        np.broadcast_to(0.0, (2, 3)).copy().view(np.int64),
        [0.0],
        None,
    ],
    ids=["dtype", "dimensions", "order", "gaps", "integers", "list", "none"],
)
def test_a_call_refuses_what_the_machine_code_is_not_for(wrong):
    _, call = bound(Pair(np.zeros((2, 3)), 0.5))
    with pytest.raises(TypeError, match="a kernel for"):
        call(Pair(wrong, 0.5))
    with pytest.raises(TypeError, match="a kernel for Pair got tuple"):
        call((np.zeros((2, 3)), 0.5))
    read_only = np.zeros((2, 3))
    read_only.flags.writeable = False
    with pytest.raises(TypeError, match="a kernel for arrays"):
        call(Pair(read_only, 0.5))
    with pytest.raises(struct.error):
        call(Pair(np.zeros((2, 3)), "0.5"))
    with pytest.raises(ValueError, match="zip"):
        call()


def test_arguments_of_one_kind_differ_in_values_and_sizes_only():
    def kind(array):
        return kind_of((array, 1.0))

    array = np.zeros((2, 3))
    assert kind(array) == kind(np.ones((5, 1)))
    others = (array.T, array[:, :2], array.astype("f4"), array[0], np.zeros((2, 3), np.dtype([("a", "f8")])))
    assert len({kind(array), *map(kind, others)}) == 1 + len(others)
    assert kind_of((array, 1)) != kind_of((array, 1.0)) != kind_of((array, True)) != kind_of((array, np.float32(1)))
    assert kind_of((1.0,)) == kind_of((np.float64(1.0),))
    assert kind_of(Pair(array, 1.0)) != kind_of((array, 1.0))


def opened(tmp_path, monkeypatch, *, content=b"no library", **changes):
    """Return what `_opened` finds in a folder with one file as a library."""
    (tmp_path / "x86-64-v2.so").write_bytes(content)
    sources = ["compiled/jit.py"]
    manifest = {"sources": sources, "stamp": shipped.stamp(sources), "sizes": {"x86-64-v2": 10}} | changes
    (tmp_path / shipped.MANIFEST).write_text(json.dumps(manifest))
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    return shipped._opened(["x86-64-v2"])


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, "x86-64-v2.so cannot be used"),
        ({"content": b""}, "another size"),
        ({"stamp": "0"}, "the sources have changed"),
        ({"sources": ["missing.py", "compiled/jit.py"]}, "no library was built"),
        ({"sizes": {"x86-64-v3": 10}}, "no library for this processor"),
        ({"sizes": None}, "no library was built"),
    ],
    ids=["wrong file", "truncated", "stale", "missing source", "other level", "damaged manifest"],
)
def test_a_library_that_does_not_fit_is_not_used(tmp_path, monkeypatch, changes, reason):
    found = opened(tmp_path, monkeypatch, **changes)
    assert found.level is None
    assert reason in found.reason
    assert found.find(fastmlp.fit, ()) is None


def test_a_choice_that_is_none_and_a_level_that_is_missing_are_errors():
    code = """
try:
    import fastmlp
except ValueError as error:
    print(error)
"""
    assert "FASTMLP_KERNELS must be none, native, all or one of" in run(code, FASTMLP_KERNELS="fast")
    assert "FASTMLP_KERNELS must be a level that was built" in run(code, FASTMLP_KERNELS="aarch64")
    assert run(code, FASTMLP_KERNELS="none") == ""


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """Return a folder with the compile cache of one fit by Numba, and what that fit printed."""
    folder = tmp_path_factory.mktemp("cache")
    return str(folder), run(FIT, NUMBA_CACHE_DIR=str(folder), FASTMLP_KERNELS="none")


def test_a_cache_that_cannot_be_written_is_read(cached):
    folder, expected = cached
    code = """
from numba.core import caching
def refuse(*_):
    raise PermissionError
caching._CacheLocator.ensure_cache_path = refuse
"""
    hits = """
from fastmlp.compiled.compiler import compilable
from fastmlp.engines.dense.kernels.few_inputs import train
print(sum(compilable(train).stats.cache_hits.values()))
"""
    printed = run(code + FIT + hits, NUMBA_CACHE_DIR=folder, FASTMLP_KERNELS="none")
    assert printed.split() == [expected, "1"]


def test_warmup_says_at_once_when_it_can_keep_nothing():
    code = """
import warnings
from numba.core import caching
def refuse(*_):
    raise PermissionError
caching._CacheLocator.ensure_cache_path = refuse
import fastmlp
warnings.simplefilter("error")
try:
    fastmlp.warmup()
except RuntimeWarning as warning:
    print(warning)
fastmlp.show_versions()
"""
    printed = run(code, FASTMLP_KERNELS="none")
    assert printed.startswith("No folder for the compile cache can be written")
    assert "compiled (FASTMLP_KERNELS=none)" in printed
    assert "none: no folder can be written" in printed


def test_no_module_of_posix_is_needed(cached):
    folder, expected = cached
    code = "import sys\nfor name in ('fcntl', 'resource', 'pwd', 'grp', 'termios'): sys.modules[name] = None\n"
    assert run(code + FIT, NUMBA_CACHE_DIR=folder, FASTMLP_KERNELS="none") == expected


def package_in(folder):
    """Copy the package and what names its version, without libraries and bytecode."""
    shutil.copytree(PACKAGE, folder / "fastmlp", ignore=shutil.ignore_patterns("__pycache__", "libraries"))
    metadata = folder / "fastmlp-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: fastmlp\nVersion: 0\n")


@pytest.mark.parametrize("form", ["bytecode", "zip"])
def test_a_package_without_sources_and_one_in_a_zip_file_fit(tmp_path, cached, form):
    _, expected = cached
    package_in(tmp_path / "files")
    path = tmp_path / "files"
    if form == "bytecode":
        compileall.compile_dir(path, legacy=True, quiet=1)
        for source in path.rglob("*.py"):
            source.unlink()
    else:
        path = tmp_path / "package.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for file in (tmp_path / "files").rglob("*"):
                archive.write(file, file.relative_to(tmp_path / "files"))
    code = f"import sys; sys.path.insert(0, {str(path)!r})\n{FIT}print(fastmlp.__file__)"
    environment = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": ""}
    printed, file = run(code, cwd=tmp_path, **environment).split()
    assert printed == expected
    assert str(path) in file


def test_the_build_finds_every_kernel():
    code = """
from building.signatures import registered_kernels, signatures
found = {(signature.module, signature.kernel) for signature in signatures()}
print(len(found), sorted(registered_kernels() - found))
"""
    n_kernels, missing = run(f"import warnings; warnings.simplefilter('ignore')\n{code}", FASTMLP_KERNELS="none").split(
        maxsplit=1
    )
    assert missing == "[]"
    assert int(n_kernels) > 10


needs_library = pytest.mark.skipif(shipped.library().level is None, reason="no library was built: make kernels")


@needs_library
def test_a_default_fit_imports_neither_numba_nor_llvmlite():
    level = shipped.library().level
    code = FIT + "print('numba' in sys.modules, 'llvmlite' in sys.modules)\nfastmlp.show_versions()"
    printed = run(code)
    assert printed.splitlines()[1] == "False False"
    assert f"shipped {level}" in printed


@needs_library
def test_no_public_function_compiles_a_kernel():
    code = """
import contextlib, sys, warnings
warnings.simplefilter("ignore")
from building.calls import each_call
for call in each_call():
    with contextlib.suppress(ValueError, TypeError, ArithmeticError):
        call()
print("numba" in sys.modules)
"""
    assert run(code) == "False"

"""Imports stay light, kernels compile once per dtype, and no state of the compile cache stops a fit."""

import ast
import functools
import importlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features

import fastmlp
from fastmlp.compiled import stamps
from fastmlp.compiled.compiler import compilable
from fastmlp.engines.dense.kernels import few_inputs, many_inputs
from fastmlp.engines.reference import ReferenceEngine

PACKAGE = Path(fastmlp.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
}

# Prints every bit of the weights.
FIT = """
import fastmlp, numpy as np
x = np.linspace(-3, 3, 100)
print(fastmlp.fit(x, np.sin(x), hidden=50, epochs=200, rng=0, algorithm="dense").w1.tobytes().hex())
"""


def run(code, tmp_path, **environment):
    """Run Python code in a process of its own with a private compile cache; return what it printed."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")} | environment
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory):
    """Return a folder with the compile cache of one fit, and what that fit printed."""
    folder = tmp_path_factory.mktemp("compiled")
    return folder, run(FIT, folder)


@pytest.fixture
def expected(compiled_once, tmp_path):
    """Copy the compile cache to where `run` looks for it; return what the fit printed."""
    folder, printed = compiled_once
    shutil.copytree(folder / "cache", tmp_path / "cache")
    return printed


def test_importing_fastmlp_imports_neither_numba_nor_matplotlib(tmp_path):
    code = """
import sys, fastmlp
fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0]).predict([1.0])
heavy = {"numba", "llvmlite", "matplotlib", "tqdm", "joblib", "sklearn", "scipy"} & set(sys.modules)
print(sorted(heavy))
"""
    assert run(code, tmp_path) == "[]"


def test_the_public_names_are_those_of_all():
    public = {name for name in vars(fastmlp) if not name.startswith("_")}
    modules = {name for name in public if type(getattr(fastmlp, name)).__name__ == "module"}
    assert public - modules == set(fastmlp.__all__)


@pytest.mark.parametrize(
    ("suffix", "damage"),
    [
        ("nbi", b""),
        ("nbc", None),
        pytest.param("nbi", None, marks=pytest.mark.slow),
        pytest.param("nbi", b"\x80", marks=pytest.mark.slow),
        pytest.param("nbc", b"", marks=pytest.mark.slow),
        pytest.param("nbc", b"\x80", marks=pytest.mark.slow),
    ],
    ids=["index-empty", "code-truncated", "index-truncated", "index-garbage", "code-empty", "code-garbage"],
)
def test_a_damaged_cache_is_replaced(tmp_path, expected, suffix, damage):
    files = list((tmp_path / "cache").rglob(f"*.{suffix}"))
    assert files
    for file in files:
        file.write_bytes(file.read_bytes()[:100] if damage is None else damage)
    assert run(FIT, tmp_path) == expected
    hits = """
from fastmlp.compiled.compiler import compilable
from fastmlp.engines.dense.kernels.few_inputs import train
print(sum(compilable(train).stats.cache_hits.values()))
"""
    assert run(FIT + hits, tmp_path).split() == [expected, "1"]


# A package whose `leaf` is used by one kernel through `middle`, and by another not at all.
SMALL_PACKAGE = {
    "__init__": "",
    "leaf": """
from fastmlp.compiled.jit import inlined
FACTOR = 2.0
@inlined
def scaled(x):
    return FACTOR * x
""",
    "middle": """
from fastmlp import leaf
from fastmlp.compiled.jit import inlined
@inlined
def shifted(x):
    return leaf.scaled(x) + 1.0
""",
    "using": """
from fastmlp.compiled.jit import njit
from fastmlp.middle import shifted
@njit
def kernel(x):
    return shifted(x)
""",
    "apart": """
from fastmlp.compiled.jit import njit
@njit
def kernel(x):
    return -x
""",
}
# Prints what each kernel returns, and 1 if it came from the cache.
CALL = """
import sys; sys.path.insert(0, "")
from fastmlp import apart, using
from fastmlp.compiled.compiler import compilable
for kernel in map(compilable, (using.kernel, apart.kernel)):
    print(kernel(3.0), sum(kernel.stats.cache_hits.values()))
"""


def test_an_edit_recompiles_the_kernels_of_the_files_that_import_it_and_no_others(tmp_path, monkeypatch):
    package = tmp_path / "fastmlp"
    shutil.copytree(PACKAGE / "compiled", package / "compiled", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in SMALL_PACKAGE.items():
        (package / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert run(CALL, tmp_path).split() == ["7.0", "0", "-3.0", "0"]
    assert run(CALL, tmp_path).split() == ["7.0", "1", "-3.0", "1"]
    with (package / "leaf.py").open("a") as file:
        file.write("# a comment")
    assert run(CALL, tmp_path).split() == ["7.0", "0", "-3.0", "1"]
    (package / "leaf.py").write_text(SMALL_PACKAGE["leaf"].replace("2.0", "4.0"))
    assert run(CALL, tmp_path).split() == ["13.0", "0", "-3.0", "1"]
    with (package / "using.py").open("a") as file:
        file.write("# a comment")
    assert run(CALL, tmp_path).split() == ["13.0", "0", "-3.0", "1"]
    with (package / "compiled" / "jit.py").open("a") as file:
        file.write("# a comment")
    assert run(CALL, tmp_path).split() == ["13.0", "0", "-3.0", "0"]


@functools.cache
def imports(module):
    """Return the modules of the package that one imports at its top level."""
    path = PACKAGE.parent / module.replace(".", "/")
    named = set()
    for statement in ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()).body:
        if isinstance(statement, ast.Import):
            named |= {alias.name for alias in statement.names}
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                name = f"{statement.module}.{alias.name}"
                named.add(name if name in MODULES else statement.module)
    return named & MODULES


def test_a_stamp_covers_all_that_a_module_imports():
    closures = {module: {module} for module in MODULES}
    for _ in MODULES:
        for closure in closures.values():
            closure |= set().union(*map(imports, closure))
    for module in sorted(name for name in MODULES if name.startswith("fastmlp.engines")):
        importlib.import_module(module)
        assert stamps.closure(module) == closures[module], module


def test_no_place_for_a_cache_is_no_obstacle(tmp_path, expected):
    assert run(FIT, tmp_path, NUMBA_CACHE_LOCATOR_CLASSES="IPythonCacheLocator") == expected


def test_an_unset_home_and_a_cache_that_cannot_be_written_are_no_obstacles(tmp_path, expected):
    code = "import os; [os.environ.pop(name, None) for name in ('HOME', 'XDG_CACHE_HOME', 'USER')]\n" + FIT
    assert run(code, tmp_path, NUMBA_CACHE_DIR="/proc/nowhere") == expected


def test_a_disk_full_while_the_cache_is_saved_is_no_obstacle(tmp_path, expected):
    code = "import numba.core.caching as c\ndef save(*_): raise OSError('No space left on device')\n"
    code += "c.IndexDataCacheFile.save = save\n" + FIT
    assert run(code, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "full")) == expected


@pytest.mark.slow
@pytest.mark.parametrize(("features", "n_bytes"), [("", 16), ("+avx,+avx2,+fma", 32)], ids=["baseline", "avx2"])
def test_kernels_for_narrower_vectors_equal_reference(tmp_path, features, n_bytes):
    host = get_host_cpu_features()
    if not all(host.get(feature[1:]) for feature in features.split(",") if feature):
        pytest.skip("this processor has no such vectors")
    code = """
import fastmlp, numpy as np
from fastmlp.compiled.vectors import BYTES
rng = np.random.default_rng(0)
for n_in, n_out, n_hidden in ((1, 1, 40), (2, 1, 7), (9, 2, 7)):
    x, y = rng.normal(size=(50, n_in)), rng.normal(size=(50, n_out))
    for slope in (0.0, 0.1):
        options = {"hidden": n_hidden, "epochs": 200, "lr": 0.02, "rng": 0, "negative_slope": slope, "threads": 2}
        got, expected = (fastmlp.fit(x, y, algorithm=name, **options) for name in ("auto", "reference"))
        for name in ("w1", "b1", "w2", "b2"):
            np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=0, atol=1e-12, err_msg=name)
print(BYTES)
"""
    assert run(code, tmp_path, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES=features) == str(n_bytes)


@pytest.mark.slow
def test_the_univariate_kernels_give_the_same_bits_compiled_and_loaded(tmp_path):
    code = """
import fastmlp, numpy as np
rng = np.random.default_rng(0)
for n_samples, n_hidden in ((60, 200), (60, 5), (900, 20)):
    x = rng.normal(size=n_samples)
    model = fastmlp.fit(x, np.sin(3 * x), hidden=n_hidden, epochs=1000, rng=0)
    print(model.info.method, model.w1.tobytes().hex())
"""
    compiled = run(code, tmp_path)
    assert [line.split()[0] for line in compiled.splitlines()] == ["pattern", "prefix", "stretches"]
    assert run(code, tmp_path) == compiled


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "shapes", [((2, 1, 9, 3), (2, 1, 1200, 8)), ((9, 1, 5, 4), (7, 3, 50, 1))], ids=["few", "many"]
)
def test_each_dtype_compiles_each_kernel_once(problem, dtype, shapes):
    n_compiled = []
    for n_in, n_out, n_samples, n_hidden in shapes:
        x, y, _, _ = problem(n_in, n_out, n_samples, dtype=dtype)
        for options in ({}, {"negative_slope": 0.5, "lr": 1e-3, "record_every": 2}):
            fastmlp.fit(x, y, hidden=n_hidden, epochs=2, **options)
            n_compiled.append(sum(len(compilable(kernels.train).signatures) for kernels in (few_inputs, many_inputs)))
    assert n_compiled == n_compiled[:1] * 4
    assert n_compiled[0] > 0


def test_compiling_is_no_part_of_the_seconds_of_a_fit(sine, monkeypatch):
    now = [0.0]

    def compile_slowly(*_):
        now[0] += 100.0

    def advance(engine, n_epochs, record):
        now[0] += float(n_epochs)
        return reference(engine, n_epochs, record)

    reference = ReferenceEngine.advance
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(ReferenceEngine, "compile", compile_slowly)
    monkeypatch.setattr(ReferenceEngine, "advance", advance)
    info = fastmlp.fit(*sine, hidden=4, epochs=9, rng=0, algorithm="reference").info
    assert (info.compile_seconds, info.fit_seconds) == (100.0, 9.0)


@pytest.mark.slow
def test_after_warmup_nothing_compiles(tmp_path):
    code = """
import fastmlp
from fastmlp.compiled.compiler import compilable
from fastmlp.engines.dense.kernels import few_inputs, many_inputs
fastmlp.warmup()
kernels = [compilable(kernels.train) for kernels in (few_inputs, many_inputs)]
print(*(len(kernel.signatures) for kernel in kernels))
"""
    assert run(code, tmp_path) == "32 4"
    code += "print(sum(sum(kernel.stats.cache_misses.values()) for kernel in kernels))"
    assert run(code, tmp_path).split() == ["32", "4", "0"]


@pytest.mark.parametrize("n_out", [1, 2])
def test_kernels_run_without_compilation_too(tmp_path, n_out):
    # Coverage of the kernels' lines is measured so.
    code = f"""
import fastmlp, numpy as np
x = np.arange(9.0)
for slope in (0.0, 0.1):
    for n_in in (2, 5, 8):
        for algorithm in ("dense", "reference"):
            y = np.stack([x, x * x][:{n_out}], axis=1)
            columns = np.stack([x**k for k in range(n_in)], axis=1)
            options = {{"negative_slope": slope, "algorithm": algorithm, "threads": 2}}
            options["optimizer"] = "adam" if slope else "sgd"
            model = fastmlp.fit(columns, y, hidden=3, epochs=5, rng=0, **options)
            print(model.history.rmse[-1])
"""
    printed = np.array(run(code, tmp_path, NUMBA_DISABLE_JIT="1").split(), float)
    np.testing.assert_allclose(printed[::2], printed[1::2], rtol=1e-12)


def test_show_versions_names_what_a_bug_report_needs(capsys):
    fastmlp.show_versions()
    shown = capsys.readouterr().out
    for name in ("fastmlp", "numpy", "numba", "llvmlite", "python", "system", "processor", "cache"):
        assert f"\n{name} " in "\n" + shown

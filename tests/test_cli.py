"""The command, used as a person uses it in a terminal."""

import dataclasses
import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.cli import main
from fastmlp.files.atomic import replacing
from fastmlp.files.tables import TableError, read_table


@pytest.fixture
def data(tmp_path, monkeypatch):
    """Write a table and stand in its folder: two inputs, a target, text, and weights."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    y = x[:, 0] - np.abs(x[:, 1])
    lines = [f"{a!r},row {i},{b!r},{c!r},{1 + i % 3}" for i, (a, b, c) in enumerate(np.c_[x, y].tolist())]
    Path("data.csv").write_text("\n".join(["a,name,b,y,w", *lines]) + "\n")
    return x, y


FIT = ("fit", "data.csv", "--target", "y", "--inputs", "a,b", "--out", "model.npz", "--hidden", "8", "--epochs", "30")


@pytest.fixture
def run(capsys):
    """Run the command in this process: (exit code, standard output, standard error)."""

    def call(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse's
            code = stop.code
        return code, *capsys.readouterr()

    return call


def test_fit_is_fastmlp_fit_of_the_columns(data, run):
    x, y = data
    code, out, err = run(*FIT, "--seed", 3, "--plot", "fit.png", "--weight", "w", "--json")
    assert (code, err) == (0, "data.csv: 40 rows; fitting 'y' from 'a', 'b'\n")
    expected = fastmlp.fit(x, y, hidden=8, epochs=30, rng=3, sample_weight=1 + np.arange(40) % 3)
    got = fastmlp.load("model.npz")
    np.testing.assert_array_equal(got.predict(x), expected.predict(x))
    facts = json.loads(out)
    assert facts["rmse"] == expected.history.rmse[-1]
    assert (facts["epochs_run"], facts["n_samples"], facts["inputs"]) == (30, 40, ["a", "b"])
    assert Path("fit.png").read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in Path().iterdir()} == {"data.csv", "model.npz", "fit.png"}


def test_a_second_table_ends_the_training(data, run):
    x, y = data
    lines = Path("data.csv").read_text().splitlines(keepends=True)
    Path("train.csv").write_text("".join(lines[:31]))
    Path("test.csv").write_text("".join(lines[:1] + lines[31:]))
    stopping = ("--validation", "test.csv", "--patience", "50", "--epochs", "5000", "--hidden", "30", "--json")
    code, out, _ = run("fit", "train.csv", *FIT[2:], *stopping)
    assert code == 0
    facts = json.loads(out)
    assert facts["stop_reason"] == "patience"
    model = fastmlp.load("model.npz")
    assert facts["best_epoch"] == model.info.best_epoch < facts["epochs_run"] < 5000
    assert facts["rmse"] == pytest.approx(model.rmse(x[:30], y[:30]))
    assert facts["val_rmse"] == pytest.approx(model.rmse(x[30:], y[30:])) == pytest.approx(model.history.val_rmse.min())
    Path("test.csv").write_text("a,y\n1,2\n")
    code, _, err = run("fit", "train.csv", *FIT[2:], *stopping)
    assert code == 1
    assert "test.csv has no column 'b'; it has 'a', 'y'." in err


def test_options_reach_fit(data, run):
    x, y = data
    options = {"lr": 0.01, "negative_slope": 0.2, "optimizer": "adam", "weight_decay": 0.1, "batch_size": 10}
    flags = [text for name, value in options.items() for text in (f"--{name.replace('_', '-')}", value)]
    assert run(*FIT, *flags)[0] == 0
    expected = fastmlp.fit(x, y, hidden=8, epochs=30, rng=0, **options)
    np.testing.assert_array_equal(fastmlp.load("model.npz").predict(x), expected.predict(x))


def test_other_columns_are_inputs_and_targets_may_be_several(data, run):
    code, out, _ = run("fit", "data.csv", "--target", "y,a", "--out", "model.npz", "--epochs", 2, "--hidden", 3)
    assert code == 1  # the names are no numbers
    assert out == ""
    Path("data.csv").write_text("a;b;y\n1;2;3\n4;5;7\n")
    assert run("fit", "data.csv", "--target", "y,a", "--out", "model.npz", "--epochs", 2, "--hidden", 3)[0] == 0
    model = fastmlp.load("model.npz")
    assert (model.n_in, model.n_out) == (1, 2)
    assert (model.feature_names, model.target_names) == (("b",), ("y", "a"))
    code, out, err = run("predict", "model.npz", "data.csv")
    assert (code, out.splitlines()[0], err) == (0, "predicted_y,predicted_a", "")
    assert list(json.loads(run("predict", "model.npz", "data.csv", "--json")[1])) == ["predicted_y", "predicted_a"]


def test_predictions_are_those_of_the_model(data, run):
    x, _ = data
    run(*FIT)
    expected = fastmlp.load("model.npz").predict(x)
    code, out, err = run("predict", "model.npz", "data.csv", "--inputs", "a,b")
    assert (code, err) == (0, "")
    assert [float(line) for line in out.splitlines()[1:]] == expected.tolist()
    assert run("predict", "model.npz", "data.csv") == (0, out, "")
    assert json.loads(run("predict", "model.npz", "data.csv", "--json")[1]) == {"predicted_y": expected.tolist()}
    assert run("predict", "model.npz", "data.csv", "--out", "p.csv") == (0, "", "")
    assert Path("p.csv").read_text() == out


def test_columns_are_found_by_their_names(data, run):
    x, _ = data
    run(*FIT)
    expected = run("predict", "model.npz", "data.csv")[1]
    Path("new.csv").write_text("\n".join(["b;c;a", *(f"{b!r};?;{a!r}" for a, b in x.tolist())]) + "\n")
    assert run("predict", "model.npz", "new.csv") == (0, expected, "")
    Path("new.csv").write_text("b2,a2\n" + "\n".join(f"{b!r},{a!r}" for a, b in x.tolist()) + "\n")
    code, out, err = run("predict", "model.npz", "new.csv")
    assert (code, out) == (1, "")
    assert (
        "new.csv has no column 'a', 'b'; it has 'b2', 'a2'. If the columns have other names, list them with --inputs."
        in err
    )
    assert run("predict", "model.npz", "new.csv", "--inputs", "a2,b2") == (0, expected, "")


def test_the_inputs_named_for_a_prediction_are_in_the_order_of_the_fit(data, run):
    run(*FIT)
    code, out, err = run("predict", "model.npz", "data.csv", "--inputs", "b,a")
    assert (code, out) == (2, "")
    assert "--inputs must be in the order of the fit ('a', 'b'), got 'b', 'a'." in err


def test_a_model_without_names_takes_all_columns_in_their_order(data, run):
    x, y = data
    model = fastmlp.fit(x, np.stack([y, y], axis=1), hidden=8, epochs=30, rng=0)
    model.save("model.npz")
    Path("new.csv").write_text("u,v\n" + "\n".join(f"{a!r},{b!r}" for a, b in x.tolist()) + "\n")
    code, out, err = run("predict", "model.npz", "new.csv")
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "predicted_1,predicted_2"
    np.testing.assert_array_equal([line.split(",") for line in out.splitlines()[1:]], model.predict(x).astype(str))
    assert "inputs" not in json.loads(run("info", "model.npz", "--json")[1])


def test_info_says_what_the_model_is(data, run):
    run(*FIT)
    facts = json.loads(run("info", "model.npz", "--json")[1])
    model = fastmlp.load("model.npz")
    assert (facts["n_in"], facts["n_hidden"], facts["rmse"]) == (2, 8, model.history.rmse[-1])
    assert facts["lr"] == model.info.lr
    assert facts["x_range"] == model.x_range.tolist()
    assert (facts["inputs"], facts["targets"]) == (["a", "b"], ["y"])
    words = run("info", "model.npz")[1]
    assert "n_hidden        8\n" in words
    assert "inputs          a, b\n" in words


def test_info_of_a_checkpoint_is_that_of_the_last_record(data, run):
    x, y = data
    options = {"hidden": 8, "epochs": 100, "rng": 0, "algorithm": "reference", "record_every": 100}
    stopped = fastmlp.fit(x, y, checkpoint="run.npz", callback=lambda info: True, **options)
    facts = json.loads(run("info", "run.npz", "--json")[1])
    assert 0 < facts["best_epoch"] < 100
    assert facts["rmse"] == stopped.history.rmse[0]
    assert repr(fastmlp.load("run.npz")).endswith(f"rmse={facts['rmse']:.4g})")


def test_versions_are_told(run):
    assert json.loads(run("versions", "--json")[1])["fastmlp"] == fastmlp.__version__
    assert run("versions")[1].startswith("fastmlp ")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a,b,y\n1,2,3\n1,x,3\n", "data.csv: line 3, column 'b' must be a finite number, got 'x'."),
        ("a,b,y\n\n1,,3\n", "data.csv: line 3, column 'b' must be a finite number, got an empty field."),
        ("a,b,y\n1,1_000,3\n", "data.csv: line 2, column 'b' must be a finite number, got '1_000'."),
        ("a,b,y\n1,inf,3\n", "data.csv: line 2, column 'b' must be a finite number, got 'inf'.\n"),
        ("a;b;y\n1,37;2;3\n", "got '1,37'. If the comma is the decimal sign, add --decimal ,"),
        ("a;b;y\n1.234,5;2;3\n", "got '1.234,5'. Write numbers without separators of thousands."),
        ("a;b;y\n1,234.5;2;3\n", "got '1,234.5'. Write numbers without separators of thousands."),
        ('a,b,y\n"1\n",2,3\n1,nan,3\n', "data.csv: line 4, column 'b' must be a finite number, got 'nan'."),
        ("a,b,y\n1,2,3\n1,2\n", "data.csv: line 3 must have 3 fields, as the header does, got 2."),
        ('a,b,y\n1,2,3\n1,"2,3\n', "data.csv: the row that starts on line 3 cannot be read: unexpected end of data."),
        ('a,b,y\n1,"2,3\n1,2,3\n', "data.csv: the row that starts on line 2 cannot be read: unexpected end of data."),
        ('"a,b,y\n1,2,3\n', "data.csv: the row that starts on line 1 cannot be read: unexpected end of data."),
        ('"a\n[V]",b,y\n1,2\n', "data.csv: line 3 must have 3 fields, as the header does, got 2."),
        ('"a\n",a,y\n1,2,3\n', "data.csv: line 2 must be the names of the columns, got 'a' twice."),
        (
            "1,2,3\n4,5,6\n",
            "line 1 must be the names of the columns, got numbers ('1', '2', '3'). Add a line",
        ),
        ("a,a,y\n1,2,3\n", "data.csv: line 1 must be the names of the columns, got 'a' twice."),
        ("1,5;2,5\n3,5;4,5\n", "line 1 must be the names of the columns, got numbers ('1,5', '2,5'). Add a line"),
        ("", "data.csv: line 1 must be the names of the columns, got nothing."),
        ("a,b,y\n", "data.csv must have at least one row below its header, got none."),
        (
            b"a,b,y\n1,\xff,3\n",
            'must be text in UTF-8, got invalid start byte on line 2. Save it as UTF-8 ("CSV UTF-8" in Excel).',
        ),
        ("温度,b,y\n1,2,3\n".encode("gbk"), "must be text in UTF-8, got invalid continuation byte on line 1. Save it"),
        ("a\tb\ty\n1\t2\t3\n".encode("utf-16"), "data.csv must be text in UTF-8, got invalid start byte on line 1. S"),
    ],
)
def test_a_bad_table_is_one_line_that_says_where(data, run, text, words):
    Path("data.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    code, out, err = run(*FIT)
    assert (code, out) == (1, "")
    assert words in err
    assert err.count("\n") == 1
    assert not Path("model.npz").exists()


@pytest.mark.parametrize(
    "text", ["a,b\n1,2\n", "a;b\r\n1;2\r\n", "a\tb\n\n1\t2", "\ufeffa, b\n1, 2\n", '"a","b"\n"1",2\n']
)
def test_tables_of_many_kinds_are_read(tmp_path, text):
    path = tmp_path / "data"
    path.write_text(text, newline="")
    table = read_table(str(path))
    np.testing.assert_array_equal(table.columns(["b", "a"]), [[2.0, 1.0]])
    with pytest.raises(TableError, match="data has no column 'c'; it has 'a', 'b'"):
        table.columns(["c"])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ('"T, °C";"p, bar";y\n1;2;3\n', ["T, °C", "p, bar", "y"]),
        ('"a;b","c;d;e",y\n1,2,3\n', ["a;b", "c;d;e", "y"]),
        ('y,"a;b","c;d;e"\n1,2,3\n', ["y", "a;b", "c;d;e"]),
        ("a\tb, c\ty, z\n1\t2\t3\n", ["a", "b, c", "y, z"]),
        ("T, °C;p, bar\n1,5;2,5\n", ["T, °C", "p, bar"]),
        ('"a\n[V]","b ""c"""\r\n1,2\r\n', ["a\n[V]", 'b "c"']),
        ('"a;b\n""c"; "y\r\n[m]"\r\n1;2\r\n', ['a;b\n"c', "y\r\n[m]"]),
    ],
)
def test_the_delimiter_is_no_part_of_a_name(tmp_path, text, names):
    path = tmp_path / "data"
    path.write_text(text, newline="", encoding="utf-8")
    assert read_table(str(path)).names == names


def test_names_are_listed_as_in_a_header(data, run):
    Path("data.csv").write_text('"T, K",b,y,z\n1,2,3,4\n5,6,7,9\n')
    fit = ("fit", "data.csv", "--out", "model.npz", "--hidden", 3, "--epochs", 2, "--inputs", 'b, "T, K"')
    assert run(*fit, "--target", "y")[0] == 0
    model = fastmlp.load("model.npz")
    assert (model.feature_names, model.target_names) == (("b", "T, K"), ("y",))
    for target, words in (
        ('"y', "invalid names: '\"y' (unexpected end of data)"),
        ("", "data.csv has no column ''; it"),
    ):
        code, _, err = run(*fit, "--target", target)
        assert (code, words in err.splitlines()[-1]) == (2, True)


def test_columns_named_one_by_one_all_count(data, run):
    fit = ("fit", "data.csv", "--out", "model.npz", "--hidden", 3, "--epochs", 2)
    assert run(*fit, "--inputs", "a", "--inputs", "w", "--target", "y", "--target", "b")[0] == 0
    model = fastmlp.load("model.npz")
    assert (model.feature_names, model.target_names) == (("a", "w"), ("y", "b"))


@pytest.mark.parametrize("text", ["a|b|y\n1|2|3\n", "a b y\n1 2 3\n"])
def test_a_table_of_another_kind_is_told_the_delimiters(data, run, text):
    Path("data.csv").write_text(text)
    code, _, err = run(*FIT)
    assert code == 2
    assert f"it has {text.splitlines()[0]!r}. Columns are separated by commas, semicolons or tabs." in err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("fit", "data.csv"), 2, "the following arguments are required: --target, --out"),
        ((*FIT, "--hidden", "0"), 2, "hidden must be at least 1, got 0."),
        ((*FIT, "--hidden", "1e3"), 2, "argument --hidden: invalid int value: '1e3'"),
        ((*FIT, "--lr", "fast"), 2, "argument --lr: invalid rate: 'fast' (a number, auto or constant)"),
        ((*FIT, "--lr", "1e300"), 1, "Training diverged at epoch 1 with lr=1e+300."),
        ((*FIT, "--target", "z"), 2, "data.csv has no column 'z'; it has 'a', 'name', 'b', 'y', 'w'."),
        ((*FIT, "--target", "a"), 2, "column 'a' must be used only once."),
        (
            (*FIT[:4], *FIT[6:], "--inputs", "a", "--weight", "b"),
            1,
            "column 'b' must contain weights of at least 0, and one above 0.",
        ),
        ((*FIT, "--plot", "fit.docx"), 2, "--plot must end in one of"),
        ((*FIT, "--out", "./data.csv"), 2, "data.csv must not be overwritten, because the command reads it."),
        (
            (*FIT, "--validation", "v.csv", "--plot", "v.csv"),
            2,
            "v.csv must not be overwritten, because the command reads it.",
        ),
        (
            (*FIT, "--out", "fit.png", "--plot", "fit.png"),
            2,
            "--plot and --out must be different files, got 'fit.png' for both.",
        ),
        (
            ("predict", "m.npz", "data.csv", "--out", "data.csv"),
            2,
            "data.csv must not be overwritten, because the command reads it.",
        ),
        ((*FIT, "--out", ""), 1, "'' must be the name of a file in a writable folder"),
        ((*FIT, "--plot", ""), 1, "'' must be the name of a file in a writable folder"),
        ((*FIT, "--out", "nowhere/model.npz"), 1, "nowhere/model.npz must be the name of a file in a writable folder"),
        (("fit", "none.csv", *FIT[2:]), 1, "No such file or directory: 'none.csv'"),
        (("predict", "data.csv", "data.csv"), 1, "data.csv must be"),
        (("predict", "data.csv", "m.npz"), 2, "the model must be named before the table, got data.csv before m.npz."),
        (("predict", "none.npz", "data.csv"), 1, "/none.npz'"),
        (("forecast",), 2, "invalid choice: 'forecast'"),
        ((), 2, "the following arguments are required: COMMAND"),
    ],
)
def test_errors_are_one_line_with_the_exit_code_of_their_kind(data, run, arguments, code, words):
    got, out, err = run(*arguments)
    assert (got, out) == (code, "")
    assert words in err.splitlines()[-1]
    assert not Path("model.npz").exists()


DESCENT = ("epochs", "lr", "negative-slope", "optimizer", "momentum", "weight-decay", "batch-size", "patience")


@pytest.mark.parametrize("option", [*DESCENT, "validation"])
@pytest.mark.parametrize("value", [(), ("7",)])
def test_an_option_of_descent_given_to_fit_cv_names_fit(data, run, option, value):
    code, out, err = run("fit-cv", "data.csv", "--target", "y", "--out", "model.npz", f"--{option}", *value)
    assert (code, out) == (2, "")
    words = f"--{option} is an option of gradient descent, which fit-cv does not do. Use fastmlp fit."
    assert err.splitlines()[-1] == f"fastmlp fit-cv: error: {words}"


FIT_CV = ("fit-cv", "data.csv", "--target", "y", "--inputs", "a,b", "--out", "model.npz")


def test_fit_cv_is_fastmlp_fit_cv_of_the_columns(data, run):
    x, y = data
    code, out, err = run(*FIT_CV, "--seed", 3, "--plot", "fit.png", "--weight", "w", "--hidden", 6, "--cv", 4, "--json")
    assert (code, err) == (0, "data.csv: 40 rows; fitting 'y' from 'a', 'b'\n")
    weight = 1 + np.arange(40) % 3
    expected = fastmlp.fit_cv(x, y, hidden=6, cv=4, rng=3, sample_weight=weight)
    model = fastmlp.load("model.npz")
    np.testing.assert_array_equal(model.predict(x), expected.predict(x))
    assert (model.feature_names, model.target_names) == (("a", "b"), ("y",))
    facts = json.loads(out)
    assert facts["cv_rmse"] == expected.info.cv_rmse
    assert facts["rmse"] == expected.rmse(x, y, weight) < facts["cv_rmse"]
    assert facts["alpha"] == list(expected.info.alpha)
    assert Path("fit.png").read_bytes().startswith(b"\x89PNG")
    text = run("info", "model.npz")[1]
    assert f"RMSE on new data (cross-validated) {expected.info.cv_rmse:.6g}\n" in text
    assert "training RMSE" not in text  # a model does not know its samples


def test_both_fits_print_labelled_errors(data, run):
    out = run(*FIT_CV, "--hidden", 4)[1]
    assert [line.rsplit(maxsplit=1)[0].strip() for line in out.splitlines() if "RMSE" in line] == [
        "RMSE on new data (cross-validated)",
        "training RMSE",
    ]
    out = run(*FIT, "--validation", "data.csv")[1]
    assert [line.rsplit(maxsplit=1)[0].strip() for line in out.splitlines() if "RMSE" in line] == [
        "training RMSE",
        "RMSE on validation data",
    ]
    out = run("fit-cv", "data.csv", "--inputs", "a", "--target", "y,b", "--out", "model.npz", "--hidden", 4)[1]
    by_output = fastmlp.load("model.npz").info.cv_rmse_by_output
    assert f"RMSE on new data, by output        {by_output[0]:.6g}, {by_output[1]:.6g}\n" in out


def test_a_cross_validation_needs_two_rows(data, run):
    Path("data.csv").write_text("a,b,y\n1,2,3\n")
    code, out, err = run(*FIT_CV)
    assert (code, out) == (1, "")
    assert err == "fastmlp fit-cv: error: data.csv must have at least two rows for a cross-validation, got 1.\n"
    code, _, err = run(*FIT_CV, "--hidden", 0)
    assert code == 1
    Path("data.csv").write_text("a,b,y\n1,2,3\n2,3,4\n")
    code, _, err = run(*FIT_CV, "--hidden", 0)
    assert (code, "hidden must be at least 1, got 0." in err) == (2, True)


def test_intervals_are_two_columns_for_each_output(data, run):
    x, _ = data
    run("fit-cv", "data.csv", "--inputs", "a,w", "--target", "y,b", "--out", "model.npz", "--hidden", 4)
    model = fastmlp.load("model.npz")
    code, out, err = run("predict", "model.npz", "data.csv", "--interval", "0.8")
    assert (code, err) == (0, "")
    names, *rows = out.splitlines()
    assert names == "predicted_y,low_y,high_y,predicted_b,low_b,high_b"
    inputs = np.c_[x[:, 0], 1 + np.arange(40) % 3]
    low, high = model.predict_interval(inputs, 0.8)
    expected = np.stack([model.predict(inputs), low, high], axis=2).reshape(40, 6)
    np.testing.assert_array_equal([[float(field) for field in row.split(",")] for row in rows], expected)
    dataclasses.replace(model, target_names=None).save("nameless.npz")
    out = run("predict", "nameless.npz", "data.csv", "--interval", "0.8", "--json")[1]
    assert list(json.loads(out)) == ["predicted_1", "low_1", "high_1", "predicted_2", "low_2", "high_2"]
    code, out, err = run("predict", "model.npz", "data.csv", "--interval", "0.99")
    assert code == 0
    assert err == (
        "fastmlp predict: warning: the model has too few samples for this coverage; the intervals are infinite.\n"
    )
    assert out.splitlines()[1].split(",")[1:3] == ["-inf", "inf"]
    assert set(json.loads(run("predict", "model.npz", "data.csv", "--interval", "0.99", "--json")[1])["low_y"]) == {
        None
    }


def test_intervals_need_a_model_of_fit_cv_and_a_coverage(data, run):
    run(*FIT)
    code, out, err = run("predict", "model.npz", "data.csv", "--interval", "0.9", "--out", "p.csv")
    assert (code, out, Path("p.csv").exists()) == (1, "", False)
    assert "--interval requires a model of fastmlp fit-cv" in err
    run(*FIT_CV, "--hidden", 3)
    code, _, err = run("predict", "model.npz", "data.csv", "--interval", "90")
    assert (code, "--interval: coverage must be between 0 and 1, got 90.0." in err) == (2, True)


def test_rows_outside_the_trained_range_are_counted_and_named(data, run):
    x, _ = data
    run(*FIT)
    top, low = float(x[:, 0].max()), float(x[:, 1].min())
    Path("new.csv").write_text(f"b,a\n0,0\n0,{top!r}\n0,{top + 1!r}\n-9,0\n")
    code, out, err = run("predict", "model.npz", "new.csv")
    assert (code, len(out.splitlines())) == (0, 5)
    assert err == (
        "fastmlp predict: warning: 2 of 4 rows are outside the trained range: "
        f"line 4 (a {top + 1:.6g} is above {top:.6g}), line 5 (b -9 is below {low:.6g})\n"
    )
    Path("new.csv").write_text("a,b\n" + "9,9\n" * 12)
    err = run("predict", "model.npz", "new.csv")[2]
    assert "12 of 12 rows" in err
    assert err.endswith(f"line 6 (a 9 is above {top:.6g}) and 7 more\n")


def test_rows_with_missing_values_are_left_out_when_asked(data, run):
    x, y = data
    lines = Path("data.csv").read_text().splitlines()
    fields = [line.split(",") for line in lines]
    fields[3][0], fields[7][3], fields[9][2], fields[11][1] = "", "NA", " nan ", ""  # the names are not used
    Path("gaps.csv").write_text("\n".join(map(",".join, fields)) + "\n")
    code, _, err = run("fit", "gaps.csv", *FIT[2:])
    assert code == 1
    assert "line 4, column 'a' must be a finite number, got an empty field. Leave out such rows with --missing" in err
    code, _, err = run("fit", "gaps.csv", *FIT[2:], "--missing", "drop")
    assert code == 0
    assert err == (
        "gaps.csv: left out 3 rows with missing values: line 4, line 8, line 10\n"
        "gaps.csv: 37 rows; fitting 'y' from 'a', 'b'\n"
    )
    kept = np.setdiff1d(np.arange(40), [2, 6, 8])
    expected = fastmlp.fit(x[kept], y[kept], hidden=8, epochs=30, rng=0)
    np.testing.assert_array_equal(fastmlp.load("model.npz").predict(x), expected.predict(x))
    code, out, err = run("predict", "model.npz", "gaps.csv", "--missing", "drop")
    assert (code, len(out.splitlines())) == (0, 39)  # the target may be missing
    assert "left out 2 rows with missing values: line 4, line 10" in err
    Path("gaps.csv").write_text("a,b,y\n,1,2\n1,2,\n")
    code, _, err = run("fit", "gaps.csv", *FIT[2:], "--missing", "drop")
    assert code == 1
    assert "gaps.csv must have a row without missing values in 'a', 'b', 'y', got none." in err


def test_tables_with_decimal_commas_are_read_when_asked(data, run):
    text = Path("data.csv").read_text().replace(",", ";").replace(".", ",")
    Path("german.csv").write_text(text)
    code, _, err = run("fit", "german.csv", *FIT[2:])
    assert (code, "If the comma is the decimal sign, add --decimal ," in err) == (1, True)
    run(*FIT)
    expected = run("predict", "model.npz", "data.csv")[1]
    assert run("fit", "german.csv", *FIT[2:], "--decimal", ",")[0] == 0
    assert run("predict", "model.npz", "german.csv", "--decimal", ",")[1] == expected
    code, _, err = run("fit", "data.csv", *FIT[2:], "--decimal", ",")
    assert code == 1
    assert "must be a finite number with a decimal comma, got" in err
    assert "Read numbers with a decimal point without --decimal." in err


def test_a_column_without_a_name_is_ignored_if_the_inputs_are_named(data, run):
    lines = Path("data.csv").read_text().splitlines()
    indexed = ["," + lines[0], *(f"{i},{line}" for i, line in enumerate(lines[1:]))]
    Path("indexed.csv").write_text("\n".join(indexed) + "\n")
    run(*FIT)
    expected = run("predict", "model.npz", "data.csv")[1]
    assert run("fit", "indexed.csv", *FIT[2:])[0] == 0
    assert run("predict", "model.npz", "indexed.csv")[1] == expected
    fit = ("fit", "indexed.csv", "--target", "y", "--out", "m.npz")
    code, _, err = run(*fit)
    assert code == 2
    assert "indexed.csv: column 1 has no name. Name the inputs with --inputs to ignore it." in err
    for target in ("", "z"):
        code, _, err = run(*fit, "--target", target)
        assert code == 2
    dataclasses.replace(fastmlp.load("model.npz"), feature_names=None).save("nameless.npz")
    code, _, err = run("predict", "nameless.npz", "indexed.csv")
    assert (code, "column 1 has no name" in err) == (2, True)


@pytest.fixture
def curve(tmp_path, monkeypatch):
    """Save a model of fit_cv with one input and names, and stand in its folder."""
    monkeypatch.chdir(tmp_path)
    x = np.linspace(10.0, 60.0, 60)
    model = fastmlp.fit_cv(x, np.log(x) + 0.01 * np.cos(7.0 * np.arange(60)), hidden=6, n_estimators=2, rng=0)
    model = dataclasses.replace(model, feature_names=["T, K"], target_names=["p"])
    model.save("model.npz")
    return model


def test_exports_are_those_of_the_model(curve, run):
    code, out, err = run("export", "model.npz", "--c", "sensor.c", "--clamp", "--format", "fixed", "--table", "t.csv")
    assert (code, out) == (0, "")
    assert Path("sensor.c").read_text() == curve.to_c("sensor", "fixed", clamp=True)
    n_bytes = re.search(r"Tables: (\d+) bytes", Path("sensor.c").read_text())[1]
    table = curve.to_piecewise(clamp=True)
    assert err == (f"t.csv: {len(table.breakpoints)} points\nsensor.c: tables of {int(n_bytes):,} bytes of flash\n")
    assert Path("t.csv").read_text().startswith('"T, K",p\n10.0,')
    points = read_table("t.csv").columns(["T, K", "p"])
    np.testing.assert_array_equal(points.T, [table.breakpoints, table.values])
    assert run("export", "model.npz", "--c", "x.c", "--name", "other")[0] == 0
    assert Path("x.c").read_text() == curve.to_c("other")


def test_a_graph_is_that_of_the_model(curve, run):
    onnxruntime = pytest.importorskip("onnxruntime")
    assert run("export", "model.npz", "--onnx", "net.onnx", "--format", "double") == (0, "", "")
    session = onnxruntime.InferenceSession("net.onnx", providers=["CPUExecutionProvider"])
    x = np.linspace(-10.0, 90.0, 10_000)
    np.testing.assert_allclose(session.run(["y"], {"x": x[:, None]})[0][:, 0], curve.predict(x), rtol=1e-12)


def test_free_knots_are_a_table_of_one_point_more(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    x = np.linspace(0.0, 3.0, 200)
    model = fastmlp.fit_knots(x, np.exp(x), hidden=15)
    model.save("knots.npz")
    assert run("export", "knots.npz", "--table", "t.csv") == (0, "", "t.csv: 16 points\n")
    points = read_table("t.csv").columns(["x", "y"])
    np.testing.assert_allclose(np.interp(x, *points.T), model.predict(x), rtol=1e-12)


def test_an_ensemble_is_exported_as_its_mean(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    ensemble = fastmlp.fit_many([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], [{}, {}], rng=0, hidden=4, epochs=10)
    ensemble.save("many.npz")
    assert run("export", "many.npz", "--c", "mean.c")[0] == 0
    assert Path("mean.c").read_text() == ensemble.to_c("mean")


def test_a_wide_net_says_how_much_flash_it_takes(tmp_path, monkeypatch, run):
    monkeypatch.chdir(tmp_path)
    w = np.linspace(1.0, 2.0, 10_000)
    fastmlp.Model([w], -w * np.linspace(-1, 1, 10_000), w[:, None], [0.0], x_range=[[-1, 1]]).save("wide.npz")
    assert run("export", "wide.npz", "--c", "wide.c", "--clamp") == (
        *(0, "", "wide.c: tables of 120,004 bytes of flash\n"),
    )


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "name a file with --c, --onnx or --table."),
        (("--table", "t.csv", "--clamp"), 2, "--clamp requires --c."),
        (("--table", "t.csv", "--name", "f"), 2, "--name requires --c."),
        (("--onnx", "n.onnx", "--format", "fixed"), 2, "--onnx requires --format float or --format double."),
        (("--c", "a.c", "--table", "./a.c"), 2, "--c and --table must be different files, got 'a.c' for both."),
        (("--c", "model.npz"), 2, "model.npz must not be overwritten, because the command reads it."),
        (("--c", "nowhere/a.c"), 1, "nowhere/a.c must be the name of a file in a writable folder."),
        (
            ("--c", "my-sensor.c"),
            1,
            "name must be a C identifier, got 'my-sensor'. Give the function another name w",
        ),
        (("--c", "a.c", "--name", "float"), 1, "name must be a C identifier, got 'float'."),
        (("--c", "a.c", "--table", "t.csv"), 1, "--table requires a model with one input; this one has 2 ('a', 'b')."),
    ],
)
def test_impossible_exports_are_one_line_and_write_nothing(data, run, arguments, code, words):
    model = fastmlp.Model([[1.0], [2.0]], [0.0], [[1.0]], [0.0], x_range=[[0, 1]] * 2, feature_names=["a", "b"])
    model.save("model.npz")
    before = sorted(path.name for path in Path().iterdir())
    got, out, err = run("export", "model.npz", *arguments)
    assert (got, out) == (code, "")
    assert words in err.splitlines()[-1]
    assert sorted(path.name for path in Path().iterdir()) == before
    assert run("export", "data.csv", "--c", "a.c")[0] == 1


def test_a_full_disk_leaves_the_old_file(curve):
    Path("sensor.c").write_text("old")
    limited = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        "from fastmlp.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", limited, "export", "model.npz", "--c", "sensor.c"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "an existing file is left unchanged" in done.stderr
    assert done.stderr.count("\n") == 1
    assert Path("sensor.c").read_text() == "old"
    assert {path.name for path in Path().iterdir()} == {"model.npz", "sensor.c"}


def test_the_inputs_of_a_prediction_must_be_as_many_as_the_nets(data, run):
    run(*FIT)
    dataclasses.replace(fastmlp.load("model.npz"), feature_names=None).save("nameless.npz")
    code, _, err = run("predict", "nameless.npz", "data.csv")
    assert code == 2
    assert "must be 2 columns, but data.csv has 5. Name them with --inputs." in err
    code, _, err = run("predict", "model.npz", "data.csv", "--inputs", "a")
    assert code == 2
    assert "must be 2 columns, but --inputs names 1." in err


def test_the_inputs_of_a_prediction_must_be_columns_each_named_once(data, run):
    run(*FIT)
    code, _, err = run("predict", "model.npz", "data.csv", "--inputs", "a,z")
    assert (code, "data.csv has no column 'z'" in err) == (2, True)
    code, _, err = run("predict", "model.npz", "data.csv", "--inputs", "a,a")
    assert (code, "column 'a' must be used only once." in err) == (2, True)


def test_nothing_takes_the_place_of_a_device(data, run):
    run(*FIT)
    os.mkfifo("pipe")  # stands for /dev/null, which a test must not put at risk
    for command in ((*FIT, "--out", "pipe"), ("predict", "model.npz", "data.csv", "--out", "pipe")):
        code, out, err = run(*command)
        assert (code, out) == (1, "")
        assert "pipe must be the name of a file in a writable folder." in err
    with pytest.raises(OSError, match="Not a regular file"), replacing("pipe"):
        pass
    assert Path("pipe").is_fifo()


def test_one_row_is_one_row(data, run):
    Path("data.csv").write_text("a,b,y\n1,2,3\n")
    assert run(*FIT)[2] == "data.csv: 1 row; fitting 'y' from 'a', 'b'\n"


def test_a_failed_command_leaves_the_old_files(data, run):
    run(*FIT)
    before = Path("model.npz").read_bytes()
    assert run(*FIT, "--lr", "1e300")[0] == 1
    assert Path("model.npz").read_bytes() == before


COMMAND = [sys.executable, "-m", "fastmlp"]


def test_it_stands_in_a_pipe(data):
    text = Path("data.csv").read_text()
    done = subprocess.run([*COMMAND, "fit", "-", *FIT[2:]], input=text, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "standard input: 40 rows; fitting 'y' from 'a', 'b'\n"
    many = text + text.partition("\n")[2] * 500
    predict = subprocess.Popen(
        [*COMMAND, "predict", "model.npz", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    predict.stdin.write(many)
    predict.stdin.close()
    assert predict.stdout.readline() == "predicted_y\n"
    predict.stdout.close()  # as `head -1` does
    assert predict.stderr.read() == ""
    predict.stderr.close()
    assert predict.wait(timeout=60) == 1


def test_names_in_any_script_come_through_a_pipe(data):
    text = Path("data.csv").read_text().replace("a,name,b,y", "温度,name,b,压力", 1)

    def run_in_ascii(*arguments):
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        done = subprocess.run(
            [*COMMAND, *arguments], input=text.encode(), capture_output=True, env=environment, timeout=300
        )
        return done.returncode, done.stdout, done.stderr

    code, out, _ = run_in_ascii("fit", "-", "--target", "压力", "--inputs", "温度,b", *FIT[6:])
    assert code == 0
    (inputs,) = (line.split(maxsplit=1)[1] for line in out.splitlines() if line.startswith(b"inputs "))
    assert inputs == rb"\u6e29\u5ea6, b"
    assert fastmlp.load("model.npz").feature_names == ("温度", "b")
    assert run_in_ascii("info", "model.npz")[0] == 0
    code, out, err = run_in_ascii("predict", "model.npz", "-", "--json")
    assert (code, err) == (0, b"")
    assert len(json.loads(out)["predicted_压力"]) == 40
    code, out, err = run_in_ascii("predict", "model.npz", "-")  # a table has the true names or none
    assert (code, out) == (1, b"")
    assert err.startswith(b"fastmlp predict: error: 'ascii' codec can't encode")


@pytest.mark.filterwarnings("default:fit was interrupted")
def test_ctrl_c_keeps_the_model_so_far(data, run, monkeypatch):
    fit = fastmlp.fit
    press = partial(os.kill, os.getpid(), signal.SIGINT)
    monkeypatch.setattr(
        fastmlp, "fit", lambda *samples, **options: fit(*samples, callback=lambda _: press(), **options)
    )
    code, out, err = run(*FIT, "--epochs", str(10**10))
    assert code == 1
    assert err.splitlines()[-1] == "fastmlp fit: error: interrupted; model.npz contains the model trained so far."
    assert "interrupted" in out
    assert fastmlp.load("model.npz").info.stop_reason == "interrupted"


def test_ctrl_c_before_the_training_is_one_line(data):
    os.mkfifo("pipe.csv")
    fit = subprocess.Popen([*COMMAND, "fit", "pipe.csv", *FIT[2:]], stderr=subprocess.PIPE, text=True)
    with open("pipe.csv", "w"):  # waits until the command reads
        os.kill(fit.pid, signal.SIGINT)
        _, err = fit.communicate(timeout=60)
    assert fit.returncode == 1
    assert err == "fastmlp fit: error: interrupted.\n"
    assert not Path("model.npz").exists()


def test_the_entry_point_is_installed():
    (entry,) = (point for point in importlib.metadata.entry_points(group="console_scripts") if point.name == "fastmlp")
    assert entry.load() is main


@pytest.mark.slow
def test_warmup_compiles(run):
    assert run("warmup")[:2] == (0, "")


@pytest.mark.parametrize("missing", [("stderr",), ("stdout",), ("stderr", "stdout", "stdin")])
def test_a_program_without_a_console_works(data, monkeypatch, missing):
    for stream in missing:
        monkeypatch.setattr(sys, stream, None)
    assert main([*FIT]) == 0
    assert main(["info", "model.npz"]) == 0
    assert main(["versions", "--json"]) == 0
    assert main(["predict", "model.npz", "data.csv", "--out", "predicted.csv"]) == 0
    assert main(["predict", "model.npz", "data.csv"]) == (2 if "stdout" in missing else 0)
    if "stdin" in missing:
        assert main(["fit", "-", *FIT[2:]]) == 1
    assert main(["fit", "missing.csv", *FIT[2:]]) == 1
    with pytest.raises(SystemExit) as caught:
        main(["fit"])
    assert caught.value.code == 2
    model = fastmlp.fit([0.0, 1.0], [0.0, 1.0], hidden=5, epochs=2, progress=True)
    assert model.history.rmse.size == 3


def test_messages_keep_tabs_and_spaces_and_have_one_line(data, run):
    code, _, err = run("info", "no\tfile  here\n.npz")
    assert code == 1
    assert "no\tfile  here .npz" in err or "no\\tfile  here\\n.npz" in err
    assert err.count("\n") == 1
    code, _, err = run("fit", "data.csv", "--target", "y", "--out", "no\tfolder/model.npz")
    assert err == "fastmlp fit: error: no\tfolder/model.npz must be the name of a file in a writable folder.\n"

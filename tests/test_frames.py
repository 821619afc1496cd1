"""Data frames and other data that people bring: names are kept and checked, numbers are found, the rest is named."""

import datetime
import decimal
import re
import subprocess
import sys

import numpy as np
import numpy.lib.recfunctions
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

import fastmlp

N = 6
Y = np.linspace(0, 1, N) ** 2
TABLE = pd.DataFrame({"a": np.linspace(0, 1, N), "b": [True, False] * 3, "c": range(N)})


def fit(x, y=Y, **options):
    return fastmlp.fit(x, y, **({"hidden": 4, "epochs": 3, "rng": 0, "algorithm": "reference"} | options))


def frames():
    """Return the table in the kinds of columns that libraries have."""
    kinds = {
        "numpy": TABLE,
        "nullable": TABLE.convert_dtypes(),
        "objects": TABLE.astype(object),
        "categories": TABLE.assign(c=pd.Categorical(range(N))),
        "decimals": TABLE.assign(c=[decimal.Decimal(i) for i in range(N)]),
        "polars": pl.DataFrame(TABLE.to_dict("list")),
        "polars decimals": pl.DataFrame(TABLE.to_dict("list")).with_columns(pl.col("c").cast(pl.Decimal(10, 2))),
    }
    try:
        import pyarrow as pa
    except ImportError:
        return kinds
    arrow = {"arrow": TABLE.convert_dtypes(dtype_backend="pyarrow"), "table": pa.table(TABLE.to_dict("list"))}
    return kinds | arrow


@pytest.mark.parametrize("kind", frames())
def test_every_kind_of_column_trains_like_an_array_of_its_numbers(kind):
    expected = fit(TABLE.to_numpy(dtype=float))
    model = fit(frames()[kind])
    assert model.feature_names == ("a", "b", "c")
    np.testing.assert_array_equal(model.w1, expected.w1)
    np.testing.assert_array_equal(model.predict(frames()[kind]), expected.predict(TABLE.to_numpy(dtype=float)))


def test_float32_columns_train_in_float32():
    floats = TABLE[["a"]].astype(np.float32)
    assert fit(floats, Y.astype(np.float32)).w1.dtype == np.float32
    assert fit(floats.astype("Float32"), pd.Series(Y, dtype="Float32")).w1.dtype == np.float32
    assert fit(TABLE.astype({"a": np.float32}), Y.astype(np.float32)).w1.dtype == np.float64  # "c" are integers


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_in_another_order_are_refused_everywhere(library):
    x, y = TABLE[["a", "b"]], pd.DataFrame({"u": Y, "v": 1 - Y})
    if library == "polars":
        x, y = pl.DataFrame(x.to_dict("list")), pl.DataFrame(y.to_dict("list"))
    model = fit(x, y)
    assert (model.feature_names, model.target_names) == (("a", "b"), ("u", "v"))
    swapped_x, swapped_y = x[["b", "a"]], y[["v", "u"]]
    of_x = [
        lambda: model.predict(swapped_x),
        lambda: model.rmse(swapped_x, y),
        lambda: model.gradients(swapped_x, y),
        lambda: model.input_gradient(swapped_x),
        lambda: model.plot(swapped_x, y),
        lambda: fit(x, y, validation=(swapped_x, y)),
        lambda: fit(swapped_x, y, init=model),
        lambda: fit(np.asarray(x, dtype=float), y, init=model, validation=(swapped_x, y)),
        lambda: fastmlp.fit_many(swapped_x, y, [{}], init=model),
        lambda: fastmlp.fit_many(x, y, [{}], rng=0, hidden=3, epochs=2).predict(swapped_x),
    ]
    of_y = [
        lambda: model.rmse(x, swapped_y),
        lambda: model.gradients(x, swapped_y),
        lambda: fit(x, y, validation=(x, swapped_y)),
        lambda: fit(x, swapped_y, init=model),
    ]
    for call in of_x:
        with pytest.raises(ValueError, match=r"the columns of (validation )?x must be .* got 'b' in place of 'a'\."):
            call()
    for call in of_y:
        with pytest.raises(ValueError, match=r"the columns of (validation )?y must be .* got 'v' in place of 'u'\."):
            call()


@pytest.mark.parametrize(
    ("columns", "got"),
    [
        (["a"], "no 'b'"),
        (["a", "c"], "no 'b' but 'c'"),
        (["a", "b", "c"], "'c' too"),
        (["a", "b", "b"], "3 columns"),
    ],
)
def test_other_columns_are_named(columns, got):
    model = fit(TABLE[["a", "b"]])
    words = f"the columns of x must be those of the fit in their order, got {got}. Select the columns by name."
    with pytest.raises(ValueError, match=re.escape(words)):
        model.predict(TABLE[columns])
    assert model.predict(TABLE[list(model.feature_names)]).shape == (N,)


def test_arrays_and_frames_without_names_are_accepted_by_count():
    named = fit(TABLE[["a", "b"]])
    numbers = TABLE[["a", "b"]].to_numpy(dtype=float)
    expected = named.predict(TABLE[["a", "b"]])
    for unnamed in (numbers, pd.DataFrame(numbers), pd.DataFrame(numbers, columns=["b", 0]), numbers.tolist()):
        np.testing.assert_array_equal(named.predict(unnamed), expected)
        model = fit(unnamed)
        assert model.feature_names is None
        np.testing.assert_array_equal(model.predict(TABLE[["b", "a"]].astype(float)[["a", "b"]]), expected)
        assert model.predict(TABLE[["b", "c"]]).shape == (N,)  # a model without names accepts any frame
    with pytest.raises(ValueError, match=r"x must be of shape \(n, 2\), got shape \(6, 3\)"):
        named.predict(TABLE.to_numpy(dtype=float))


def test_names_of_series_are_kept_and_checked():
    model = fit(TABLE["a"], pd.Series(Y, name="target"))
    assert (model.feature_names, model.target_names) == (("a",), ("target",))
    assert model.predict(TABLE[["a"]]).shape == model.predict(pl.Series("a", Y)).shape == model.predict(Y).shape
    assert model.predict(pd.Series(Y)).shape == model.predict(pl.Series(Y)).shape == (N,)
    with pytest.raises(ValueError, match=r"got no 'a' but 'c'\."):
        model.predict(TABLE["c"])
    with pytest.raises(ValueError, match=r"columns of y .* got no 'target' but 'a'"):
        model.rmse(TABLE["a"], TABLE["a"])


def test_a_model_without_names_takes_those_of_the_frame_that_it_goes_on_with():
    model = fit(TABLE.to_numpy(dtype=float), Y)
    longer = fit(TABLE, pd.Series(Y, name="t"), init=model)
    assert (longer.feature_names, longer.target_names) == (("a", "b", "c"), ("t",))
    assert fit(TABLE.to_numpy(dtype=float), Y, init=longer).feature_names == ("a", "b", "c")


def test_names_are_kept_in_files_snapshots_and_ensembles(tmp_path):
    model = fit(TABLE, snapshots=[1])
    model.save(tmp_path / "net.npz")
    assert (
        fastmlp.load(tmp_path / "net.npz").feature_names == model.history.snapshots[1].feature_names == ("a", "b", "c")
    )
    ensemble = fastmlp.fit_many(TABLE["a"], Y, [{}] * 9, rng=0, hidden=3, epochs=2)  # trained in one batch
    assert {net.feature_names for net in ensemble.models} == {("a",)}


def dates():
    return pd.date_range("2020-01-01", periods=N)


WRONG = {  # columns, the class of the error, its words, and what the remedy in the error says to do
    "missing bool": (pd.array([True, None] * 3, "boolean"), ValueError, "<NA> at row 1", lambda x: x.fillna(False)),
    "missing integer": (pd.array([1, None] * 3, "Int64"), ValueError, "nan at row 1", lambda x: x.fillna(0)),
    "missing float": ([1.0, np.nan] * 3, ValueError, "nan at row 1", lambda x: x.fillna(0)),
    "missing object": ([1, None, "x"] * 2, ValueError, "None at row 1", None),
    "text": (list("uvwuvw"), TypeError, "'u' at row 0", pd.get_dummies),
    "categories": (pd.Categorical(list("uvwuvw")), TypeError, "'u' at row 0", pd.get_dummies),
    "numbers as text": (["1.5"] * N, TypeError, "'1.5' at row 0", lambda x: x.assign(d=x["d"].astype(float))),
    "one text": (["1.5", "n/a"] * 3, TypeError, "'n/a' at row 1", pd.get_dummies),
    "date": (dates(), TypeError, "2020-01-01T00:00:00.000000 at row 0", "to_datetime"),
    "date with zone": (dates().tz_localize("UTC"), TypeError, "2020-01-01 00:00:00+00:00 at row 0", "to_datetime"),
    "date object": ([datetime.date(2020, 1, 1 + i) for i in range(N)], TypeError, "2020-01-01 at row 0", "to_datetime"),
    "duration": (pd.to_timedelta(range(N), unit="s"), TypeError, "0 microseconds at row 0", "to_timedelta"),
    "list": ([[1]] * N, TypeError, "[1] at row 0", None),
}


def seconds(column):
    """Follow the remedy of dates."""
    t = pd.to_datetime(pd.Series(column))
    return (t - t.min()).dt.total_seconds()


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_entries_are_named_by_row_and_column_and_the_remedy_works(kind):
    entries, error, got, remedy = WRONG[kind]
    x = TABLE.assign(d=entries)
    with pytest.raises(error, match=re.escape(f"{got}, column 'd'")) as caught:
        fit(x)
    model = fit(TABLE)
    with pytest.raises(error, match=re.escape("y must be")):
        model.rmse(TABLE, x["d"])
    if remedy == "to_datetime":
        assert "t = pandas.to_datetime(pandas.Series(x['d'])), then (t - t.min()).dt.total_seconds()" in str(
            caught.value
        )
        x = x.assign(d=seconds(x["d"]))
    elif remedy == "to_timedelta":
        assert "pandas.to_timedelta(pandas.Series(x['d'])).dt.total_seconds()" in str(caught.value)
        x = x.assign(d=pd.to_timedelta(pd.Series(x["d"])).dt.total_seconds())
    elif remedy is not None:
        assert any(word in str(caught.value) for word in ("fillna()", "get_dummies(x)", "x['d'].astype(float)"))
        x = remedy(x)
    if remedy is not None:
        assert fit(x).n_in >= 4


def test_wrong_entries_of_polars():
    table = pl.DataFrame(TABLE.to_dict("list"))
    cases = [
        (pl.Series([datetime.date(2020, 1, 1 + i) for i in range(N)]), "2020-01-01 at row 0, column 'd'"),
        (pl.Series([datetime.timedelta(i) for i in range(N)]), "0 microseconds at row 0, column 'd'"),
        (pl.Series(["1"] * N), "'1' at row 0, column 'd'"),
        (pl.Series(list("uvwuvw")), "'u' at row 0, column 'd'"),
        (pl.Series([True, None] * 3), "None at row 1, column 'd'"),
        (pl.Series([1, None] * 3), "nan at row 1, column 'd'"),
    ]
    remedies = {
        "(x['d'] - x['d'].min()).dt.total_seconds()": lambda d: (d - d.min()).dt.total_seconds(),
        "with x['d'].dt.total_seconds()": lambda d: d.dt.total_seconds(),
        "x['d'].cast(float)": lambda d: d.cast(float),
        "x['d'].to_dummies()": lambda d: d.to_dummies(),
        "drop_nulls()": lambda d: d.drop_nulls(),
    }
    for entries, got in cases:
        with pytest.raises((TypeError, ValueError), match=re.escape(got)) as caught:
            fit(table.with_columns(d=entries))
        remedy = next(remedy for words, remedy in remedies.items() if words in str(caught.value))
        x = remedy(entries)
        assert fit(x, Y[: len(x)]).n_in
    with pytest.raises(TypeError, match=r"got a lazy frame\. Pass x\.collect\(\)\."):
        fit(table.lazy())


RECORDS = np.array([(1, 2.0), (3, 4.0)] * 3, [("a", np.int64), ("b", float)])


class Tensor:
    """Behaves like a tensor of PyTorch."""

    def __init__(self, array, requires_grad=True):
        self.array, self.requires_grad = array, requires_grad

    def detach(self):
        return Tensor(self.array, requires_grad=False)

    def __array__(self, dtype=None, copy=None):
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad.")
        return self.array


class Device:
    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy.")


@pytest.mark.parametrize(
    ("x", "got"),
    [
        (None, "None."),
        ((i for i in Y), "a generator. Pass list(x)."),
        (map(float, Y), "a map. Pass list(x)."),
        (iter(Y.tolist()), "a list_iterator. Pass list(x)."),
        (dict.fromkeys(Y, 1).keys(), "a dict_keys. Pass list(x)."),
        ({"a": Y}, "a dict. Pass its columns as numpy.column_stack(list(x.values()))."),
        (set(Y), "a set. Pass a list: a set has no order."),
        (scipy.sparse.csr_matrix(np.eye(N)), "a sparse matrix. Pass x.toarray()."),
        (scipy.sparse.coo_array(np.eye(N)), "a sparse matrix. Pass x.toarray()."),
        (Tensor(Y), "a tensor that requires grad. Pass x.detach()."),
        ([Tensor(Y)] * 2, "a tensor that requires grad. Pass x.detach()."),
        (Device(), "a Device. numpy.asarray cannot convert it: can't convert cuda:0 device type tensor to numpy."),
        (object(), "an object."),
        ("text", "'text'."),
        (np.array(None), "None."),
        ([10**400, *Y[1:]], None),
        (
            np.zeros(N, [("a", float)]),
            "dtype [('a', '<f8')]. Pass numpy.lib.recfunctions.structured_to_unstructured(x).",
        ),
        (np.arange(N) * np.timedelta64(1, "D"), "0 days at position 0. Convert durations to seconds with"),
        (np.arange(N) + np.datetime64("2020-01-01"), "2020-01-01 at position 0. Convert dates to seconds with"),
        ([1.0, "n/a", *Y[2:]], "'n/a' at position 1."),
        ([b"a"] * N, "b'a' at position 0."),
    ],
)
def test_what_is_no_array_of_numbers_gets_a_plain_sentence(x, got):
    words = (
        "x must be finite, got inf at position 0." if got is None else f"x must be an array of real numbers, got {got}"
    )
    for call in (lambda: fit(x), lambda: fit(Y).predict(x)):
        with pytest.raises((TypeError, ValueError)) as caught:
            call()
        assert str(caught.value).startswith(words)


def test_the_remedies_of_arrays_work():
    sparse = scipy.sparse.csr_array(np.eye(N))
    times = np.arange(N) + np.datetime64("2020-01-01")
    remedied = [
        list(iter(Y)),
        np.column_stack(list({"a": Y}.values())),
        sparse.toarray(),
        Tensor(Y).detach(),
        np.lib.recfunctions.structured_to_unstructured(RECORDS),
        np.asarray(times, "datetime64[s]").astype(float),
        np.asarray([datetime.datetime(2020, 1, 1 + i) for i in range(N)], "datetime64[s]").astype(float),
        np.asarray(np.arange(N) * np.timedelta64(1, "D"), "timedelta64[us]") / np.timedelta64(1, "s"),
    ]
    for x in remedied:
        assert np.isfinite(fit(x).history.rmse).all()


@pytest.mark.parametrize("name", ["y", "sample_weight", "validation x", "validation y", "init w1"])
def test_other_arguments_say_the_same(name):
    wrong = Tensor(np.ones(N))
    net = [np.ones((1, 3)), np.ones(3), np.ones((3, 1)), np.zeros(1)]
    calls = {
        "y": lambda: fit(Y, wrong),
        "sample_weight": lambda: fit(Y, sample_weight=wrong),
        "validation x": lambda: fit(Y, validation=(wrong, Y)),
        "validation y": lambda: fit(Y, validation=(Y, wrong)),
        "init w1": lambda: fit(Y, init=(Tensor(net[0]), *net[1:])),
    }
    words = (
        f"{name} must be an array of real numbers, got a tensor that requires grad. Pass {name.split()[-1]}.detach()."
    )
    with pytest.raises(TypeError, match=re.escape(words)):
        calls[name]()


def test_other_columns_of_polars_are_refused():
    cases = {
        "several in an entry in column 'c'.": pl.Series([[1.0, 2.0]] * N, dtype=pl.Array(pl.Float64, 2)),
        "a Series in column 'c'. numpy.asarray cannot convert it: ": pl.Series(range(N), dtype=pl.Int128),
        "[1] at row 0, column 'c'.": pl.Series([[1]] * N),
        "'1,5' at row 0, column 'c'. Write numbers with a decimal point": pl.Series(["1,5"] * N),
    }
    for got, entries in cases.items():
        with pytest.raises(TypeError, match=re.escape(f"x must be an array of real numbers, got {got}")):
            fit(pl.DataFrame({"a": Y, "c": entries}))


def test_one_sample_as_the_error_says():
    model = fit(TABLE[["a", "b"]])
    for sample in (TABLE[["a", "b"]].astype(float).iloc[0], [0.5, 1.0], np.array([0.5, 1.0])):
        with pytest.raises(ValueError, match=r"Pass one sample as numpy\.asarray\(x\)\[None\]\."):
            model.predict(np.asarray(sample))
        assert model.predict(np.asarray(sample)[None]).shape == (1,)


def test_numbers_as_objects_are_taken():
    x = np.array([1, 2.5, True, decimal.Decimal("0.5"), np.float32(3), 10**30], dtype=object)
    np.testing.assert_array_equal(fit(x).x_range, [[0.5, 1e30]])


def test_plots_and_exports_use_the_names():
    x, y = TABLE["a"].rename("T, $K$"), pd.DataFrame({"_u": Y, "v": -Y})
    one, two = fit(x, y["v"]), fit(x, y)
    ax = one.plot(x, y["v"])
    assert (ax.get_xlabel(), ax.get_ylabel()) == (r"T, \$K\$", "v")
    assert "T, $K$ from 0 to 1, v from" in one._repr_html_()
    ax.figure.canvas.draw()
    assert [t.get_text() for t in two.plot().get_legend().get_texts()][:2] == ["net,  _u", "net, v"]
    three = fit(TABLE, y)
    assert [t.get_text() for t in three.plot(TABLE, y).get_legend().get_texts()] == [" _u", "v"]
    assert fit(TABLE, y["v"]).plot(TABLE, y["v"]).get_xlabel() == "observed v"
    assert fit(TABLE[["a", "b"]]).plot().get_ylabel() == "b"
    band = fastmlp.fit_many(x, y["v"], [{}] * 2, rng=0, hidden=3, epochs=2).plot()
    assert (band.get_xlabel(), band.get_ylabel()) == (r"T, \$K\$", "v")
    source = fit(TABLE.rename(columns={"a": "end */ é"})).to_c()
    assert "x: 'end * / \\xe9', 'b', 'c'." in " ".join(source.split())
    assert source.count("*/") == 1


def test_onnx_files_have_the_names(tmp_path):
    onnx = pytest.importorskip("onnx")
    fit(TABLE, pd.Series(Y, name="t")).to_onnx(tmp_path / "net.onnx")
    properties = {entry.key: entry.value for entry in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert properties == {"feature_names": '["a", "b", "c"]', "target_names": '["t"]'}


def test_frames_need_no_library():
    code = """
import sys
sys.modules.update(pandas=None, polars=None, pyarrow=None)
import fastmlp
model = fastmlp.fit([0.0, 1.0], [0.0, 1.0], hidden=3, epochs=2, rng=0, algorithm="reference")
assert model.predict([0.5]).shape == (1,)
assert model.feature_names is None
"""
    subprocess.run([sys.executable, "-c", code], check=True)

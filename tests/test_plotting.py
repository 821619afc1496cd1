"""Plots and films: their contents, and that a failure leaves no file."""

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from matplotlib.colors import to_rgb
from PIL import Image

import fastmlp
from fastmlp.models.film import film


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def fitted(problem):
    """Make data of the given sizes and a model fitted to it, with snapshots."""

    def make(n_in, n_out):
        x, y, _, init = problem(n_in, n_out)
        y = y[:, 0] if n_out == 1 else y
        return x, y, fastmlp.fit(x, y, init=init, lr=0.01, epochs=8, snapshots=[1, 4], algorithm="reference")

    return make


def test_two_inputs_are_contours_with_the_data(fitted):
    x, y, model = fitted(2, 1)
    ax = model.plot(x, y)
    (points,) = (drawn for drawn in ax.collections if isinstance(drawn, PathCollection))
    np.testing.assert_array_equal(points.get_offsets(), x)
    np.testing.assert_array_equal(points.get_array(), y)
    surface = next(drawn for drawn in ax.collections if not isinstance(drawn, PathCollection))
    assert (surface.cmap, surface.norm) == (points.cmap, points.norm)
    low, high = surface.levels[[0, -1]]
    assert low <= min(y.min(), model.predict(x).min())
    assert high >= max(y.max(), model.predict(x).max())
    assert len(ax.figure.axes) == 2
    assert model.plot().get_xlim() == tuple(model.x_range[0])


def test_contours_of_a_constant_net_can_be_drawn():
    model = fastmlp.Model([[0.0], [0.0]], [0.0], [[0.0]], [3.0])
    assert model.plot(np.ones((4, 2))).get_xlim() == (0.5, 1.5)


@pytest.mark.parametrize(("n_in", "n_out"), [(2, 2), (3, 1), (5, 2)])
def test_more_inputs_are_predicted_against_observed(fitted, n_in, n_out):
    x, y, model = fitted(n_in, n_out)
    ax = model.plot(x, y)
    diagonal, *outputs = ax.lines
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert len(outputs) == n_out
    for k, drawn in enumerate(outputs):
        np.testing.assert_array_equal(drawn.get_xdata(), y.reshape(len(x), -1)[:, k])
        np.testing.assert_array_equal(drawn.get_ydata(), model.predict(x).reshape(len(x), -1)[:, k])
    for missing in ((), (x,)):
        with pytest.raises(ValueError, match=f"The plot of a net with {n_in} inputs and .* Give x and y."):
            model.plot(*missing)


def test_samples_of_the_wrong_shape_are_refused(fitted):
    x, y, model = fitted(2, 1)
    with pytest.raises(ValueError, match=r"x must be of shape \(n, 2\)"):
        model.plot(x[:, :1], y)
    with pytest.raises(ValueError, match="y must have 1 column, one for each output, got 2"):
        model.plot(x, np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match="x must be given with y"):
        model.plot(y=y)


def test_a_history_is_drawn_on_logarithmic_axes(fitted):
    _, _, model = fitted(3, 1)
    ax = model.history.plot()
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), model.history.epoch[1:])
    np.testing.assert_array_equal(line.get_ydata(), model.history.rmse[1:])
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert model.history.plot(ax) is ax


@pytest.mark.parametrize(
    ("last", "rmse", "epochs", "errors"),
    [
        (10**6, 1e-5, ["1", "10", "100", "1000", "10000", "10^{5}", "10^{6}"], ["10^{-5}", "10^{-4}", "0.001", "1"]),
        (4, 0.4, ["1", "2", "3", "4"], ["0.4", "0.6", "1"]),
    ],
)
def test_ticks_of_a_history_are_plain_numbers_where_those_are_short(last, rmse, epochs, errors):
    ax = fastmlp.History(np.array([0, 1, last]), np.array([2.0, 1.0, rmse]), None, {}, None).plot()
    ax.figure.draw_without_rendering()
    for axis, expected in ((ax.xaxis, epochs), (ax.yaxis, errors)):
        labels = {tick.label1.get_text() for tick in axis.get_major_ticks() + axis.get_minor_ticks()}
        assert set(expected) <= {label.removeprefix("$\\mathdefault{").removesuffix("}$") for label in labels}
        assert not any("times" in label for label in labels)


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (2, 1), (3, 2)])
def test_a_film_has_a_frame_for_each_snapshot_and_holds_the_end(fitted, tmp_path, n_in, n_out):
    x, y, model = fitted(n_in, n_out)
    film(model, tmp_path / "fit.gif", x, y, fps=2)
    with Image.open(tmp_path / "fit.gif") as picture:
        assert picture.format == "GIF"
        frames = []
        for k in range(picture.n_frames):
            picture.seek(k)
            frames.append(np.asarray(picture.convert("RGB"), dtype=int))
    assert len(frames) == 3  # after epochs 1, 4 and 8; the last is held
    for before, after in itertools.pairwise(frames):
        assert np.abs(after - before).max() > 100
    assert [file.name for file in tmp_path.iterdir()] == ["fit.gif"]
    assert plt.get_fignums() == []


def test_a_film_of_a_fit_with_patience_ends_with_the_weights_returned(sine, tmp_path, monkeypatch):
    x, y = sine
    model = fastmlp.fit(
        x, y, hidden=9, lr=2.0, init=0.3, rng=0, epochs=60, patience=5, snapshots=[0], algorithm="reference"
    )
    assert 0 < model.info.best_epoch < model.info.epochs_run
    titles = []
    monkeypatch.setattr(Axes, "set_title", lambda self, title: titles.append(title))
    film(model, tmp_path / "fit.gif", x, y)
    assert titles[-1] == f"epoch {model.info.best_epoch}, RMSE {model.rmse(x, y):.3g}"
    assert f", rmse={model.rmse(x, y):.4g})" in repr(model)


def test_a_refused_film_leaves_no_file(fitted, tmp_path):
    x, y, model = fitted(3, 1)
    with pytest.raises(ValueError, match="The plot of a net with 3 inputs and 1 output shows"):
        film(model, tmp_path / "fit.gif")
    with pytest.raises(ValueError, match=r'path must be a name that ends in "\.gif"'):
        film(model, tmp_path / "fit.mp4", x, y)
    with pytest.raises(ValueError, match="fps must be positive, got 0"):
        film(model, tmp_path / "fit.gif", x, y, fps=0)
    with pytest.raises(ValueError, match="The model has no snapshots"):
        film(model.history.snapshots[1], tmp_path / "fit.gif", x, y)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_out", [1, 2])
def test_a_notebook_shows_the_curve(fitted, n_out):
    _, _, model = fitted(1, n_out)
    shown = ElementTree.fromstring(model._repr_html_().replace("<br>", "<br/>"))
    assert shown.find("code").text == repr(model)
    space = "{http://www.w3.org/2000/svg}"
    lines = shown.find(f"{space}svg").findall(f"{space}polyline")
    assert len(lines) == n_out
    points = np.array([[float(part) for part in pair.split(",")] for pair in lines[0].get("points").split()])
    x = np.linspace(*model.x_range[0], len(points))
    height = model.predict(x).reshape(len(x), -1)[:, 0]
    assert np.corrcoef(points[:, 0], x)[0, 1] == pytest.approx(1, abs=1e-5)
    assert np.corrcoef(points[:, 1], height)[0, 1] == pytest.approx(-1, abs=1e-3)


def test_a_notebook_shows_other_nets_without_a_drawing(fitted):
    assert "svg" not in fitted(3, 1)[2]._repr_html_()
    constant = fastmlp.Model([[0.0]], [0.0], [[0.0]], [3.0], x_range=[[0.0, 1.0]])
    assert "nan" not in constant._repr_html_()


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-np.pi, np.pi, "x from -3.142 to 3.142,"),
        (1.7e9, 1.7e9 + 5, "x from 1700000000 to 1700000005,"),
        (2.0, 2.0, "x from 2 to 2,"),
    ],
)
def test_a_notebook_tells_the_ends_of_the_curve_apart(low, high, words):
    model = fastmlp.Model([[0.0]], [0.0], [[0.0]], [3.0], x_range=[[low, high]])
    assert words in model._repr_html_()


def test_a_notebook_shows_a_model_without_matplotlib():
    code = """
import sys, fastmlp
fastmlp.Model([[1.0]], [0.0], [[1.0]], [3.0], x_range=[[0.0, 1.0]])._repr_html_()
assert not {"matplotlib", "numba"} & set(sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent).returncode == 0


def test_a_cross_validated_curve_has_names_and_the_band_of_its_interval():
    x = np.linspace(0.0, 3.0, 40)
    y = np.stack([np.sin(x), x**2], axis=1) + 0.1 * np.cos(50 * x)[:, None]
    model = fastmlp.fit_cv(x, y, hidden=4, n_estimators=1, rng=0)
    model = dataclasses.replace(model, feature_names=["$ V"], target_names=["a", "_b"])
    ax = model.plot(x, y)
    bands = [drawn for drawn in ax.collections if isinstance(drawn, FillBetweenPolyCollection)]
    low, high = model.predict_interval(np.linspace(0.0, 3.0, 2001))
    for k, band in enumerate(bands):
        corners = band.get_paths()[0].get_extents()
        np.testing.assert_allclose((corners.y0, corners.y1), (low[:, k].min(), high[:, k].max()))
        np.testing.assert_array_equal(band.get_facecolor()[0, :3], to_rgb(f"C{k}"))
    assert len(bands) == 2
    assert ax.get_xlabel() == r"\$ V"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["90% of new observations", "data", "net, a", "net,  _b", "kinks"]
    few = fastmlp.fit_cv(x[:5], y[:5, 0], hidden=4, n_estimators=1, rng=0).plot()
    assert not few.collections  # intervals of five samples are infinite
    assert not fastmlp.fit(x, y, hidden=4, epochs=2).plot().collections

"""The published experiments, at reduced sizes: exact beside the reference engine, and drawn."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

import fastmlp

ROOT = Path(__file__).parent.parent
EXPERIMENTS = ROOT / "scripts" / "experiments"
FIGURES = {
    "early_alignment": {"3_points_h20000.png", "Stewart_h20000.png", "loss.png"},
    "gradient_flow": {"2_points.png", "2_points.gif", "5_points.png", "5_points.gif", "loss.png"},
    "shallow_univariate": {"panel.png"},
    "rate_sweep": {"validation.png"},
    "inconsistency": {"shares.png"},
}


@pytest.fixture
def experiment(monkeypatch):
    """Import a script by name."""
    monkeypatch.syspath_prepend(EXPERIMENTS)
    return importlib.import_module


@pytest.mark.slow
@pytest.mark.parametrize("name", FIGURES)
def test_an_experiment_prints_its_times_and_draws(name, tmp_path, assert_drawn):
    command = [sys.executable, "-W", "error", str(EXPERIMENTS / f"{name}.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "authors' loop" in done.stdout
    assert {path.name for path in tmp_path.iterdir() if path.suffix in (".png", ".gif")} == FIGURES[name]
    for figure in FIGURES[name]:
        assert_drawn(tmp_path / figure)


@pytest.mark.parametrize(("data", "start"), [("3 points", "balanced"), ("Stewart", "unbalanced")])
def test_early_alignment_is_exact(experiment, assert_same_net, data, start):
    early = experiment("early_alignment")
    run = early.Run(data, 400, start, 1.0)
    got, expected = (early.train(run, 8000, 0, dtype=float, algorithm=name) for name in ("auto", "reference"))
    assert got.info.algorithm == "univariate"
    assert got.info.crossings > 0
    assert_same_net(got, expected, 1e-10)


@pytest.mark.parametrize("data", ["2 points", "5 points"])
def test_gradient_flow_is_exact(experiment, assert_same_net, data):
    flow = experiment("gradient_flow")
    got, expected = (flow.train(*flow.DATA[data], 15_000, 1, name) for name in ("auto", "reference"))
    assert_same_net(got, expected, 1e-10)


def test_the_shallow_net_is_exact(experiment, assert_same_net):
    shallow = experiment("shallow_univariate")
    got, expected = (shallow.train(20_000, 0, name) for name in ("auto", "reference"))
    assert got.info.crossings > 0
    assert_same_net(got, expected, 1e-10)


@pytest.mark.parametrize("biases", ["zero", "pytorch"])
def test_the_sweep_is_exact(experiment, assert_same_net, biases):
    sweep = experiment("rate_sweep")
    job = sweep.job(3, 0, 2.0**-10, biases, 640)
    (got,) = fastmlp.fit_many(None, None, [job]).models
    expected = fastmlp.fit(**job, algorithm="reference")
    assert_same_net(got, expected, 1e-10)
    np.testing.assert_allclose(got.history.val_rmse, expected.history.val_rmse, rtol=1e-9)


def test_the_rate_of_two_lines_is_the_automatic_one(experiment):
    inconsistency = experiment("inconsistency")
    for hidden in (16, 64):
        net = inconsistency.drawn(hidden, np.random.default_rng(hidden))
        samples = {"x": inconsistency.X, "y": inconsistency.Y, "sample_weight": net.p}
        model = fastmlp.fit(**samples, init=net.init, lr="auto", standardize=False, epochs=1)
        assert net.rate == pytest.approx(model.info.lr, rel=1e-5)


def test_nets_end_as_plain_gradient_descent_says(experiment, monkeypatch):
    inconsistency = experiment("inconsistency")
    x, y, seed, hidden = inconsistency.X, inconsistency.Y, 5, 16
    rows = inconsistency.train_nets(hidden, 0.0, range(12), seed)
    assert set(rows[:, 0]) >= {inconsistency.CROSSED, inconsistency.SETTLED}
    for i, (outcome, steps) in enumerate(rows):
        net = inconsistency.drawn(hidden, np.random.default_rng([seed, hidden, i]))
        changed = outcome in (inconsistency.CROSSED, inconsistency.CHANGED)
        more = 0 if changed else 5000  # a net that has settled does not change any more
        snapshots = [0, steps - 1, steps, steps + more]
        model = fastmlp.fit(
            x,
            y,
            init=net.init,
            lr=net.rate,
            sample_weight=net.p,
            epochs=int(steps) + more,
            snapshots=snapshots,
            algorithm="reference",
        )
        start, before, after, end = (
            model.history.snapshots[int(step)].b1[:, None] + np.outer(model.history.snapshots[int(step)].w1[0], x) > 0
            for step in snapshots
        )
        assert (before == start).all()
        assert (after != start).any() == changed
        assert (end == after).all()


def test_only_a_full_run_goes_on_from_its_files_and_says_so(experiment, tmp_path, monkeypatch, capsys):
    inconsistency = experiment("inconsistency")
    for name, value in {
        "REDUCED_NETS": 5,
        "NETS": 5,
        "REDUCED_WIDTHS": (16,),
        "WIDTHS": (16,),
        "OFFSETS": (0.0,),
    }.items():
        monkeypatch.setattr(inconsistency, name, value)
    path = tmp_path / "h16_offset0_seed0.npz"
    kept = {"outcomes": np.full((5, 2), inconsistency.DEGENERATE), "seconds": 7200.0}

    def line(*options):
        with joblib.parallel_config("threading"):
            inconsistency.main(["--out", str(tmp_path), *options])
        return capsys.readouterr().out.splitlines()[0]

    assert "5 nets, kept" not in line()
    assert not path.exists()
    np.savez(path, **kept | {"outcomes": kept["outcomes"][:4]})
    assert "kept" not in line("--full")  # a file of fewer nets is written anew
    with np.load(path) as written:
        np.testing.assert_array_equal(written["outcomes"], inconsistency.train_nets(16, 0.0, range(5), 0))
    np.savez(path, **kept | {"outcomes": kept["outcomes"] * [0, 1]})
    assert line("--full").startswith("D H = 16, offset 0, 5 nets, kept from before: 20 steps in 2 h, ")


@pytest.mark.parametrize(("count", "total", "low", "high"), [(0, 100, 0.0, 0.0385), (50, 100, 0.4019, 0.5981)])
def test_the_band_is_wilsons(experiment, count, total, low, high):
    assert experiment("inconsistency").band(count, total) == pytest.approx((low, high), abs=1e-4)


@pytest.fixture
def saved(monkeypatch):
    """Catch the figures that scripts save, by the name of the script."""

    def catch(script):
        figures = []
        monkeypatch.setattr(script, "save", lambda figure, path: figures.append(figure))
        return figures

    yield catch
    plt.close("all")


def test_stages_are_those_in_which_something_happens(experiment):
    drawing, flow = experiment("drawing"), experiment("gradient_flow")
    model = flow.train(*flow.DATA["2 points"], 100_000, 0)  # done after a sixth of it
    chosen = drawing.stages(model, 2, 6)
    assert len(chosen) == 8
    steps = [step for step, _ in chosen]
    assert steps == sorted(steps)
    assert steps[-1] == 100_000
    error = model.history.rmse[steps]
    assert (error[:2] > 0.99 * error[0]).all()
    assert (np.diff(error[1:]) < -0.03).all()
    assert all(net is model.history.snapshots[step] for step, net in chosen)


def test_a_film_lasts_long_enough_to_be_seen(experiment, tmp_path):
    flow = experiment("gradient_flow")
    x, y = flow.DATA["2 points"]
    frames = [(step, fastmlp.Model([[1.0]], [0.0], [[step]], [0.0])) for step in (1.0, 2.0, 3.0)]
    flow.film(frames, x, y, tmp_path / "film.gif")
    with Image.open(tmp_path / "film.gif") as picture:
        assert picture.n_frames * picture.info["duration"] == pytest.approx(flow.FILM_SECONDS * 1000, rel=0.02)


def test_each_unit_is_a_point_in_its_colour(experiment):
    rng = np.random.default_rng(0)
    model = fastmlp.Model(rng.normal(size=(1, 50)), rng.normal(size=50), rng.normal(size=(50, 1)), [0.0])
    ax = plt.figure().add_subplot(projection="polar")
    experiment("drawing").draw_neurons(ax, 7, model)
    (points,) = ax.collections
    angle, length = points.get_offsets().T
    got = np.column_stack([length * np.cos(angle), length * np.sin(angle), points.get_facecolors()])
    colours = [to_rgba("C3" if weight > 0 else "C0") for weight in model.w2[:, 0]]
    expected = np.column_stack([model.w1[0], model.b1, colours])
    np.testing.assert_allclose(got[got[:, 0].argsort()], expected[expected[:, 0].argsort()], atol=1e-14)
    assert ax.get_ylim() == (0, pytest.approx(1.05 * length.max()))
    assert ax.get_title() == f"step 7\nradius {1.05 * length.max():.1g}"
    plt.close("all")


def test_no_line_joins_the_ends_of_a_knot_that_passes_through_infinity(experiment):
    shallow = experiment("shallow_univariate")
    slopes = {0: 0.5, 1: 0.1, 2: -0.1, 3: -0.5}
    nets = {step: fastmlp.Model([[slope, 1.0]], [0.2, 0.1], [[1.0], [1.0]], [0.0]) for step, slope in slopes.items()}
    history = fastmlp.History(np.arange(4), np.array([4.0, 3.0, 2.0, 1.0]), None, nets, None)
    model = fastmlp.Model([[-0.5, 1.0]], [0.2, 0.1], [[1.0], [1.0]], [0.0], history=history)
    axes = shallow.draw(model).axes
    through, other = axes[1].lines
    np.testing.assert_allclose(through.get_ydata(), [-0.4, -2.0, np.nan, 0.4])
    np.testing.assert_allclose(other.get_ydata(), [-0.1] * 4)
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in axes)
    plt.close("all")


def test_the_sweep_shows_how_many_nets_diverged(experiment, saved, tmp_path):
    sweep = experiment("rate_sweep")
    figures = saved(sweep)
    errors = np.tile(np.arange(1.0, 8.0), (len(sweep.RATES), 1))
    errors[-2:, :2] = errors[-1, 4:] = np.inf
    sweep.draw({"zero": list(errors)}, 100, tmp_path / "validation.png")
    above, below = figures[0].axes
    np.testing.assert_array_equal(above.lines[0].get_ydata()[-3:], [4, 6, np.inf])
    np.testing.assert_array_equal(below.lines[0].get_ydata()[-3:], [0, 2, 5])
    labels = [text.get_text() for text in above.get_legend().get_texts()]
    assert labels == ["zero biases: quartiles", "zero biases: median of nets", "predicting the mean"]


def test_the_shares_have_a_colour_for_each_offset_and_a_style_for_each_rule(experiment, saved, tmp_path):
    inconsistency = experiment("inconsistency")
    figures = saved(inconsistency)
    rows = [(16, 20, 30, 60), (32, 10, 20, 60)]
    inconsistency.draw({0.0: rows, 0.1: rows}, tmp_path / "shares.png")
    (ax,) = figures[0].axes
    bars = [[segment[:, 1] for segment in group.get_segments()] for group in ax.collections[:2]]
    np.testing.assert_allclose(bars, [[inconsistency.band(30, 60), inconsistency.band(20, 60)]] * 2)
    assert len({text.get_text() for text in ax.get_legend().get_texts()}) == 4


def test_the_page_names_each_script_and_its_study(experiment):
    page = (ROOT / "docs" / "experiments.md").read_text()
    for name in FIGURES:
        (entry,) = (text for text in page.split("\n- **")[1:] if f"`{name}.py`" in text)
        study = re.search(r"(?:https://github.com/|abs/|arXiv )([\w./-]*\w)", experiment(name).__doc__)[1]
        assert study in entry
        assert f'"{entry[0]} ' in (EXPERIMENTS / f"{name}.py").read_text()  # as the lines are lettered

"""The published experiments, at reduced sizes: exact beside the reference engine, and drawn."""

import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp

EXPERIMENTS = Path(__file__).parent.parent / "scripts" / "experiments"
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
def test_an_experiment_prints_its_times_and_draws(name, tmp_path):
    command = [sys.executable, "-W", "error", str(EXPERIMENTS / f"{name}.py"), "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "authors' loop" in done.stdout
    assert {path.name for path in tmp_path.iterdir() if path.suffix in (".png", ".gif")} == FIGURES[name]
    assert all((tmp_path / figure).stat().st_size > 10_000 for figure in FIGURES[name])


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


def test_a_stopped_run_goes_on_from_its_files(experiment, tmp_path):
    inconsistency = experiment("inconsistency")
    path = tmp_path / "kept.npz"
    np.savez(path, outcomes=np.full((5, 2), 7), seconds=2.0)
    rows, seconds = inconsistency.outcomes(16, 0.0, 4, 0, path)
    assert (rows == 7).all()
    assert len(rows) == 4
    assert seconds == 1.6


@pytest.mark.parametrize(("count", "total", "low", "high"), [(0, 100, 0.0, 0.0385), (50, 100, 0.4019, 0.5981)])
def test_the_band_is_wilsons(experiment, count, total, low, high):
    assert experiment("inconsistency").band(count, total) == pytest.approx((low, high), abs=1e-4)

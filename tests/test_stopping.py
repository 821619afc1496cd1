"""Validation, patience, and the best weights: the same to the bit however the epochs are cut into chunks."""

import numpy as np
import pytest

import fastmlp
from fastmlp.training import chunks
from fastmlp.training.stopping import StoppingRule

ENGINES = pytest.mark.parametrize("algorithm", ["univariate", "dense", "reference"])


@pytest.fixture
def noisy():
    """Training and validation samples of a noisy sine: a wide net soon learns the noise."""
    rng = np.random.default_rng(3)
    x = rng.uniform(-3, 3, 40)
    y = np.sin(x) + 0.5 * rng.normal(size=40)
    return x[:20], y[:20], (x[20:], y[20:])


def assert_same_weights(got, expected):
    for name in ("w1", "b1", "w2", "b2"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))


@ENGINES
@pytest.mark.parametrize("standardize", [True, False])
def test_validation_is_the_rmse_of_the_model_at_each_recorded_epoch(noisy, algorithm, standardize):
    x, y, validation = noisy
    options = {"hidden": 20, "epochs": 50, "lr": 0.01, "rng": 0, "algorithm": algorithm, "standardize": standardize}
    weighted = (*validation, np.linspace(0, 1, 20))
    model = fastmlp.fit(x, 3 * y, validation=weighted, record_every=8, snapshots=range(51), **options)
    np.testing.assert_array_equal(model.history.epoch, [0, 8, 16, 24, 32, 40, 48, 50])
    expected = [model.history.snapshots[epoch].rmse(*weighted) for epoch in model.history.epoch]
    np.testing.assert_allclose(model.history.val_rmse, expected, rtol=1e-12)
    assert not model.history.val_rmse.flags.writeable
    assert (model.info.stop_reason, model.info.best_epoch) == ("epochs", 50)
    plain = fastmlp.fit(x, 3 * y, **options)
    assert_same_weights(model, plain)
    assert plain.history.val_rmse is None


def test_the_rmse_that_a_model_shows_is_that_of_its_own_weights(noisy):
    x, y, validation = noisy
    options = {"hidden": 50, "lr": 0.05, "rng": 0, "algorithm": "reference", "epochs": 10**5}
    model = fastmlp.fit(x, y, validation=validation, patience=100, **options)
    assert model.info.best_epoch < model.history.epoch[-1]
    assert repr(model).endswith(f"rmse={model.rmse(x, y):.4g})")


def test_validation_is_recorded_a_thousand_times_by_default(noisy):
    x, y, validation = noisy
    model = fastmlp.fit(x, y, hidden=5, epochs=4001, rng=0, validation=validation)
    np.testing.assert_array_equal(np.diff(model.history.epoch)[:-1], 5)
    assert model.history.epoch[-1] == 4001


@ENGINES
@pytest.mark.parametrize("record_every", [1, 7])
def test_patience_stops_where_the_rule_says_and_returns_the_best_weights(noisy, algorithm, record_every):
    x, y, validation = noisy
    options = {"hidden": 50, "lr": 0.05, "rng": 0, "algorithm": algorithm, "record_every": record_every}
    long = fastmlp.fit(x, y, epochs=3000, validation=validation, **options)
    best = int(np.argmin(long.history.val_rmse))
    model = fastmlp.fit(x, y, epochs=10**6, validation=validation, patience=500, **options)
    assert model.info.stop_reason == "patience"
    assert model.info.best_epoch == long.history.epoch[best]
    waited = -(-500 // record_every) * record_every
    assert model.info.epochs_run == model.history.epoch[-1] == model.info.best_epoch + waited
    np.testing.assert_array_equal(model.history.val_rmse, long.history.val_rmse[: model.history.epoch.size])
    assert model.rmse(*validation) == pytest.approx(model.history.val_rmse[best], rel=1e-12)
    assert_same_weights(model, fastmlp.fit(x, y, epochs=model.info.best_epoch, **options))


@ENGINES
@pytest.mark.parametrize("with_validation", [True, False])
def test_patience_does_not_depend_on_chunks(noisy, algorithm, with_validation, monkeypatch):
    x, y, validation = noisy
    # Near the limit of stability the RMSE goes up and down.
    options = {
        "hidden": 50,
        "lr": 0.4,
        "init": 0.3,
        "rng": 1,
        "algorithm": algorithm,
        "epochs": 4000,
        "min_delta": 1e-3,
    }
    models = []
    for seconds in (1e-6, 1e-3, 1.0):
        monkeypatch.setattr(chunks, "CHUNK_SECONDS", seconds)
        held_out = validation if with_validation else None
        models.append(fastmlp.fit(x, y, validation=held_out, patience=50, record_every=3, **options))
    assert models[0].info.stop_reason == "patience"
    for model in models:
        assert_same_weights(model, models[0])
        assert (model.info.best_epoch, model.info.epochs_run) == (models[0].info.best_epoch, models[0].info.epochs_run)
        np.testing.assert_array_equal(model.history.rmse, models[0].history.rmse)
        np.testing.assert_array_equal(model.history.val_rmse, models[0].history.val_rmse)
    curve = models[0].history.val_rmse if with_validation else models[0].history.rmse
    assert models[0].info.best_epoch == models[0].history.epoch[np.argmin(curve)]


@pytest.mark.parametrize("n_chunk", [1, 4, 100])
def test_a_run_that_patience_does_not_end_returns_the_best_weights_too(noisy, n_chunk, monkeypatch):
    x, y, validation = noisy
    monkeypatch.setattr(
        chunks.ChunkLength, "measure", lambda self, n_epochs, seconds: setattr(self, "n_epochs", n_chunk)
    )
    options = {"hidden": 50, "lr": 0.05, "rng": 0, "algorithm": "dense", "record_every": 10}
    model = fastmlp.fit(x, y, epochs=1005, validation=validation, patience=10**6, **options)
    assert model.info.stop_reason == "epochs"
    assert (model.info.epochs_run, model.history.epoch[-1]) == (1005, 1005)
    assert model.info.best_epoch == model.history.epoch[np.argmin(model.history.val_rmse)] < 1005
    assert_same_weights(model, fastmlp.fit(x, y, epochs=model.info.best_epoch, **options))


def test_a_last_epoch_that_is_no_multiple_may_be_the_best(noisy):
    x, y, _ = noisy
    model = fastmlp.fit(x, y, hidden=9, epochs=25, rng=0, record_every=10, patience=100)
    assert (model.info.best_epoch, model.info.epochs_run) == (25, 25)
    assert model.rmse(x, y) == pytest.approx(model.history.rmse[-1], rel=1e-9)


@pytest.mark.parametrize("with_validation", [True, False])
@pytest.mark.parametrize(("epochs", "expected"), [(19, "epochs"), (20, "patience"), (23, "patience"), (24, "patience")])
def test_patience_that_runs_out_in_the_last_epoch_is_the_reason(noisy, epochs, expected, with_validation):
    # Epoch 0 is the last improvement. The last epoch is recorded, whether or not it is a multiple of record_every.
    x, y, validation = noisy
    options = {"min_delta": 1e6, "hidden": 5, "rng": 0, "validation": validation if with_validation else None}
    for record_every in (4, 7, 20):
        model = fastmlp.fit(x, y, epochs=epochs, patience=20, record_every=record_every, **options)
        end = min(epochs, -(-20 // record_every) * record_every)
        assert (model.info.stop_reason, model.info.epochs_run) == (expected, end)
    model = fastmlp.fit(x, y, epochs=20, patience=20, record_every=20, callback=lambda info: True, **options)
    assert model.info.stop_reason in ("callback", "patience")


def rule(errors, *, patience, min_delta=0.0):
    """Feed errors one at a time and all at once; return the end and the best epoch."""
    results = []
    for pieces in ([[i] for i in range(len(errors))], [range(len(errors))]):
        stopping = StoppingRule(patience=patience, min_delta=min_delta)
        ends = (stopping.observe(epochs, [errors[i] for i in epochs]) for epochs in pieces)
        results.append((next((end for end in ends if end is not None), None), stopping.best_epoch))
    assert results[0] == results[1]
    return results[0]


@pytest.mark.parametrize(
    ("errors", "patience", "min_delta", "expected"),
    [
        ([5, 4, 3, 2, 1], 1, 0.0, (None, 4)),
        ([5, 4, 4, 3], 1, 0.0, (2, 1)),
        ([5, 4, 4, 3], 2, 0.0, (None, 3)),
        ([5, 4, 6, 4, 7], 2, 0.0, (3, 1)),
        ([5, 4.8, 4.6, 4.4, 4.2], 3, 0.5, (None, 4)),
        ([5, 4.8, 4.6, 4.4, 4.2], 3, 0.7, (3, 3)),
        ([float("nan"), float("nan"), float("nan")], 2, 0.0, (2, 0)),
        ([5, float("nan"), 3], 2, 0.0, (None, 2)),
    ],
)
def test_the_rule_counts_epochs_since_the_last_improvement(errors, patience, min_delta, expected):
    assert rule(errors, patience=patience, min_delta=min_delta) == expected


def test_validation_that_overflows_leaves_the_start(noisy):
    x, y, _ = noisy
    model = fastmlp.fit(x, y, hidden=5, epochs=9, rng=0, lr=1e-5, init=5.0, validation=([1e308], [-1e308]), patience=3)
    assert not np.isfinite(model.history.val_rmse).any()
    assert (model.info.stop_reason, model.info.best_epoch, model.info.epochs_run) == ("patience", 0, 3)


def test_a_crossing_before_patience_ends_the_fit_and_the_other_way_round(sine):
    options = {"hidden": 10, "rng": 0, "lr": 1e-4, "init": 0.5}
    crossing = fastmlp.fit(*sine, epochs=10**6, stop_at_crossing=True, patience=10**5, **options)
    assert crossing.info.stop_reason == "crossing"
    assert crossing.info.epochs_run > 2
    patient = fastmlp.fit(*sine, epochs=10**6, stop_at_crossing=True, patience=2, min_delta=10.0, **options)
    assert (patient.info.stop_reason, patient.info.epochs_run) == ("patience", 2)


def test_divergence_after_the_end_by_patience_is_none(sine):
    x, y = sine
    options = {"hidden": 40, "init": 0.5, "lr": 5.0, "rng": 0, "epochs": 10**4}
    with pytest.raises(fastmlp.DivergenceError):
        fastmlp.fit(x, y, patience=10**4, **options)
    model = fastmlp.fit(x, y, patience=1, min_delta=1e6, **options)
    assert (model.info.stop_reason, model.info.epochs_run) == ("patience", 1)


def test_the_bar_shows_the_validation_rmse(noisy, capsys):
    x, y, validation = noisy
    fastmlp.fit(x, y, hidden=5, epochs=300, progress=True, validation=validation)
    assert "val_rmse" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"validation": 3}, TypeError, r"validation must be a tuple \(x, y\) or \(x, y, sample_weight\), got 3"),
        ({"validation": ([1.0],)}, ValueError, "validation must be a tuple .* got 1 item"),
        (
            {"validation": ([1.0], [1.0, 2.0])},
            ValueError,
            r"validation y must be of the same length as validation x \(1 sample\)",
        ),
        (
            {"validation": ([[1.0, 2.0]], [1.0])},
            ValueError,
            "validation x must be an array with 1 column, like x, got 2",
        ),
        (
            {"validation": ([1.0], [[1.0, 2.0]])},
            ValueError,
            "validation y must be an array with 1 column, like y, got 2",
        ),
        ({"validation": ([np.nan], [1.0])}, ValueError, "validation x must be finite, got nan"),
        ({"validation": ([1.0], [1.0], [-1.0])}, ValueError, "validation sample_weight must be at least 0"),
        ({"patience": 0}, ValueError, "patience must be at least 1, got 0"),
        ({"patience": 1e3}, TypeError, r"patience must be an integer, got 1000\.0"),
        ({"patience": True}, TypeError, "patience must be an integer, got True"),
        ({"min_delta": 0.1}, ValueError, r"min_delta must be 0 without patience, got 0\.1"),
        ({"min_delta": -1, "patience": 3}, ValueError, "min_delta must be at least 0, got -1"),
        ({"min_delta": "0", "patience": 3}, TypeError, "min_delta must be a real number"),
    ],
)
def test_wrong_arguments_are_named(sine, options, error, text):
    with pytest.raises(error, match=text):
        fastmlp.fit(*sine, hidden=3, epochs=2, **options)

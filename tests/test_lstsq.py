"""Least squares for the output layer, against numpy.linalg.lstsq."""

import numpy as np
import pytest

import fastmlp

SHAPES = [(1, 1, 40, 30), (1, 1, 40, 60), (1, 2, 30, 29), (3, 1, 40, 10), (3, 2, 20, 50), (2, 1, 25, 24)]


def columns(x, init, slope, *, has_bias=True):
    h1 = x @ init[0] + init[1]
    h1 = np.where(h1 > 0, h1, slope * h1)
    return np.concatenate([h1, np.ones((len(x), 1))], axis=1)[:, : h1.shape[1] + has_bias]


def expected_layer(a, y, s, decay, v):
    """Return the minimiser of sum s (a v - y)^2 / sum s + decay . v^2 that is next to v."""
    root = np.sqrt(s / s.sum())[:, None]
    a, y = np.concatenate([root * a, np.diag(np.sqrt(decay))]), np.concatenate([root * y, 0 * v])
    return v + np.linalg.lstsq(a, y - a @ v, rcond=1e-13)[0]


@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize("decay", [0.0, 1e-3, {"w2": 1e-3}, {"b2": 1e-2}, {"w2": 1e-3, "b2": 1e-1, "w1": 5.0}])
@pytest.mark.parametrize(("n_in", "n_out", "n_samples", "n_hidden"), SHAPES)
def test_equals_numpy(problem, n_in, n_out, n_samples, n_hidden, decay, slope):
    x, y, s, init = problem(n_in, n_out, n_samples, n_hidden)
    model = fastmlp.fit(x, y, init=init, sample_weight=s, optimizer="lstsq", weight_decay=decay, negative_slope=slope)
    groups = decay if isinstance(decay, dict) else {"w2": decay, "b2": decay}
    decays = np.r_[np.full(n_hidden, groups.get("w2", 0.0)), groups.get("b2", 0.0)]
    a = columns(x, init, slope)
    v = expected_layer(a, y, s, decays, np.concatenate([init[2], init[3][None]]))
    got = np.concatenate([model.w2, model.b2[None]])
    np.testing.assert_allclose(a @ got, a @ v, rtol=0, atol=1e-8)
    np.testing.assert_allclose(got, v, rtol=0, atol=1e-6 * np.abs(v).max())
    np.testing.assert_allclose(model.predict(x).reshape(y.shape), a @ v, rtol=0, atol=1e-8)
    np.testing.assert_array_equal(model.w1, init[0])
    np.testing.assert_array_equal(model.b1, init[1])
    assert (model.info.epochs_run, model.info.stop_reason) == (1, "converged")
    assert model.history.rmse[-1] == pytest.approx(model.rmse(x, y, s), rel=1e-9, abs=1e-14)


@pytest.mark.parametrize("decay", [0.0, 1e-3])
def test_a_disabled_output_bias_stays_0(problem, decay):
    x, y, s, init = problem(2, 1, 40, 10, output_bias=False)
    model = fastmlp.fit(x, y, init=init, sample_weight=s, optimizer="lstsq", output_bias=False, weight_decay=decay)
    v = expected_layer(columns(x, init, 0.0, has_bias=False), y, s, np.full(10, decay), init[2])
    np.testing.assert_allclose(model.w2, v, rtol=1e-8, atol=1e-12)
    assert model.b2 == 0


def test_the_change_is_the_smallest_where_units_are_dead_or_equal(problem):
    x, y, s, init = problem(2, 1, 60, 10)
    w1, b1, w2, b2 = (np.array(w) for w in init)
    w1[:, 1], b1[1] = w1[:, 0], b1[0]
    w1[:, 2], b1[2] = 0.0, -1.0
    model = fastmlp.fit(x, y, init=(w1, b1, w2, b2), sample_weight=s, optimizer="lstsq")
    change = model.w2 - w2
    assert change[2] == pytest.approx(0.0, abs=1e-12)
    assert change[1] == pytest.approx(change[0], rel=1e-8)
    v = expected_layer(columns(x, (w1, b1), 0.0), y, s, np.zeros(11), np.concatenate([w2, b2[None]]))
    np.testing.assert_allclose(model.w2, v[:10], rtol=1e-7, atol=1e-9)


def test_sine_is_interpolated_to_rounding(sine):
    for rng in range(3):
        model = fastmlp.fit(*sine, hidden=1000, optimizer="lstsq", rng=rng)
        assert model.rmse(*sine) <= 1e-14
        assert model.history.rmse[-1] <= 1e-14


@pytest.mark.parametrize("algorithm", ["univariate", "dense", "reference"])
def test_every_algorithm_gives_the_same_net(sine, algorithm):
    expected = fastmlp.fit(*sine, hidden=20, optimizer="lstsq", rng=0, algorithm="reference")
    got = fastmlp.fit(*sine, hidden=20, optimizer="lstsq", rng=0, algorithm=algorithm)
    np.testing.assert_allclose(got.w2, expected.w2, rtol=0, atol=1e-9 * np.abs(expected.w2).max())
    np.testing.assert_array_equal(got.w1, expected.w1)


def test_it_polishes_a_model_in_float32(sine):
    x, y = (array.astype(np.float32) for array in sine)
    model = fastmlp.fit(x, y, hidden=20, epochs=200, rng=0)
    polished = fastmlp.fit(x, y, init=model, optimizer="lstsq")
    assert polished.w2.dtype == np.float32
    assert polished.rmse(x, y) < 0.9 * model.rmse(x, y)
    assert polished.info.lr == 1.0


def test_it_works_with_validation_callbacks_and_many_fits(sine):
    x, y = sine
    seen = []
    model = fastmlp.fit(
        x, y, hidden=20, optimizer="lstsq", rng=0, validation=(x[::3], y[::3]), callback=lambda i: seen.append(i.epoch)
    )
    assert model.history.val_rmse.size == 2
    assert seen == [1]
    ensemble = fastmlp.fit_many(x, y, [{}] * 10, hidden=20, optimizer="lstsq", rng=0)
    assert all(model.history.rmse[-1] < 0.1 for model in ensemble.models)


@pytest.mark.parametrize("epochs", [1, 2])
def test_the_number_of_epochs_does_not_matter(sine, epochs):
    model = fastmlp.fit(*sine, hidden=20, optimizer="lstsq", rng=0, epochs=epochs)
    assert (model.info.epochs_run, model.info.stop_reason) == (1, "converged")


def test_a_hidden_layer_that_overflows_stalls_or_is_refused():
    with pytest.raises(fastmlp.DivergenceError, match="initial weights"):
        fastmlp.fit([1e200, 2.0], [1.0, 2.0], init=([[1e200]], [0.0], [[1.0]], [0.0]), optimizer="lstsq")
    model = fastmlp.fit([1e160, 2.0], [1.0, 2.0], init=([[1e100]], [0.0], [[0.0]], [0.0]), optimizer="lstsq")
    assert all(np.isfinite(w).all() for w in model.weights)
    assert np.isfinite(model.history.rmse).all()


@pytest.mark.parametrize("options", [{"patience": 5}, {"snapshots": [1]}, {"checkpoint": "fit.npz"}])
def test_it_refuses_what_needs_several_steps(sine, options):
    (name,) = options
    with pytest.raises(ValueError, match=f'^{name} must be None with optimizer="lstsq"'):
        fastmlp.fit(*sine, hidden=5, optimizer="lstsq", **options)

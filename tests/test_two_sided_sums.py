"""No sum is formed by subtraction: small sums beside large ones keep their digits, and ties on samples stay."""

import numpy as np
import pytest

import fastmlp
from fastmlp.engines.univariate import choice
from fastmlp.engines.univariate.pattern_moments import PatternMoments
from fastmlp.engines.univariate.unit_by_unit import PrefixSums

WEIGHTS = ("w1", "b1", "w2", "b2")
METHODS = {"prefix sums": PrefixSums, "pattern moments": PatternMoments}


@pytest.fixture(params=[*METHODS, "optimizer"])
def options(request, monkeypatch):
    """Let one method train from the first epoch to the last; return options of fit."""
    if request.param == "optimizer":
        return {"momentum": 0.3}
    monkeypatch.setattr(choice, "first_method", lambda shape: METHODS[request.param])
    monkeypatch.setattr(choice, "next_method", lambda method, shape: method)
    return {}


@pytest.fixture(params=["as it is", "mirrored"])
def mirror(request):
    """Return what maps x and w1 to themselves or to their mirror images."""
    return (lambda array: array) if request.param == "as it is" else (lambda array: -array)


def normal_start(n_hidden, seed, std=0.5):
    rng = np.random.default_rng(seed)
    return std * rng.normal(size=(1, n_hidden)), std * rng.normal(size=n_hidden), std * rng.normal(size=(n_hidden, 1))


def assert_equals_reference(x, y, weights, epochs, **options):
    init = (*weights, np.zeros(1))
    got, expected = (
        fastmlp.fit(x, y, init=init, epochs=epochs, standardize=False, algorithm=algorithm, **options)
        for algorithm in ("univariate", "reference")
    )
    for name in WEIGHTS:
        largest = np.abs(getattr(expected, name)).max()
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=0, atol=1e-10 * largest)
    rmse = expected.history.rmse
    np.testing.assert_allclose(got.history.rmse, rmse, rtol=0, atol=1e-10 * rmse.max())
    np.testing.assert_array_equal(got.history.crossings, expected.history.crossings)


@pytest.mark.parametrize("seed", range(12))
def test_a_tie_on_a_sample_stays(seed, options, mirror):
    """With x = 1 alone active dw = db, so that a unit with w = b keeps its kink exactly on x = -1."""
    w1, b1, w2 = normal_start(12, seed)
    b1[:6] = mirror(np.abs(w1[0, :6]) * np.sign(mirror(w1[0, :6])))
    w1[0, :6] = mirror(b1[:6])
    assert np.all(w1[0, :6] * mirror(-1.0) == -b1[:6])
    assert_equals_reference(np.array([-1.0, 1.0]), np.array([0.3, -0.8]), (w1, b1, w2), 300, lr=0.02, **options)


@pytest.mark.parametrize("weight", [1e-4, 1e-10])
@pytest.mark.parametrize("n_last", [1, 25])
def test_a_last_sample_of_small_weight(weight, n_last, options, mirror):
    """Units that only this sample trains: their sums are as small as its weight."""
    x = mirror(np.linspace(-1, 1, 50))
    w1, b1, w2 = normal_start(30, 3)
    w1[0, :n_last] = mirror(np.linspace(1, 2, n_last))
    b1[:n_last] = -0.98 * np.abs(w1[0, :n_last])
    sample_weight = np.where(x == mirror(1.0), weight, 1.0)
    rates = {"w1": 0.01 / weight, "b1": 0.01 / weight, "w2": 0.0, "b2": 0.0}
    w2[n_last:] = 0
    assert_equals_reference(x, np.sin(3 * x), (w1, b1, w2), 200, lr=rates, sample_weight=sample_weight, **options)


def test_an_outlier_that_no_unit_reaches(options, mirror):
    x = np.append(np.linspace(-1, 1, 40), 1.5)
    y = np.sin(3 * x)
    y[-1] = 1e9
    w1, b1, w2 = normal_start(25, 4)
    w1 = -0.5 - np.abs(w1)
    b1 = 0.9 * np.abs(w1[0]) * np.linspace(-1, 1, 25)
    lr = {"w1": 1e-3, "b1": 1e-3, "w2": 1e-3, "b2": 0.0}
    assert_equals_reference(mirror(x), y, (mirror(w1), b1, w2), 300, lr=lr, **options)


@pytest.mark.parametrize("size", [1e4, 1e6])
@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_a_large_unit_that_is_active_on_one_sample(size, slope, options, mirror):
    """It adds little to the outputs elsewhere; its sample hardly counts, since rounding is large there."""
    x = np.linspace(-1, 1, 100)
    w1, b1, w2 = normal_start(20, 5)
    w1[0, 0], b1[0], w2[0] = -size, -size * 0.99, size
    sample_weight = np.where(x == -1, 1e-24, 1.0)
    lr = {"w1": 1e-2, "b1": 1e-2, "w2": 1e-2, "b2": 1e-2} if slope == 0 else {"w1": 0, "b1": 0, "w2": 0, "b2": 1e-2}
    data = {"sample_weight": sample_weight, "negative_slope": slope / size**2}
    assert_equals_reference(mirror(x), np.sin(3 * x), (mirror(w1), b1, w2), 100, lr=lr, **data, **options)


def test_validation_and_curve_of_a_large_unit(mirror):
    x = np.linspace(-1, 1, 100)
    w1, b1, w2 = normal_start(20, 5)
    w1[0, 0], b1[0], w2[0] = -1e6, -0.99e6, 1e6
    start = fastmlp.Model(mirror(w1), b1, w2, np.zeros(1))
    inner = mirror(x[1:])
    y = np.sin(3 * x[1:])
    history = fastmlp.fit(mirror(x), x, init=start, lr=0.0 + 1e-30, epochs=1, validation=(inner, y)).history
    assert history.val_rmse[0] == pytest.approx(start.rmse(inner, y), rel=1e-12)
    np.testing.assert_allclose(start.to_piecewise().evaluate(inner), start.predict(inner), rtol=0, atol=1e-12)


def test_units_active_on_no_sample_add_nothing():
    """However large: their line overflows, but no sample sees it."""
    w1 = np.array([[1e200, -1e200, 0.5]])
    weights = w1, np.array([-1e210, -1e210, 0.1]), np.array([[1e200], [1e200], [0.5]])
    x = np.linspace(-1, 1, 30)
    for method in METHODS.values():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(choice, "first_method", lambda shape, method=method: method)
            assert_equals_reference(x, np.sin(x), weights, 50, lr=0.1)

"""Free-knot splines: against brute force, the asymptotic best and the straight-line interpolant; properties."""

import itertools

import numpy as np
import pytest

import fastmlp

SMOOTH = {
    "sin": np.sin,
    "exp": np.exp,
    "runge": lambda x: 1 / (1 + x**2),
    "gauss": lambda x: np.exp(-(x**2)),
    "logistic": lambda x: 1 / (1 + np.exp(-3 * x)),
    "cubic": lambda x: x**3 - 2 * x,
    "chirp": lambda x: np.sin(x + x**2 / 4),
    "two waves": lambda x: np.sin(x) + np.cos(2 * x + 1) / 3,
    "square root": lambda x: np.sqrt(x + 4),
    "logarithm": lambda x: np.log(x + 3.5),
}


def sine(n=100):
    x = np.linspace(-np.pi, np.pi, n)
    return x, np.sin(x)


def joined_rmse(f, low, high, model):
    x = np.linspace(low, high, 10_007)
    return model.rmse(x, f(x))


def asymptotic_best(f, low, high, hidden):
    x = np.linspace(low, high, 20_001)
    second = np.abs(np.gradient(np.gradient(f(x), x), x))
    return np.sqrt(np.trapezoid(second**0.4, x) ** 5 / (720 * (high - low))) / hidden**2


def least_squares(x, y, knots, weight=1.0):
    """Return the squared error of the best polyline with these knots."""
    hats = np.stack([np.interp(x, knots, unit) for unit in np.eye(len(knots))], axis=1)
    root = np.sqrt(weight) * np.ones_like(x)
    return ((hats @ np.linalg.lstsq(hats * root[:, None], y * root, rcond=None)[0] - y) ** 2 * root**2).sum()


def same_curve(got, expected, x, tolerance=1e-8):
    curve = expected.predict(x)
    np.testing.assert_allclose(got, curve, rtol=0, atol=tolerance * np.ptp(curve))


def test_the_aims_on_sine_and_with_a_corner():
    x, y = sine()
    model = fastmlp.fit_knots(x, y, hidden=30)
    assert model.rmse(x, y) <= 8e-4
    assert np.diff(np.searchsorted(x, np.append(model.kinks()[1:], 9)), prepend=0).min() >= 3
    x = np.linspace(-np.pi, np.pi, 10_000)
    y = np.sin(3 * x) + np.abs(x) / 2
    assert fastmlp.fit_knots(x, y, hidden=200).rmse(x, y) <= 1.95e-4


@pytest.mark.parametrize("hidden", [10, 30, 100])
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_functions_are_fitted_near_the_asymptotic_best(name, hidden):
    x = np.linspace(-3, 3, 20 * hidden)
    model = fastmlp.fit_knots(x, SMOOTH[name](x), hidden=hidden)
    assert model.rmse(x, SMOOTH[name](x)) <= 1.15 * asymptotic_best(SMOOTH[name], -3, 3, hidden)


@pytest.mark.parametrize("samples_per_unit", [3, 3.3, 4, 5, 8, 20])
@pytest.mark.parametrize("name", SMOOTH)
def test_the_error_between_samples_is_that_on_them(name, samples_per_unit):
    for hidden in (5, 12, 31, 100):
        x = np.linspace(-3, 3, int(np.ceil(samples_per_unit * hidden)))
        y = SMOOTH[name](x)
        model = fastmlp.fit_knots(x, y, hidden=hidden)
        joined = fastmlp.fit_knots(x, y, hidden=len(x))
        # Elsewhere, straight lines between the samples do not show the function either.
        if joined_rmse(SMOOTH[name], -3, 3, joined) < 0.5 * model.rmse(x, y):
            assert joined_rmse(SMOOTH[name], -3, 3, model) <= 1.5 * model.rmse(x, y), hidden


@pytest.mark.parametrize("seed", range(6))
def test_two_knots_are_as_good_as_the_best_of_all_on_a_grid(seed):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.uniform(-1, 1, 30)) if seed % 2 else np.linspace(-1, 1, 25)
    y = sum(rng.normal() * np.sin(k * x + rng.uniform(0, 6)) for k in range(1, 4))
    grid = np.linspace(x[0], x[-1], 62)[1:-1]
    best = min(least_squares(x, y, [x[0], *pair, x[-1]]) for pair in itertools.combinations(grid, 2))
    assert fastmlp.fit_knots(x, y, hidden=3).rmse(x, y) <= 1.01 * np.sqrt(best / len(x))


def test_the_values_are_the_least_squares_ones_of_the_knots():
    rng = np.random.default_rng(0)
    x, weight = np.sort(rng.uniform(0, 1, 200)), rng.uniform(0.1, 3, 200)
    y = np.sin(7 * x) + 0.1 * rng.normal(size=200)
    for hidden in (1, 2, 9, 60, 120):
        model = fastmlp.fit_knots(x, y, hidden=hidden, sample_weight=weight)
        knots = [x[0], *model.kinks()[1:], x[-1]]
        expected = np.sqrt(least_squares(x, y, knots, weight) / weight.sum())
        assert model.rmse(x, y, weight) == pytest.approx(expected, rel=1e-9)
        assert model.history.rmse[-1] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("hidden", [99, 100, 130])
def test_enough_units_join_the_samples(hidden):
    rng = np.random.default_rng(0)
    x, y = np.linspace(5, 6, 100), rng.normal(size=100)
    model = fastmlp.fit_knots(x, y, hidden=hidden)
    fine = np.linspace(5, 6, 1007)
    np.testing.assert_allclose(model.predict(fine), np.interp(fine, x, y), atol=1e-10)
    assert model.info.method == "interpolation"
    assert model.n_hidden == hidden


def test_knots_are_samples_where_there_are_few():
    x, y = sine(50)
    model = fastmlp.fit_knots(x, y, hidden=20)
    assert model.info.method == "knots at samples"
    assert set(model.kinks()[1:]) <= set(x)
    assert len(set(model.kinks())) == 20
    assert joined_rmse(np.sin, -np.pi, np.pi, model) < 4e-3


@pytest.mark.parametrize("hidden", [40, 60, 70, 80, 85])
def test_more_units_fit_better_where_knots_are_samples(hidden):
    x, y = sine()
    errors = [fastmlp.fit_knots(x, y, hidden=hidden + more).rmse(x, y) for more in (0, 10)]
    assert errors[1] < errors[0]


@pytest.mark.parametrize("hidden", [3, 9, 30, 45, 120])
def test_order_shift_and_scale_change_rounding_only(hidden):
    rng = np.random.default_rng(1)
    x, y = sine()
    order = rng.permutation(100)
    expected = fastmlp.fit_knots(x, y, hidden=hidden)
    fine = np.linspace(-np.pi, np.pi, 999)
    same_curve(fastmlp.fit_knots(x[order], y[order], hidden=hidden).predict(fine), expected, fine, 1e-13)
    for a, b, c, d in (
        (3.7, 0, 1, 0),
        (1, 17.3, 1, 0),
        (1, 0, -0.3, 0),
        (1, 0, 1, 31.4),
        (1e9, 2e9, 1e-6, 1),
        (1, 1e5, 1, 0),
    ):
        moved = fastmlp.fit_knots(a * x + b, c * y + d, hidden=hidden)
        same_curve((moved.predict(a * fine + b) - d) / c, expected, fine, 1e-7 if b == 1e5 else 1e-9)
    for factor in (1e-290, 1e290):
        same_curve(fastmlp.fit_knots(x, factor * y, hidden=hidden).predict(fine) / factor, expected, fine)
        same_curve(fastmlp.fit_knots(factor * x, y, hidden=hidden).predict(factor * fine), expected, fine)


def test_ties_count_as_their_mean_and_weights_as_repetitions():
    x, y = sine(60)
    repeated = fastmlp.fit_knots(np.repeat(x, 2), np.repeat(y, 2) + np.tile([0.1, -0.1], 60), hidden=12)
    expected = fastmlp.fit_knots(x, y, hidden=12)
    same_curve(repeated.predict(x), expected, x)
    assert repeated.history.rmse[-1] == pytest.approx(np.hypot(0.1, expected.history.rmse[-1]))
    count = np.arange(60) % 3
    got = fastmlp.fit_knots(x, y, hidden=12, sample_weight=count).predict(x)
    same_curve(got, fastmlp.fit_knots(np.repeat(x, count), np.repeat(y, count), hidden=12), x)


@pytest.mark.parametrize("hidden", [1, 2, 8, 20, 45])
def test_a_heavy_sample_is_met_and_the_others_are_still_fitted(hidden):
    x, y = sine()
    weight = np.ones(100)
    weight[37] = 1e12
    model = fastmlp.fit_knots(x, y, hidden=hidden, sample_weight=weight)
    assert abs(model.predict(x[37:38])[0] - y[37]) < 1e-9
    assert model.rmse(x, y) < 3 * fastmlp.fit_knots(x, y, hidden=hidden).rmse(x, y) + 1e-12


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([2.0], [3.0]),
        ([2.0, 2.0], [3.0, 5.0]),
        ([1.0, 2.0], [3.0, 5.0]),
        (np.full(9, 7.0), np.arange(9.0)),
        (np.arange(9.0), np.full(9, 7.0)),
        (np.arange(50.0), np.arange(50.0)),
        (np.arange(50.0), np.arange(50.0) > 20),
        (np.r_[np.arange(50.0), 1e9], np.sin(np.arange(51.0))),
        (np.arange(40) * 1e-300, np.sin(np.arange(40.0))),
        (1e9 + np.arange(40.0), np.sin(np.arange(40.0))),
        (np.sort(np.random.default_rng(0).standard_cauchy(200)), np.random.default_rng(1).standard_cauchy(200)),
    ],
)
@pytest.mark.parametrize("hidden", [1, 2, 3, 9, 15, 30])
def test_odd_samples_give_a_finite_fit_not_worse_than_the_mean(x, y, hidden):
    x, y = np.asarray(x, float), np.asarray(y, float)
    model = fastmlp.fit_knots(x, y, hidden=hidden)
    assert model.n_hidden == hidden
    assert np.isfinite(model.predict(x)).all()
    assert model.rmse(x, y) <= y.std() * (1 + 1e-9)
    assert model.history.rmse[-1] == pytest.approx(model.rmse(x, y), rel=1e-6, abs=1e-9 * max(1.0, np.abs(y).max()))


def test_exact_polylines_are_found():
    x = np.linspace(-1, 1, 60)
    for knots in ([-1, 0.1234, 1], [-1, -0.4321, 0.2345, 1]):
        y = np.interp(x, knots, np.array([0.0, 1.0, -1.0, 2.0])[: len(knots)])
        model = fastmlp.fit_knots(x, y, hidden=len(knots) - 1)
        assert model.rmse(x, y) < 1e-9
        np.testing.assert_allclose(model.kinks()[1:], knots[1:-1], atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"x": np.ones((9, 2))}, ValueError, "x must be of one column, got 2. fastmlp.fit takes several inputs."),
        ({"y": np.ones((9, 3))}, ValueError, "y must be of one column, got 3. Fit each output by itself."),
        ({"x": []}, ValueError, "x must be an array of at least one sample"),
        ({"y": np.r_[np.nan, np.ones(8)]}, ValueError, "y must be finite"),
        ({"hidden": 0}, ValueError, "hidden must be at least 1, got 0."),
        ({"hidden": 3.0}, TypeError, "hidden must be an integer, got 3.0."),
        ({"hidden": 10**12}, MemoryError, "hidden must be small enough for memory"),
        ({"sample_weight": np.zeros(9)}, ValueError, "sample_weight must be positive for at least one sample"),
        ({"sample_weight": -np.ones(9)}, ValueError, "sample_weight must be at least 0"),
        ({"x": 1.7e308 * np.linspace(-1, 1, 9)}, ValueError, "Rescale them."),
        ({"x": 1e15 + np.arange(9.0)}, ValueError, "x must be of a standard deviation of at least"),
        ({"x": np.arange(9) * 1e-320}, ValueError, "Rescale them."),
    ],
)
def test_bad_input_is_named(arguments, error, words):
    defaults = {"x": np.arange(9.0), "y": np.arange(9.0)}
    with pytest.raises(error, match=words.replace(".", r"\.")):
        fastmlp.fit_knots(**(defaults | arguments))


def test_the_model_can_all_that_models_can(tmp_path):
    x, y = sine()
    model = fastmlp.fit_knots(x[:, None], y[:, None], hidden=12)
    assert model.predict(x).shape == (100, 1)
    assert (model.info.algorithm, model.info.optimizer, model.info.lr) == ("knots", "knots", None)
    assert "rmse=" in repr(model)
    model.save(tmp_path / "model.npz")
    loaded = fastmlp.load(tmp_path / "model.npz")
    assert loaded.info == model.info
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    table = model.to_piecewise()
    inside = table.breakpoints[(table.breakpoints > x[0]) & (table.breakpoints < x[-1])]
    points = np.r_[x[0], inside, x[-1]]
    assert points.size == 12 + 1
    np.testing.assert_allclose(np.interp(x, points, model.predict(points)[:, 0]), model.predict(x)[:, 0], atol=1e-13)
    for numbers in ("float", "double", "fixed"):
        assert "predict(" in model.to_c(numbers=numbers)
    assert model.plot(x, y) is not None
    assert model.history.plot() is not None
    assert np.isfinite(fastmlp.fit(x, y, init=model, epochs=10, lr=1e-4).predict(x)).all()


def test_names_of_columns_are_kept():
    pandas = pytest.importorskip("pandas")
    x, y = sine()
    frame = pandas.DataFrame({"angle": x, "height": y})
    model = fastmlp.fit_knots(frame[["angle"]], frame["height"], hidden=5)
    assert (model.feature_names, model.target_names) == (("angle",), ("height",))


def test_the_same_samples_give_the_same_bits():
    x, y = sine(333)
    first, second = (fastmlp.fit_knots(x, y, hidden=40) for _ in range(2))
    for a, b in zip(first.weights, second.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_noise_ends_below_its_level_but_stays_finite():
    rng = np.random.default_rng(0)
    x = np.sort(rng.uniform(-3, 3, 300))
    y = np.sin(x) + 0.1 * rng.normal(size=300)
    errors = [fastmlp.fit_knots(x, y, hidden=hidden).rmse(x, y) for hidden in (1, 3, 10, 30, 100, 150, 299)]
    assert errors[2] < 0.11
    assert errors[-1] < 1e-9
    assert np.isfinite(errors).all()

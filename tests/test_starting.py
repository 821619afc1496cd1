"""Initial weights, the automatic rate, and standardisation, against their definitions."""

import itertools

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

import fastmlp
from fastmlp.engines.dense.gauss_newton import DenseProduct
from fastmlp.engines.engine import Weights
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.gauss_newton import DirectProduct, UnivariateProduct
from fastmlp.starting.initial_weights import initial_weights
from fastmlp.starting.lanczos import largest_eigenvalue
from fastmlp.starting.rate import automatic_rates
from fastmlp.starting.scaling import Standardization, column_maps


def automatic_rate(x, sample_weight, weights, negative_slope=0.0, **biases):
    """Return the automatic rate of one network."""
    architecture = Architecture(*weights.w1.shape, weights.b2.size, negative_slope, **biases)
    (rate,) = automatic_rates(x, sample_weight, [weights], architecture)
    return rate


@pytest.mark.parametrize("init", ["balanced", 0.3])
@pytest.mark.parametrize("hidden_bias", [True, False])
def test_starts_are_drawn_in_order_w1_b1_w2(init, hidden_bias):
    got = initial_weights(init, Architecture(3, 50, 2, hidden_bias=hidden_bias), np.random.default_rng(1))
    std = (50 * 4) ** -0.25 if init == "balanced" else init
    rng = np.random.default_rng(1)
    np.testing.assert_allclose(got.w1, rng.normal(0, std, (3, 50)), rtol=1e-15)
    np.testing.assert_allclose(got.b1, rng.normal(0, std, 50) if hidden_bias else np.zeros(50), rtol=1e-15)
    np.testing.assert_allclose(got.w2, rng.normal(0, std, (50, 2)), rtol=1e-15)
    np.testing.assert_array_equal(got.b2, np.zeros(2))


@pytest.mark.parametrize(("init", "std1", "std2"), [("he", 2 / 3, 2 / 50), ("glorot", 2 / 53, 2 / 52)])
def test_named_starts_have_their_variances_and_no_biases(init, std1, std2):
    got = initial_weights(init, Architecture(3, 50, 2), np.random.default_rng(1))
    rng = np.random.default_rng(1)
    np.testing.assert_allclose(got.w1, rng.normal(0, np.sqrt(std1), (3, 50)), rtol=1e-14)
    np.testing.assert_allclose(got.w2, rng.normal(0, np.sqrt(std2), (50, 2)), rtol=1e-14)
    assert not got.b1.any()


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (3, 2)])
@pytest.mark.parametrize("hidden_bias", [True, False])
@pytest.mark.parametrize("output_bias", [True, False])
@pytest.mark.parametrize("negative_slope", [0.0, 0.3])
def test_the_automatic_rate_is_one_over_the_largest_eigenvalue(
    problem, n_in, n_out, hidden_bias, output_bias, negative_slope
):
    x, _, sample_weight, init = problem(n_in, n_out, n_hidden=8)
    sample_weight = sample_weight / sample_weight.sum()
    got = automatic_rate(
        x, sample_weight, Weights(*init), negative_slope, hidden_bias=hidden_bias, output_bias=output_bias
    )

    flat = np.concatenate([part.ravel() for part in init])
    splits = np.cumsum([part.size for part in init])[:-1]

    def outputs(parameters):
        parts = [p.reshape(w.shape) for p, w in zip(np.split(parameters, splits), init, strict=True)]
        return fastmlp.Model(*parts, negative_slope, y_ndim=2).predict(x).ravel()

    eps = 1e-6
    jacobian = np.stack([(outputs(flat + step) - outputs(flat - step)) / (2 * eps) for step in eps * np.eye(flat.size)])
    w1_end, b1_end, w2_end = splits
    if not hidden_bias:
        jacobian[w1_end:b1_end] = 0
    if not output_bias:
        jacobian[w2_end:] = 0
    weighted = jacobian * np.sqrt(np.repeat(sample_weight, n_out))
    expected = 1 / np.linalg.eigvalsh(weighted.T @ weighted)[-1]
    assert expected * (1 - 1e-6) <= got <= expected * (1 + (1e-5 if n_in == 1 else 0.05))


def test_symmetric_inputs_do_not_hide_the_largest_eigenvalue():
    column = np.linspace(-1, 1, 9)[:, None]
    x = np.hstack([column, -column])
    weights = Weights(np.zeros((2, 1)), np.ones(1), np.full((1, 1), 10.0), np.zeros(1))
    got = automatic_rate(x, np.full(9, 1 / 9), weights)
    features = np.hstack([10 * x, np.full((9, 1), 10.0), np.ones((9, 2))])
    assert got == pytest.approx(1 / np.linalg.eigvalsh(features.T @ features / 9)[-1], rel=1e-4)


@pytest.mark.parametrize(("n_samples", "n_in", "n_out", "n_hidden"), [(1, 2, 1, 1), (7, 3, 2, 5), (500, 9, 3, 130)])
@pytest.mark.parametrize("negative_slope", [0.0, 0.3])
def test_the_compiled_product_is_that_of_numpy(problem, n_samples, n_in, n_out, n_hidden, negative_slope):
    x, _, sample_weight, init = problem(n_in, n_out, n_samples, n_hidden)
    rng = np.random.default_rng(1)
    vector = Weights(*(rng.normal(size=part.shape) for part in init))
    arguments = x, sample_weight, Weights(*init), negative_slope
    for got, expected in zip(DenseProduct(*arguments)(vector), DirectProduct(*arguments)(vector), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13 * np.abs(expected).max())


def test_the_automatic_rate_is_the_same_compiled_and_on_any_number_of_threads(problem, monkeypatch):
    x, _, sample_weight, init = problem(3, 2, 300)
    rates = [automatic_rate(x, sample_weight, Weights(*init))]
    monkeypatch.setattr("fastmlp.starting.gauss_newton.COMPILED_WORK", 0)
    for n_cores in (1, 2, 3):
        monkeypatch.setattr("fastmlp.engines.dense.gauss_newton.usable_cores", lambda n_cores=n_cores: n_cores)
        rates.append(automatic_rate(x, sample_weight, Weights(*init)))
    assert len(set(rates[1:])) == 1
    assert rates[0] == pytest.approx(rates[1], rel=1e-6)


def test_the_lanczos_iteration_finds_a_lower_bound_near_the_largest_eigenvalue():
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.normal(size=(200, 200)))
    for smallest in (1e-3, 0.5, 0.99):
        matrix = (basis * np.linspace(smallest, 1, 200)) @ basis.T
        found = largest_eigenvalue(lambda vector, matrix=matrix: matrix @ vector, np.ones(200), 1e-3)
        assert 0.95 < found <= 1 + 1e-12
    assert largest_eigenvalue(lambda vector: 0 * vector, np.ones(3), 1e-3) == 0
    assert largest_eigenvalue(lambda vector: np.inf * vector, np.ones(3), 1e-3) == np.inf
    with pytest.raises(ZeroDivisionError):
        largest_eigenvalue(lambda vector: vector, np.ones(3), 1e-3, lambda: 1 // 0)


@pytest.mark.parametrize("n_out", [1, 2, 3])
@pytest.mark.parametrize("negative_slope", [0.0, 0.3])
@pytest.mark.parametrize(("hidden_bias", "output_bias"), [(True, True), (True, False), (False, True)])
@pytest.mark.parametrize(("n_samples", "n_hidden"), [(1, 1), (1, 7), (60, 1), (60, 7), (7, 60), (500, 60)])
def test_one_input_gives_the_rate_of_the_general_form(
    monkeypatch, problem, n_out, negative_slope, hidden_bias, output_bias, n_samples, n_hidden
):
    x, _, sample_weight, init = problem(1, n_out, n_samples, n_hidden, hidden_bias=hidden_bias)
    x, w1 = np.round(x, 1), np.where(np.arange(n_hidden) % 10 == 9, 0, init[0])  # repeated samples, constant units
    b1 = np.where(np.arange(n_hidden) % 3 == 2, -(w1[0] * x[0]), init[1])  # kinks on a sample
    weights = Weights(w1, hidden_bias * b1, *init[2:])
    rates = []
    for form in ("one input", "general"):
        if form == "general":
            monkeypatch.setattr("fastmlp.starting.rate.gauss_newton", DirectProduct)
            monkeypatch.setattr("fastmlp.starting.rate._MAX_GRAM", 0)
        rates.append(
            automatic_rate(
                x,
                sample_weight / sample_weight.sum(),
                weights,
                negative_slope,
                hidden_bias=hidden_bias,
                output_bias=output_bias,
            )
        )
    assert rates[0] == pytest.approx(rates[1], rel=1e-4)


@pytest.mark.parametrize("negative_slope", [0.0, 0.3])
def test_one_input_gives_the_product_of_the_general_form(problem, negative_slope):
    x, _, sample_weight, init = problem(1, 2)
    rng = np.random.default_rng(1)
    vector = Weights(*(rng.normal(size=part.shape) for part in init))
    got = UnivariateProduct(x[:, 0], sample_weight, Weights(*init), negative_slope)(vector)
    expected = DirectProduct(x, sample_weight, Weights(*init), negative_slope)(vector)
    for got_part, expected_part in zip(got, expected, strict=True):
        np.testing.assert_allclose(got_part, expected_part, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("negative_slope", [0.0, 0.3])
@pytest.mark.parametrize("w2_size", [0.0, 1e-7, 1.0])  # from the hidden outputs' eigenvalue to that of the inputs
def test_the_automatic_rate_bears_an_offset(negative_slope, w2_size):
    rng = np.random.default_rng(0)
    offset, n_hidden = 1e6, 30
    x = offset + rng.uniform(-0.5, 0.5, 200)
    centred = x - offset  # exact
    w1, w2 = rng.normal(size=(2, n_hidden)) * [[1.0], [w2_size]]
    b1 = -w1 * (offset + rng.uniform(-0.6, 0.6, n_hidden))
    intercept = (b1.astype(np.longdouble) + np.longdouble(offset) * w1).astype(float)
    h1 = centred[:, None] * w1 + intercept
    slope = np.where(h1 > 0, 1.0, negative_slope)
    jacobian = np.hstack([slope * w2 * x[:, None], slope * w2, slope * h1, np.ones((x.size, 1))])
    expected = 1 / np.linalg.eigvalsh(jacobian @ jacobian.T / x.size)[-1]
    weights = Weights(w1[None], b1, w2[:, None], np.zeros(1))
    got = automatic_rate(x[:, None], np.full(200, 1 / 200), weights, negative_slope)
    assert got == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("x_unit", "w2_unit"), [(1e155, 1e-155), (1e-155, 1e155)])
def test_the_automatic_rate_bears_any_unit_of_the_input(problem, x_unit, w2_unit):
    x, _, sample_weight, (w1, _, w2, b2) = problem(1, 1)
    weights = Weights(w1 / x_unit, np.zeros(30), w2 * w2_unit, b2)
    got, expected = (
        automatic_rate(scaled, sample_weight, net, 0.0, hidden_bias=False, output_bias=True)
        for scaled, net in [(x * x_unit, weights), (x, Weights(w1, np.zeros(30), w2, b2))]
    )
    assert got == pytest.approx(expected, rel=1e-6)


def test_the_automatic_rate_of_a_million_samples_takes_a_moment():
    rng = np.random.default_rng(0)
    weights = initial_weights("balanced", Architecture(1, 1000, 1), rng)
    rates = []
    for n_samples in (10**4, 10**6):  # the general form would need minutes for the second
        x = np.linspace(-3, 3, n_samples)[:, None]
        sample_weight = np.full(n_samples, 1 / n_samples)
        rates.append(automatic_rate(x, sample_weight, weights))
    assert rates[1] == pytest.approx(rates[0], rel=1e-3)


def standardization(x, y, sample_weight, *, shift_inputs, shift_targets):
    """Return the maps of columns in float64."""
    x_maps = column_maps(x, sample_weight, np.dtype(float), shift=shift_inputs)[:2]
    return Standardization(*x_maps, *column_maps(y, sample_weight, np.dtype(float), shift=shift_targets)[:2])


def test_standardized_columns_have_mean_zero_and_deviation_one():
    rng = np.random.default_rng(0)
    x = np.column_stack([1e6 + rng.normal(size=50), np.full(50, 0.1), 1e-200 * rng.normal(size=50)])
    y = 1e180 * rng.normal(size=(50, 1)) + 1e181
    sample_weight = rng.dirichlet(np.ones(50))
    maps = standardization(x, y, sample_weight, shift_inputs=True, shift_targets=True)
    for columns in (maps.inputs(x)[:, [0, 2]], maps.targets(y)):
        np.testing.assert_allclose(sample_weight @ columns, 0, atol=1e-9)
        np.testing.assert_allclose(sample_weight @ columns**2, 1, rtol=1e-9)
    np.testing.assert_array_equal(maps.inputs(x)[:, 1], 0)
    assert maps.x_scale[1] == 1

    unshifted = standardization(x, y, sample_weight, shift_inputs=False, shift_targets=False)
    assert not unshifted.x_shift.any()
    assert not unshifted.y_shift.any()
    np.testing.assert_allclose(sample_weight @ unshifted.inputs(x)[:, [0, 2]] ** 2, 1)


def test_folding_and_unfolding_are_inverse(problem):
    x, y, sample_weight, init = problem(3, 2)
    maps = standardization(5 + x, y, sample_weight / sample_weight.sum(), shift_inputs=True, shift_targets=True)
    weights = Weights(*init)
    for got, expected in zip(maps.unfold(maps.fold(weights)), weights, strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    raw, scaled = fastmlp.Model(*maps.fold(weights)), fastmlp.Model(*weights)
    np.testing.assert_allclose(maps.targets(raw.predict(x)), scaled.predict(maps.inputs(x)), rtol=1e-10)


@pytest.mark.parametrize(("n_samples", "n_in"), [(10_000, 8), (3000, 20), (30_000, 1)])
def test_a_start_does_not_depend_on_the_threads_of_blas(n_samples, n_in):
    x = np.random.default_rng(0).normal(size=(n_samples, n_in))
    options = {"hidden": 300, "epochs": 1, "rng": 0, "algorithm": "reference"}
    expected = fastmlp.fit(x, np.sin(x).sum(axis=1), **options)
    with threadpool_limits(1):
        got = fastmlp.fit(x, np.sin(x).sum(axis=1), **options)
    assert got.info.lr == expected.info.lr
    for name in ("x_shift", "x_scale", "y_shift", "y_scale"):
        maps = (getattr(model.info.standardization, name) for model in (got, expected))
        np.testing.assert_array_equal(*maps)


@pytest.mark.parametrize("options", [{}, {"dtype": np.float32}, {"algorithm": "dense"}, {"algorithm": "reference"}])
def test_columns_that_are_constant_but_for_rounding_have_no_weights(options):
    x = np.linspace(-1, 1, 40)
    for constant, stays in ((np.resize([0.3, 0.1 + 0.2], 40), True), (np.resize([0.3, 0.3 + 1e-3], 40), False)):
        columns = np.column_stack([x, constant])
        model = fastmlp.fit(columns, np.sin(3 * x), hidden=40, epochs=300, rng=0, **options)
        assert model.history.rmse[-1] == pytest.approx(model.rmse(columns, np.sin(3 * x)), rel=1e-3)
        assert (not model.w1[1].any()) is stays
        if stays:
            np.testing.assert_array_equal(model.predict([[0.5, 0.3]]), model.predict([[0.5, 1e6]]))


def test_the_limit_of_a_constant_column_is_four_units_in_the_last_place():
    for dtype, base in itertools.product((np.float32, np.float64), (1.0, -3.0, 1e-30, 1e9)):
        unit = float(np.spacing(np.abs(dtype(base))))
        x = np.array([[base, base], [base + 4 * unit, base + 5 * unit]])
        constant = column_maps(x, np.full(2, 0.5), np.dtype(dtype), shift=True)[2]
        assert constant.tolist() == [True, False], (dtype, base)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"algorithm": "dense", "momentum": 0.9},
        {"optimizer": "adam"},
        {"optimizer": "lbfgs"},
        {"optimizer": "lstsq", "epochs": 1},
        {"batch_size": 7},
        {"dtype": np.float32},
        {"weight_decay": 0.01},
    ],
)
def test_a_constant_target_is_the_prediction_everywhere(options):
    x = np.linspace(-1, 1, 30)
    options = {"hidden": 20, "epochs": 200, "rng": 0} | options
    for y in (np.full(30, 1.0), np.zeros(30), np.resize([0.3, 0.1 + 0.2], 30)):
        model = fastmlp.fit(x, y, **options)
        np.testing.assert_array_equal(model.predict([0.0, 5.0, -1e6]), np.full(3, y[0], model.w1.dtype))
    both = fastmlp.fit(x, np.column_stack([np.full(30, 2.0), np.sin(x)]), **options)
    np.testing.assert_array_equal(both.predict([0.0, 5.0])[:, 0], 2)
    assert np.ptp(both.predict([0.0, 1.0])[:, 1]) > 0


def test_a_given_start_and_a_training_without_bias_keep_constant_columns():
    x = np.column_stack([np.linspace(-1, 1, 30), np.full(30, 2.0)])
    start = (np.ones((2, 3)), np.zeros(3), np.ones((3, 1)), np.zeros(1))
    given = fastmlp.fit(x, x[:, 0], init=start, standardize=True, epochs=1)
    assert given.w1[1].all()
    assert fastmlp.fit(x, x[:, 0], hidden_bias=False, hidden=5, epochs=1, rng=0).w1[1].all()
    assert fastmlp.fit(x, x[:, 1], output_bias=False, hidden=5, epochs=1, rng=0).w2.all()
    assert fastmlp.fit(x, x[:, 0], lr=0.1, hidden=5, epochs=1, rng=0).w1[1].all()  # to the letter of gradient descent


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_history_and_model_agree_at_every_offset_that_is_not_refused(dtype):
    u = np.linspace(0, 1, 60)
    refused = []
    for offset in 10.0 ** np.arange(1, 17):
        x = offset + u.astype(dtype)
        y = np.sin(6 * (x - offset))
        try:
            model = fastmlp.fit(x.astype(dtype), y.astype(dtype), hidden=60, epochs=1000, rng=0)
        except ValueError as error:
            assert "x must be of a standard deviation of at least" in str(error)  # noqa: PT017
            assert "Subtract an offset first, such as the smallest entry of x." in str(error)  # noqa: PT017
            refused.append(offset)
            continue
        error = model.rmse(x.astype(dtype), y.astype(dtype))
        assert error == pytest.approx(model.history.rmse[-1], rel=0.01 if dtype == np.float32 else 1e-4)
    limit = 1e4 if dtype == np.float32 else 1e10
    assert limit <= min(refused) <= 10 * limit
    with pytest.raises(ValueError, match=r"got 0\.\d+ with a mean of 1e\+1\d in column 1\. Subtract an offset first"):
        fastmlp.fit(np.column_stack([u, 1e13 + u]), u, hidden=3, epochs=2, rng=0)
    with pytest.raises(ValueError, match="y must be of a standard deviation of at least"):
        fastmlp.fit(u, 1e13 + u, hidden=3, epochs=2, rng=0)
    fastmlp.fit(1e13 + u, u, hidden=3, epochs=2, rng=0, lr=1e-30)  # in the units of the data, nothing is shifted

"""Initial weights, the automatic rate, and standardisation, against their definitions."""

import numpy as np
import pytest

import fastmlp
from fastmlp.engine import Weights
from fastmlp.scaling import standardization
from fastmlp.starting import automatic_rate, initial_weights


@pytest.mark.parametrize("init", ["balanced", 0.3])
@pytest.mark.parametrize("hidden_bias", [True, False])
def test_starts_are_drawn_in_order_w1_b1_w2(init, hidden_bias):
    got = initial_weights(init, 3, 50, 2, hidden_bias=hidden_bias, rng=np.random.default_rng(1))
    std = (50 * 4) ** -0.25 if init == "balanced" else init
    rng = np.random.default_rng(1)
    np.testing.assert_allclose(got.w1, rng.normal(0, std, (3, 50)), rtol=1e-15)
    np.testing.assert_allclose(got.b1, rng.normal(0, std, 50) if hidden_bias else np.zeros(50), rtol=1e-15)
    np.testing.assert_allclose(got.w2, rng.normal(0, std, (50, 2)), rtol=1e-15)
    np.testing.assert_array_equal(got.b2, np.zeros(2))


@pytest.mark.parametrize(("init", "std1", "std2"), [("he", 2 / 3, 2 / 50), ("glorot", 2 / 53, 2 / 52)])
def test_named_starts_have_their_variances_and_no_biases(init, std1, std2):
    got = initial_weights(init, 3, 50, 2, hidden_bias=True, rng=np.random.default_rng(1))
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
    assert got == pytest.approx(expected, rel=1e-4)


def test_symmetric_inputs_do_not_hide_the_largest_eigenvalue():
    column = np.linspace(-1, 1, 9)[:, None]
    x = np.hstack([column, -column])
    weights = Weights(np.zeros((2, 1)), np.ones(1), np.full((1, 1), 10.0), np.zeros(1))
    got = automatic_rate(x, np.full(9, 1 / 9), weights, 0.0, hidden_bias=True, output_bias=True)
    features = np.hstack([10 * x, np.full((9, 1), 10.0), np.ones((9, 2))])
    assert got == pytest.approx(1 / np.linalg.eigvalsh(features.T @ features / 9)[-1], rel=1e-4)


def test_the_automatic_rate_does_not_depend_on_blocks(problem, monkeypatch):
    x, _, sample_weight, init = problem(3, 2)
    rates = []
    for block in (2**22, 7 * init[1].size):
        monkeypatch.setattr("fastmlp.starting._BLOCK", block)
        rates.append(automatic_rate(x, sample_weight, Weights(*init), 0.0, hidden_bias=True, output_bias=True))
    assert rates[0] == pytest.approx(rates[1], rel=1e-12)


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

"""The fast least squares for one input: against numpy.linalg.lstsq, and what it leaves to LAPACK."""

import numpy as np
import pytest

from fastmlp.engines.engine import Problem, Rates, Record, Settings, Shape, Status, Weights
from fastmlp.engines.lstsq.choice import engine_class
from fastmlp.engines.lstsq.engine import LeastSquares
from fastmlp.engines.lstsq.univariate import UnivariateLeastSquares

NO_DECAY = dict.fromkeys(("w1", "b1", "w2", "b2"), 0.0)


def settings_of(slope=0.0, decay_w2=0.0, decay_b2=0.0, *, has_bias=True):
    rates = Rates(1.0, 1.0, 1.0, float(has_bias))
    return Settings(rates, slope, optimizer="lstsq", weight_decay=NO_DECAY | {"w2": decay_w2, "b2": decay_b2})


def net_of(rng, kinks, n_out, *, has_bias=True):
    """Return a net with given kinks, b2 0 if it has no bias."""
    w1 = rng.normal(size=kinks.size)
    return Weights(w1[None], -w1 * kinks, rng.normal(size=(kinks.size, n_out)), rng.normal(size=n_out) * has_bias)


def solved(engine, data, start, settings):
    """Return the weights, and whether the fast solution was accepted."""
    made = engine(data, start, settings)
    assert made.advance(1, Record.empty(1, start.b2.size))[1] is Status.CONVERGED
    return made.weights(), getattr(made, "_solved", None) is not None


def system_of(data, start, settings):
    """Return the columns of w2 and b2 and the targets, times the roots of the weights, and w2 and b2 of the start."""
    z = data.x * start.w1 + start.b1
    active = data.x * start.w1 > -start.b1
    columns = np.concatenate([np.where(active, z, settings.negative_slope * z), np.ones((len(z), 1))], axis=1)
    n = start.b1.size + (settings.rates.b2 != 0)
    root = np.sqrt(data.sample_weight)[:, None]
    return root * columns[:, :n], root * data.y, np.concatenate([start.w2, start.b2[None]])[:n]


def expected_layer(data, start, settings):
    """Return w2 and b2 by numpy.linalg.lstsq, and the condition number of its system."""
    a, y, v = system_of(data, start, settings)
    if settings.decays.w2:
        decays = np.r_[np.full(start.b1.size, settings.decays.w2), settings.decays.b2][: a.shape[1]]
        a, y, v = np.concatenate([a, np.diag(np.sqrt(decays))]), np.concatenate([y, 0 * v]), 0 * v
    solution, _, rank, singular = np.linalg.lstsq(a, y - a @ v, rcond=1e-13)
    return v + solution, singular[0] / singular[rank - 1]


def distance(data, start, settings, weights):
    """Return the norms of the residuals and of w2 and b2 that a solution has, and the predictions, in units of y."""
    a, y, v = system_of(data, start, settings)
    got = np.concatenate([weights.w2, weights.b2[None]])[: len(v)]
    return np.linalg.norm(y - a @ got), np.linalg.norm(got - (0 if settings.decays.w2 else v)), a @ got


@pytest.mark.parametrize("n_hidden", [12, 150])
@pytest.mark.parametrize("n_out", [1, 3])
@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("slope", [0.0, 0.1, -0.4, 1.5])
@pytest.mark.parametrize("decay", [(0.0, 0.0), (1e-3, 1e-3), (1e-4, 0.0), (1e-5, 1e-2)])
def test_common_nets_are_solved_fast_and_equal_numpy(n_hidden, n_out, has_bias, slope, decay):
    rng = np.random.default_rng(n_hidden + n_out)
    x = np.sort(rng.normal(size=60))
    y = np.sin(3 * x[:, None] + np.arange(n_out))
    s = rng.uniform(0.1, 1, 60)
    start = net_of(rng, np.clip(rng.standard_cauchy(n_hidden), -9, 9), n_out, has_bias=has_bias)
    data, settings = Problem(x[:, None], y, s / s.sum()), settings_of(slope, *decay, has_bias=has_bias)
    weights, is_fast = solved(UnivariateLeastSquares, data, start, settings)
    assert is_fast or n_hidden == 12  # few units may not be able to add every line
    v, _ = expected_layer(data, start, settings)
    got = np.concatenate([weights.w2, weights.b2[None]])[: len(v)]
    np.testing.assert_allclose(got, v, rtol=0, atol=1e-7 * np.abs(v).max())
    np.testing.assert_allclose(
        distance(data, start, settings, weights)[2], system_of(data, start, settings)[0] @ v, rtol=0, atol=1e-10
    )
    if not has_bias:
        assert not weights.b2.any()


def nasty_problem(rng):
    """Return samples and a net that are hard to solve for: with ties, kinks on samples, equal kinks and wide scales."""
    n, n_hidden, n_out = rng.choice([2, 3, 6, 10, 40, 80]), rng.choice([1, 3, 10, 40, 160]), rng.choice([1, 1, 3])
    x = rng.normal(size=n) * 10 ** rng.uniform(-3, 3) + rng.choice([0, 0, 1e4])
    if rng.random() < 0.3:
        x = rng.choice(x, n)
    spread = x.std() + 1e-3 * np.abs(x).max()
    kinks = x.mean() + spread * rng.standard_cauchy(n_hidden) * rng.choice([0.3, 1, 3])
    if rng.random() < 0.3:
        kinks = np.where(rng.random(n_hidden) < 0.5, rng.choice(x, n_hidden), kinks)
    if rng.random() < 0.4:
        kinks = rng.choice(kinks[: n_hidden // 2 + 1], n_hidden)
    if rng.random() < 0.3:
        kinks = kinks + 10 ** rng.uniform(-14, -3) * spread * rng.normal(size=n_hidden)
    has_bias = rng.random() < 0.8
    start = net_of(rng, kinks, n_out, has_bias=has_bias)
    start.w1[:] *= 10 ** rng.uniform(-rng.choice([0, 0, 3]), 0, n_hidden) / spread
    start.b1[:] = -start.w1[0] * kinks * (rng.random() < 0.9)
    start.w1[:, rng.random(n_hidden) < rng.choice([0, 0, 0.2])] = 0
    s = 10 ** rng.uniform(-rng.choice([0, 0, 1, 12]), 0, n)
    y = np.sin(3 * (x[:, None] - x.mean()) / spread + np.arange(n_out)) + rng.choice([0, 0.1]) * rng.normal(size=(n, 1))
    decay = rng.choice([0, 0, 10 ** rng.uniform(-12, 0)])
    slope = rng.choice([0, 0, 0.1, 0.99, 1.0, -0.3, 1.7])
    settings = settings_of(float(slope), decay, decay * rng.choice([0, 1, 1e-4, 1e4]), has_bias=has_bias)
    return Problem(x[:, None], y, s / s.sum()), start, settings


def test_what_the_fast_solution_accepts_is_as_good_as_numpy():
    rng = np.random.default_rng(0)
    n_fast = 0
    for _ in range(250):
        data, start, settings = nasty_problem(rng)
        weights, is_fast = solved(UnivariateLeastSquares, data, start, settings)
        if not is_fast:
            continue
        n_fast += 1
        v, condition = expected_layer(data, start, settings)
        n_hidden = start.b1.size
        expected = weights._replace(w2=v[:n_hidden], b2=v[n_hidden] if len(v) > n_hidden else start.b2)
        error, norm, predicted = distance(data, start, settings, weights)
        numpy_error, numpy_norm, numpy_predicted = distance(data, start, settings, expected)
        if settings.decays.w2 == 0:  # with a ridge the two add up
            assert error <= numpy_error + 1e-8
        if condition < 1e8:
            np.testing.assert_allclose(predicted, numpy_predicted, rtol=0, atol=1e-8)
            assert norm <= numpy_norm * (1 + 1e-6) + 1e-9
    assert n_fast > 120


@pytest.mark.parametrize("near", [1e-9, 1e-7])
def test_kinks_that_are_nearly_equal_are_left_to_lapack(near):
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 50)
    kinks = rng.uniform(-1, 1, 10)
    start = net_of(rng, np.append(kinks, kinks[0] + near), 1)
    data = Problem(x[:, None], np.sin(3 * x)[:, None], np.full(50, 0.02))
    weights, is_fast = solved(UnivariateLeastSquares, data, start, settings_of())
    assert not is_fast
    for got, expected in zip(weights, solved(LeastSquares, data, start, settings_of())[0], strict=True):
        np.testing.assert_array_equal(got, expected)


def test_equal_kinks_share_the_smallest_change():
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 50)
    kinks = np.repeat(rng.uniform(-1, 1, 10), 3)
    start = Weights(np.ones((1, 30)), -kinks, np.zeros((30, 1)), np.zeros(1))
    start.w1[0, :6], start.b1[:6] = -1.0, kinks[:6]
    start.b1[27:] = 5.0
    data = Problem(x[:, None], np.sin(3 * x)[:, None], np.full(50, 0.02))
    weights, is_fast = solved(UnivariateLeastSquares, data, start, settings_of())
    assert is_fast
    np.testing.assert_allclose(weights.w2.reshape(10, 3), weights.w2.reshape(10, 3)[:, :1].repeat(3, 1), rtol=1e-8)


def test_only_a_penalty_of_b2_is_left_to_lapack(problem):
    x, y, s, init = problem(1, 1, 40, 20)
    _, is_fast = solved(UnivariateLeastSquares, Problem(x, y, s / s.sum()), Weights(*init), settings_of(0.0, 0.0, 1e-2))
    assert not is_fast


def test_the_engine_of_each_algorithm():
    shape = Shape(10, 1, 5, 1)
    assert engine_class("univariate", shape) is UnivariateLeastSquares
    assert engine_class("dense", shape) is engine_class("reference", shape) is LeastSquares

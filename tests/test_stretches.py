"""Stretches are gradient descent: held against plain NumPy on every sample, to rounding and to the sign change."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastmlp
from fastmlp.compiled.cache import compiled
from fastmlp.engines.engine import Problem, Rates, Settings
from fastmlp.engines.univariate.codes import prefix_offset
from fastmlp.engines.univariate.kernels.stretch_layout import PAIR_SUMS
from fastmlp.engines.univariate.kernels.stretch_moments import running_sums
from fastmlp.engines.univariate.samples import sorted_samples
from fastmlp.engines.univariate.stretches import Stretches

ALL_RATES = Rates(0.02, 0.03, 0.01, 0.04)


class Start(NamedTuple):
    """The arguments of Stretches."""

    samples: object
    units: np.ndarray
    code: np.ndarray
    b2: np.ndarray
    settings: Settings


def codes(active):
    """Code the active sets of masks (n_samples, n_hidden)."""
    n, count = active.shape[0], active.sum(axis=0)
    return np.where((count == 0) | (count == n) | active[-1], n - count, prefix_offset(n) + count)


def masks(code, n):
    """Undo `codes`."""
    i = np.arange(n)[:, None]
    return np.where(code >= prefix_offset(n), i < code - prefix_offset(n), i >= code)


def start(x, y, w1, b1, w2, b2, rates=ALL_RATES, slope=0.0, sample_weight=None):
    """Start from weights w1, b1 (n_hidden,), w2 (n_out, n_hidden) with the mask that raw x gives."""
    weight = np.ones(x.size) if sample_weight is None else sample_weight
    samples = sorted_samples(Problem(x[:, None], y, weight / weight.sum()), may_centre=True)
    units = np.vstack([w1, b1 + samples.centre * w1, w2])
    return Start(samples, units, codes(samples.raw_x[:, None] * w1 > -b1), b2, Settings(rates, slope))


def random_start(n, n_hidden, n_out=1, seed=0, *, scale=0.7, offset=0.0, duplicates=False, **options):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    if duplicates:
        x = x.round(1)
    y = np.sin(2 * x)[:, None] * np.arange(1, n_out + 1) + 0.1 * rng.normal(size=(n, n_out))
    w1, b1 = scale * rng.normal(size=(2, n_hidden))
    w2, b2 = scale * rng.normal(size=(n_out, n_hidden)), 0.3 * rng.normal(size=n_out)
    return start(x + offset, y, w1, b1 - offset * w1, w2, b2, sample_weight=rng.uniform(0.5, 2, n), **options)


def reference(arguments, epochs, dtype=float):
    """Train in plain NumPy: units, code, b2, squared error and crossings after 0, ..., epochs updates."""
    samples, units, code, b2, settings = arguments
    rates, slope = settings.rates, settings.negative_slope
    w, beta, v, b2 = (np.array(a, dtype) for a in (units[0], units[1], units[2:], b2))
    x, y, weight = (np.array(a, dtype) for a in (samples.x, samples.y, samples.weight))
    active, crossings = masks(code, x.size), 0
    squared_error, so_far = [], []
    r = s0 = s1 = None
    for epoch in range(epochs + 1):
        if epoch:
            t0, t1 = (v * s0).sum(axis=0), (v * s1).sum(axis=0)
            step = rates.w1 * (t1 + samples.centre * t0)
            v = v - rates.w2 * (w * s1 + beta * s0)
            w, beta = w - step, beta - (rates.b1 * t0 + samples.centre * step)
            b2 = b2 - rates.b2 * r.sum(axis=0)
            before, active = active, x[:, None] * w > -beta
            crossings += int(np.diff(samples.n_before) @ (before != active).sum(axis=1))
        derivative = np.where(active, dtype(1), dtype(slope))
        error = ((x[:, None] * w + beta) * derivative) @ v.T + b2 - y
        r = weight[:, None] * error
        s0, s1 = r.T @ derivative, (r * x[:, None]).T @ derivative
        squared_error.append(weight @ error**2 + samples.scatter)
        so_far.append(crossings)
    return np.vstack([w, beta, v]), codes(active), b2, np.array(squared_error), np.array(so_far)


def trained(arguments, epochs, chunks=None):
    """Train by stretches: as `reference`, and the engine."""
    engine = Stretches(*arguments)
    squared_error = np.full((epochs + 1, arguments.b2.size), np.nan)
    crossings = np.zeros(epochs + 1, np.int64)
    squared_error[0] = engine.squared_error
    done = 0
    for chunk in chunks or [epochs]:
        rows = slice(done + 1, done + 1 + chunk)
        n_done = 0
        while n_done < chunk:  # it may stop to say that prefix sums were cheaper
            n_more = engine.train(chunk - n_done, squared_error[rows][n_done:], crossings[rows][n_done:])
            assert n_done + n_more == chunk or engine.leaves
            n_done += n_more
        done += chunk
    assert done == epochs
    return (*engine.units(), engine.b2, squared_error, crossings), engine


def assert_close(got, expected, tolerance):
    largest = max(np.abs(expected).max(), 1e-300)
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance * largest)


def assert_same(got, expected, tolerance=1e-10):
    """Assert that weights, biases and RMSE agree to a tolerance of each array's largest entry."""
    w, beta, *v = got[0]
    expected_w, expected_beta, *expected_v = expected[0]
    assert_close(w, expected_w, tolerance)
    assert_close(beta, expected_beta, tolerance)
    assert_close(v, expected_v, tolerance)
    assert_close(got[2], expected[2], tolerance)
    np.testing.assert_allclose(np.sqrt(got[3]), np.sqrt(expected[3]), rtol=tolerance, atol=1e-13)


SHAPES = [
    # n, n_hidden, n_out, options
    (60, 40, 1, {}),
    (60, 40, 1, {"slope": 0.1}),
    (60, 40, 3, {}),
    (60, 40, 2, {"slope": -0.5}),
    (200, 5, 1, {"duplicates": True}),
    (20, 150, 1, {"duplicates": True, "slope": 0.2}),
    (300, 20, 1, {"slope": 1.5}),
    (60, 64, 1, {"offset": 30.0, "rates": Rates(1e-5, 1e-5, 1e-5, 1e-2)}),
    (60, 62, 2, {"rates": Rates(0.02, 0.0, 0.02, 0.0)}),
    (60, 63, 1, {"rates": Rates(0.0, 0.03, 0.0, 0.03)}),
    (1, 5, 2, {}),
    (2, 1, 1, {}),
]


@pytest.mark.parametrize(("n", "n_hidden", "n_out", "options"), SHAPES)
def test_equals_numpy(n, n_hidden, n_out, options):
    arguments = random_start(n, n_hidden, n_out, **options)
    expected = reference(arguments, 3000)
    got, _ = trained(arguments, 3000)
    assert_same(got, expected)
    np.testing.assert_array_equal(got[1], expected[1])
    np.testing.assert_array_equal(got[4], expected[4])
    assert n < 20 or got[4][-1] > 20


@pytest.mark.parametrize("group", range(4))
def test_a_frozen_group_stays_bitwise(group):
    rates = list(ALL_RATES)
    rates[group] = 0.0
    arguments = random_start(50, 20, rates=Rates(*rates))
    (units, _, b2, _, _), _ = trained(arguments, 200)
    before = [*arguments.units, arguments.b2]
    for i, (now, start_value) in enumerate(zip([*units, b2], before, strict=True)):
        assert np.array_equal(now, start_value) == (i == group)


@given(
    n=st.integers(1, 12),
    n_hidden=st.integers(1, 8),
    n_out=st.integers(1, 2),
    slope=st.sampled_from([0.0, 0.25]),
    seed=st.integers(0, 10**6),
)
def test_small_nets_with_kinks_on_samples(n, n_hidden, n_out, slope, seed):
    # Small integers as data and weights: kinks lie exactly on samples, units are dead or have no weight at all.
    rng = np.random.default_rng(seed)
    x, y = rng.integers(-3, 4, n).astype(float), rng.integers(-2, 3, (n, n_out)).astype(float)
    w1, b1 = rng.integers(-2, 3, (2, n_hidden)).astype(float)
    w2 = rng.integers(-1, 2, (n_out, n_hidden)).astype(float)
    arguments = start(x, y, w1, b1, w2, np.zeros(n_out), Rates(1e-3, 1e-3, 1e-3, 1e-3), slope)
    expected = reference(arguments, 60)
    got, _ = trained(arguments, 60)
    assert_same(got, expected)
    np.testing.assert_array_equal(got[1], expected[1])
    np.testing.assert_array_equal(got[4], expected[4])


def test_the_first_active_sets_are_trusted():
    arguments = random_start(50, 20)
    other = arguments._replace(code=np.roll(arguments.code, 3))
    got, expected = trained(other, 1)[0], reference(other, 1)
    assert_close(got[0], expected[0], 1e-14)  # the first update descends from them
    assert_close(got[3][0], expected[3][0], 1e-14)
    assert abs(got[3][0] - trained(arguments, 1)[0][3][0]) > 0.01


def test_a_unit_that_does_not_change_keeps_its_active_set():
    arguments = random_start(50, 20, rates=Rates(0.0, 0.0, 0.01, 0.01))
    other = arguments._replace(code=np.roll(arguments.code, 3))
    got, _ = trained(other, 50)
    np.testing.assert_array_equal(got[1], other.code)
    assert got[4][-1] == 0


@pytest.mark.parametrize("n_hidden", [3, 40, 500])
def test_kinks_that_jump(n_hidden):
    # One large step turns the signs of most w at once and throws kinks over hundreds of samples: the signs of w and
    # the active sets after each step are those of NumPy. With 500 units there are more exchanges than sifting is
    # allowed (about n_hidden^2 / 4 against 4 n_hidden), so that merging sorts.
    arguments = random_start(1000, n_hidden, scale=1.0, rates=Rates(2.0, 2.0, 2.0, 0.1))
    arguments.units[2:] /= n_hidden
    expected = reference(arguments, 3)
    got, engine = trained(arguments, 3)
    assert_same(got, expected)
    np.testing.assert_array_equal(got[1], expected[1])
    np.testing.assert_array_equal(got[4], expected[4])
    assert got[4][-1] > 30 * n_hidden
    assert engine.live_units > 0


def test_w_changes_sign_in_one_step():
    x = np.linspace(-1, 1, 400)
    y = -x[:, None]
    arguments = start(
        x, y, np.array([0.1]), np.array([0.02]), np.array([[1.0]]), np.zeros(1), Rates(4.0, 0.5, 0.1, 0.1)
    )
    expected = reference(arguments, 1)
    got, _ = trained(arguments, 1)
    assert expected[0][0, 0] < 0
    assert got[4][-1] > 200
    assert_same(got, expected)
    np.testing.assert_array_equal(got[4], expected[4])


def test_units_drawn_to_one_sample_do_not_slow_or_disturb_each_other():
    # 100 units start with their kinks beside the same sample and hop across it.
    rng = np.random.default_rng(0)
    x = np.sort(rng.normal(size=100))
    y = np.abs(x - x[50])[:, None]
    w1 = rng.choice([-1.0, 1.0], 100) * rng.uniform(0.2, 0.4, 100)
    b1 = -w1 * (x[50] + 1e-4 * rng.normal(size=100))
    arguments = start(x, y, w1, b1, 0.2 * rng.normal(size=(1, 100)), np.zeros(1), Rates(0.01, 0.01, 0.01, 0.01))
    expected = reference(arguments, 2000)
    got, _ = trained(arguments, 2000)
    assert_same(got, expected)
    np.testing.assert_array_equal(got[4], expected[4])


@pytest.mark.parametrize("n_out", [1, 2])
def test_chunks_and_restored_states_go_on_bitwise(n_out):
    arguments = random_start(100, 70, n_out, slope=0.1)
    whole, _ = trained(arguments, 500)
    pieces, _ = trained(arguments, 500, [1, 7, 200, 1, 91, 200])
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(a, b)

    _, engine = trained(arguments, 200)
    state = engine.state()
    trained_on = np.empty((300, n_out)), np.empty(300, np.int64)
    engine.train(100, *(array[:100] for array in trained_on))
    for fresh in (engine, Stretches(*arguments)):
        fresh.restore(state)
        assert fresh.train(300, *trained_on) == 300
        np.testing.assert_array_equal(trained_on[0], whole[3][201:])
        np.testing.assert_array_equal(trained_on[1], whole[4][201:])
        np.testing.assert_array_equal(fresh.units()[0], whole[0])
        np.testing.assert_array_equal(fresh.units()[1], whole[1])


def test_copies_are_given_and_taken():
    arguments = random_start(50, 20)
    before = arguments.units.copy()
    engine = Stretches(*arguments, crossings=17)
    units, code = engine.units()
    np.testing.assert_array_equal(units, before)
    np.testing.assert_array_equal(code, arguments.code)
    units[:] = code[:] = 0
    engine.b2[:] = 9
    crossings = np.empty(300, np.int64)
    engine.train(300, np.empty((300, 1)), crossings)
    assert crossings[0] >= 17
    assert crossings[-1] == 17 + reference(arguments, 300)[4][-1]
    np.testing.assert_array_equal(arguments.units, before)


@pytest.mark.parametrize("rates", [Rates(50.0, 50.0, 50.0, 50.0), Rates(0.0, 0.0, 0.0, 3.0)])
def test_divergence_ends_before_the_first_epoch_that_is_not_finite(rates):
    arguments = random_start(50, 20, rates=rates)
    engine = Stretches(*arguments)
    squared_error = np.empty((5000, 1))
    n_done = engine.train(5000, squared_error, np.empty(5000, np.int64))
    assert n_done < 5000
    assert np.isfinite(squared_error[:n_done]).all()
    assert not np.isfinite(squared_error[n_done])


def test_an_infinite_weight_of_a_dead_unit_shows():
    arguments = random_start(50, 3)
    arguments.units[:, 1] = -np.inf, -1.0, 1.0
    arguments.code[1] = 50
    with np.errstate(invalid="ignore"):  # where nothing is compiled
        assert not np.isfinite(Stretches(*arguments).squared_error)


def test_running_sums_are_exact_pairs():
    # Reassociated or contracted, the low parts would be zero or wrong.
    rng = np.random.default_rng(0)
    x, y, weight = np.sort(rng.normal(size=200)), rng.normal(size=(200, 2)), rng.uniform(size=200)
    sums = np.empty((201, 3), PAIR_SUMS)
    compiled(running_sums, (sums, x, y, weight))(sums, x, y, weight)  # Python has no fused multiply-add
    for o in range(2):
        exact = [Fraction(0)] * 6
        for i in range(200):
            s, a, b = (Fraction(float(number)) for number in (weight[i], x[i], y[i, o]))
            terms = s, s * a, s * a * a, s * b, s * a * b, s * b * b
            exact = [total + term for total, term in zip(exact, terms, strict=True)]
            pairs = sums[i + 1].view(float).reshape(3, 6)[[0, 1 + o]].ravel()
            for j, total in enumerate(exact):
                assert abs(Fraction(pairs[2 * j]) + Fraction(pairs[2 * j + 1]) - total) < Fraction(2) ** -95


def test_the_error_of_a_good_fit_keeps_its_digits():
    # y is the net itself plus 1e-7: a difference of sums of squares has lost 6e-17 * mean(y^2) / 1e-14 = 1e-2 of it.
    rng = np.random.default_rng(0)
    arguments = random_start(3000, 12, seed=1, scale=0.5, rates=Rates(1e-9, 1e-9, 1e-9, 1e-9))
    samples = arguments.samples
    active = masks(arguments.code, samples.x.size)
    w, beta, v = arguments.units
    net = ((samples.x[:, None] * w + beta) * active) @ v + arguments.b2
    samples.y[:, 0] = net + 1e-7 * rng.normal(size=net.size)
    expected = reference(arguments, 3, np.longdouble)
    got, _ = trained(arguments, 3)
    np.testing.assert_allclose(np.sqrt(got[3]), np.sqrt(expected[3]).astype(float), rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.1, 1e-4])
def test_a_million_samples_far_from_zero(noise):
    n, n_hidden, offset = 10**6, 20, 1e4
    rng = np.random.default_rng(0)
    x = np.sort(rng.normal(size=n)) + offset
    w1, kink = rng.normal(size=(2, n_hidden))
    b1 = -w1 * (kink + offset)
    w2 = 0.3 * rng.normal(size=(1, n_hidden))
    z = (x[:, None] - offset) * w1 - kink * w1
    y = np.maximum(z, 0) @ w2.T
    y += noise * y.std() * rng.normal(size=(n, 1))
    rates = Rates(1e-11, 1e-4, 1e-3, 1e-3)
    arguments = start(x, y, w1, b1, w2, np.array([1e-5]), rates)
    assert arguments.samples.centre != 0
    expected = reference(arguments, 20)
    got, _ = trained(arguments, 20)
    assert_same(got, expected, 1e-9)
    np.testing.assert_array_equal(got[4], expected[4])


@pytest.mark.parametrize("seed", range(30))
def test_units_active_on_no_sample_leave_no_rounding_error_in_the_outputs(seed):
    # At this rate units with weights near 1e6 are thrown beyond the samples. A unit subtracted from the running line
    # left 1e-16 of v w in every later output: the RMSE was 2,346 where the net had 1,002.6.
    x = np.linspace(-1, 1, 300)
    y = 1e3 * (1 + 0.1 * np.sin(3 * x))
    options = {"hidden": 8, "init": 0.3, "lr": "auto", "epochs": 30, "rng": seed, "standardize": False}
    got, expected = (fastmlp.fit(x, y, algorithm=name, **options) for name in ("univariate", "reference"))
    assert got.info.method == "stretches"
    np.testing.assert_allclose(got.history.rmse[-1], got.rmse(x, y), rtol=1e-9)
    np.testing.assert_allclose(got.history.rmse, expected.history.rmse, rtol=1e-9)
    for name in ("w1", "b1", "w2", "b2"):
        assert_close(getattr(got, name), getattr(expected, name), 1e-9)


@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize("size", [1e4, 1e6])
def test_a_large_unit_active_on_one_sample_disturbs_no_other(size, side):
    # Active on the first or on the last sample only, which has hardly any weight. Subtracted behind its kink, the unit
    # left an error of up to 1e-4 in all other outputs.
    arguments = random_start(50, 20, rates=Rates(0.0, 0.0, 0.0, 0.0))
    x, sample = arguments.samples.x, 0 if side < 0 else -1
    kink = (x[0] + x[1]) / 2 if side < 0 else (x[-1] + x[-2]) / 2
    arguments.units[:, 0] = side * size, -side * size * kink, size
    arguments.code[0] = prefix_offset(50) + 1 if side < 0 else 49
    arguments.samples.weight[sample] = 1e-60
    expected = reference(arguments, 1, np.longdouble)
    got, _ = trained(arguments, 1)
    np.testing.assert_allclose(got[3], expected[3].astype(float), rtol=1e-13)


def test_a_kink_on_a_sample_stays_there():
    # S0 = S1 for a suffix that holds the sample 1 only, so a unit with w = b keeps its kink at -1 to the last bit.
    for seed in range(100):
        rng = np.random.default_rng(seed)
        n_hidden = int(rng.integers(2, 12))
        w1, b1 = rng.normal(size=(2, n_hidden))
        b1[: n_hidden // 2] = w1[: n_hidden // 2]
        x, y = np.array([-1.0, 1.0]), rng.normal(size=(2, 1))
        arguments = start(x, y, w1, b1, rng.normal(size=(1, n_hidden)), np.zeros(1), Rates(0.02, 0.02, 0.02, 0.02))
        expected = reference(arguments, 100)
        got, _ = trained(arguments, 100)
        assert_same(got, expected, 1e-12)
        np.testing.assert_array_equal(got[1], expected[1])
        np.testing.assert_array_equal(got[4], expected[4])
        keeps = np.flatnonzero((got[1] == expected[1]) & (w1 == b1))
        np.testing.assert_array_equal(
            got[0][0, keeps] == got[0][1, keeps], expected[0][0, keeps] == expected[0][1, keeps]
        )


@pytest.mark.parametrize("slope", [0.0, 0.1])
@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize("weight", [1e-4, 1e-10])
def test_gradients_of_units_active_on_a_light_sample_only(weight, side, slope):
    # The sums of such a suffix as those of all samples less those of the prefix: 1.9e-7 and 0.27 wrong.
    rng = np.random.default_rng(0)
    x, y = np.linspace(-1, 1, 50), rng.normal(size=(50, 1))
    kinks = rng.uniform(x[-2], x[-1], 25)
    w1 = rng.uniform(0.5, 1, 25)
    light = np.ones(50)
    light[-1 if side > 0 else 0] = weight
    rates = Rates(*(0.1 / weight,) * 3, 0.01) if slope == 0 else ALL_RATES
    arguments = start(x, y, side * w1, -w1 * kinks, 1e-2 * rng.normal(size=(1, 25)), np.zeros(1), rates, slope, light)
    expected = reference(arguments, 20, np.longdouble)
    got, _ = trained(arguments, 20)
    change = (expected[0] - arguments.units).astype(float)
    assert_close(got[0] - arguments.units, change, 1e-10)


def test_an_outlier_that_no_unit_reaches():
    # Its error of 1e9 stood in the sums of all samples, from which the sums of each suffix were subtracted.
    rng = np.random.default_rng(0)
    x, y = np.linspace(-1, 1, 50), rng.normal(size=(50, 1))
    y[0] = 1e9
    w1 = rng.uniform(0.5, 1, 25)
    rates = Rates(0.02, 0.02, 0.02, 0.0)
    kinks = rng.uniform(x[1], x[-1], 25)
    arguments = start(x, y, w1, -w1 * kinks, rng.normal(size=(1, 25)), np.zeros(1), rates)
    expected = reference(arguments, 20, np.longdouble)
    got, _ = trained(arguments, 20)
    assert_close(got[0], expected[0].astype(float), 1e-12)

"""The univariate engine is gradient descent to rounding, by each of its methods, and its bound is rigorous."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastmlp
from fastmlp.compiled.cache import compiled
from fastmlp.compiled.jit import njit
from fastmlp.engines.engine import Problem, Rates, Record, Settings, Shape, Status, Weights
from fastmlp.engines.univariate import choice
from fastmlp.engines.univariate.codes import codes, prefix_offset
from fastmlp.engines.univariate.engine import Univariate
from fastmlp.engines.univariate.kernels.layout import LANES, WIDTH
from fastmlp.engines.univariate.kernels.maps import start_map, step_block
from fastmlp.engines.univariate.pattern_moments import PatternMoments
from fastmlp.engines.univariate.samples import sorted_samples
from fastmlp.engines.univariate.stretches import Stretches
from fastmlp.engines.univariate.unit_by_unit import PrefixSums

WEIGHTS = ("w1", "b1", "w2", "b2")
METHODS = {"prefix sums": PrefixSums, "pattern moments": PatternMoments, "stretches": Stretches}


@pytest.fixture(params=METHODS)
def method(request, monkeypatch):
    """Let one method train from the first epoch to the last."""
    monkeypatch.setattr(choice, "first_method", lambda shape: METHODS[request.param])
    monkeypatch.setattr(choice, "next_method", lambda method, shape: method)
    return request.param


def start(n_hidden, n_out=1, std=0.3, seed=0, hidden_bias=True, output_bias=True):
    rng = np.random.default_rng(seed)
    return (
        std * rng.normal(size=(1, n_hidden)),
        std * rng.normal(size=n_hidden) * hidden_bias,
        std * rng.normal(size=(n_hidden, n_out)),
        std * rng.normal(size=n_out) * output_bias,
    )


def assert_equals_reference(x, y, init, epochs, tolerance=1e-10, standardize=False, **options):
    """Compare weights, RMSE and crossings of every epoch; return the fit."""
    got, expected = (
        fastmlp.fit(x, y, init=init, epochs=epochs, standardize=standardize, algorithm=algorithm, **options)
        for algorithm in ("univariate", "reference")
    )
    for name in WEIGHTS:
        largest = np.abs(getattr(expected, name)).max()
        np.testing.assert_allclose(
            getattr(got, name), getattr(expected, name), rtol=0, atol=tolerance * largest, err_msg=name
        )
    rmse = expected.history.rmse
    np.testing.assert_allclose(got.history.rmse, rmse, rtol=0, atol=tolerance * rmse.max())
    np.testing.assert_array_equal(got.history.crossings, expected.history.crossings)
    return got


def case(name):
    """Return x, y, a start, the number of epochs and options of fit."""
    rng = np.random.default_rng(7)
    x = np.linspace(-np.pi, np.pi, 100)
    y = np.sin(x)
    if name == "the report's setting":
        return x, y, start(200, output_bias=False), 2000, {"lr": 1e-4, "output_bias": False}
    if name == "at the automatic rate":
        return x, y, start(60), 4000, {}
    if name == "leaky":
        return x, y, start(60), 4000, {"negative_slope": 0.1}
    if name == "slope below zero":
        return x[::10], y[::10], start(30), 2000, {"negative_slope": -0.5}
    if name == "weighted, unsorted":
        x = rng.normal(size=60)
        return x, np.sin(3 * x), start(40), 4000, {"sample_weight": rng.uniform(0, 2, 60)}
    if name == "equal x, three outputs":
        x = rng.integers(-5, 6, 40).astype(float)
        return x, rng.normal(size=(40, 3)), start(40, 3), 4000, {"sample_weight": rng.uniform(0, 2, 40)}
    if name == "equal x, a single output":
        x = rng.integers(-5, 6, 40).astype(float)
        return x, rng.normal(size=40), start(30), 2000, {}
    if name == "ten outputs":
        return x, np.stack([np.sin(k * x) for k in range(10)], axis=1), start(20, 10), 500, {}
    if name == "rates by group":
        return x, y, start(60), 4000, {"lr": {"w1": 1e-2, "b1": 2e-2, "w2": 5e-3, "b2": 1e-3}}
    if name == "w1 frozen":
        return x, y, start(60), 2000, {"lr": {"w1": 0, "b1": 1e-2, "w2": 1e-2, "b2": 1e-2}}
    if name == "b1 frozen, far x":
        return x + 30, y, start(60), 2000, {"lr": {"w1": 1e-5, "b1": 0, "w2": 1e-5, "b2": 1e-3}}
    if name == "no biases":
        options = {"hidden_bias": False, "output_bias": False, "lr": 1e-3}
        return x, y, start(40, hidden_bias=False, output_bias=False), 2000, options
    if name == "one sample":
        return x[:1], y[:1] + 1, start(30), 1000, {}
    if name == "one sample, leaky":
        return np.array([0.7]), np.array([5.0]), start(30), 400, {"negative_slope": 0.3}
    if name == "two samples":
        return x[:2], np.array([1.0, -1.0]), start(30), 2000, {}
    if name == "constant x":
        return np.full(9, 0.7), rng.normal(size=9), start(30), 2000, {}
    if name == "one unit":
        return x, y, start(1), 2000, {}
    if name == "all units dead":
        return x, y + 1, (np.zeros((1, 5)), -np.ones(5), np.ones((5, 1)), np.zeros(1)), 500, {"lr": 0.1}
    if name == "kinks on samples":
        w1 = 0.3 * rng.normal(size=(1, x.size))
        return x, y, (w1, -(w1[0] * x), 0.3 * rng.normal(size=(x.size, 1)), np.zeros(1)), 2000, {"lr": 1e-3}
    if name == "kinks on samples, far x":
        x = np.linspace(10, 11, 20)
        w1 = 0.3 * rng.normal(size=(1, 45))
        b1 = -w1[0] * np.append(np.full(25, x[0]), x)
        return x, np.sin(9 * x), (w1, b1, 0.3 * rng.normal(size=(45, 1)), np.zeros(1)), 20, {}
    if name == "kinks on the one sample":
        w1 = rng.normal(size=(1, 7))
        b1 = -(w1[0] * 3.3)
        b1[-1] = 0.1
        return np.array([3.3]), np.ones(1), (w1, b1, np.ones((7, 1)), np.zeros(1)), 50, {"lr": 0.01}
    if name == "w1 changes sign in one step":
        w1, b1, w2, b2 = start(40)
        return x, 5 * y, (1e-4 * w1, 1e-4 * b1, 3 * w2, b2), 1000, {}
    if name == "many samples, few units":
        x = rng.uniform(-1, 1, 2000)
        return x, np.sin(4 * x), start(5), 1000, {}
    raise AssertionError(name)


CASES = [
    "the report's setting",
    "at the automatic rate",
    "leaky",
    "slope below zero",
    "weighted, unsorted",
    "equal x, three outputs",
    "equal x, a single output",
    "rates by group",
    "w1 frozen",
    "b1 frozen, far x",
    "no biases",
    "one sample",
    "one sample, leaky",
    "two samples",
    "constant x",
    "one unit",
    "all units dead",
    "kinks on samples",
    "kinks on samples, far x",
    "kinks on the one sample",
    "w1 changes sign in one step",
    "many samples, few units",
]


@pytest.mark.parametrize("name", CASES)
def test_each_method_equals_reference(method, name):
    x, y, init, epochs, options = case(name)
    got = assert_equals_reference(x, y, init, epochs, **options)
    assert got.info.method == method


@pytest.mark.slow
def test_more_outputs_than_maps_are_made_for():
    x, y, init, epochs, options = case("ten outputs")
    assert assert_equals_reference(x, y, init, epochs, **options).info.method == "prefix sums"


@pytest.mark.parametrize("name", CASES)
def test_auto_is_the_univariate_engine_and_equals_reference(name):
    x, y, init, epochs, options = case(name)
    got = assert_equals_reference(x, y, init, epochs // 4, **options)
    auto = fastmlp.fit(x, y, init=init, epochs=epochs // 4, standardize=False, **options)
    assert auto.info.algorithm == "univariate"
    for weights in WEIGHTS:
        np.testing.assert_array_equal(getattr(auto, weights), getattr(got, weights))


def test_more_than_a_hundred_thousand_crossings(method):
    rng = np.random.default_rng(1)
    got = assert_equals_reference(rng.normal(size=60), rng.normal(size=60), start(50), 6000)
    assert got.info.crossings > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("n_hidden", [500, 1000])
def test_the_reports_run_in_full(sine, n_hidden):
    init = start(n_hidden, output_bias=False)
    assert_equals_reference(*sine, init, 32_000, lr=1e-5, output_bias=False)


def test_units_may_jump_from_one_end_to_the_other(method):
    x = np.array([-1.0, 0.3, 1.0])
    y = np.array([40.0, -30.0, 50.0])
    init = (np.array([[0.1, -0.1, 0.2]]), np.array([0.05, 0.02, -0.1]), np.array([[3.0], [2.0], [-4.0]]), np.zeros(1))
    got = assert_equals_reference(x, y, init, 6, lr=0.05)
    signs = np.sign(
        [
            model.w1[0]
            for model in fastmlp.fit(x, y, init=init, lr=0.05, epochs=6, snapshots=range(7)).history.snapshots.values()
        ]
    )
    assert (signs[1:] != signs[:-1]).any()
    assert got.info.crossings > 3


def test_float32_is_float64_rounded(problem):
    x, y, _, init = problem(1, 1, n_samples=32, dtype=np.float32)  # 1/32 is a float32
    init = tuple(array.astype(np.float32) for array in init)
    options = {"init": init, "epochs": 500, "lr": 0.0078125}
    got = fastmlp.fit(x, y, **options)
    expected = fastmlp.fit(x, y, dtype=np.float64, **options)
    for name in WEIGHTS:
        assert getattr(got, name).dtype == np.float32
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name).astype(np.float32))
    reference = fastmlp.fit(x, y, algorithm="reference", **(options | {"epochs": 100}))
    short = fastmlp.fit(x, y, **(options | {"epochs": 100}))
    for name in WEIGHTS:
        np.testing.assert_allclose(getattr(short, name), getattr(reference, name), rtol=0, atol=100 * 2**-24)


def descend_in_long_double(x, y, init, lr, epochs):
    x, y, w, b, v, c = (
        np.asarray(part, np.longdouble) for part in (x, y, init[0][0], init[1], init[2][:, 0], init[3][0])
    )
    for _ in range(epochs):
        z = np.multiply.outer(x, w) + b
        error = (np.maximum(z, 0) @ v + c - y) / len(x)
        active = (z > 0) * error[:, None]
        s0, s1 = active.sum(axis=0), x @ active
        w, b, v, c = w - lr * v * s1, b - lr * v * s0, v - lr * (w * s1 + b * s0), c - lr * error.sum()
    return w, b, v, c


def test_x_far_from_zero_keeps_its_digits(method):
    # Compared about the centre: b itself is of the size of 1e6 w, so its last digit is 3e-11.
    offset, epochs = 1e6, 1500
    x = offset + np.linspace(-1, 1, 41)
    y = np.cos(2 * (x - offset))
    w1, _, w2, b2 = start(20)
    kinks = np.random.default_rng(3).uniform(-1, 1, 20)
    init = (w1, -w1[0] * (offset + kinks), w2, b2)
    got = fastmlp.fit(x, y, init=init, epochs=epochs, standardize=False, lr="constant")
    w, b, v, c = descend_in_long_double(x, y, init, np.longdouble(got.info.lr), epochs)
    assert got.info.crossings > 10
    centred = got.b1.astype(np.longdouble) + offset * got.w1[0].astype(np.longdouble)
    for result, expected in ((got.w1[0], w), (centred, b + offset * w), (got.w2[:, 0], v), (got.b2[0], c)):
        assert np.abs(result - expected).max() <= 1e-10 * np.abs(expected).max()


def test_a_unit_that_is_never_updated_keeps_its_bias_to_the_last_bit():
    x = 1e6 + np.linspace(-1, 1, 30)
    init = (
        np.array([[-0.3, 0.7, 0.1]]),
        np.array([0.123, 0.456, -0.789]),
        np.array([[1.0], [1e-3], [-1e-3]]),
        np.zeros(1),
    )
    got = fastmlp.fit(x, np.sin(x), init=init, lr=1e-13, epochs=50, snapshots=[0])
    np.testing.assert_array_equal(got.history.snapshots[0].b1, init[1])
    assert got.b1[0] == init[1][0]


def test_a_weight_that_vanishes_in_float32_counts_for_nothing():
    x = np.append(np.linspace(-1, 1, 40), [0.5123, 0.5123]).astype(np.float32)
    weight = np.append(np.ones(40), [1e-60, 1e-60])
    got, expected = (
        fastmlp.fit(x, np.sin(x), sample_weight=weight, hidden=9, epochs=50, rng=0, dtype=np.float32, algorithm=name)
        for name in ("univariate", "reference")
    )
    np.testing.assert_allclose(got.history.rmse, expected.history.rmse, rtol=1e-5)


def test_divergence_comes_when_the_reference_diverges(sine, method):
    epochs = []
    for algorithm in ("univariate", "reference"):
        with pytest.raises(fastmlp.DivergenceError) as caught:
            fastmlp.fit(*sine, init=start(20), lr=5.0, epochs=1000, algorithm=algorithm)
        epochs.append(caught.value.epoch)
    assert abs(epochs[0] - epochs[1]) <= 2


def test_a_stop_at_the_first_crossing(problem):
    x, y, _, init = problem(1, 1, n_hidden=5)
    crossings = fastmlp.fit(x, y, init=init, lr=0.01, epochs=300, algorithm="reference").history.crossings
    first = int(np.argmax(crossings > 0))
    got = fastmlp.fit(x, y, init=init, lr=0.01, epochs=300, stop_at_crossing=True)
    assert (got.info.stop_reason, got.info.epochs_run) == ("crossing", first)
    expected = fastmlp.fit(x, y, init=init, lr=0.01, epochs=first, algorithm="reference")
    for name in WEIGHTS:
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=1e-12, atol=1e-14)


def test_snapshots_are_exact_at_any_epoch(sine):
    options = {"init": start(80), "lr": 0.01, "epochs": 700, "snapshots": [0, 1, 127, 128, 129, 500, 700]}
    got, expected = (fastmlp.fit(*sine, algorithm=algorithm, **options) for algorithm in ("univariate", "reference"))
    for epoch, model in expected.history.snapshots.items():
        for name in WEIGHTS:
            np.testing.assert_allclose(
                getattr(got.history.snapshots[epoch], name), getattr(model, name), rtol=0, atol=1e-12
            )


def engine_of(n_samples=30, n_hidden=40, n_out=1, negative_slope=0.1, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_samples, 1))
    data = Problem(x, rng.normal(size=(n_samples, n_out)), np.full(n_samples, 1 / n_samples))
    return Univariate(data, Weights(*start(n_hidden, n_out)), Settings(Rates(0.05, 0.05, 0.05, 0.01), negative_slope))


# Of so few units the moments are no bargain: the engine goes from method to method.
SIZES = pytest.mark.parametrize(
    ("n_samples", "n_hidden", "n_out"), [(30, 60, 1), (30, 60, 3), (5, 3, 1), (400, 12, 1), (150, 20, 1)]
)


@SIZES
def test_any_chunking_is_bitwise_the_same(n_samples, n_hidden, n_out):
    whole, chunked = (engine_of(n_samples, n_hidden, n_out) for _ in range(2))
    expected = Record.empty(3000, n_out)
    assert whole.advance(3000, expected) == (3000, Status.TRAINED)
    done = 0
    for n_epochs in (1, 0, 2, 30, 967, 25, 1975):
        record = Record.empty(n_epochs, n_out)
        chunked.advance(n_epochs, record)
        chunked.weights()
        rows = slice(done, done + n_epochs + 1)
        np.testing.assert_array_equal(record.squared_error, expected.squared_error[rows])
        np.testing.assert_array_equal(record.crossings, expected.crossings[rows])
        done += n_epochs
    for got, its in zip(chunked.weights(), whole.weights(), strict=True):
        np.testing.assert_array_equal(got, its)


@SIZES
def test_a_restored_engine_goes_on_bitwise(n_samples, n_hidden, n_out):
    engine, other = engine_of(n_samples, n_hidden, n_out), engine_of(n_samples, n_hidden, n_out)
    record = Record.empty(1500, n_out)
    for n_epochs in (0, 1, 150, 1500):
        state = engine.state()
        engine.advance(1500, record)
        expected, expected_record = engine.weights(), record.copy()
        fresh = engine_of(n_samples, n_hidden, n_out)
        for restored in (engine, other, fresh):  # the others may be at another method, or at it from another epoch on
            restored.restore(state)
            restored.advance(1500, record)
            np.testing.assert_array_equal(record.squared_error, expected_record.squared_error)
            np.testing.assert_array_equal(record.crossings, expected_record.crossings)
            for got, its in zip(restored.weights(), expected, strict=True):
                np.testing.assert_array_equal(got, its)
        engine.restore(state)
        engine.advance(n_epochs, Record.empty(n_epochs, n_out))


@st.composite
def problems(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples, n_hidden, n_out = draw(st.integers(1, 9)), draw(st.integers(1, 30)), draw(st.sampled_from([1, 3]))
    x = rng.integers(-3, 4, n_samples) / 2 if draw(st.booleans()) else rng.normal(size=n_samples)
    hidden_bias, output_bias = draw(st.booleans()), draw(st.booleans())
    init = start(n_hidden, n_out, draw(st.sampled_from([0.01, 0.3, 2.0])), rng, hidden_bias, output_bias)
    options = {
        "hidden_bias": hidden_bias,
        "output_bias": output_bias,
        "negative_slope": draw(st.sampled_from([0.0, 0.0, 0.01, -0.3, 1.0])),
        "sample_weight": rng.uniform(0, 1, n_samples) + 0.01 if draw(st.booleans()) else None,
    }
    return x, rng.normal(size=(n_samples, n_out)), init, options, draw(st.sampled_from([1.0, 0.3, 0.01]))


def is_stable(x, y, options):
    try:
        return np.diff(fastmlp.fit(x, y, algorithm="reference", **options).history.rmse).max() <= 1e-12
    except fastmlp.DivergenceError:
        return False


@given(problems())
def test_any_small_problem_equals_reference_at_every_epoch(drawn):
    x, y, init, options, factor = drawn
    lr = factor * fastmlp.fit(x, y, init=init, epochs=1, standardize=False, **options).info.lr
    options = {"init": init, "epochs": 300, "standardize": False, "lr": lr, **options}
    # A small net grows steeper than it starts; where the error rises, rounding grows too.
    while not is_stable(x, y, options):
        options["lr"] /= 4
    assert_equals_reference(x, y, **options)


@njit
def has_alarm(units, product, maps, forecast, sums, rates, data):
    """Start the map of pattern 1 with these units, let P be `product`, and return whether it has reached a bound."""
    start_map(1, units, (0, units[0].size), maps, forecast, data)
    for k in range(product.size):
        maps[k * LANES + 1] = product[k]
    return step_block(0, maps, sums, rates, data) >> 1 & 1 != 0


@pytest.mark.parametrize("n_out", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_no_unit_crosses_without_an_alarm_whatever_the_map(n_out):
    rng = np.random.default_rng(n_out)
    size = 2 + n_out
    x = np.array([-0.4, 0.7, 1.5])
    method = PatternMoments(
        sorted_samples(Problem(x[:, None], np.zeros((3, n_out)), np.full(3, 1 / 3)), may_centre=False),
        np.zeros((size, 1)),
        np.zeros(1, np.int64),
        np.zeros(n_out),
        Settings(Rates(0.0, 0.0, 0.0, 0.0)),
    )
    net = method._net
    tables = net.mapped.maps, net.scratch.forecast, method._sums, method._rates, method._data
    counts = {"quiet": 0, "alarm": 0, "alarm in time": 0}
    for _ in range(4000):
        units = np.zeros((size, 4 + WIDTH))[:, :4]  # vectors may begin at the last unit
        units[:] = rng.normal(size=units.shape)
        units[0] = np.abs(units[0])
        units[1] = -units[0] * rng.uniform(x[0], x[1], 4)  # kinks between the first two samples: pattern 1
        net.scratch.forecast[0] = rng.choice([1e-3, 1e-1])
        net.scratch.forecast[1:] = rng.normal(size=(2 * n_out, 1)) * rng.choice([1e-2, 1e-1, 1.0])
        product = np.eye(size) + rng.choice([1e-3, 1e-2, 1e-1]) * rng.normal(size=(size, size))
        product[:2, :2] = np.eye(2) + rng.choice([1e-4, 1e-2]) * rng.normal(size=(2, 2))
        arguments = tuple(units), product.ravel(), *tables
        alarm = compiled(has_alarm, arguments)(*arguments)
        w, b = (product @ units)[:2]
        crossed = ((w * x[0] > -b) | ~(w * x[1] > -b)).any()
        counts["alarm" if alarm else "quiet"] += 1
        counts["alarm in time"] += bool(alarm and not crossed)
        assert alarm or not crossed
    assert min(counts.values()) > 200, counts


def test_codes_name_every_pattern_once():
    shape = Shape(5, 1, 4, 1)
    assert choice.first_method(shape) in METHODS.values()
    n = 5
    first, stop = zip(*([(k, n) for k in range(n)] + [(0, k) for k in range(n)]), strict=True)
    got = codes(np.array(first), np.array(stop), n)
    assert sorted(got) == [*range(n + 1), *range(prefix_offset(n) + 1, prefix_offset(n) + n)]

"""Optimisers, schedules and mini-batches: the dense engine compared with the reference."""

import numpy as np
import pytest

import fastmlp
from fastmlp.engines.dense.choice import dense_engine
from fastmlp.engines.engine import Problem, Rates, Record, Settings, Status, Weights

WEIGHTS = ("w1", "b1", "w2", "b2")
OPTIONS = {
    "batches": {"batch_size": 37},
    "small batches": {"batch_size": 7},
    "one sample": {"batch_size": 1},
    "momentum": {"momentum": 0.9},
    "nesterov, decay": {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-2, "batch_size": 32},
    "decay": {"weight_decay": 1e-2},
    "decay by group": {"weight_decay": {"b1": 3e-2, "w2": 1e-2, "b2": 0.1}, "batch_size": 50},
    "adam": {"optimizer": "adam", "lr": 1e-3, "weight_decay": 1e-3},
    "adam in batches": {"optimizer": "adam", "lr": lambda epoch: 1e-3 / (1 + epoch), "batch_size": 33},
    "schedule": {"lr": lambda epoch: 0.02 * 0.99**epoch},
}


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize(("n_in", "n_out", "negative_slope"), [(2, 1, 0.0), (2, 1, 0.1), (3, 2, 0.0), (3, 2, -0.3)])
def test_dense_equals_reference(problem, assert_same_net, name, n_in, n_out, negative_slope):
    x, y, sample_weight, init = problem(n_in, n_out)
    options = {"lr": 0.01, "epochs": 300, "negative_slope": negative_slope} | OPTIONS[name]
    options |= {"init": init, "sample_weight": sample_weight, "rng": 5}
    got, expected = (fastmlp.fit(x, y, algorithm=algorithm, **options) for algorithm in ("dense", "reference"))
    assert expected.history.rmse[-1] < expected.history.rmse[0]
    assert_same_net(got, expected, 1e-10)


@pytest.mark.parametrize("name", ["adam", "nesterov, decay", "decay by group", "adam in batches"])
@pytest.mark.parametrize(("n_in", "n_out"), [(2, 1), (3, 2)])
def test_dense_equals_reference_in_float32(problem, assert_same_net, name, n_in, n_out):
    x, y, _, init = problem(n_in, n_out)
    options = {"lr": 0.01, "epochs": 20, "init": init, "dtype": np.float32, "rng": 5} | OPTIONS[name]
    got, expected = (fastmlp.fit(x, y, algorithm=algorithm, **options) for algorithm in ("dense", "reference"))
    assert got.w1.dtype == np.float32
    np.testing.assert_allclose(got.history.rmse, expected.history.rmse, rtol=100 * 2**-24)
    if "adam" not in name:  # Adam divides a gradient by its size, even if it consists of rounding errors
        assert_same_net(got, expected, 100 * 2**-24)


@pytest.mark.parametrize("n_samples", [1, 2, 17, 255, 300])
@pytest.mark.parametrize(("n_in", "n_out"), [(2, 1), (3, 2)])
def test_last_batches_of_every_size_equal_reference(problem, assert_same_net, n_samples, n_in, n_out):
    for batch_size in (2, 64, 100, 254):
        x, y, sample_weight, init = problem(n_in, n_out, n_samples, 5)
        options = {"init": init, "epochs": 5, "lr": 0.01, "sample_weight": sample_weight, "rng": 1}
        got, expected = (
            fastmlp.fit(x, y, algorithm=algorithm, batch_size=batch_size, **options)
            for algorithm in ("dense", "reference")
        )
        assert_same_net(got, expected, 1e-12)


@pytest.mark.parametrize("name", ["batches", "nesterov, decay", "adam"])
@pytest.mark.parametrize(("n_in", "n_out"), [(2, 1), (3, 2)])
def test_a_group_at_rate_zero_is_frozen(problem, name, n_in, n_out):
    x, y, _, init = problem(n_in, n_out)
    for frozen in WEIGHTS:
        lr = dict.fromkeys(WEIGHTS, 0.01) | {frozen: 0.0}
        model = fastmlp.fit(x, y, algorithm="dense", epochs=50, init=init, **(OPTIONS[name] | {"lr": lr}))
        for group, start in zip(WEIGHTS, init, strict=True):
            assert np.array_equal(getattr(model, group), start) == (group == frozen)


@pytest.mark.parametrize("name", ["batches", "nesterov, decay", "adam in batches"])
@pytest.mark.parametrize(("n_in", "n_out"), [(2, 1), (3, 2)])
def test_several_calls_and_restored_states_give_the_bits_of_one_call(problem, name, n_in, n_out):
    x, y, _, init = problem(n_in, n_out)
    options = dict(OPTIONS[name])
    schedule = options.pop("lr", None)
    settings = Settings(Rates(0.01, 0.02, 0.01, 0.03), 0.1, schedule=schedule, seed=3, **options)
    data = Problem(x, y, np.full(len(x), 1 / len(x)))

    def engine():
        return dense_engine(n_in, n_out)(data, Weights(*init), settings)

    whole, chunked, fresh = engine(), engine(), engine()
    expected, got = Record.empty(30, n_out), Record.empty(30, n_out)
    assert whole.advance(30, expected) == (30, Status.TRAINED)
    chunked.advance(1, got[:2])
    chunked.advance(0, got[1:2])
    state = chunked.state()
    chunked.advance(29, got[1:])
    for resumed in (chunked, fresh):
        np.testing.assert_array_equal(got.squared_error, expected.squared_error)
        resumed.restore(state)
        resumed.advance(29, got[1:])
        for array, other in zip(resumed.weights(), whole.weights(), strict=True):
            np.testing.assert_array_equal(array, other)


def test_batches_diverge_at_the_epoch_of_the_reference(problem):
    x, y, _, init = problem(3, 1)
    epochs = []
    for algorithm in ("dense", "reference"):
        with pytest.raises(fastmlp.DivergenceError) as raised:
            fastmlp.fit(x, y, algorithm=algorithm, init=init, lr=3.0, batch_size=8, epochs=500, rng=0)
        epochs.append(raised.value.epoch)
    assert epochs[0] == epochs[1]

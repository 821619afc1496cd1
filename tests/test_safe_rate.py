"""Base rates for mini-batches and for samples that a fit has not seen before: nothing diverges."""

import numpy as np
import pytest

import fastmlp
from fastmlp.nets.net import Net
from fastmlp.sklearn import FastMLPRegressor
from fastmlp.starting.architecture import Architecture
from fastmlp.starting.safe_rate import batch_rate, largest_sample_norm

INPUTS = {
    "normal": np.random.Generator.normal,
    "lognormal": np.random.Generator.lognormal,
    "cauchy": np.random.Generator.standard_cauchy,
}


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("inputs", INPUTS)
def test_no_random_fit_in_batches_diverges(inputs, momentum):
    rng = np.random.default_rng(1)
    for seed in range(100):
        n, n_in, hidden, batch_size = rng.integers((20, 1, 5, 1), (200, 6, 100, 65)).tolist()
        x, y = (INPUTS[inputs](rng, size=size) for size in ((n, n_in), n))
        options = {"hidden": hidden, "epochs": 20, "batch_size": batch_size, "momentum": momentum}
        model = fastmlp.fit(x, y, rng=seed, threads=1, progress=False, **options)
        assert model.history.rmse[-1] < 1.1 * model.history.rmse[0]


def test_the_largest_of_a_sample_bounds_its_jacobian(problem):
    x, _, _, init = problem(3, 1)
    weights = Net(*init, 0.1).weights
    largest = largest_sample_norm(x, weights, Architecture(3, 30, 1, 0.1, True, True))
    z = x @ init[0] + init[1]
    slope = np.where(z > 0, 1, 0.1)
    along = slope * init[2][:, 0]
    jacobians = np.hstack(
        [np.einsum("ni,nh->nih", x, along).reshape(40, -1), along, slope * z, np.ones((40, 1))]
    )  # one output: the bound is exact
    assert largest == pytest.approx((jacobians**2).sum(axis=1).max())


def test_a_batch_of_all_samples_has_the_rate_of_all_and_of_one_that_of_the_largest(problem):
    x, _, _, init = problem(3, 1)
    weights, architecture = Net(*init).weights, Architecture(3, 30, 1, 0.0, True, True)
    assert batch_rate(0.3, None, x, weights, architecture) == 0.3
    single = batch_rate(0.3, 1, x, weights, architecture)
    assert single == pytest.approx(0.5 / largest_sample_norm(x, weights, architecture))
    rates = [batch_rate(0.3, size, x, weights, architecture) for size in (1, 2, 8, 39)]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(0.15, rel=0.5)


def chunks_of(n):
    rows = np.arange(n)
    return {
        "sorted": np.array_split(rows, 10),
        "one sample first": [rows[n // 2 : n // 2 + 1], *np.array_split(rows, 10)],
        "shuffled": np.array_split(np.random.default_rng(1).permutation(n), 10),
    }


@pytest.mark.parametrize("batch_size", [None, 8])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("name", chunks_of(10))
def test_partial_fit_of_any_chunks_does_not_diverge(name, momentum, batch_size):
    x = np.sort(np.random.default_rng(0).uniform(-3, 3, 500))[:, None]
    y = np.sin(2 * x[:, 0])
    options = {"optimizer": "sgd", "alpha": 0, "momentum": momentum, "batch_size": batch_size}
    regressor = FastMLPRegressor(hidden=30, random_state=0, **options)
    for _ in range(5):
        for rows in chunks_of(500)[name]:
            regressor.partial_fit(x[rows], y[rows])
        assert regressor.model_.rmse(x, y) < 1.5


def test_the_same_samples_keep_the_rate_and_others_may_lower_it(sine):
    x, y = sine
    first = fastmlp.fit(x, y, hidden=20, epochs=200, rng=0)
    assert fastmlp.fit(x, y, init=first, epochs=5).info.lr == first.info.lr
    assert fastmlp.fit(10 * x, y, init=first, epochs=5).info.lr < 0.1 * first.info.lr
    assert fastmlp.fit(0.1 * x, y, init=first, epochs=5).info.lr <= first.info.lr
    assert fastmlp.fit(x, y, init=first, epochs=5, batch_size=4).info.lr < first.info.lr
    assert fastmlp.fit(10 * x, y, init=first, epochs=5, lr=1e-7).info.lr == 1e-7


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(50, 3), (20, 5)])
@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}])
def test_small_networks_on_noise_do_not_diverge(shape, options):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        x, y = rng.normal(size=shape), rng.normal(size=shape[0])
        model = fastmlp.fit(x, y, hidden=10, epochs=3000, rng=seed, **options)
        assert model.history.rmse[-1] < model.history.rmse[0]

"""Nets so small that their kernels can be run line by line: without compilation, or with every index checked.

`make coverage` runs this file with NUMBA_DISABLE_JIT=1, `make boundscheck` with NUMBA_BOUNDSCHECK=1.
"""

import numpy as np
import pytest

import fastmlp

UNIVARIATE = {
    "prefix sums": {"shape": (9, 1, 5, 1), "epochs": 60},
    "prefix sums, leaky, two outputs": {"shape": (9, 1, 5, 2), "epochs": 40, "negative_slope": 0.1},
    "pattern moments": {"shape": (10, 1, 20, 1), "epochs": 300, "lr": 0.1},
    "pattern moments, leaky, two outputs": {"shape": (7, 1, 18, 2), "epochs": 140, "negative_slope": 0.1},
    "classes of live units": {"shape": (8, 1, 120, 1), "epochs": 500, "lr": 0.15},
    "classes of live units, leaky, two outputs": {"shape": (6, 1, 90, 2), "epochs": 300, "negative_slope": 0.1},
    "moving kinks": {"shape": (230, 1, 60, 2), "epochs": 60, "lr": 0.1, "negative_slope": 0.1},
    "stretches": {"shape": (202, 1, 6, 1), "epochs": 40, "lr": 0.05},
    "stretches, two outputs": {"shape": (202, 1, 6, 2), "epochs": 20},
    "momentum": {"shape": (9, 1, 6, 1), "epochs": 40, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "adam": {"shape": (9, 1, 6, 2), "epochs": 40, "optimizer": "adam"},
    "lbfgs": {"shape": (9, 1, 6, 1), "epochs": 12, "optimizer": "lbfgs", "lr": "auto"},
    "lbfgs, two outputs": {"shape": (9, 1, 6, 2), "epochs": 12, "optimizer": "lbfgs", "lr": "auto"},
    "lstsq": {"shape": (19, 1, 12, 1), "optimizer": "lstsq", "lr": "auto"},
    "lstsq, wide, two outputs": {"shape": (9, 1, 40, 2), "optimizer": "lstsq", "lr": "auto", "negative_slope": 0.1},
    "lstsq, ridge": {"shape": (19, 1, 12, 1), "optimizer": "lstsq", "lr": "auto", "weight_decay": 0.01},
    "lstsq, ridge of w2": {"shape": (9, 1, 40, 2), "optimizer": "lstsq", "lr": "auto", "weight_decay": {"w2": 0.01}},
}
DENSE = {
    "few inputs": {"shape": (19, 2, 5, 1), "epochs": 20},
    "few inputs, leaky": {"shape": (19, 5, 5, 1), "epochs": 10, "negative_slope": 0.1},
    "many inputs": {"shape": (13, 9, 7, 1), "epochs": 10},
    "many inputs, leaky, two outputs": {"shape": (13, 3, 7, 2), "epochs": 10, "negative_slope": 0.1},
    "few inputs, lbfgs": {"shape": (19, 2, 5, 1), "epochs": 8, "optimizer": "lbfgs", "lr": "auto"},
    "many inputs, lbfgs": {"shape": (13, 3, 7, 2), "epochs": 8, "optimizer": "lbfgs", "lr": "auto"},
}


@pytest.mark.parametrize("name", [*UNIVARIATE, *DENSE])
def test_small_nets_equal_reference(name, assert_same_net):
    options = {"lr": 0.02, **UNIVARIATE.get(name, {}), **DENSE.get(name, {})}
    n_samples, n_in, n_hidden, n_out = options.pop("shape")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n_samples, n_in)).round(1 if n_samples < 200 else 12)  # some of them equal
    y = np.sin(3 * x.sum(axis=1, keepdims=True) + np.arange(n_out))
    options |= {"hidden": n_hidden, "init": 0.7, "rng": 1, "sample_weight": rng.uniform(0.5, 2, n_samples)}
    algorithm = "univariate" if name in UNIVARIATE else "dense"
    got, expected = (fastmlp.fit(x, y, algorithm=label, **options) for label in (algorithm, "reference"))
    assert expected.history.rmse[-1] < expected.history.rmse[0]
    assert_same_net(got, expected, 1e-10)


@pytest.mark.parametrize("n_samples", [24, 12])
def test_free_knots_of_few_samples(n_samples):
    x = np.random.default_rng(0).uniform(-1, 1, n_samples)
    y = np.sin(5 * x) + (x > 0)
    errors = [fastmlp.fit_knots(x, y, hidden=hidden).rmse(x, y) for hidden in (1, 3, 5, 8)]
    assert (np.diff(errors) < 0).all()

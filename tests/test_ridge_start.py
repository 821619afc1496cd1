"""The output layer from which L-BFGS starts, against numpy.linalg.lstsq."""

import numpy as np
import pytest

from fastmlp.engines.engine import Problem, Weights
from fastmlp.engines.lstsq import ridge_start as module
from fastmlp.engines.lstsq.ridge_start import ridge_start


def expected_layer(data, start, slope, ridge, *, has_bias):
    z = data.x @ start.w1 + start.b1
    root = np.sqrt(data.sample_weight)[:, None]
    a = root * np.concatenate([np.where(z > 0, z, slope * z), np.ones((len(z), 1))], axis=1)[:, : z.shape[1] + has_bias]
    penalty = np.sqrt(ridge * (a**2).sum()) * np.eye(a.shape[1])
    y = np.concatenate([root * data.y, np.zeros((a.shape[1], data.y.shape[1]))])
    return np.linalg.lstsq(np.concatenate([a, penalty]), y, rcond=None)[0]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("slope", "has_bias"), [(0.0, True), (0.1, False), (-0.3, True)])
@pytest.mark.parametrize(
    ("n_in", "n_out", "n_samples", "n_hidden"),
    [(1, 1, 40, 20), (1, 3, 20, 60), (2, 1, 100, 37), (2, 3, 20, 50), (9, 2, 70, 1), (3, 1, 1, 5)],
)
def test_equals_numpy(problem, n_in, n_out, n_samples, n_hidden, slope, has_bias, dtype):
    x, y, s, init = problem(n_in, n_out, n_samples, n_hidden, dtype=dtype)
    data = Problem(x, y, s / s.sum())
    start = Weights(*(np.asarray(w, dtype) for w in init))._replace(b2=np.zeros(n_out, dtype))
    got = ridge_start(data, start, slope, 1e-5, has_bias=has_bias)
    wide = Problem(*(np.asarray(array, float) for array in (data.x, data.y, data.sample_weight)))
    expected = expected_layer(wide, Weights(*(w.astype(float) for w in start)), slope, 1e-5, has_bias=has_bias)
    found = np.concatenate([got.w2, got.b2[None]])[: len(expected)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.abs(expected).max())
    np.testing.assert_array_equal(got.w1, start.w1)
    if not has_bias:
        assert not got.b2.any()


@pytest.mark.parametrize("n_in", [1, 2])
def test_inactive_units_and_overflow_leave_the_weights_as_they_are(n_in):
    x, y, s = np.ones((4, n_in)), np.ones((4, 1)), np.full(4, 0.25)
    for w1, b1 in ((0.0, -1.0), (1e200, 1e200)):
        start = Weights(np.full((n_in, 3), w1), np.full(3, b1), np.ones((3, 1)), np.zeros(1))
        got = ridge_start(Problem(x, y, s), start, 0.0, 1e-6, has_bias=False)
        np.testing.assert_array_equal(got.w2, start.w2)


def test_large_layers_are_not_solved_for(problem, monkeypatch):
    monkeypatch.setattr(module, "MOST_COLUMNS", 5)
    x, y, s, init = problem(2, 1, 30, 10)
    assert ridge_start(Problem(x, y, s / s.sum()), Weights(*init), 0.0, 1e-6, has_bias=True).w2 is init[2]

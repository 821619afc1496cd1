"""Each unit's range of active samples against the mask, sample by sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import fastmlp
from fastmlp.engines.engine import Weights
from fastmlp.engines.kinks import active_ranges
from fastmlp.engines.univariate.outputs import outputs_at

SPECIAL = st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1e-308, -1e-308, 1e-160, 1.0, -1.0, 3.0, 1e200, -1e200])
NUMBERS = SPECIAL | st.floats(-10, 10) | st.floats(allow_nan=False, allow_infinity=False)


def assert_is_the_mask(x, w1, b1):
    first, stop = active_ranges(x, w1, b1)
    assert first.dtype == stop.dtype == np.int64
    index = np.arange(x.size)[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        expected = x[:, None] * w1 > -b1
    np.testing.assert_array_equal((first <= index) & (index < stop), expected)
    assert ((first == 0) | (stop == x.size)).all()
    assert (first <= stop).all()


@given(st.data(), st.integers(1, 20), st.integers(1, 10))
def test_ranges_are_the_mask_for_any_numbers(data, n_samples, n_hidden):
    x = np.sort(data.draw(arrays(float, n_samples, elements=NUMBERS)))
    w1, b1 = data.draw(arrays(float, (2, n_hidden), elements=NUMBERS))
    assert_is_the_mask(x, w1, b1)
    with np.errstate(over="ignore"):
        on_samples = -(w1 * x[np.arange(n_hidden) % n_samples])
    assert_is_the_mask(x, w1, on_samples)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_ranges_are_the_mask_for_kinks_around_samples(dtype, offset):
    rng = np.random.default_rng(0)
    x = np.sort(offset + rng.normal(size=333)).astype(dtype)
    w1 = rng.normal(size=999).astype(dtype)
    at_sample = -(w1 * np.tile(x, 3))
    for b1 in (at_sample, np.nextafter(at_sample, dtype(np.inf)), np.nextafter(at_sample, dtype(-np.inf))):
        assert_is_the_mask(x, w1, b1)


def test_weights_that_are_not_finite_are_masked_as_numpy_does():
    w1, b1 = (array.ravel() for array in np.meshgrid([np.inf, -np.inf, np.nan, 1.0], [np.inf, -np.inf, np.nan, 0.0]))
    assert_is_the_mask(np.array([-1.0, 0.0, 2.0]), w1, b1)
    assert_is_the_mask(np.array([1.0]), w1, b1)


@pytest.mark.parametrize("negative_slope", [0.0, 0.1])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_outputs_at_sorted_samples_are_those_of_the_model(negative_slope, offset):
    rng = np.random.default_rng(0)
    x = offset + np.sort(rng.choice(np.linspace(-1, 1, 50), 200))
    w1, w2 = rng.normal(size=(1, 300)), rng.normal(size=(300, 2))
    b1 = -w1[0] * rng.choice(x, 300) * rng.choice([1.0, 1.0, 2.0, 0.0], 300)  # many kinks on samples
    weights = Weights(w1, b1, w2, np.array([1.0, -3.0]))
    expected = fastmlp.Model(*weights, negative_slope).predict(x)
    largest = np.abs(w1).max() * np.abs(x).max() * np.abs(w2).sum()
    got = outputs_at(x, 2, negative_slope)(weights)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-15 * largest)

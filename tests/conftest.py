"""Data and nets that several test modules use."""

import os
import signal

# A shell that starts the tests in the background lets them ignore SIGINT; then the tests of Ctrl-C would never end.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("SCIPY_ARRAY_API", "1")  # without it one of scikit-learn's checks of estimators is skipped

import hypothesis
import numpy as np
import pytest
from PIL import Image

# The first example of a property may compile a kernel; a time limit would measure that.
hypothesis.settings.register_profile("fastmlp", deadline=None, max_examples=25, derandomize=True)
hypothesis.settings.load_profile("fastmlp")


@pytest.fixture
def sine():
    """The report's data, read-only."""
    x = np.linspace(-np.pi, np.pi, 100)
    y = np.sin(x)
    x.flags.writeable = y.flags.writeable = False
    return x, y


@pytest.fixture
def problem():
    """Make read-only random data and a start of a given shape: (x, y, sample_weight, init)."""

    def make(n_in, n_out, n_samples=40, n_hidden=30, *, hidden_bias=True, output_bias=True, dtype=float, seed=0):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n_samples, n_in)).astype(dtype)
        y = (np.sin(2 * x @ rng.normal(size=(n_in, n_out))) + 0.1 * rng.normal(size=(n_samples, n_out))).astype(dtype)
        sample_weight = rng.uniform(0.2, 2.0, n_samples)
        init = (
            0.5 * rng.normal(size=(n_in, n_hidden)),
            0.5 * rng.normal(size=n_hidden) * hidden_bias,
            0.5 * rng.normal(size=(n_hidden, n_out)),
            0.5 * rng.normal(size=n_out) * output_bias,
        )
        for array in (x, y, sample_weight, *init):
            array.flags.writeable = False
        return x, y, sample_weight, init

    return make


@pytest.fixture
def assert_same_net():
    """Assert that two models agree to a tolerance of each array's largest entry, and so do their histories."""

    def check(got, expected, tolerance):
        for name in ("w1", "b1", "w2", "b2"):
            got_array, expected_array = getattr(got, name), getattr(expected, name)
            largest = np.abs(expected_array).max()
            np.testing.assert_allclose(got_array, expected_array, rtol=0, atol=tolerance * largest, err_msg=name)
        np.testing.assert_array_equal(got.history.epoch, expected.history.epoch)
        largest = expected.history.rmse.max()
        np.testing.assert_allclose(got.history.rmse, expected.history.rmse, rtol=0, atol=tolerance * largest)

    return check


@pytest.fixture
def assert_drawn():
    """Assert that a picture, in its last frame, has something in several colours on its background."""

    def check(path):
        with Image.open(path) as image:
            image.seek(getattr(image, "n_frames", 1) - 1)
            pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
        drawn = pixels[(pixels != pixels[0]).any(axis=1)]
        assert len(drawn) > 0.01 * len(pixels), path
        assert len(np.unique(drawn, axis=0)) > 10, path

    return check

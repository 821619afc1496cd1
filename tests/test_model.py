"""Models: predictions, derivatives, copies, reprs and plots."""

import copy
import dataclasses
import inspect
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import fastmlp
from fastmlp.nets.net import Net

ABSOLUTE = ([[1.0, -1.0]], [0.0, 0.0], [[1.0], [1.0]], [0.0])


@pytest.fixture
def fitted(problem):
    x, y, _, init = problem(3, 2)
    return x, y, fastmlp.fit(x, y, init=init, epochs=20, snapshots=[5])


def test_predict_returns_as_many_dimensions_as_y_had(sine):
    x, y = sine
    for targets, expected in ((y, (100,)), (y[:, None], (100, 1)), (np.stack([y, y], axis=1), (100, 2))):
        model = fastmlp.fit(x, targets, hidden=5, epochs=2, rng=0)
        assert model.predict(x).shape == model.predict(x[:, None]).shape == expected
        assert model.predict(x[:0]).shape == (0, *expected[1:])
    assert fastmlp.Model(*ABSOLUTE).predict([-3.0]).shape == (1,)
    assert fastmlp.Model(*ABSOLUTE, y_ndim=2).predict([-3.0]).shape == (1, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_hidden", [3, 1000])
def test_a_prediction_depends_on_the_other_rows_by_rounding_only(n_hidden, dtype):
    rng = np.random.default_rng(0)
    shapes = ((4, n_hidden), n_hidden, (n_hidden, 2), 2)
    model = fastmlp.Model(*(rng.normal(size=shape).astype(dtype) for shape in shapes))
    x = rng.normal(size=(2500, 4))
    whole = model.predict(x)
    order = rng.permutation(len(x))
    np.testing.assert_allclose(model.predict(x[order]), whole[order], rtol=1e-12)
    for size in (1, 7, 400):
        batches = [model.predict(x[first : first + size]) for first in range(0, 800, size)]
        np.testing.assert_allclose(np.concatenate(batches)[:800], whole[:800], rtol=1e-12)


def test_input_gradient_is_the_slope_of_predict(fitted):
    x, _, model = fitted
    eps = 1e-6
    expected = np.stack(
        [(model.predict(x + step) - model.predict(x - step)) / (2 * eps) for step in eps * np.eye(3)], axis=-1
    )
    got = model.input_gradient(x)
    assert got.shape == (len(x), 2, 3)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-8)


def test_input_gradient_lacks_the_axes_that_x_and_y_lacked(sine):
    x, y = sine
    flat = fastmlp.fit(x, y, hidden=5, epochs=2, rng=0)
    assert flat.input_gradient(x).shape == (100,)
    assert flat.input_gradient(x[:, None]).shape == (100, 1)
    column = fastmlp.fit(x, y[:, None], hidden=5, epochs=2, rng=0)
    assert column.input_gradient(x).shape == (100, 1)
    assert column.input_gradient(x[:, None]).shape == (100, 1, 1)
    np.testing.assert_array_equal(column.input_gradient(x)[:, 0], flat.input_gradient(x))


def test_gradients_have_the_shapes_of_their_arrays(sine):
    model = fastmlp.Model(*ABSOLUTE)
    got = model.gradients(*sine)
    assert {name: array.shape for name, array in got.items()} == {
        "w1": (1, 2),
        "b1": (2,),
        "w2": (2, 1),
        "b2": (1,),
        "x": (100,),
    }
    assert model.gradients(sine[0][:, None], sine[1])["x"].shape == (100, 1)


def test_kinks_are_where_units_switch():
    model = fastmlp.Model([[2.0, 0.0, -1.0]], [1.0, 1.0, 3.0], np.ones((3, 1)), [0.0])
    np.testing.assert_array_equal(model.kinks(), [-0.5, np.nan, 3.0])


def test_models_are_read_only_and_compared_by_identity(fitted):
    _, _, model = fitted
    for array in (model.w1, model.b1, model.w2, model.b2, model.x_range):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(AttributeError):
        model.w1 = None
    assert model != fastmlp.Model(*model.weights)
    assert len({model, model}) == 1
    weights = [np.array(part) for part in ABSOLUTE]
    own = fastmlp.Model(*weights)
    weights[0][...] = 9
    assert own.w1[0, 0] == 1


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_clones_predict_the_same_and_stay_read_only(fitted, clone):
    x, _, model = fitted
    got = clone(model)
    np.testing.assert_array_equal(got.predict(x), model.predict(x))
    np.testing.assert_array_equal(got.history.rmse, model.history.rmse)
    np.testing.assert_array_equal(got.history.snapshots[5].w1, model.history.snapshots[5].w1)
    assert got.info.lr == model.info.lr
    assert not got.w1.flags.writeable


def test_x_range_is_that_of_the_data(fitted):
    x, _, model = fitted
    np.testing.assert_array_equal(model.x_range, np.stack([x.min(axis=0), x.max(axis=0)], axis=1))


def test_repr_is_short(fitted):
    _, _, model = fitted
    assert repr(model).startswith("Model(n_in=3, n_hidden=30, n_out=2, negative_slope=0, dtype=float64, rmse=")
    assert "rmse" not in repr(fastmlp.Model(*ABSOLUTE))


def test_a_model_is_a_net_and_keeps_the_order_of_its_arguments(fitted):
    _, _, model = fitted
    assert isinstance(model, Net)
    assert repr(Net(*ABSOLUTE, 0.1)) == "Net(n_in=1, n_hidden=2, n_out=1, negative_slope=0.1, dtype=float64)"
    arguments = inspect.signature(fastmlp.Model).parameters.values()
    names = {kind: [one.name for one in arguments if one.kind is kind] for kind in {one.kind for one in arguments}}
    assert names == {
        inspect.Parameter.POSITIONAL_OR_KEYWORD: ["w1", "b1", "w2", "b2", "negative_slope"],
        inspect.Parameter.KEYWORD_ONLY: [
            *("x_range", "y_ndim", "feature_names", "target_names", "y_clip", "history", "info", "out_of_fold")
        ],
    }


def test_plot_draws_data_net_and_kinks(sine):
    x, y = sine
    model = fastmlp.fit(x, np.stack([y, -y], axis=1), hidden=5, epochs=2, rng=0)
    ax = model.plot(x, np.stack([y, -y], axis=1))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "data",
        "net, output 0",
        "net, output 1",
        "kinks",
    ]
    assert len(ax.lines) == 5
    for k, curve in enumerate(ax.lines[2:4]):
        np.testing.assert_array_equal(curve.get_ydata(), model.predict(curve.get_xdata())[:, k])
    assert len({line.get_color() for line in ax.lines[2:]}) == 3
    assert model.plot(ax=ax) is ax
    plt.close("all")


def test_columns_of_a_data_frame_must_be_those_of_the_fit(fitted):
    model = fitted[2]
    columns = pd.DataFrame(np.ones((4, model.n_in)), columns=list("abc")[: model.n_in])
    named = dataclasses.replace(model, feature_names=tuple(columns))
    np.testing.assert_array_equal(named.predict(columns), model.predict(columns.to_numpy()))
    np.testing.assert_array_equal(named.predict(columns.to_numpy()), model.predict(columns.to_numpy()))
    with pytest.raises(ValueError, match="the columns of x must be those of the fit in their order"):
        named.predict(columns[list(columns)[::-1]])

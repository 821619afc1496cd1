"""Bad input gets a worded error before anything is computed."""

import numpy as np
import pytest

import fastmlp

X = np.linspace(-1, 1, 5)
Y = X**2
NET = (np.ones((1, 3)), np.ones(3), np.ones((3, 1)), np.zeros(1))


def columns(n_in):
    return np.ones((5, n_in))


def with_value(value, index=3):
    array = X.copy()
    array[index] = value
    return array


WORDS = "Encode text as numbers, for example as one column of 0 and 1 for each word."
RATES = 'a positive number, a mapping from "w1", "b1", "w2", "b2", a function of the epoch, "auto" or "constant"'

# Arguments over fit(X, Y), the class of the error, and its words.
CASES = [
    ({"x": with_value(np.nan)}, ValueError, "x must be finite, got nan at position 3."),
    ({"x": np.where(columns(2) * [1, 0], np.inf, 0)}, ValueError, "x must be finite, got inf at row 0, column 0."),
    ({"y": with_value(-np.inf, 1)}, ValueError, "y must be finite, got -inf at position 1."),
    ({"sample_weight": with_value(np.nan, 4) ** 2}, ValueError, "sample_weight must be finite, got nan at position 4."),
    ({"x": X + 1j}, TypeError, "x must be an array of real numbers, got dtype complex128. Pass real and"),
    ({"y": ["a"] * 5}, TypeError, f"y must be an array of real numbers, got 'a' at position 0. {WORDS}"),
    (
        {"x": np.array([1, None, 2, 3, 4])},
        ValueError,
        "x must be an array of real numbers without missing ones, got None at position 1. Leave such samples out of x",
    ),
    ({"x": np.ma.masked_greater(X, 0)}, ValueError, "x must be an array without masked entries, got 2 masked."),
    ({"validation": (X, np.ma.masked_equal(Y, Y[0]))}, ValueError, "validation y must be an array without masked ent"),
    ({"x": X.astype(np.longdouble) * np.longdouble("1e4000")}, ValueError, "x must be finite, got -inf at position 0."),
    ({"x": [[1], [1, 2]]}, ValueError, "x must be a rectangular array of numbers, got [[1], [1, 2]]."),
    ({"x": []}, ValueError, "x must be an array of at least one sample and one column, got shape (0,)."),
    ({"y": []}, ValueError, "y must be an array of at least one sample and one column, got shape (0,)."),
    ({"x": columns(0)}, ValueError, "x must be an array of at least one sample and one column, got shape (5, 0)."),
    ({"x": np.ones((5, 1, 1))}, ValueError, "x must be an array of one or two dimensions, got 3 dimensions."),
    ({"x": 3.0}, ValueError, "x must be an array of one or two dimensions, got 0 dimensions."),
    ({"y": Y[:4]}, ValueError, "y must be of the same length as x (5 samples), got 4."),
    ({"sample_weight": X}, ValueError, "sample_weight must be at least 0, got -1.0 at position 0."),
    ({"sample_weight": 0 * X}, ValueError, "sample_weight must be positive for at least one sample, got zeros."),
    ({"sample_weight": X[:3]}, ValueError, "sample_weight must be of shape (5,), got shape (3,)."),
    ({"hidden": 0}, ValueError, "hidden must be at least 1, got 0."),
    ({"hidden": -3}, ValueError, "hidden must be at least 1, got -3."),
    ({"hidden": 2.5}, TypeError, "hidden must be an integer, got 2.5."),
    ({"hidden": np.array([3])}, TypeError, "hidden must be an integer, got array([3])."),
    ({"hidden": 10**400}, MemoryError, "hidden must be small enough for memory, got 1000"),
    ({"hidden": True}, TypeError, "hidden must be an integer, got True."),
    ({"hidden": 10**13}, MemoryError, "hidden must be small enough for memory, got 10000000000000"),
    ({"hidden": 10**9, "algorithm": "reference"}, MemoryError, "hidden must be small enough for memory"),
    ({"epochs": 0}, ValueError, "epochs must be at least 1, got 0."),
    ({"epochs": -1}, ValueError, "epochs must be at least 1, got -1."),
    ({"epochs": 1e6}, TypeError, "epochs must be an integer, got 1000000.0."),
    ({"epochs": np.True_}, TypeError, "epochs must be an integer, got np.True_."),
    ({"epochs": 10**30}, ValueError, "epochs must be at most 9223372036854775807, got 1000"),
    ({"epochs": "10"}, TypeError, "epochs must be an integer, got '10'."),
    ({"lr": 0}, ValueError, "lr must be positive, got 0.0."),
    ({"lr": -1e-3}, ValueError, "lr must be positive, got -0.001."),
    ({"lr": float("nan")}, ValueError, "lr must be finite, got nan."),
    ({"lr": 10**400}, ValueError, "lr must be finite, got inf."),
    ({"lr": 1e39, "dtype": "f4", "init": NET}, ValueError, "lr must be finite in float32, got 1e+39."),
    ({"lr": True}, TypeError, "lr must be a real number, got True."),
    ({"lr": None}, TypeError, f"lr must be {RATES}, got None."),
    ({"lr": "fast"}, ValueError, f"lr must be {RATES}, got 'fast'."),
    ({"lr": {"w3": 1.0}}, ValueError, 'lr must be a mapping from "w1", "b1", "w2", "b2", got the key \'w3\'.'),
    ({"lr": {"w1": 1.0}}, ValueError, "lr must be a mapping that names every trained group, got none for ['b1', "),
    ({"lr": dict.fromkeys(("w1", "b1", "w2", "b2"), 0)}, ValueError, "lr must be positive for at least one trained"),
    ({"lr": {"w1": -1, "b1": 1, "w2": 1, "b2": 1}}, ValueError, "lr['w1'] must be at least 0, got -1.0."),
    ({"init": "xavier"}, ValueError, 'init must be one of "balanced", "he", "glorot", got \'xavier\'.'),
    ({"init": None}, TypeError, 'init must be one of "balanced", "he", "glorot", a positive number, a Model or a'),
    ({"init": -0.3}, ValueError, 'init must be one of "balanced", "he", "glorot", a positive number'),
    ({"init": NET[:3]}, ValueError, "init must be a tuple (w1, b1, w2, b2), got 3 items."),
    ({"init": (np.ones(3), *NET[1:])}, ValueError, "init w1 must be of shape (n_in, hidden), got shape (3,)."),
    ({"init": (NET[0], np.ones(2), *NET[2:])}, ValueError, "init b1 must be of shape (3,), got shape (2,)."),
    (
        {"init": (*NET[:2], np.ones((2, 1)), NET[3])},
        ValueError,
        "init w2 must be of shape (3, n_out), got shape (2, 1)",
    ),
    ({"init": ([[1.0], [1.0, 2.0]], *NET[1:])}, ValueError, "init w1 must be a rectangular array of numbers"),
    (
        {"init": (*NET[:3], np.array(["0"]))},
        TypeError,
        "init b2 must be an array of real numbers, got '0' at position 0.",
    ),
    ({"init": (NET[0] * np.inf, *NET[1:])}, ValueError, "init w1 must be finite, got inf at (0, 0)."),
    (
        {"init": (np.ones((2, 3)), *NET[1:])},
        ValueError,
        "init must be a net with 1 input and 1 output, like the data, got one with 2 and 1.",
    ),
    ({"init": NET, "hidden_bias": False}, ValueError, "init b1 must be 0 with hidden_bias=False, got 1.0."),
    ({"init": (*NET[:3], np.ones(1)), "output_bias": False}, ValueError, "init b2 must be 0 with output_bias=False"),
    (
        {"algorithm": "fast"},
        ValueError,
        'algorithm must be one of "auto", "univariate", "dense", "reference", got \'fast\'.',
    ),
    (
        {"algorithm": "univariate", "x": columns(2)},
        ValueError,
        'algorithm="univariate" requires one input, at most 32 outputs and batch_size=None, got 2 inputs, 1 output and'
        " batch_size=None.",
    ),
    ({"algorithm": 1}, TypeError, 'algorithm must be one of "auto", "univariate", "dense", "reference", got 1.'),
    ({"snapshots": [0, 11]}, ValueError, "snapshots must be integers from 0 to epochs (10), got 11."),
    ({"snapshots": [-1]}, ValueError, "snapshots must be at least 0, got -1."),
    ({"snapshots": [0.5]}, TypeError, "snapshots must be an integer, got 0.5."),
    ({"snapshots": np.array(3)}, TypeError, "snapshots must be integers from 0 to epochs (10), got array(3)."),
    ({"snapshots": 3}, TypeError, "snapshots must be integers from 0 to epochs (10), got 3."),
    (
        {"snapshots": range(10**5), "epochs": 10**5, "hidden": 10**6},
        MemoryError,
        "snapshots must be small enough for memory, got more than",
    ),
    ({"stop_at_crossing": 1}, TypeError, "stop_at_crossing must be True or False, got 1."),
    *(
        (
            {"x": x, "stop_at_crossing": True, "algorithm": algorithm},
            ValueError,
            f'stop_at_crossing must be False unless the engine is "univariate", got True with "{chosen}".',
        )
        for x, algorithm, chosen in [
            (X, "dense", "dense"),
            (X, "reference", "reference"),
            (columns(2), "auto", "dense"),
        ]
    ),
    ({"record_every": 0}, ValueError, "record_every must be at least 1, got 0."),
    ({"record_every": 1.0}, TypeError, "record_every must be an integer, got 1.0."),
    ({"epochs": 10**13, "record_every": 1}, MemoryError, "record_every must be small enough for memory, got 1. "),
    ({"standardize": "yes"}, TypeError, "standardize must be True, False or None, got 'yes'."),
    ({"hidden_bias": 1}, TypeError, "hidden_bias must be True or False, got 1."),
    ({"output_bias": None}, TypeError, "output_bias must be True or False, got None."),
    ({"negative_slope": "0.1"}, TypeError, "negative_slope must be a real number, got '0.1'."),
    ({"negative_slope": np.inf}, ValueError, "negative_slope must be finite, got inf."),
    ({"dtype": "int32"}, ValueError, "dtype must be numpy.float32 or numpy.float64, got 'int32'."),
    ({"dtype": "number"}, TypeError, "dtype must be numpy.float32 or numpy.float64, got 'number'."),
    ({"rng": "seed"}, TypeError, "rng must be an argument of numpy.random.default_rng, got 'seed'."),
    ({"rng": -1}, ValueError, "rng must be an argument of numpy.random.default_rng, got -1."),
    ({"callback": 3}, TypeError, "callback must be callable, got 3."),
    ({"progress": "bar"}, TypeError, "progress must be True, False or None, got 'bar'."),
]


@pytest.mark.parametrize(("arguments", "error", "words"), CASES, ids=[f"{i}-{list(c[0])}" for i, c in enumerate(CASES)])
def test_fit_refuses(monkeypatch, arguments, error, words):
    for name in ("pipeline.TrainingLoop", "starting.start.initial_weights", "starting.start.automatic_rates"):
        monkeypatch.setattr(f"fastmlp.{name}", None)  # nothing may be computed
    with pytest.raises(error) as caught:
        fastmlp.fit(**({"x": X, "y": Y, "epochs": 10} | arguments))
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("arguments", [{"x": X * 1e200}, {"y": Y * 1e200}, {"init": (NET[0] * 1e200, *NET[1:])}])
def test_fit_refuses_scales_beyond_the_dtype(arguments):
    with pytest.raises(ValueError, match="x, y and init must be within the range of float32, got an overflow"):
        fastmlp.fit(**({"x": X, "y": Y, "epochs": 10, "dtype": np.float32, "lr": 0.1} | arguments))


@pytest.mark.parametrize(
    ("question", "error", "words"),
    [
        (lambda net: net.predict([[1.0, 2.0]]), ValueError, "x must be of shape (n, 1), got shape (1, 2)."),
        (lambda net: net.predict([np.nan]), ValueError, "x must be finite, got nan at position 0."),
        (lambda net: net.predict("1"), TypeError, "x must be an array of real numbers, got '1'."),
        (lambda net: net.rmse(X, np.ones((5, 2))), ValueError, "y must have 1 column, one for each output, got 2."),
        (lambda net: net.gradients(X, Y[:3]), ValueError, "y must be of the same length as x (5 samples), got 3."),
        (
            lambda net: net.plot(),
            ValueError,
            "The range of the inputs is unknown. Give x, fit the model, or create it with x_range.",
        ),
        (lambda net: net.plot(y=Y), ValueError, "x must be given with y, got None."),
        (lambda net: fastmlp.Model(*NET[:3], [np.nan]), ValueError, "b2 must be finite, got nan at (0,)."),
        (
            lambda net: fastmlp.Model(*NET, x_range=[1]),
            ValueError,
            "x_range must be of shape (n_in, 2), got shape (1,).",
        ),
        (
            lambda net: fastmlp.Model(*NET, y_ndim=7),
            ValueError,
            "y_ndim must be 2, or 1 for a net with one output, got 7.",
        ),
        (
            lambda net: fastmlp.Model(*NET, feature_names=["a", "b"]),
            ValueError,
            "feature_names must be None or a sequence of 1 string, got 2.",
        ),
        (
            lambda net: fastmlp.Model(*NET, target_names="y"),
            TypeError,
            "target_names must be None or a sequence of 1 string, got 'y'.",
        ),
        (
            lambda net: fastmlp.Model(*NET, target_names=[1]),
            TypeError,
            "target_names must be None or a sequence of 1 string, got [1].",
        ),
        (
            lambda net: fastmlp.Model(*NET, target_names={"y"}),
            TypeError,
            "target_names must be None or a sequence of 1 string, got {'y'}.",
        ),
        (lambda net: fastmlp.Model(*NET, None), TypeError, "negative_slope must be a real number, got None."),
    ],
)
def test_model_refuses(question, error, words):
    with pytest.raises(error) as caught:
        question(fastmlp.Model(*NET))
    assert str(caught.value) == words


def test_a_net_of_several_inputs_has_no_kinks_and_takes_rows():
    net = fastmlp.Model(np.ones((2, 3)), *NET[1:])
    with pytest.raises(ValueError, match=r"Model\.kinks supports one input; this net has 2\."):
        net.kinks()
    with pytest.raises(
        ValueError,
        match=r"x must be of shape \(n, 2\), got shape \(2,\). Pass one sample as numpy\.asarray\(x\)\[None\]\.",
    ):
        net.predict([1.0, 2.0])

"""Optimisers and schedules: each engine compared with the reference, and the reference with PyTorch."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fastmlp
from fastmlp.engines.engine import Problem, Rates, Record, Settings, Status, Weights
from fastmlp.engines.univariate.engine import Univariate

WEIGHTS = ("w1", "b1", "w2", "b2")
OPTIMIZERS = {
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "decay": {"weight_decay": 1e-3},
    "momentum and decay": {"momentum": 0.5, "weight_decay": 1e-3},
    "decay by group": {"momentum": 0.5, "weight_decay": {"w1": 1e-3, "b1": 2e-2, "b2": 0.1}},
    "adam": {"optimizer": "adam", "lr": 1e-3},
    "adam and decay": {"optimizer": "adam", "lr": 1e-3, "weight_decay": 1e-3},
    "adam and decay by group": {"optimizer": "adam", "lr": 1e-3, "weight_decay": {"w1": 1e-3, "b1": 1e-2, "w2": 2e-3}},
    "schedule": {"lr": lambda epoch: 0.02 / (1 + epoch / 500)},
    "nesterov on a schedule": {"momentum": 0.9, "nesterov": True, "lr": lambda epoch: 0.01 * 0.998**epoch},
    "adam on a schedule": {"optimizer": "adam", "lr": lambda epoch: 1e-3 * (1 + math.cos(epoch / 400))},
}
RATES = {"w1": 1e-2, "b1": 2e-2, "w2": 5e-3, "b2": 1e-3}
SHAPES = {  # options of fit, outputs
    "one output": ({}, 1),
    "no output bias": ({"output_bias": False}, 1),
    "no biases": ({"output_bias": False, "hidden_bias": False}, 1),
    "leaky": ({"negative_slope": 0.1}, 1),
    "leaky, two outputs": ({"negative_slope": -0.2}, 2),
    "rates by group": ({"lr": RATES}, 1),
    "w1 frozen": ({"lr": RATES | {"w1": 0.0}}, 1),
    "b1 frozen, far x": ({"lr": {"w1": 1e-5, "b1": 0.0, "w2": 1e-5, "b2": 1e-3}}, 1),
}


@pytest.fixture(params=OPTIMIZERS)
def optimizer(request):
    """Return the options of fit for an optimiser."""
    return OPTIMIZERS[request.param]


@pytest.mark.parametrize("shape", SHAPES)
def test_univariate_equals_reference(problem, assert_same_net, optimizer, shape):
    options, n_out = SHAPES[shape]
    biases = {name: options.get(name, True) for name in ("hidden_bias", "output_bias")}
    x, y, sample_weight, init = problem(1, n_out, n_samples=60, n_hidden=50, **biases)
    if "far x" in shape:
        x, init = x + 20, (init[0], init[1] - 20 * init[0][0], *init[2:])
    options = {"lr": 0.02, "init": init, "epochs": 1500, "sample_weight": sample_weight} | options
    if not isinstance(options["lr"], dict):
        options |= optimizer
    else:  # a schedule is one rate for all
        options |= {name: value for name, value in optimizer.items() if name != "lr"}
    got, expected = (fastmlp.fit(x, y, algorithm=name, **options) for name in ("univariate", "reference"))
    assert_same_net(got, expected, 1e-10)
    np.testing.assert_array_equal(got.history.crossings, expected.history.crossings)
    assert got.info.crossings > 50


def test_units_without_gradient_move_and_become_active(assert_same_net):
    # Weight decay pulls the biases of two inactive units to 0, while their weights are frozen.
    x = np.linspace(0.0, 1.0, 20)
    init = (np.full((1, 2), 1e-3), np.array([-0.1, -0.2]), np.ones((2, 1)), np.zeros(1))
    options = {"init": init, "weight_decay": 1.0, "lr": {"w1": 0.0, "b1": 0.01, "w2": 0.0, "b2": 0.0}, "epochs": 1500}
    got, expected = (fastmlp.fit(x, 1 + x, algorithm=name, **options) for name in ("univariate", "reference"))
    assert not (init[0] * x[:, None] > -init[1]).any()
    assert (got.w1 * x[:, None] > -got.b1).any()
    assert got.info.crossings == expected.info.crossings > 0
    assert_same_net(got, expected, 1e-10)

    # With momentum a unit keeps moving after its gradient has vanished.
    init = (np.full((1, 1), 1.0), np.full(1, -0.9), np.full((1, 1), 1.0), np.zeros(1))
    moving = {"init": init, "momentum": 0.9, "lr": 0.5, "epochs": 200}
    got, expected = (fastmlp.fit(x, -5 - x, algorithm=name, **moving) for name in ("univariate", "reference"))
    assert_same_net(got, expected, 1e-10)
    assert got.info.crossings == expected.info.crossings > 0


nets = st.fixed_dictionaries(
    {
        "optimizer": st.sampled_from(sorted(OPTIMIZERS)),
        "n_samples": st.integers(1, 30),
        "n_hidden": st.integers(1, 12),
        "negative_slope": st.sampled_from([0.0, 0.3]),
        "decimals": st.sampled_from([1, 9]),  # 1: several samples at the same x
        "seed": st.integers(0, 2**32 - 1),
    }
)


@given(nets)
def test_univariate_equals_reference_on_any_data(net):
    rng = np.random.default_rng(net["seed"])
    x, y = rng.normal(size=net["n_samples"]).round(net["decimals"]), rng.normal(size=net["n_samples"])
    n_hidden = net["n_hidden"]
    init = (rng.normal(size=(1, n_hidden)), rng.normal(size=n_hidden), rng.normal(size=(n_hidden, 1)), np.zeros(1))
    options = {"lr": 0.01, "init": init, "epochs": 60, "negative_slope": net["negative_slope"]}
    options |= OPTIMIZERS[net["optimizer"]]
    got, expected = (fastmlp.fit(x, y, algorithm=name, **options) for name in ("univariate", "reference"))
    for name in WEIGHTS:
        np.testing.assert_allclose(getattr(got, name), getattr(expected, name), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(got.history.rmse, expected.history.rmse, rtol=1e-10, atol=1e-12)


def engine(problem, settings):
    """Return the univariate engine at the start of a problem with two outputs."""
    x, y, sample_weight, init = problem(1, 2)
    return Univariate(Problem(x, y, sample_weight / sample_weight.sum()), Weights(*init), settings)


def settings(options):
    """Return the settings of an engine for options of fit."""
    options = dict(options)
    rate = options.pop("lr", 0.01)
    schedule = rate if callable(rate) else None
    rates = Rates(1.0, 1.0, 1.0, 0.0) if schedule else Rates(rate, rate, 2 * rate, rate)
    return Settings(rates, 0.1, schedule=schedule, **options)


def test_several_calls_and_restored_states_give_the_bits_of_one_call(problem, optimizer):
    whole, chunked = engine(problem, settings(optimizer)), engine(problem, settings(optimizer))
    expected = Record.empty(100, 2)
    assert whole.advance(100, expected) == (100, Status.TRAINED)
    got, states = Record.empty(100, 2), {}
    for first, stop in pairwise((0, 1, 1, 3, 33, 100)):
        states[first] = chunked.state()
        chunked.advance(stop - first, got[first : stop + 1])
        chunked.weights()
    for array, other in zip(chunked.weights(), whole.weights(), strict=True):
        np.testing.assert_array_equal(array, other)
    np.testing.assert_array_equal(got.squared_error, expected.squared_error)
    np.testing.assert_array_equal(got.crossings, expected.crossings)

    fresh = engine(problem, settings(optimizer))
    for resumed in (chunked, fresh):
        resumed.restore(states[33])
        resumed.advance(67, got[33:])
        np.testing.assert_array_equal(got.squared_error[33:], expected.squared_error[33:])
        for array, other in zip(resumed.weights(), whole.weights(), strict=True):
            np.testing.assert_array_equal(array, other)


# Weight decay by group

GROUP_DECAY = {"w1": 0.3, "b1": 0.0, "w2": 0.1, "b2": 2.0}
ALGORITHMS = [(1, 1, "reference"), (1, 1, "univariate"), (1, 1, "dense"), (3, 2, "reference"), (3, 2, "dense")]


@pytest.mark.parametrize(("n_in", "n_out", "algorithm"), ALGORITHMS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.9},
        {"momentum": 0.9, "nesterov": True},
        {"optimizer": "adam"},
        {"batch_size": 30, "momentum": 0.9},
    ],
)
def test_each_group_decays_by_its_own_factor(problem, n_in, n_out, algorithm, options):
    if algorithm == "univariate" and "batch_size" in options:
        pytest.skip("the engine has no mini-batches")
    x, y, sample_weight, init = problem(n_in, n_out)
    options = {"init": init, "sample_weight": sample_weight, "algorithm": algorithm, "rng": 0} | options
    lr, epochs = 0.01, 3
    got = fastmlp.fit(x, y, lr=lr, epochs=epochs, weight_decay=GROUP_DECAY, **options)
    rng = np.random.default_rng(0)
    size = options.get("batch_size", len(x))
    seed = int(rng.integers(2**63))
    weights = {group: np.array(array) for group, array in zip(WEIGHTS, init, strict=True)}
    m, v = ({group: 0 * w for group, w in weights.items()} for _ in range(2))
    step = 0
    for epoch in range(epochs):
        order = np.random.default_rng((seed, epoch)).permutation(len(x)) if size < len(x) else np.arange(len(x))
        for batch in (order[first : first + size] for first in range(0, len(x), size)):
            step += 1
            gradients = fastmlp.Model(*weights.values()).gradients(x[batch], y[batch], sample_weight[batch])
            for group, w in weights.items():
                g = gradients[group] + GROUP_DECAY[group] * w
                if options.get("optimizer") == "adam":
                    m[group] = 0.9 * m[group] + 0.1 * g
                    v[group] = 0.999 * v[group] + 0.001 * g**2
                    change = m[group] / (1 - 0.9**step) / (np.sqrt(v[group] / (1 - 0.999**step)) + 1e-8)
                else:
                    m[group] = options.get("momentum", 0.0) * m[group] + g
                    change = g + options["momentum"] * m[group] if "nesterov" in options else m[group]
                weights[group] = w - lr * change
    for group, w in weights.items():
        np.testing.assert_allclose(getattr(got, group), w, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("algorithm", ["univariate", "dense", "reference"])
def test_a_mapping_of_one_number_or_of_zeros_is_that_number(problem, assert_same_net, algorithm):
    x, y, _, init = problem(1, 1)
    options = {"init": init, "lr": 0.01, "epochs": 50, "algorithm": algorithm}
    for decay, mapping in ((0.02, dict.fromkeys(WEIGHTS, 0.02)), (0.0, {"w1": 0, "b2": 0.0}), (0.0, {})):
        number, by_group = (fastmlp.fit(x, y, weight_decay=given, **options) for given in (decay, mapping))
        assert_same_net(by_group, number, 0)
        assert by_group.info.method == number.info.method


# PyTorch

STEPS = 60
SGD = {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-2}
COMPARED = {
    "sgd": {"lr": 0.05},
    "momentum": {"lr": 0.05, "momentum": 0.9},
    "nesterov and decay": {"lr": 0.05, **SGD},
    "adam": {"lr": 0.01, "optimizer": "adam"},
    "adam and decay": {"lr": 0.01, "optimizer": "adam", "weight_decay": 1e-2},
}


def torch_steps(x, y, init, options, steps):
    """Train with PyTorch's own optimiser; return the weights after each step."""
    import torch

    torch.set_num_threads(1)  # for nets this small
    parameters = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in init]
    w1, b1, w2, b2 = parameters
    options = dict(options)
    kind = torch.optim.Adam if options.pop("optimizer", "sgd") == "adam" else torch.optim.SGD
    trainer = kind(parameters, **options)
    inputs, targets = torch.tensor(x, dtype=torch.float64), torch.tensor(y, dtype=torch.float64)
    history = []
    for _ in range(steps):
        trainer.zero_grad()
        output = torch.relu(inputs @ w1 + b1) @ w2 + b2
        (((output - targets) ** 2).sum() / (2 * len(x))).backward()
        trainer.step()
        history.append([array.detach().numpy().copy() for array in parameters])
    return history


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize(
    ("n_in", "n_out", "algorithm"),
    [(3, 2, "reference"), (1, 1, "reference"), (1, 1, "univariate"), (3, 2, "dense"), (1, 1, "dense")],
)
def test_each_step_equals_pytorchs(problem, name, n_in, n_out, algorithm):
    pytest.importorskip("torch")
    x, y, _, init = problem(n_in, n_out)
    options = {"init": init, "epochs": STEPS, "snapshots": range(STEPS + 1), "algorithm": algorithm, **COMPARED[name]}
    got = fastmlp.fit(x, y, **options).history.snapshots
    for step, expected in enumerate(torch_steps(x, y, init, COMPARED[name], STEPS), start=1):
        for field, array in zip(WEIGHTS, expected, strict=True):
            largest = np.abs(array).max()
            np.testing.assert_allclose(getattr(got[step], field), array, rtol=0, atol=1e-11 * largest)


# The result of `torch_steps` with PyTorch 2.13.0 for `small_problem` after 50 steps: w1, b1, w2, b2 in a row.
RECORDED = {
    "sgd": [
        0.5983713107806773,
        -0.5264522112208786,
        0.315602598946126,
        0.24808122744360273,
        0.26352603992477647,
        -0.10975465388606627,
        0.7205740783690546,
        -0.48670428477073235,
        0.1977683342087299,
        -0.06509415560211873,
    ],
    "momentum": [
        0.733290587611971,
        -0.6548959382743219,
        0.28635503555524205,
        0.33882050108401307,
        0.2235026406776055,
        0.027657304804021926,
        0.8081464205643779,
        -0.6516422051383114,
        0.06672101992460802,
        -0.13290526378357956,
    ],
    "nesterov and decay": [
        0.6938302491836842,
        -0.6035528125065922,
        0.2416047193211073,
        0.3461021543093042,
        0.2849496008593516,
        0.062082488177201044,
        0.7785199932236013,
        -0.6447649690857464,
        0.08069823067521674,
        -0.10697166861107955,
    ],
    "adam": [
        0.7089579884499776,
        -0.7098216970406276,
        0.38710115908146686,
        0.34067819486528217,
        0.2382317062580272,
        0.2014708497712532,
        0.8279387737622758,
        -0.5619539828131745,
        0.1704180821631846,
        -0.182568232403668,
    ],
    "adam and decay": [
        0.7062978633833661,
        -0.6780817310124313,
        0.2535470217426361,
        0.3483544753249752,
        0.2547627305478317,
        0.12977881926002027,
        0.8216686495623944,
        -0.5635969143668982,
        0.14279310010050628,
        -0.15993708166362836,
    ],
}


def small_problem():
    x = np.linspace(-1.0, 1.0, 9)[:, None]
    init = (
        np.array([[0.5, -0.4, 0.3]]),
        np.array([0.1, 0.2, -0.15]),
        np.array([[0.6], [-0.3], [0.2]]),
        np.array([0.05]),
    )
    return x, np.sin(3 * x), init


def flattened(weights):
    return np.concatenate([np.ravel(array) for array in weights])


@pytest.mark.parametrize("name", COMPARED)
def test_recorded_numbers_are_pytorchs(name):
    pytest.importorskip("torch")
    got = flattened(torch_steps(*small_problem(), COMPARED[name], 50)[-1])
    np.testing.assert_allclose(got, RECORDED[name], rtol=1e-12)


@pytest.mark.parametrize("name", COMPARED)
@pytest.mark.parametrize("algorithm", ["reference", "univariate", "dense"])
def test_steps_equal_recorded_numbers(name, algorithm):
    x, y, init = small_problem()
    got = fastmlp.fit(x, y, init=init, epochs=50, algorithm=algorithm, **COMPARED[name])
    np.testing.assert_allclose(flattened(got.weights), RECORDED[name], rtol=1e-11)


# Schedules


@pytest.mark.parametrize("algorithm", ["reference", "univariate", "dense"])
def test_a_schedule_equals_fits_piece_by_piece(problem, algorithm):
    x, y, _, init = problem(1, 1)
    pieces = ((300, 0.02), (500, 0.005), (200, 0.0))
    changes = np.cumsum([epochs for epochs, _ in pieces])
    options = {"algorithm": algorithm, "init": init}
    epochs_asked = []

    def schedule(epoch):
        epochs_asked.append(epoch)
        return pieces[int(np.searchsorted(changes, epoch, side="right"))][1]

    got = fastmlp.fit(x, y, lr=schedule, epochs=1000, **options)
    assert epochs_asked[-1000:] == list(range(1000))
    assert got.info.lr is schedule
    expected = init
    for epochs, rate in pieces[:2]:  # a rate of 0 trains nothing
        expected = fastmlp.fit(x, y, lr=rate, epochs=epochs, algorithm=algorithm, init=expected).weights
    for name, array in zip(WEIGHTS, expected, strict=True):
        np.testing.assert_allclose(getattr(got, name), array, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", [name for name, options in OPTIMIZERS.items() if not callable(options.get("lr"))])
def test_a_constant_schedule_equals_a_rate(problem, assert_same_net, name):
    x, y, _, init = problem(1, 1)
    options = {"init": init, "epochs": 500, "lr": 0.01} | OPTIMIZERS[name]
    rate = options.pop("lr")
    assert_same_net(fastmlp.fit(x, y, lr=lambda epoch: rate, **options), fastmlp.fit(x, y, lr=rate, **options), 1e-10)


@pytest.mark.parametrize("algorithm", ["reference", "univariate", "dense"])
@pytest.mark.parametrize(
    ("rate", "error", "words"),
    [
        (-0.1, ValueError, r"lr\(3\) must be a finite number of at least 0, got -0.1."),
        (math.nan, ValueError, r"lr\(3\) must be a finite number of at least 0, got nan."),
        (None, TypeError, r"lr\(3\) must be a finite number of at least 0, got None."),
        (True, TypeError, r"lr\(3\) must be a finite number of at least 0, got True."),
    ],
)
def test_a_schedule_must_give_rates(sine, algorithm, rate, error, words):
    with pytest.raises(error, match=words):
        fastmlp.fit(
            *sine, hidden=5, epochs=9, rng=0, algorithm=algorithm, lr=lambda epoch: rate if epoch == 3 else 1e-3
        )


def test_an_exception_of_a_schedule_propagates(sine):
    def schedule(epoch):
        raise KeyError(epoch)

    with pytest.raises(KeyError):
        fastmlp.fit(*sine, hidden=5, epochs=9, lr=schedule)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"optimizer": "rmsprop"}, ValueError, r"optimizer must be one of .*, got 'rmsprop'\."),
        ({"optimizer": None}, TypeError, r"optimizer must be one of .*, got None\."),
        ({"momentum": 1.0}, ValueError, r"momentum must be below 1, got 1\.0\."),
        ({"momentum": -0.1}, ValueError, r"momentum must be .*at least 0.*, got -0\.1\."),
        ({"momentum": math.nan}, ValueError, r"momentum must be .*, got nan\."),
        ({"momentum": "0.9"}, TypeError, r"momentum must be .*, got '0\.9'\."),
        ({"momentum": 0.9, "optimizer": "adam"}, ValueError, r'momentum must be 0 with optimizer="adam", got 0\.9\.'),
        ({"nesterov": True}, ValueError, r"nesterov must be False without momentum, got True\."),
        ({"nesterov": 1, "momentum": 0.9}, TypeError, r"nesterov must be .*, got 1\."),
        ({"weight_decay": -1e-3}, ValueError, r"weight_decay must be .*at least 0.*, got -0\.001\."),
        ({"weight_decay": math.inf}, ValueError, r"weight_decay must be .*, got inf\."),
        ({"weight_decay": {"w3": 0.1}}, ValueError, r"weight_decay must be .*\"w1\".*, got the key 'w3'\."),
        ({"weight_decay": {"w1": -0.1}}, ValueError, r"weight_decay\['w1'\] must be at least 0, got -0\.1\."),
        ({"weight_decay": {"w1": "a"}}, TypeError, r"weight_decay\['w1'\] must be a real number, got 'a'\."),
    ],
)
def test_wrong_optimizers_are_refused(sine, options, error, words):
    with pytest.raises(error, match=words):
        fastmlp.fit(*sine, hidden=5, epochs=9, **options)


def test_divergence_is_found_at_the_epoch_of_the_reference(sine):
    options = {"hidden": 20, "epochs": 500, "rng": 0, "lr": 3.0, "momentum": 0.9}
    epochs = []
    for algorithm in ("univariate", "reference"):
        with pytest.raises(fastmlp.DivergenceError) as raised:
            fastmlp.fit(*sine, algorithm=algorithm, **options)
        assert np.isfinite(raised.value.model.w1).all()
        epochs.append(raised.value.epoch)
    assert epochs[0] == epochs[1] < 500


def test_momentum_brings_the_default_sine_fit_far_below_plain_descent(sine):
    plain = fastmlp.fit(*sine, rng=0).history.rmse[-1]
    reached = [fastmlp.fit(*sine, rng=seed, momentum=0.9).history.rmse[-1] for seed in range(10)]
    assert max(reached) < 6e-4 < 8e-4 < plain

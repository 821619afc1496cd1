"""Training in steps: k calls of one epoch are one call of k epochs, whatever the optimiser and the engine."""

import dataclasses
import math
import pickle

import numpy as np
import pytest

import fastmlp

EPOCHS = 7
WEIGHTS = ("w1", "b1", "w2", "b2")
OPTIMISERS = {
    "sgd": {},
    "momentum": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
    "adam": {"optimizer": "adam"},
    "mini-batches": {"batch_size": 6, "momentum": 0.5},
    "adam in batches": {"batch_size": 6, "optimizer": "adam"},
}
RATES = {"a number": 0.02, "constant": "constant", "a function": lambda epoch: 0.02 / (1 + epoch)}


def assert_same_bits(got, expected):
    for name in WEIGHTS:
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name), err_msg=name)


def in_steps(x, y, epochs=EPOCHS, through=lambda model: model, **options):
    """Train for one epoch at a time."""
    model = fastmlp.fit(x, y, epochs=1, **options)
    losses = [*model.history.rmse]
    for _ in range(epochs - 1):
        model = fastmlp.fit(x, y, epochs=1, **options | {"init": through(model)})
        losses.append(model.history.rmse[-1])
    return model, losses


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("algorithm", ["reference", "dense", "univariate"])
@pytest.mark.parametrize("n_out", [1, 2])
def test_k_calls_of_one_epoch_are_one_call_of_k(problem, algorithm, optimiser, rate, n_out):
    if algorithm == "univariate" and "batch_size" in OPTIMISERS[optimiser]:
        pytest.skip("this engine has no mini-batches")
    x, y, weight, _ = problem(1 if algorithm == "univariate" else 3, n_out)
    options = {"hidden": 9, "rng": 0, "algorithm": algorithm, "sample_weight": weight, "lr": RATES[rate]}
    options |= OPTIMISERS[optimiser]
    whole = fastmlp.fit(x, y, epochs=EPOCHS, **options)
    got, losses = in_steps(x, y, **options)
    assert_same_bits(got, whole)
    np.testing.assert_array_equal(losses, whole.history.rmse)
    state = got.info.optimizer_state
    assert (state.epochs, state.samples_seen) == (EPOCHS, EPOCHS * len(x))
    assert state == whole.info.optimizer_state
    if got.history.crossings is not None:
        assert got.history.crossings[0] == 0


@pytest.mark.parametrize("algorithm", ["reference", "dense", "univariate"])
def test_k_steps_of_lbfgs_are_one_call_of_k(problem, algorithm):
    x, y, weight, _ = problem(1 if algorithm == "univariate" else 3, 1)
    options = {"hidden": 9, "rng": 0, "algorithm": algorithm, "sample_weight": weight, "optimizer": "lbfgs"}
    assert_same_bits(in_steps(x, y, **options)[0], fastmlp.fit(x, y, epochs=EPOCHS, **options))


@pytest.mark.parametrize(
    ("n_samples", "hidden", "epochs"), [(100, 1000, 400), (3000, 12, 300)], ids=["pattern moments", "stretches"]
)
def test_the_fast_methods_of_one_input_go_on_where_they_were(n_samples, hidden, epochs):
    x = np.linspace(-3, 3, n_samples)
    y = np.sin(3 * x)
    options = {"hidden": hidden, "rng": 0, "lr": "constant"}
    whole = fastmlp.fit(x, y, epochs=epochs, **options)
    parts = fastmlp.fit(x, y, epochs=1, **options)
    for n in (epochs // 3, 1, epochs - epochs // 3 - 2):
        parts = fastmlp.fit(x, y, epochs=n, **options | {"init": parts})
    assert_same_bits(parts, whole)
    assert parts.info.method == whole.info.method
    assert parts.info.optimizer_state.epochs == epochs


def test_a_generator_that_is_passed_on_and_none_at_all_keep_the_order_of_batches(problem):
    x, y, _, _ = problem(3, 1)
    options = {"hidden": 5, "lr": 0.02, "batch_size": 4, "algorithm": "dense"}
    whole = fastmlp.fit(x, y, epochs=3, rng=0, **options)
    rng = np.random.default_rng(0)
    for later in ({"rng": rng}, {}):
        got = fastmlp.fit(x, y, epochs=1, **options | {"rng": rng if later else 0})
        for _ in range(2):
            got = fastmlp.fit(x, y, epochs=1, **options | later | {"init": got})
        assert_same_bits(got, whole)
    first = fastmlp.fit(x, y, epochs=1, rng=0, **options)
    expected, other = (fastmlp.fit(x, y, epochs=1, init=first, rng=rng, **options) for rng in (0, 1))
    assert (other.w1 != expected.w1).any()
    assert other.info.optimizer_state.seed != expected.info.optimizer_state.seed


@pytest.mark.parametrize("optimiser", ["momentum", "nesterov", "adam"])
@pytest.mark.parametrize("algorithm", ["reference", "dense", "dense, many", "univariate"])
def test_other_samples_go_on_with_the_memory_of_the_optimiser(problem, algorithm, optimiser):
    """A step on each of two data sets in turn, compared with the formulas of PyTorch."""
    n_in, n_out = (1, 2) if algorithm == "univariate" else (3, 2 if "many" in algorithm else 1)
    x, y, _, init = problem(n_in, n_out)
    halves = [(x[::2], y[::2]), (x[1::2], y[1::2])]
    options = {"lr": 0.02, "algorithm": algorithm.split(",")[0]} | OPTIMISERS[optimiser]
    model = init
    for step in range(6):
        model = fastmlp.fit(*halves[step % 2], epochs=1, init=model, **options)
    weights = [np.array(array, float) for array in init]
    moments = [[np.zeros_like(w) for w in weights] for _ in range(2)]
    for step in range(6):
        xs, ys = (np.reshape(array, (len(array), -1)) for array in halves[step % 2])
        grads = fastmlp.Model(*weights).gradients(xs, ys if n_out > 1 else ys[:, 0])
        for k, name in enumerate(WEIGHTS):
            g = grads[name] + options.get("weight_decay", 0.0) * weights[k]
            m, v = moments[0][k], moments[1][k]
            if optimiser == "adam":
                m[...] = 0.9 * m + 0.1 * g
                v[...] = 0.999 * v + 0.001 * g * g
                t = step + 1
                weights[k] = weights[k] - 0.02 / (1 - 0.9**t) * m / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
            else:
                m[...] = 0.9 * m + g
                weights[k] = weights[k] - 0.02 * (g + 0.9 * m if optimiser == "nesterov" else m)
    for name, expected in zip(WEIGHTS, weights, strict=True):
        np.testing.assert_allclose(getattr(model, name), expected, rtol=1e-9, atol=1e-11)


def test_a_file_keeps_the_memory_and_a_pickle_everything(problem, tmp_path):
    x, y, _, _ = problem(3, 1)

    def filed(model):
        model.save(tmp_path / "model.npz")
        return fastmlp.load(tmp_path / "model.npz")

    for options in ({"optimizer": "adam", "batch_size": 5}, {"momentum": 0.9}, {}):
        options |= {"hidden": 9, "rng": 0, "lr": 0.02}
        whole = fastmlp.fit(x, y, epochs=EPOCHS, **options)
        assert_same_bits(in_steps(x, y, through=lambda m: pickle.loads(pickle.dumps(m)), **options)[0], whole)
        got, _ = in_steps(x, y, through=filed, **options)
        for name in WEIGHTS:
            np.testing.assert_allclose(getattr(got, name), getattr(whole, name), rtol=1e-12, atol=1e-13)
        loaded = filed(whole)
        assert loaded.info == whole.info
        assert loaded.info.optimizer_state.engine is None


def test_the_memory_is_dropped_where_it_does_not_fit(problem):
    x, y, _, _ = problem(3, 1)
    options = {"hidden": 9, "rng": 0, "lr": 0.02, "momentum": 0.9}
    model = fastmlp.fit(x, y, epochs=5, **options)
    bare = dataclasses.replace(model, info=None)

    def next_epoch(start, **changes):
        return fastmlp.fit(x, y, epochs=1, **options | changes | {"init": start})

    assert (next_epoch(model).w1 != next_epoch(bare).w1).any()
    for changes in ({"momentum": 0.0}, {"momentum": 0.0, "optimizer": "adam"}, {"standardize": True}):
        assert_same_bits(next_epoch(model, **changes), next_epoch(bare, **changes))
        assert next_epoch(model, **changes).info.optimizer_state.epochs == 6
    other_rate = next_epoch(model, lr=0.01)  # the velocity stays
    velocity = model.info.optimizer_state.moments["m_w1"]
    gradient = model.gradients(x, y)["w1"]
    np.testing.assert_allclose(other_rate.w1, model.w1 - 0.01 * (0.9 * velocity + gradient), rtol=1e-12)
    changed = dataclasses.replace(model, w1=model.w1 * 1.01)
    assert_same_bits(next_epoch(changed), next_epoch(dataclasses.replace(changed, info=None)))


def test_the_position_in_a_schedule_goes_on(problem):
    x, y, _, _ = problem(3, 1)
    asked = []

    def schedule(epoch):
        asked.append(epoch)
        return 0.02

    model = fastmlp.fit(x, y, hidden=4, rng=0, epochs=3, lr=schedule)
    asked.clear()
    fastmlp.fit(x[:-1], y[:-1], init=model, epochs=2, lr=schedule)
    assert asked[-2:] == [3, 4]
    first = fastmlp.fit(x, y, hidden=4, rng=0, epochs=50)
    again = fastmlp.fit(x, y, init=first, epochs=100)
    assert [epoch for epoch, _ in again.info.lr_schedule][:2] == [0, 80]  # the rule is that of the new call
    shifted = fastmlp.fit(
        x, y, init=dataclasses.replace(first, info=dataclasses.replace(first.info, optimizer_state=None)), epochs=100
    )
    np.testing.assert_allclose(again.predict(x), shifted.predict(x), rtol=1e-9)


@pytest.mark.parametrize("checkpointed", [False, True])
def test_going_on_with_patience_continues_from_the_best_epoch(problem, tmp_path, checkpointed):
    x, y, _, _ = problem(3, 1)
    options = {"hidden": 9, "rng": 0, "momentum": 0.9, "lr": 0.05}
    stopped = fastmlp.fit(x, y, epochs=60, patience=5, validation=(x[:5], y[:5] + 1), record_every=1, **options)
    best = stopped.info.best_epoch
    assert best < stopped.info.epochs_run
    state = stopped.info.optimizer_state
    assert (state.epochs, state.samples_seen) == (best, stopped.info.epochs_run * len(x))
    whole = fastmlp.fit(x, y, epochs=best + 4, **options)
    file = {"checkpoint": tmp_path / "run.npz"} if checkpointed else {}
    later = options | {"init": stopped} | file
    assert_same_bits(fastmlp.fit(x, y, epochs=4, **later), whole)
    if checkpointed:
        assert_same_bits(fastmlp.fit(x, y, epochs=4, resume=True, **later), whole)


def test_a_hundred_partial_steps_with_momentum_reach_what_one_fit_does(sine):
    x, y = sine
    options = {"hidden": 30, "rng": 0, "lr": "constant", "momentum": 0.9}
    got, _ = in_steps(x, y, epochs=100, **options)
    assert math.isclose(got.rmse(x, y), fastmlp.fit(x, y, epochs=100, **options).rmse(x, y), rel_tol=1e-12)

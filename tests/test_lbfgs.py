"""L-BFGS: gradients, iterates, the rules that end it, and how it works with the options of a fit."""

import signal
import sys
import threading
import types

import numpy as np
import pytest

import fastmlp
from fastmlp.engines import optimizers
from fastmlp.engines.engine import Problem, Rates, Record, Settings, Shape, Status, Weights
from fastmlp.engines.lbfgs.choice import engine_class
from fastmlp.engines.lbfgs.dense import FewInputsLBFGS, ManyInputsLBFGS
from fastmlp.engines.lbfgs.reference import ReferenceLBFGS
from fastmlp.engines.lbfgs.univariate import UnivariateLBFGS
from fastmlp.engines.reference import forward, gradients, squared_error

# Engine, n_in, n_out, negative_slope, weight_decay, the groups that are trained.
CASES = {
    "univariate": (UnivariateLBFGS, 1, 1, 0.0, 0.0, (1, 1, 1, 1)),
    "univariate, leaky, three outputs": (UnivariateLBFGS, 1, 3, 0.1, {"w1": 1e-3, "w2": 1e-2}, (1, 1, 1, 1)),
    "few inputs, no hidden bias": (FewInputsLBFGS, 3, 1, 0.0, 1e-3, (1, 0, 1, 1)),
    "few inputs, leaky, no output bias": (FewInputsLBFGS, 2, 1, -0.2, 0.0, (1, 1, 1, 0)),
    "many inputs": (ManyInputsLBFGS, 9, 2, 0.1, {"b1": 1e-3, "b2": 1e-2}, (1, 1, 1, 1)),
}
GROUPS = ("w1", "b1", "w2", "b2")


def settings_of(case, **options):
    _, _, _, negative_slope, weight_decay, trained = case
    if isinstance(weight_decay, dict):
        weight_decay = dict.fromkeys(GROUPS, 0.0) | weight_decay
    return Settings(
        Rates(*map(float, trained)), negative_slope, optimizer="lbfgs", weight_decay=weight_decay, **options
    )


def problem_of(problem, case, **sizes):
    _, n_in, n_out, _, _, trained = case
    x, y, sample_weight, init = problem(
        n_in, n_out, hidden_bias=bool(trained[1]), output_bias=bool(trained[3]), **sizes
    )
    return Problem(x, y, sample_weight / sample_weight.sum()), Weights(*init)


def plain_objective(theta, shapes, data, settings):
    """Return the objective, its gradient and the squared errors, by the functions of the reference."""
    parts = np.split(theta, np.cumsum([np.prod(shape, dtype=int) for shape in shapes])[:-1])
    weights = Weights(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))
    passed = forward(data.x, weights, settings.negative_slope)
    error = passed.h2 - data.y
    grads, _ = gradients(data.x, data.sample_weight[:, None] * error, passed, weights)
    objective = 0.5 * squared_error(error, data.sample_weight).sum()
    gradient = []
    for w, dw, decay, rate in zip(weights, grads, settings.decays, settings.rates, strict=True):
        objective += 0.5 * decay * (w**2).sum() * bool(rate)
        gradient.append(((dw + decay * w) * bool(rate)).ravel())
    return objective, np.concatenate(gradient), squared_error(error, data.sample_weight)


def plain_lbfgs(data, start, settings, n_steps):
    """Return the squared errors of L-BFGS with a dense inverse Hessian, updated from the pairs at every step."""
    shapes = [w.shape for w in start]
    theta = np.concatenate([w.ravel() for w in start])
    value, g, error = plain_objective(theta, shapes, data, settings)
    errors, pairs = [error], []
    for _ in range(n_steps):
        inverse = np.eye(theta.size)
        if pairs:
            s, y = pairs[-1]
            inverse *= (s @ y) / (y @ y)
        for s, y in pairs:
            left = np.eye(theta.size) - np.outer(s, y) / (s @ y)
            inverse = left @ inverse @ left.T + np.outer(s, s) / (s @ y)
        d = -inverse @ g
        low, high, t = 0.0, np.inf, 1.0 if pairs else 1.0 / np.linalg.norm(g)
        while True:
            new_value, new_g, error = plain_objective(theta + t * d, shapes, data, settings)
            if new_value > value + 1e-4 * t * (g @ d):
                high = t
            elif new_g @ d < 0.9 * (g @ d):
                low = t
            else:
                break
            t = (low + high) / 2 if high < np.inf else 2 * low
        if (new_g - g) @ d > 0:
            pairs = [*pairs, (t * d, new_g - g)][-20:]
        theta, value, g = theta + t * d, new_value, new_g
        errors.append(error)
    return np.array(errors)


@pytest.mark.parametrize("name", CASES)
def test_the_first_30_iterates_are_those_of_a_plain_implementation(problem, name):
    case = CASES[name]
    data, start = problem_of(problem, case, n_hidden=12)
    settings = settings_of(case)
    expected = plain_lbfgs(data, start, settings, 30)
    for engine in (case[0], ReferenceLBFGS):
        record = Record.empty(30, case[2])
        assert engine(data, start, settings).advance(30, record) == (30, Status.TRAINED)
        np.testing.assert_allclose(record.squared_error, expected, rtol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_gradients_are_central_differences(problem, name):
    case = CASES[name]
    data, start = problem_of(problem, case, n_hidden=6)
    settings = settings_of(case)
    engine = case[0](data, start, settings)
    got = np.concatenate([g.ravel() for g in engine._objective.unflattened(engine._run.iterate.gradient)])
    shapes = [w.shape for w in start]
    theta = np.concatenate([w.ravel() for w in start])
    is_trained = np.repeat(np.array(settings.rates) != 0, [w.size for w in start])
    for i in np.flatnonzero(is_trained):
        step = 1e-7 * np.eye(theta.size)[i]
        up, down = (plain_objective(theta + sign * step, shapes, data, settings)[0] for sign in (1, -1))
        assert got[i] == pytest.approx((up - down) / 2e-7, rel=1e-5, abs=1e-6)
    assert not got[~is_trained].any()


@pytest.mark.parametrize("case", [CASES["few inputs, no hidden bias"], CASES["many inputs"]])
def test_the_number_of_threads_changes_no_bit(problem, case):
    data, start = problem_of(problem, case, n_samples=300)
    records = []
    for threads in (1, 2, 3):
        record = Record.empty(40, case[2])
        case[0](data, start, settings_of(case, threads=threads, parts=3)).advance(40, record)
        records.append(record.squared_error)
    np.testing.assert_array_equal(records[1], records[0])
    np.testing.assert_array_equal(records[2], records[0])


def test_univariate_takes_ties_kinks_on_samples_and_dead_units():
    x = np.repeat([-2.0, -1.0, 0.0, 1.0, 3.0], [1, 2, 1, 3, 1])[:, None]
    y = np.arange(8.0)[:, None]
    s = np.arange(1.0, 9.0) / 36
    start = Weights(
        np.array([[1.0, -1.0, 0.0, 0.0, 2.0, -2.0, 1.0]]),
        np.array([-1.0, -1.0, 1.0, -1.0, 9.0, 9.0, -5.0]),
        np.ones((7, 1)),
        np.zeros(1),
    )
    for slope in (0.0, 0.3):
        settings = Settings(Rates(1.0, 1.0, 1.0, 1.0), slope, optimizer="lbfgs")
        engine = UnivariateLBFGS(Problem(x, y, s), start, settings)
        _, expected, error = plain_objective(
            np.concatenate([w.ravel() for w in start]), [w.shape for w in start], Problem(x, y, s), settings
        )
        got = engine._objective.unflattened(engine._run.iterate.gradient)
        np.testing.assert_allclose(np.concatenate([g.ravel() for g in got]), expected, atol=1e-13)
        record = Record.empty(0, 1)
        engine.advance(0, record)
        np.testing.assert_allclose(record.squared_error[0], error, rtol=1e-14)


@pytest.mark.parametrize("algorithm", ["univariate", "dense", "reference"])
def test_fits_end_by_themselves_and_never_rise(sine, algorithm):
    x, y = sine
    model = fastmlp.fit(x, y, hidden=5, optimizer="lbfgs", algorithm=algorithm, rng=0, epochs=5000)
    assert model.info.stop_reason in ("converged", "stalled")
    assert model.info.epochs_run < 5000
    assert model.history.rmse[-1] < 0.95 * model.history.rmse[0]
    assert (np.diff(model.history.rmse) <= 1e-15).all()
    assert model.info.lr == 1.0
    assert model.rmse(x, y) == pytest.approx(model.history.rmse[-1], rel=1e-9)


def test_a_start_without_gradient_is_converged():
    model = fastmlp.fit([0.0, 1.0], [0.0, 0.0], init=([[1.0]], [1.0], [[0.0]], [0.0]), optimizer="lbfgs", epochs=5)
    assert (model.info.stop_reason, model.info.epochs_run) == ("converged", 0)


def test_numbers_that_overflow_stall_or_are_refused():
    huge = ([[1e200]], [0.0], [[1e200]], [0.0])
    with pytest.raises(fastmlp.DivergenceError, match="initial weights"):
        fastmlp.fit([1.0, 2.0], [1.0, 2.0], init=huge, optimizer="lbfgs")
    with pytest.raises(fastmlp.DivergenceError, match="initial weights"):
        fastmlp.fit([-1.0, -2.0], [1.0, 2.0], init=huge, optimizer="lbfgs", weight_decay=1.0)
    model = fastmlp.fit([1.0, 2.0], [1e150, -3e150], hidden=3, init=1.0, rng=0, optimizer="lbfgs", epochs=50)
    assert np.isfinite(model.history.rmse).all()
    assert all(np.isfinite(w).all() for w in model.weights)


def test_the_whole_objective_decreases_with_a_penalty(problem):
    x, y, sample_weight, init = problem(2, 1)
    for decay in (0.01, {"w1": 0.01, "w2": 0.02}):
        penalties = dict.fromkeys(GROUPS, decay) if isinstance(decay, float) else decay

        def objective(model, penalties=penalties):
            penalty = sum(value * (getattr(model, group) ** 2).sum() for group, value in penalties.items())
            return model.rmse(x, y, sample_weight) ** 2 + penalty

        model = fastmlp.fit(
            x, y, sample_weight=sample_weight, init=init, optimizer="lbfgs", weight_decay=decay, epochs=3000
        )
        gradient = model.gradients(x, y, sample_weight)
        assert objective(model) < 0.3 * objective(fastmlp.Model(*init))
        # The minimum lies at kinks: where a unit has its kink on a sample, the gradient jumps and need not be small.
        is_smooth = np.abs(x @ model.w1 + model.b1).min(axis=0) > 1e-6
        assert is_smooth.sum() >= 5
        for group, columns in (("w1", is_smooth), ("b1", is_smooth), ("w2", is_smooth), ("b2", ...)):
            axis = -1 if group != "w2" else 0
            total = np.moveaxis(gradient[group] + penalties.get(group, 0.0) * getattr(model, group), axis, 0)
            np.testing.assert_allclose(total[columns], 0.0, atol=2e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (1, 2), (2, 1), (3, 2)])
def test_options_of_a_fit(problem, n_in, n_out, dtype):
    x, y, sample_weight, _ = problem(n_in, n_out, dtype=dtype)
    seen = []
    model = fastmlp.fit(
        x,
        y,
        hidden=20,
        optimizer="lbfgs",
        sample_weight=sample_weight,
        negative_slope=0.1,
        validation=(x[::2] + np.float32(0.05), y[::2]),
        patience=30,
        snapshots=[0, 5],
        callback=lambda info: seen.append(info.rmse),
        epochs=200,
        rng=0,
    )
    assert model.w1.dtype == dtype
    assert model.history.rmse[-1] < model.history.rmse[0]
    assert model.info.best_epoch == np.argmin(model.history.val_rmse)
    assert [*model.history.snapshots] == [0, 5]
    assert seen
    best = model.history.rmse[model.info.best_epoch]
    assert model.rmse(x, y, sample_weight) == pytest.approx(best, rel=1e-4 if dtype == np.float32 else 1e-9)


@pytest.mark.parametrize("option", ["hidden_bias", "output_bias"])
@pytest.mark.parametrize("algorithm", ["univariate", "dense", "reference"])
def test_a_disabled_bias_stays_0(sine, option, algorithm):
    model = fastmlp.fit(*sine, hidden=20, optimizer="lbfgs", algorithm=algorithm, epochs=50, rng=0, **{option: False})
    assert not (model.b1 if option == "hidden_bias" else model.b2).any()
    assert model.history.rmse[-1] < model.history.rmse[0]


@pytest.mark.parametrize("algorithm", ["univariate", "dense", "reference"])
def test_resuming_is_bitwise(sine, tmp_path, monkeypatch, algorithm):
    monkeypatch.setattr("fastmlp.training.chunks.CHUNK_SECONDS", 1e-9)  # else few epochs are one chunk
    options = {"hidden": 30, "optimizer": "lbfgs", "algorithm": algorithm, "rng": 0, "epochs": 120}
    whole = fastmlp.fit(*sine, **options)
    path = tmp_path / "fit.npz"
    calls = iter(range(10**6))
    stopped = fastmlp.fit(*sine, **options, checkpoint=path, callback=lambda _: next(calls) == 1)
    assert 0 < stopped.info.epochs_run < 120
    resumed = fastmlp.fit(*sine, **options, checkpoint=path, resume=True)
    np.testing.assert_array_equal(resumed.history.rmse, whole.history.rmse)
    for name in GROUPS:
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))


def test_a_resumed_fit_that_has_ended_keeps_its_reason(sine, tmp_path):
    options = {"hidden": 3, "optimizer": "lbfgs", "rng": 0, "epochs": 5000, "checkpoint": tmp_path / "fit.npz"}
    ended = fastmlp.fit(*sine, **options)
    resumed = fastmlp.fit(*sine, **options, resume=True)
    assert resumed.info.stop_reason == ended.info.stop_reason
    assert resumed.info.stop_reason in ("converged", "stalled")
    np.testing.assert_array_equal(resumed.w1, ended.w1)


@pytest.mark.parametrize("chunk_seconds", [1e-9, 1e-3])
def test_chunks_change_no_bit(sine, monkeypatch, chunk_seconds):
    whole = fastmlp.fit(*sine, hidden=30, optimizer="lbfgs", epochs=60, rng=0)
    monkeypatch.setattr("fastmlp.training.chunks.CHUNK_SECONDS", chunk_seconds)
    chunked = fastmlp.fit(*sine, hidden=30, optimizer="lbfgs", epochs=60, rng=0)
    np.testing.assert_array_equal(chunked.history.rmse, whole.history.rmse)


def test_ctrl_c_returns_the_model_so_far(problem):
    x, y, _, _ = problem(2, 1, n_samples=2000)
    timer = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])

    def interrupt(info):
        if info.epoch >= 5 and not timer.is_alive():
            signal.raise_signal(signal.SIGINT)

    with pytest.warns(RuntimeWarning, match="interrupted"):
        model = fastmlp.fit(x, y, hidden=100, optimizer="lbfgs", epochs=10**6, rng=0, callback=interrupt)
    assert model.info.stop_reason == "interrupted"


def test_many_fits_have_the_bits_of_single_ones(sine):
    jobs = [{"hidden": h} for h in (5, 10, 10, 10, 10, 10, 10, 10, 10, 10)]
    ensemble = fastmlp.fit_many(*sine, jobs, optimizer="lbfgs", epochs=40, rng=0)
    for i, model in enumerate(ensemble.models):
        rng = np.random.SeedSequence(0, spawn_key=(i,))
        alone = fastmlp.fit(*sine, hidden=jobs[i]["hidden"], optimizer="lbfgs", epochs=40, rng=rng, threads=1)
        np.testing.assert_array_equal(model.w1, alone.w1)


def test_a_drawn_start_is_solved_for_first_and_a_given_one_is_not(sine):
    x, y = sine
    drawn = fastmlp.fit(x, y, hidden=50, optimizer="lbfgs", epochs=1, rng=0)
    plain = fastmlp.fit(x, y, hidden=50, epochs=1, rng=0, snapshots=[0]).history.snapshots[0]
    given = fastmlp.fit(x, y, init=plain.weights, optimizer="lbfgs", epochs=1)
    assert drawn.history.rmse[0] < 0.1 * plain.rmse(x, y)
    assert given.history.rmse[0] == pytest.approx(plain.rmse(x, y), rel=1e-12)


def test_training_goes_on_from_a_model(sine):
    first = fastmlp.fit(*sine, hidden=20, epochs=100, rng=0)
    second = fastmlp.fit(*sine, init=first, optimizer="lbfgs", epochs=100)
    third = fastmlp.fit(*sine, init=second, optimizer="lbfgs", epochs=100)
    fourth = fastmlp.fit(*sine, init=third, epochs=10)
    errors = [model.rmse(*sine) for model in (first, second, third, fourth)]
    assert errors == sorted(errors, reverse=True)
    assert second.history.rmse[0] == pytest.approx(errors[0], rel=1e-9)
    assert fourth.info.lr != 1.0


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"lr": 0.1}, "lr"),
        ({"lr": {"w1": 0.1, "b1": 0.1, "w2": 0.0, "b2": 0.1}}, "lr"),
        ({"lr": lambda epoch: 0.1}, "lr"),
        ({"momentum": 0.9}, "momentum"),
        ({"momentum": 0.9, "nesterov": True}, "momentum"),
        ({"batch_size": 10}, "batch_size"),
        ({"batch_size": 1000}, "batch_size"),
        ({"stop_at_crossing": True}, "stop_at_crossing"),
        ({"weight_decay": {"w3": 1.0}}, "weight_decay"),
        ({"weight_decay": {"w1": -1.0}}, "weight_decay"),
        ({"weight_decay": -1.0}, "weight_decay"),
    ],
)
@pytest.mark.parametrize("optimizer", ["lbfgs", "lstsq"])
def test_refusals(sine, options, name, optimizer):
    with pytest.raises(ValueError, match=f"^{name}.* must be"):
        fastmlp.fit(*sine, hidden=5, optimizer=optimizer, **options)


class Shrinking(ReferenceLBFGS):
    """A toy: every epoch halves all weights, three times."""

    def advance(self, n_epochs, record):
        record.squared_error[0] = self._point.error
        for epoch in range(n_epochs):
            if self._n_small_decreases == 3:
                return epoch, Status.CONVERGED
            self._n_small_decreases += 1
            self._point = self._evaluate(self._point.theta / 2)
            record.squared_error[epoch + 1] = self._point.error
        return n_epochs, Status.TRAINED


def test_another_optimizer_is_one_module_and_one_line(sine, monkeypatch):
    module = types.ModuleType("shrinking")
    module.engine_class = lambda algorithm, shape: Shrinking
    monkeypatch.setitem(sys.modules, "shrinking", module)
    monkeypatch.setitem(optimizers.OPTIMIZERS, "shrinking", optimizers.Optimizer("shrinking"))
    init = ([[1.0, 2.0]], [4.0, 8.0], [[1.0], [2.0]], [1.0])
    model = fastmlp.fit(*sine, init=init, optimizer="shrinking")
    assert (model.info.stop_reason, model.info.epochs_run, model.info.optimizer) == ("converged", 3, "shrinking")
    np.testing.assert_array_equal(model.b1, [0.5, 1.0])
    with pytest.raises(ValueError, match="momentum must be 0"):
        fastmlp.fit(*sine, init=init, optimizer="shrinking", momentum=0.5)


def test_the_engine_of_each_shape():
    assert engine_class("reference", Shape(10, 1, 5, 1)) is ReferenceLBFGS
    assert engine_class("univariate", Shape(10, 1, 5, 1)) is UnivariateLBFGS
    assert engine_class("dense", Shape(10, 8, 5, 1)) is FewInputsLBFGS
    assert engine_class("dense", Shape(10, 9, 5, 1)) is ManyInputsLBFGS
    assert engine_class("dense", Shape(10, 2, 5, 2)) is ManyInputsLBFGS

"""Chunks, progress, callback, Ctrl-C, divergence: nothing is ever lost."""

import os
import pickle
import re
import signal
import subprocess
import sys
import termios
import threading
import time

import numpy as np
import pytest

import fastmlp
from fastmlp.engines.engine import Problem, Rates, Settings, Status, Weights
from fastmlp.engines.reference import ReferenceEngine
from fastmlp.training import loop
from fastmlp.training.recording import Recorder
from fastmlp.training.stopping import Stopping

ENGINES = pytest.mark.parametrize("algorithm", ["univariate", "dense", "reference"])


@ENGINES
def test_chunks_of_any_length_give_the_same_bits(sine, algorithm, monkeypatch):
    models = []
    for seconds in (1e-6, 1e-3, 1.0):
        monkeypatch.setattr(loop, "CHUNK_SECONDS", seconds)
        models.append(fastmlp.fit(*sine, hidden=30, epochs=700, rng=0, algorithm=algorithm, record_every=3))
    for model in models[1:]:
        np.testing.assert_array_equal(model.w1, models[0].w1)
        np.testing.assert_array_equal(model.history.rmse, models[0].history.rmse)


@ENGINES
def test_the_callback_sees_the_run_and_can_stop_it(sine, algorithm):
    seen = []

    def callback(info):
        seen.append(info)
        assert info.model.rmse(*sine) == pytest.approx(info.rmse, rel=1e-9)
        return info.epoch >= 20

    model = fastmlp.fit(*sine, hidden=30, epochs=10**6, rng=0, algorithm=algorithm, callback=callback)
    assert model.info.stop_reason == "callback"
    assert model.info.epochs_run == seen[-1].epoch == model.history.epoch[-1] >= 20
    assert model.history.rmse[-1] == seen[-1].rmse
    assert {info.epochs for info in seen} == {10**6}
    epochs, elapsed = [info.epoch for info in seen], [info.elapsed for info in seen]
    assert epochs == sorted(set(epochs))
    assert elapsed == sorted(elapsed)


def test_chunks_take_about_as_long_as_they_should(sine):
    elapsed = []
    fastmlp.fit(
        *sine, hidden=100, epochs=10**9, rng=0, callback=lambda info: elapsed.append(info.elapsed) or info.elapsed > 1
    )
    assert 8 < len(elapsed) < 60


def test_snapshots_do_not_multiply_callbacks(sine):
    calls = []
    fastmlp.fit(*sine, hidden=50, epochs=20_000, rng=0, snapshots=range(0, 20_000, 20), callback=calls.append)
    assert calls[-1].epoch == 20_000
    assert len(calls) < 100


def test_errors_of_the_callback_propagate(sine):
    def callback(info):
        raise KeyError(info.epoch)

    with pytest.raises(KeyError):
        fastmlp.fit(*sine, hidden=3, epochs=100, callback=callback)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@ENGINES
def test_ctrl_c_leaves_the_model_so_far(sine, algorithm):
    started = []

    def interrupt(info):
        if not started and info.elapsed > 0.2:
            started.append(time.perf_counter())
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.warns(RuntimeWarning, match=r"fit was interrupted after \d+ of 1000000000 epochs") as caught:
        model = fastmlp.fit(*sine, hidden=50, epochs=10**9, rng=0, algorithm=algorithm, callback=interrupt)
    assert caught[0].filename == __file__
    assert model.info.stop_reason == "interrupted"
    assert model.history.epoch[-1] == model.info.epochs_run > 0
    assert model.rmse(*sine) == pytest.approx(model.history.rmse[-1], rel=1e-9)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_within_a_chunk_ends_a_fit_within_a_second(sine):
    sent = []

    def interrupt():
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    fastmlp.fit(*sine, hidden=50, epochs=1)
    threading.Timer(0.5, interrupt).start()
    with pytest.warns(RuntimeWarning, match="interrupted"):
        model = fastmlp.fit(*sine, hidden=50, epochs=10**9, rng=0)
    assert time.perf_counter() - sent[0] < 1  # the contract's limit
    assert 0 < model.info.epochs_run < 10**9


def test_ctrl_c_in_the_last_chunk_is_not_lost(sine):
    def interrupt(info):
        if info.epoch == info.epochs:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.warns(RuntimeWarning, match="after 5 of 5 epochs"):
        model = fastmlp.fit(*sine, hidden=5, epochs=5, rng=0, callback=interrupt)
    assert (model.info.stop_reason, model.info.epochs_run) == ("interrupted", 5)


def test_ctrl_c_before_the_first_epoch_leaves_the_start(sine, monkeypatch):
    rates = fastmlp.starting.start.automatic_rates

    def interrupted_rate(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        return rates(*arguments, **options)

    monkeypatch.setattr("fastmlp.starting.start.automatic_rates", interrupted_rate)
    with pytest.warns(RuntimeWarning, match="after 0 of 100 epochs"):
        model = fastmlp.fit(*sine, hidden=50, epochs=100, rng=0)
    assert list(model.history.epoch) == [0]
    assert model.info.lr is None
    monkeypatch.undo()
    assert fastmlp.fit(*sine, init=model, epochs=1).info.lr == fastmlp.fit(*sine, hidden=50, epochs=1, rng=0).info.lr
    assert model.rmse(*sine) == pytest.approx(model.history.rmse[0], rel=1e-9)


def test_a_second_ctrl_c_acts_as_usual(sine):
    def insist(info):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fastmlp.fit(*sine, hidden=5, epochs=10**9, callback=insist)


def test_fits_in_other_threads_leave_signals_alone(sine):
    models = []
    thread = threading.Thread(target=lambda: models.append(fastmlp.fit(*sine, hidden=5, epochs=50, rng=0)))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(models[0].w1, fastmlp.fit(*sine, hidden=5, epochs=50, rng=0).w1)


@ENGINES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_divergence_names_its_epoch_and_keeps_the_last_finite_model(sine, algorithm, dtype):
    x, y = sine
    options = {"hidden": 40, "init": 0.5, "lr": 5.0, "rng": 0, "algorithm": algorithm, "dtype": dtype}
    with pytest.raises(fastmlp.DivergenceError, match=r"lr must be small enough .* got 5\.0") as caught:
        fastmlp.fit(x, y, epochs=10**6, **options)
    error = caught.value
    assert error.lr == 5.0
    assert f"finite, which at epoch {error.epoch} it is not" in str(error)
    last = fastmlp.fit(x, y, epochs=error.epoch - 1, **options)
    assert np.isfinite(last.history.rmse).all()
    for name in ("w1", "b1", "w2", "b2"):
        np.testing.assert_array_equal(getattr(error.model, name), getattr(last, name))
    with pytest.raises(fastmlp.DivergenceError):
        fastmlp.fit(x, y, epochs=error.epoch, **options)
    clone = pickle.loads(pickle.dumps(error))
    assert (clone.epoch, clone.lr, str(clone)) == (error.epoch, error.lr, str(error))


def test_float32_overflows_where_the_reference_does(sine):
    x, y = (array.astype(np.float32) for array in sine)
    epochs = []
    for algorithm in ("univariate", "dense", "reference"):
        with pytest.raises(fastmlp.DivergenceError) as caught:
            fastmlp.fit(x, np.float32(1e20) * y, hidden=8, init=0.5, lr=1.0, rng=0, algorithm=algorithm)
        epochs.append(caught.value.epoch)
    assert epochs[0] > 0
    assert len(set(epochs)) == 1


def test_a_weight_of_minus_infinity_is_divergence(assert_same_net):
    # Without padding and with positive x, a unit of weight -inf is inactive everywhere and leaves the RMSE finite.
    x, init = np.arange(1.0, 9.0), (np.array([[1e154]]), np.zeros(1), np.array([[1e-154]]), np.zeros(1))
    for algorithm in ("univariate", "dense", "reference"):
        with pytest.raises(fastmlp.DivergenceError) as caught:
            fastmlp.fit(x, 0 * x, init=init, lr=1e308, epochs=5, algorithm=algorithm)
        assert caught.value.epoch == 1


@ENGINES
def test_a_start_beyond_numbers_diverges_at_epoch_zero(sine, algorithm):
    init = (np.full((1, 2), 1e160), np.zeros(2), np.full((2, 1), 1e160), np.zeros(1))
    with pytest.raises(fastmlp.DivergenceError) as caught:
        fastmlp.fit(*sine, init=init, lr=1.0, epochs=3, algorithm=algorithm)
    assert caught.value.epoch == 0
    assert str(caught.value).startswith("init must be a start of finite RMSE")
    np.testing.assert_array_equal(caught.value.model.w1, init[0])


def test_what_is_printed_of_a_callbacks_argument_are_its_figures(sine):
    told = []
    fastmlp.fit(*sine, hidden=3, epochs=1, rng=0, callback=lambda info: told.append(repr(info)))
    assert re.fullmatch(r"CallbackInfo\(epoch=1, epochs=1, rmse=[\d.]+, elapsed=[\d.e-]+\)", told[0])


class ScriptedEngine:
    """Crosses a sample in every epoch from one on, and diverges at another; its weight is its epoch."""

    counts_crossings = True
    live_units = 3

    def __init__(self, first_crossing, divergence):
        self.epoch, self.first_crossing, self.divergence = 0, first_crossing, divergence

    def advance(self, n_epochs, record):
        epochs = self.epoch + np.arange(n_epochs + 1)
        record.crossings[: n_epochs + 1] = np.maximum(epochs - self.first_crossing + 1, 0)
        record.squared_error[: n_epochs + 1, 0] = np.where(epochs < self.divergence, 1.0, np.inf)
        self.epoch += n_epochs
        if self.epoch >= self.divergence:
            return int(np.argmax(epochs == self.divergence)) - 1, Status.DIVERGED
        return n_epochs, Status.TRAINED

    def weights(self):
        return self.epoch

    def state(self):
        return {"epoch": np.array(self.epoch)}

    def restore(self, state):
        self.epoch = int(state["epoch"])


def drive(engine, epochs, n_chunk=None, **options):
    """Stop at the first crossing; the model is the weights."""
    recorder = Recorder(epochs, 1, np.ones(1), counts_crossings=True)
    driven = loop.TrainingLoop(engine, epochs, recorder, lambda weights, *_: weights, 1.0, Stopping(at_crossing=True))
    if n_chunk is not None:
        driven._pace = loop._Pace(n_chunk)
        driven._pace.n_epochs = n_chunk
    with loop.Interrupt() as interrupt:
        return driven.run(interrupt, **options), recorder.history()


@pytest.mark.parametrize("n_chunk", [1, 6, 7, 8, 30, None])
@pytest.mark.parametrize("divergence", [8, 9, 10**9])
def test_the_first_crossing_ends_the_fit_and_comes_before_divergence(n_chunk, divergence):
    engine, told = ScriptedEngine(7, divergence), []
    outcome, history = drive(engine, 30, n_chunk, snapshots=[0, 3, 7, 8], callback=told.append)
    assert (outcome.epochs_run, outcome.stop_reason, outcome.crossings) == (7, "crossing", 1)
    assert engine.epoch == told[-1].epoch == 7
    np.testing.assert_array_equal(history.epoch, np.arange(8))
    np.testing.assert_array_equal(history.crossings, [0] * 7 + [1])
    assert not history.crossings.flags.writeable
    assert history.snapshots == {0: 0, 3: 3, 7: 7}


@pytest.mark.parametrize("n_chunk", [1, 6, 7, 30])
@pytest.mark.parametrize("first_crossing", [7, 8, 20])
def test_divergence_that_no_crossing_precedes_is_raised(n_chunk, first_crossing):
    engine = ScriptedEngine(first_crossing, 7)
    with pytest.raises(fastmlp.DivergenceError) as caught:
        drive(engine, 30, n_chunk)
    assert (caught.value.epoch, caught.value.model) == (7, 6)


def test_a_crossing_in_the_last_epoch_is_named_and_none_leaves_the_epochs():
    assert drive(ScriptedEngine(7, 10**9), 7, callback=lambda info: True, n_chunk=7)[0].stop_reason == "crossing"
    outcome, history = drive(ScriptedEngine(7, 10**9), 6)
    assert (outcome.stop_reason, outcome.crossings) == ("epochs", 0)
    np.testing.assert_array_equal(history.crossings, np.zeros(7))


def test_a_stop_at_the_first_crossing_leaves_the_weights_of_that_epoch(problem):
    x, y, _, init = problem(1, 1, n_hidden=5)
    options = {"init": init, "lr": 0.01, "algorithm": "reference"}
    whole = fastmlp.fit(x, y, epochs=300, **options)
    first = int(np.argmax(whole.history.crossings > 0))
    assert first > 5
    engine = ReferenceEngine(Problem(x, y, np.full(len(x), 1 / len(x))), Weights(*init), Settings(Rates(*[0.01] * 4)))
    outcome, history = drive(engine, 300)
    assert (outcome.stop_reason, outcome.epochs_run) == ("crossing", first)
    np.testing.assert_array_equal(history.crossings, whole.history.crossings[: first + 1])
    np.testing.assert_array_equal(engine.weights().w1, fastmlp.fit(x, y, epochs=first, **options).w1)


def test_the_bar_is_shown_when_asked_for(sine, capsys):
    fastmlp.fit(*sine, hidden=5, epochs=300, progress=True)
    shown = capsys.readouterr().err
    assert "300/300" in shown
    assert "RMSE" in shown
    fastmlp.fit(*sine, hidden=5, epochs=300)
    assert capsys.readouterr().err == ""


TERMINAL = """
import sys, fastmlp, numpy as np
x = np.linspace(-1, 1, 10)
end = float(sys.argv[1])
fastmlp.fit(x, x, hidden=5, epochs=10**9, rng=0, callback=lambda info: info.elapsed > end)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("seconds", "is_shown"), [(0.5, False), (4.0, True)])
def test_on_a_terminal_only_long_runs_show_a_bar(seconds, is_shown):
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (24, 100))
    subprocess.run([sys.executable, "-c", TERMINAL, str(seconds)], stderr=slave, check=True, timeout=60)
    os.close(slave)
    try:
        shown = os.read(master, 10**6)
    except OSError:
        shown = b""
    os.close(master)
    assert (b"RMSE" in shown) == is_shown

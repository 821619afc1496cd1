"""The training loop: chunks, callbacks, Ctrl-C, divergence, progress bars."""

import contextlib
import importlib
import os
import pickle
import re
import signal
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

import fastmlp
from fastmlp.compiled.threads import may_use_all_cores
from fastmlp.engines.engine import Problem, Rates, Settings, Status, Weights
from fastmlp.engines.reference import ReferenceEngine
from fastmlp.training import chunks
from fastmlp.training.callback import CallbackTimer
from fastmlp.training.interrupt import Interrupt, interruptible
from fastmlp.training.loop import TrainingLoop
from fastmlp.training.progress import Activity, progress_bar
from fastmlp.training.recording import Recorder
from fastmlp.training.stopping import StoppingRule

ENGINES = pytest.mark.parametrize("algorithm", ["univariate", "dense", "reference"])


@ENGINES
def test_chunks_of_any_length_give_the_same_bits(sine, algorithm, monkeypatch):
    models = []
    for seconds in (1e-6, 1e-3, 1.0):
        monkeypatch.setattr(chunks, "CHUNK_SECONDS", seconds)
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


def test_chunks_grow_until_they_take_as_long_as_they_should():
    seconds_per_epoch = 1e-6
    length = chunks.ChunkLength(10**9, 1)
    lengths = []
    for _ in range(8):
        lengths.append(length.n_epochs)
        length.measure(length.n_epochs, length.n_epochs * seconds_per_epoch)
    assert lengths == [1, 128, 16384, 75000, 75000, 75000, 75000, 75000]
    length.measure(75000, 0.75)  # the machine is busy
    assert length.n_epochs == 7500
    length.measure(7500, 1e9)
    assert length.n_epochs == 1


@pytest.mark.parametrize(("epochs", "n_out", "longest"), [(10, 1, 10), (10**9, 1, 2**18), (10**9, 2**19, 1)])
def test_chunks_are_no_longer_than_the_fit_and_its_record(epochs, n_out, longest):
    length = chunks.ChunkLength(epochs, n_out)
    for _ in range(8):
        length.measure(length.n_epochs, 0.0)
    assert length.n_epochs == length.longest == longest


def test_a_callback_is_due_when_the_epochs_of_a_whole_chunk_are_done():
    timer = CallbackTimer(seconds=1e9)
    assert [timer.is_due(3, 10, False) for _ in range(8)] == [False] * 3 + [True] + [False] * 3 + [True]
    assert timer.is_due(3, 10, True)
    assert CallbackTimer(seconds=0.0).is_due(3, 10, False)


def test_snapshots_do_not_multiply_callbacks(sine):
    calls = []
    fastmlp.fit(*sine, hidden=50, epochs=20_000, rng=0, snapshots=range(0, 20_000, 20), callback=calls.append)
    assert calls[-1].epoch == 20_000
    assert len(calls) < 100


@pytest.mark.parametrize("algorithm", ["reference", "univariate"])
def test_callbacks_at_given_epochs_do_not_depend_on_the_clock(sine, algorithm):
    x, y = sine
    held_out = x + 0.01, np.sin(x + 0.01)
    options = {"hidden": 30, "rng": 0, "lr": 0.01, "algorithm": algorithm, "validation": held_out, "record_every": 30}
    seen = []

    def note(info):
        seen.append((info.epoch, info.rmse, info.val_rmse, info.model.rmse(*held_out)))

    model = fastmlp.fit(x, y, epochs=250, callback=note, callback_every=40, snapshots=[50], **options)
    assert [epoch for epoch, *_ in seen] == [40, 80, 120, 160, 200, 240, 250]
    for epoch, rmse, val_rmse, expected in seen:  # recorded or not
        assert val_rmse == pytest.approx(expected, rel=1e-9)
        assert rmse == pytest.approx(fastmlp.fit(x, y, epochs=epoch, **options).history.rmse[-1], rel=1e-12)
    assert seen[2][2] == model.history.val_rmse[4]
    stopped = fastmlp.fit(x, y, epochs=250, callback=lambda info: info.epoch == 80, callback_every=40, **options)
    assert (stopped.info.epochs_run, stopped.info.stop_reason) == (80, "callback")
    nothing = []
    fastmlp.fit(x, y, hidden=3, epochs=2, callback=lambda info: nothing.append(info.val_rmse))
    assert nothing[-1] is None
    with pytest.raises(ValueError, match="callback_every must be None without callback, got 5"):
        fastmlp.fit(x, y, callback_every=5)
    with pytest.raises(ValueError, match="callback_every must be at least 1, got 0"):
        fastmlp.fit(x, y, callback=note, callback_every=0)


def test_errors_of_the_callback_propagate(sine):
    def callback(info):
        raise KeyError(info.epoch)

    with pytest.raises(KeyError):
        fastmlp.fit(*sine, hidden=3, epochs=100, callback=callback)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@ENGINES
def test_ctrl_c_leaves_the_model_so_far(sine, algorithm):
    sent = []

    def interrupt(info):
        if not sent and info.epoch > 20:
            sent.append(info.epoch)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.warns(RuntimeWarning, match=r"fit was interrupted after \d+ of 1000000000 epochs") as caught:
        model = fastmlp.fit(*sine, hidden=50, epochs=10**9, rng=0, algorithm=algorithm, callback=interrupt)
    assert caught[0].filename == __file__
    assert model.info.stop_reason == "interrupted"
    assert [model.history.epoch[-1], model.info.epochs_run] == sent * 2
    assert model.rmse(*sine) == pytest.approx(model.history.rmse[-1], rel=1e-9)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_within_a_chunk_ends_the_fit_after_that_chunk():
    class InterruptedEngine(ScriptedEngine):
        def advance(self, n_epochs, record):
            if self.epoch == 12 and n_epochs:
                os.kill(os.getpid(), signal.SIGINT)
            return super().advance(n_epochs, record)

    told = []
    with pytest.warns(RuntimeWarning, match="fit was interrupted after 18 of 1000000 epochs"):
        summary, history = run_loop(InterruptedEngine(), 10**6, 6, callback=told.append)
    assert (summary.epochs_run, summary.stop_reason) == (18, "interrupted")
    assert [info.epoch for info in told] == [6, 12, 18]
    assert history.epoch[-1] == 18


def test_ctrl_c_in_the_last_chunk_is_not_lost(sine):
    def interrupt(info):
        if info.epoch == info.epochs:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.warns(RuntimeWarning, match="after 5 of 5 epochs"):
        model = fastmlp.fit(*sine, hidden=5, epochs=5, rng=0, callback=interrupt)
    assert (model.info.stop_reason, model.info.epochs_run) == ("interrupted", 5)


STEPS = {  # of a fit before its first epoch, and a function in each
    "coordinates": "pipeline.find_coordinates",
    "weights": "starting.start.initial_weights",
    "rate": "starting.start.automatic_rates",
    "product": "starting.lanczos.norm",
    "problem": "pipeline.make_problem",
    "compilation": "pipeline.engine_class",
    "loop": "pipeline.TrainingLoop",
}


@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_before_the_first_epoch_raises_at_once(sine, monkeypatch, step, size):
    module, _, name = f"fastmlp.{STEPS[step]}".rpartition(".")
    original = getattr(importlib.import_module(module), name)

    def pressed(*arguments, **options):
        os.kill(os.getpid(), signal.SIGINT)
        return original(*arguments, **options)

    monkeypatch.setattr(f"{module}.{name}", pressed)
    if size == "large":
        monkeypatch.setattr("fastmlp.pipeline.LONG_START", 0.0)  # another thread takes these steps
    x, y = (np.linspace(-1, 1, 200),) * 2 if step == "product" else sine
    with pytest.raises(KeyboardInterrupt):
        fastmlp.fit(x, y, hidden=50, epochs=100, rng=0)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    monkeypatch.undo()
    assert fastmlp.fit(*sine, hidden=5, epochs=3, rng=0).info.stop_reason == "epochs"


@pytest.mark.parametrize("is_repeated", [False, True])
def test_a_ctrl_c_that_was_lost_is_raised_again(sine, monkeypatch, is_repeated):
    def loses(*arguments, **options):
        with contextlib.suppress(KeyboardInterrupt):  # as in a function that C code calls
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(30)
        if is_repeated:
            time.sleep(30)
        return Weights(np.ones((1, 5)), np.ones(5), np.ones((5, 1)), np.zeros(1))

    monkeypatch.setattr("fastmlp.starting.start.initial_weights", loses)
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        fastmlp.fit(*sine, hidden=5, epochs=100, rng=0)
    assert time.perf_counter() - started < 20


def test_ctrl_c_before_the_first_epoch_writes_no_checkpoint():
    recorder = Recorder(30, 1, np.ones(1), counts_crossings=True)
    loop = TrainingLoop(ScriptedEngine(), recorder, ScriptedModel, StoppingRule())
    with Interrupt() as interrupt, Activity(False) as activity:
        interrupt.defer()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            loop.run(interrupt, activity, checkpoint=SimpleNamespace(write=None))


def test_a_long_call_in_another_thread_does_not_delay_ctrl_c():
    release = threading.Event()
    press = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    press.start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        interruptible(lambda: release.wait(30))
    assert time.perf_counter() - started < 10
    release.set()
    press.join()
    assert interruptible(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)
    assert interruptible(may_use_all_cores) == may_use_all_cores()  # it works for the main thread


def test_large_nets_have_the_bits_of_small_ones(sine, monkeypatch):
    expected = fastmlp.fit(*sine, hidden=30, epochs=20, rng=0)
    monkeypatch.setattr("fastmlp.pipeline.LONG_START", 0.0)
    got = fastmlp.fit(*sine, hidden=30, epochs=20, rng=0)
    np.testing.assert_array_equal(got.w1, expected.w1)
    assert got.history.rmse.tobytes() == expected.history.rmse.tobytes()


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
    with pytest.raises(
        fastmlp.DivergenceError, match=r"Training diverged at epoch \d+ with lr=5\.0\. Use a smaller lr"
    ) as caught:
        fastmlp.fit(x, y, epochs=10**6, **options)
    error = caught.value
    assert error.lr == 5.0
    assert f"at epoch {error.epoch} with" in str(error)
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


# One unit that is active on both samples until the first update, which momentum repeats: w1 is -1.25e38, -2.375e38,
# -3.3875e38 and then beyond float32, while b2 goes on to improve.
OVERFLOWING = {
    "init": (np.ones((1, 1)), np.zeros(1), np.ones((1, 1)), np.ones(1)),
    "lr": {"w1": 1.25e38 / 1.375, "b1": 0.0, "w2": 0.0, "b2": 0.01},
    "momentum": 0.9,
    "dtype": np.float32,
}


def assert_overflow_at_epoch_4(error):
    assert error.epoch == error.model.info.epochs_run + 1 == 4
    assert error.lr == OVERFLOWING["lr"]
    assert error.model.w1[0, 0] == pytest.approx(-3.3875e38, rel=1e-5)


@ENGINES
@pytest.mark.parametrize("n_chunk", [1, 2, 5, 9, None])
def test_weights_that_overflow_in_units_without_active_samples_are_divergence(algorithm, n_chunk, monkeypatch):
    if n_chunk is not None:
        monkeypatch.setattr(chunks.ChunkLength, "measure", lambda self, *_: setattr(self, "n_epochs", n_chunk))
    for epochs in (4, 5, 9, 100):
        with pytest.raises(fastmlp.DivergenceError, match="Training diverged at epoch 4") as caught:
            fastmlp.fit([0.5, 1.0], [0.0, 0.0], epochs=epochs, algorithm=algorithm, **OVERFLOWING)
        assert_overflow_at_epoch_4(caught.value)
    model = fastmlp.fit([0.5, 1.0], [0.0, 0.0], epochs=3, algorithm=algorithm, **OVERFLOWING)
    assert model.info.stop_reason == "epochs"


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 5},
        {"snapshots": [3, 7]},
        {"callback": lambda info: info.model is None},
        {"record_every": 7},
    ],
)
def test_weights_that_overflow_are_divergence_whatever_else_is_asked_for(options):
    with pytest.raises(fastmlp.DivergenceError) as caught:
        fastmlp.fit([0.5, 1.0], [0.0, 0.0], epochs=9, **OVERFLOWING, **options)
    assert_overflow_at_epoch_4(caught.value)


def test_weights_that_overflow_are_divergence_with_a_checkpoint(tmp_path):
    options = {**OVERFLOWING, "checkpoint": tmp_path / "state.npz"}
    with pytest.raises(fastmlp.DivergenceError) as caught:
        fastmlp.fit([0.5, 1.0], [0.0, 0.0], epochs=9, checkpoint_every=1e-9, **options)
    assert_overflow_at_epoch_4(caught.value)
    with pytest.raises(fastmlp.DivergenceError) as caught:
        fastmlp.fit([0.5, 1.0], [0.0, 0.0], epochs=9, resume=True, **options)
    assert_overflow_at_epoch_4(caught.value)


def test_a_best_epoch_before_the_overflow_is_returned():
    # Without a trained b2 the error stays at its lowest: epoch 1 is the best, and the later weights do not count.
    rates = {**OVERFLOWING["lr"], "b2": 0.0}
    options = {**OVERFLOWING, "lr": rates, "patience": 50}
    model = fastmlp.fit([0.5, 1.0], [0.0, 0.0], epochs=9, **options)
    assert (model.info.best_epoch, model.info.epochs_run) == (1, 9)
    np.testing.assert_allclose(model.w1, -1.25e38, rtol=1e-6)


def test_a_best_epoch_after_the_overflow_is_divergence():
    # The unit is inactive and takes no part in the error, which b2 lowers to the last epoch.
    with pytest.raises(fastmlp.DivergenceError) as caught:
        fastmlp.fit([0.5, 1.0], [0.0, 0.0], epochs=9, validation=([0.5], [0.0]), patience=50, **OVERFLOWING)
    assert_overflow_at_epoch_4(caught.value)


@ENGINES
def test_weights_that_overflow_in_the_units_of_the_data_only_are_divergence(algorithm):
    # In the coordinates of the training w2 is 10 (1 - 0.98^epoch), in the units of the data 3e38 times as much.
    init = (np.full((1, 1), 0.1), np.zeros(1), np.zeros((1, 1)), np.zeros(1))
    rates = {"w1": 0.0, "b1": 0.0, "w2": 4.0, "b2": 0.0}
    options = {"init": init, "lr": rates, "epochs": 9, "standardize": True, "dtype": np.float32}
    with pytest.raises(fastmlp.DivergenceError) as caught:
        fastmlp.fit([-1.0, 1.0], [-3e38, 3e38], algorithm=algorithm, **options)
    assert caught.value.epoch == 6
    np.testing.assert_allclose(caught.value.model.w2, 3e39 * (1 - 0.98**5), rtol=1e-5)


@ENGINES
@pytest.mark.parametrize("size", [1e153, 1e155])
def test_an_rmse_above_1e154_counts_as_infinite(algorithm, size):
    init = (np.ones((1, 1)), np.zeros(1), np.full((1, 1), size), np.zeros(1))
    frozen = {"w1": 0.0, "b1": 0.0, "w2": 0.0, "b2": 0.5}
    options = {"init": init, "lr": frozen, "epochs": 2, "algorithm": algorithm}
    if size < 1e154:
        assert fastmlp.fit([1.0, 1.0], [0.0, 0.0], **options).history.rmse[0] == pytest.approx(size)
        return
    assert fastmlp.Model(*init).rmse([1.0, 1.0], [0.0, 0.0]) == pytest.approx(size)
    with pytest.raises(fastmlp.DivergenceError, match="infinite or undefined squared error") as caught:
        fastmlp.fit([1.0, 1.0], [0.0, 0.0], **options)
    assert caught.value.epoch == 0


@ENGINES
def test_the_first_rmse_above_1e154_is_the_epoch_of_divergence(algorithm):
    # Each update multiplies the error by -1e39.
    init = (np.zeros((1, 1)), np.zeros(1), np.zeros((1, 1)), np.ones(1))
    frozen = {"w1": 0.0, "b1": 0.0, "w2": 0.0, "b2": 1e39}
    with pytest.raises(fastmlp.DivergenceError) as caught:
        fastmlp.fit([1.0, 2.0], [0.0, 0.0], init=init, lr=frozen, epochs=9, algorithm=algorithm)
    assert caught.value.epoch == 4
    np.testing.assert_allclose(caught.value.model.b2, -1e117, rtol=1e-12)


@ENGINES
def test_a_start_beyond_numbers_diverges_at_epoch_zero(sine, algorithm):
    init = (np.full((1, 2), 1e160), np.zeros(2), np.full((2, 1), 1e160), np.zeros(1))
    with pytest.raises(fastmlp.DivergenceError) as caught:
        fastmlp.fit(*sine, init=init, lr=1.0, epochs=3, algorithm=algorithm)
    assert caught.value.epoch == 0
    assert str(caught.value).startswith("The initial weights have an infinite or undefined squared error. Rescale")
    np.testing.assert_array_equal(caught.value.model.w1, init[0])


def test_the_repr_of_a_callbacks_argument_shows_its_numbers(sine):
    told = []
    fastmlp.fit(*sine, hidden=3, epochs=1, rng=0, callback=lambda info: told.append(repr(info)))
    assert re.fullmatch(r"CallbackInfo\(epoch=1, epochs=1, rmse=[\d.]+, elapsed=[\d.e-]+\)", told[0])


class ScriptedEngine:
    """Crosses a sample in every epoch from first_crossing on, and diverges at another; its weight is its epoch."""

    counts_crossings = True
    live_units = 3

    def __init__(self, first_crossing=10**9, divergence=10**9):
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


def run_loop(engine, epochs, n_chunk=None, **options):
    """Train to the first crossing; return the summary and the history."""
    recorder = Recorder(epochs, 1, np.ones(1), counts_crossings=True)
    loop = TrainingLoop(engine, recorder, ScriptedModel, StoppingRule(at_crossing=True))
    if n_chunk is not None:
        loop._chunk_length = SimpleNamespace(n_epochs=n_chunk, measure=lambda n_epochs, seconds: None)
    with Interrupt() as interrupt, Activity(False) as activity:
        interrupt.defer()
        return loop.run(interrupt, activity, **options), recorder.history()


class ScriptedModel:
    info = SimpleNamespace(lr=1.0, lr_schedule=None)

    def __init__(self, weights, summary, history):
        self.weights = weights


@pytest.mark.parametrize("n_chunk", [1, 6, 7, 8, 30, None])
@pytest.mark.parametrize("divergence", [8, 9, 10**9])
def test_the_first_crossing_ends_the_fit_and_comes_before_divergence(n_chunk, divergence):
    engine, told = ScriptedEngine(7, divergence), []
    summary, history = run_loop(engine, 30, n_chunk, snapshots=[0, 3, 7, 8], callback=told.append)
    assert (summary.epochs_run, summary.stop_reason, summary.crossings) == (7, "crossing", 1)
    assert engine.epoch == told[-1].epoch == 7
    np.testing.assert_array_equal(history.epoch, np.arange(8))
    np.testing.assert_array_equal(history.crossings, [0] * 7 + [1])
    assert not history.crossings.flags.writeable
    assert {epoch: model.weights for epoch, model in history.snapshots.items()} == {0: 0, 3: 3, 7: 7}


@pytest.mark.parametrize("n_chunk", [1, 6, 7, 30])
@pytest.mark.parametrize("first_crossing", [7, 8, 20])
def test_divergence_that_no_crossing_precedes_is_raised(n_chunk, first_crossing):
    engine = ScriptedEngine(first_crossing, 7)
    with pytest.raises(fastmlp.DivergenceError) as caught:
        run_loop(engine, 30, n_chunk)
    assert (caught.value.epoch, caught.value.lr, caught.value.model.weights) == (7, 1.0, 6)


def test_a_crossing_in_the_last_epoch_is_named_and_none_leaves_the_epochs():
    assert run_loop(ScriptedEngine(7, 10**9), 7, callback=lambda info: True, n_chunk=7)[0].stop_reason == "crossing"
    summary, history = run_loop(ScriptedEngine(7, 10**9), 6)
    assert (summary.stop_reason, summary.crossings) == ("epochs", 0)
    np.testing.assert_array_equal(history.crossings, np.zeros(7))


def test_a_stop_at_the_first_crossing_leaves_the_weights_of_that_epoch(problem):
    x, y, _, init = problem(1, 1, n_hidden=5)
    options = {"init": init, "lr": 0.01, "algorithm": "reference"}
    whole = fastmlp.fit(x, y, epochs=300, **options)
    first = int(np.argmax(whole.history.crossings > 0))
    assert first > 5
    engine = ReferenceEngine(Problem(x, y, np.full(len(x), 1 / len(x))), Weights(*init), Settings(Rates(*[0.01] * 4)))
    summary, history = run_loop(engine, 300)
    assert (summary.stop_reason, summary.epochs_run) == ("crossing", first)
    np.testing.assert_array_equal(history.crossings, whole.history.crossings[: first + 1])
    np.testing.assert_array_equal(engine.weights().w1, fastmlp.fit(x, y, epochs=first, **options).w1)


def test_the_bar_is_shown_when_asked_for(sine, capsys):
    fastmlp.fit(*sine, hidden=5, epochs=300, progress=True)
    shown = capsys.readouterr().err
    assert "300/300" in shown
    assert "RMSE" in shown
    fastmlp.fit(*sine, hidden=5, epochs=300)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("progress", "is_terminal", "delay"),
    [(None, True, 2.0), (None, False, None), (True, False, 0.0), (False, True, None)],
)
def test_without_being_asked_for_the_bar_waits_two_seconds_on_a_terminal(progress, is_terminal, delay, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    with progress_bar(10, 3, progress) as bar:
        bar.update(7)
        bar.set_postfix_str("RMSE 1", refresh=False)
        assert getattr(bar, "delay", None) == delay

"""Threads of the dense engine: any number agrees with the reference, and none is ever waited for in vain."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

import fastmlp
from fastmlp.compiled.threads import may_use_all_cores, usable_cores
from fastmlp.engines.dense.engine import dense_engine, worthwhile_threads
from fastmlp.engines.engine import Problem, Rates, Record, Settings, Shape, Status, Weights
from fastmlp.engines.reference import ReferenceEngine

WEIGHTS = ("w1", "b1", "w2", "b2")
ADAM = {"optimizer": "adam", "weight_decay": 1e-3}


def engine(problem, n_in, n_out, n_samples=200, kind=dense_engine, **options):
    x, y, sample_weight, init = problem(n_in, n_out, n_samples)
    data = Problem(x, y, sample_weight / sample_weight.sum())
    return kind(n_in, n_out)(data, Weights(*init), Settings(Rates(0.02, 0.02, 0.03, 0.01), 0.1, **options))


@pytest.fixture
def no_thread_stays():
    """Assert that a test leaves as many threads as it found: those of others, as joblib's, may be among them."""
    before = threading.active_count()
    yield
    assert threading.active_count() == before


def assert_same_bits(got, expected):
    for got_array, expected_array in zip(got, expected, strict=True):
        np.testing.assert_array_equal(got_array, expected_array)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, ADAM, {"batch_size": 150}], ids=["plain", "adam", "batches"])
@pytest.mark.parametrize(("n_in", "n_out"), [(2, 1), (3, 2)])
def test_any_number_of_threads_equals_reference(problem, n_in, n_out, options, threads):
    for n_samples in (1, 33, 70, 1031):
        got = engine(problem, n_in, n_out, n_samples, threads=threads, **options)
        expected = engine(problem, n_in, n_out, n_samples, kind=lambda *_: ReferenceEngine, **options)
        records = [Record.empty(30, n_out) for _ in range(2)]
        for trained, record in zip((got, expected), records, strict=True):
            assert trained.advance(30, record) == (30, Status.TRAINED)
        arrays = (
            (*trained.weights(), record.squared_error) for trained, record in zip((got, expected), records, strict=True)
        )
        for got_array, expected_array in zip(*arrays, strict=True):
            np.testing.assert_allclose(got_array, expected_array, rtol=0, atol=1e-12 * np.abs(expected_array).max())


@pytest.mark.parametrize("options", [{}, ADAM, {"batch_size": 150}], ids=["plain", "adam", "batches"])
@pytest.mark.parametrize(("n_in", "n_out"), [(2, 1), (3, 2)])
@pytest.mark.parametrize("threads", [3, 9])  # from 8 on NumPy would add in another order
def test_chunks_and_restored_states_go_on_bitwise_with_threads(problem, n_in, n_out, options, threads):
    options = options | {"n_samples": 400, "threads": threads}
    whole, chunked = (engine(problem, n_in, n_out, **options) for _ in range(2))
    expected, got = Record.empty(60, n_out), Record.empty(60, n_out)
    whole.advance(60, expected)
    states = {}
    for first, stop in ((0, 1), (1, 1), (1, 20), (20, 60)):
        states[first] = chunked.state()
        chunked.advance(stop - first, got[first : stop + 1])
    np.testing.assert_array_equal(got.squared_error, expected.squared_error)
    assert_same_bits(chunked.weights(), whole.weights())
    fresh = engine(problem, n_in, n_out, **options)
    for restored in (chunked, fresh):
        restored.restore(states[20])
        restored.advance(40, got[20:])
        np.testing.assert_array_equal(got.squared_error, expected.squared_error)
        assert_same_bits(restored.weights(), whole.weights())


def test_states_go_on_bitwise_with_many_threads(problem):
    # NumPy adds a column of 8 or more in another order than the kernels; rounding hides it from most nets for long.
    seeded = partial(problem, seed=2)
    whole, chunked = (engine(seeded, 9, 1, threads=9, **ADAM) for _ in range(2))
    record = Record.empty(40, 1)
    whole.advance(40, record)
    for _ in range(40):
        chunked.restore(chunked.state())
        chunked.advance(1, record)
    assert_same_bits(chunked.state().values(), whole.state().values())


def test_other_numbers_of_threads_go_on_from_a_state(problem):
    three, one = (engine(problem, 2, 1, threads=threads) for threads in (3, 1))
    record = Record.empty(20, 1)
    three.advance(20, record)
    one.restore(three.state())
    for trained in (three, one):
        trained.advance(20, record)
    for got, expected in zip(one.weights(), three.weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)


@pytest.mark.parametrize("n_started", [0, 1])
def test_threads_that_cannot_be_had_are_done_without(problem, monkeypatch, n_started):
    record = Record.empty(50, 1)
    expected = engine(problem, 2, 1, threads=3)
    expected.advance(50, record)
    start, started = threading.Thread.start, []

    def refuse(thread):
        if len(started) == n_started:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    got = engine(problem, 2, 1, threads=3)
    got.advance(50, record)
    assert_same_bits(got.weights(), expected.weights())


def test_fits_in_several_threads_at_once_give_the_bits_of_one_alone(problem, no_thread_stays):
    x, y, _, init = problem(3, 2, 300)

    def fit(threads):
        return fastmlp.fit(x, y, init=init, lr=1e-2, epochs=300, threads=threads)

    expected = {threads: fit(threads) for threads in (1, 2)}
    with ThreadPoolExecutor(4) as pool:
        for threads, got in zip((1, 2) * 4, pool.map(fit, (1, 2) * 4), strict=True):
            assert_same_bits(got.weights, expected[threads].weights)


def test_divergence_ends_all_threads(problem, no_thread_stays):
    x, y, _, init = problem(3, 2, 300)
    epochs = []
    for threads in (1, 2, 3):
        with pytest.raises(fastmlp.DivergenceError) as raised:
            fastmlp.fit(x, y, init=init, lr=30.0, epochs=1000, threads=threads)
        assert np.isfinite(raised.value.model.w1).all()
        epochs.append(raised.value.epoch)
    assert len(set(epochs)) == 1


def test_only_the_main_thread_of_the_main_process_takes_more_than_one_unasked():
    assert 1 <= usable_cores() <= os.cpu_count()
    assert may_use_all_cores()
    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(may_use_all_cores).result()


def test_the_bits_of_a_long_update_are_those_of_the_main_thread_everywhere(problem, monkeypatch):
    monkeypatch.setattr("fastmlp.compiled.threads.usable_cores", lambda: 2)
    x, y, _, init = problem(9, 1, 1000, 120)
    assert worthwhile_threads(Shape(1000, 9, 120, 1), None, 2) == 2

    def fit(threads=None):
        return fastmlp.fit(x, y, init=init, lr=1e-2, epochs=20, threads=threads).weights

    expected = fit()
    with ThreadPoolExecutor(1) as pool:
        assert_same_bits(pool.submit(fit).result(), expected)
    assert_same_bits(fit(threads=2), expected)


def test_short_updates_take_one_thread():
    assert worthwhile_threads(Shape(100, 1, 100, 1), None, 8) == 1
    assert worthwhile_threads(Shape(10_000, 16, 1000, 1), None, 8) == 8
    assert worthwhile_threads(Shape(10_000, 16, 1000, 1), 32, 8) == 1


@pytest.mark.parametrize(
    ("threads", "error", "words"),
    [
        (0, ValueError, r"threads must be .*, got 0\."),
        (1.5, TypeError, r"threads must be .*, got 1\.5\."),
        (True, TypeError, r"threads must be .*, got True\."),
    ],
)
def test_wrong_numbers_of_threads_are_refused(sine, threads, error, words):
    with pytest.raises(error, match=words):
        fastmlp.fit(*sine, threads=threads)


def run(code):
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_after_a_fit_in_threads_fits_as_well():
    code = """
import os, fastmlp, numpy as np
rng = np.random.default_rng(0)
x, y = rng.normal(size=(500, 3)), rng.normal(size=(500, 2))
def fit():
    return fastmlp.fit(x, y, hidden=50, epochs=200, rng=0, threads=2).w1.tobytes()
expected = fit()
child = os.fork()
if not child:
    os._exit(0 if fit() == expected else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), fit() == expected)
"""
    assert run(code) == ["0", "True"]


def test_ctrl_c_ends_a_fit_in_threads(problem, no_thread_stays):
    x, y, _, init = problem(3, 2, 300)
    fastmlp.fit(x, y, init=init, epochs=1)  # compiles
    press = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))

    def begin(info):
        if not press.ident:
            press.start()

    with pytest.warns(RuntimeWarning, match="interrupted"):
        model = fastmlp.fit(x, y, init=init, epochs=10**9, threads=2, callback=begin)
    assert model.info.stop_reason == "interrupted"
    press.join()

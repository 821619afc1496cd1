"""Fits that are cut off anywhere and go on as if they had never stopped."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import fastmlp
from fastmlp.files import archives
from fastmlp.training import chunks
from fastmlp.training.checkpoints import Checkpoint

ENGINES = pytest.mark.parametrize("algorithm", ["univariate", "dense", "reference"])


class CutError(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture
def noisy():
    rng = np.random.default_rng(3)
    x = rng.uniform(-3, 3, 40)
    y = np.sin(x) + 0.5 * rng.normal(size=40)
    return x[:20], y[:20], (x[20:], y[20:])


@pytest.fixture
def short_chunks(monkeypatch):
    """Fits in chunks of 8 epochs, whatever these take."""
    monkeypatch.setattr(chunks.ChunkLength, "measure", lambda self, n_epochs, seconds: setattr(self, "n_epochs", 8))
    monkeypatch.setattr("fastmlp.files.atomic.os.fsync", lambda descriptor: None)  # ten milliseconds each


def assert_identical(got, expected):
    for name in ("w1", "b1", "w2", "b2"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    for name in ("epoch", "rmse", "val_rmse", "crossings"):
        np.testing.assert_array_equal(getattr(got.history, name), getattr(expected.history, name))
    for name in ("lr", "method", "epochs_run", "best_epoch", "stop_reason", "crossings", "live_units", "algorithm"):
        assert getattr(got.info, name) == getattr(expected.info, name), name
    assert got.history.snapshots.keys() == expected.history.snapshots.keys()
    for epoch, snapshot in expected.history.snapshots.items():
        np.testing.assert_array_equal(got.history.snapshots[epoch].w1, snapshot.w1)


def cut_and_resumed(path, x, y, *, cuts=(0.2, 0.5, 0.9), **options):
    """Fit, but cut off a few times after a share of the epochs."""
    epochs = options["epochs"]
    for share in cuts:

        def cut(info, share=share):
            if info.epoch >= share * epochs:
                raise CutError

        with pytest.raises(CutError):
            fastmlp.fit(x, y, checkpoint=path, checkpoint_every=0, resume=True, callback=cut, **options)
    return fastmlp.fit(x, y, checkpoint=path, checkpoint_every=0, resume=True, **options)


@ENGINES
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_resumed_fit_is_the_one_that_never_stopped(noisy, algorithm, dtype, tmp_path, short_chunks):
    x, y, _ = noisy
    options = {"hidden": 30, "epochs": 400, "rng": 0, "record_every": 7, "snapshots": [0, 100, 250, 400]}
    options |= {"algorithm": algorithm, "dtype": dtype}
    got = cut_and_resumed(tmp_path / "run.npz", x, y, **options)
    assert_identical(got, fastmlp.fit(x, y, **options))
    assert [path.name for path in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam", "batch_size": 7},
        {"optimizer": "adam", "batch_size": 7, "algorithm": "dense", "threads": 2},
        {"optimizer": "adam", "algorithm": "univariate"},
        {"momentum": 0.9, "nesterov": True, "weight_decay": 1e-3},
        {"lr": lambda epoch: 0.05 / (1 + epoch / 100)},
        {"lr": {"w1": 0.01, "b1": 0.02, "w2": 0.0, "b2": 0.01}},
    ],
    ids=", ".join,
)
def test_optimisers_schedules_and_batches_resume(noisy, options, tmp_path, short_chunks):
    x, y, _ = noisy
    options = {"hidden": 10, "epochs": 300, "rng": 0, "algorithm": "reference"} | options
    got = cut_and_resumed(tmp_path / "run.npz", x, y, **options)
    expected = fastmlp.fit(x, y, **options)
    assert_identical(got, expected)


@ENGINES
@pytest.mark.parametrize("with_validation", [True, False])
def test_patience_resumes(noisy, algorithm, with_validation, tmp_path, short_chunks):
    x, y, validation = noisy
    options = {
        "hidden": 50,
        "lr": 0.4,
        "init": 0.3,
        "rng": 1,
        "algorithm": algorithm,
        "epochs": 4000,
        "min_delta": 1e-3,
    }
    options |= {"patience": 50, "record_every": 3, "validation": validation if with_validation else None}
    expected = fastmlp.fit(x, y, **options)
    end, best = expected.info.epochs_run, expected.info.best_epoch
    assert (expected.info.stop_reason, best < end) == ("patience", True)
    cuts = [share / 4000 for share in (end // 3, best + (end - best) // 2)]
    got = cut_and_resumed(tmp_path / "run.npz", x, y, cuts=cuts, **options)
    assert_identical(got, expected)
    again = fastmlp.fit(x, y, checkpoint=tmp_path / "run.npz", resume=True, **options)
    assert_identical(again, expected)


def test_a_finished_fit_resumes_to_itself(sine, tmp_path):
    options = {"hidden": 20, "epochs": 105, "rng": 0, "record_every": 10, "checkpoint": tmp_path / "run.npz"}
    expected = fastmlp.fit(*sine, **options)
    assert_identical(fastmlp.fit(*sine, resume=True, **options), expected)
    crossing = options | {"stop_at_crossing": True, "checkpoint": tmp_path / "crossing.npz"}
    expected = fastmlp.fit(*sine, **crossing)
    assert expected.info.stop_reason == "crossing"
    assert_identical(fastmlp.fit(*sine, resume=True, **crossing), expected)


def test_an_interrupted_or_stopped_fit_resumes(sine, tmp_path, short_chunks):
    options = {"hidden": 20, "epochs": 3000, "rng": 0}
    path = tmp_path / "run.npz"

    def interrupt(info):
        if info.epoch > 100:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.warns(RuntimeWarning, match="interrupted"):
        first = fastmlp.fit(*sine, checkpoint=path, callback=interrupt, **options)
    second = fastmlp.fit(*sine, checkpoint=path, resume=True, callback=lambda info: info.epoch > 1000, **options)
    assert first.info.epochs_run < second.info.epochs_run < 3000
    got = fastmlp.fit(*sine, checkpoint=path, resume=True, **options)
    assert_identical(got, fastmlp.fit(*sine, **options))


def test_a_fit_without_a_seed_resumes_from_its_own_start(sine, tmp_path, short_chunks):
    options = {"hidden": 20, "epochs": 200, "snapshots": [0], "checkpoint": tmp_path / "run.npz"}
    first = fastmlp.fit(*sine, callback=lambda info: info.epoch > 50, **options)
    got = fastmlp.fit(*sine, resume=True, **options)
    np.testing.assert_array_equal(got.history.rmse[: first.info.epochs_run + 1], first.history.rmse)
    np.testing.assert_array_equal(got.history.snapshots[0].w1, first.history.snapshots[0].w1)


def test_without_a_file_or_without_resume_it_starts_afresh(sine, tmp_path):
    options = {"hidden": 20, "epochs": 200, "rng": 0, "checkpoint": tmp_path / "run.npz"}
    expected = fastmlp.fit(*sine, resume=True, **options)
    assert_identical(fastmlp.fit(*sine, **options), expected)


def test_load_reads_the_model_so_far(sine, tmp_path, short_chunks):
    path = tmp_path / "run.npz"
    seen = []

    def compare(info):
        if info.epoch > 20:
            seen.append((fastmlp.load(path), info.model, info.rmse))
        return info.epoch > 100

    fastmlp.fit(*sine, hidden=20, epochs=500, rng=0, checkpoint=path, checkpoint_every=0, callback=compare)
    assert seen
    for loaded, expected, rmse in seen:
        np.testing.assert_array_equal(loaded.w1, expected.w1)
        assert loaded.info.epochs_run == expected.info.epochs_run == loaded.history.epoch[-1]
        assert loaded.history.rmse[-1] == rmse


@pytest.mark.parametrize(
    "changed",
    [
        {"y": 1},
        {"sample_weight": 1},
        {"hidden": 21},
        {"epochs": 501},
        {"lr": 0.011},
        {"lr": lambda epoch: 0.01},
        {"rng": 1},
        {"rng": None},
        {"negative_slope": 0.1},
        {"record_every": 2},
        {"snapshots": [3]},
        {"patience": 400},
        {"validation": ([1.0], [1.0])},
        {"algorithm": "dense"},
        {"dtype": np.float32},
        {"momentum": 0.5},
        {"output_bias": False},
    ],
    ids=", ".join,
)
def test_other_data_or_settings_are_refused(sine, tmp_path, changed):
    x, y = sine
    path = tmp_path / "run.npz"
    options = {"x": x, "y": y, "hidden": 20, "epochs": 500, "rng": 0, "lr": 0.01, "checkpoint": path}
    fastmlp.fit(**options, callback=lambda info: True)
    before = path.read_bytes()
    bump = np.where(np.arange(100) == 50, 1 + 1e-15, 1.0)
    other = {"y": y * bump, "sample_weight": bump}
    changed = {name: other.get(name, value) for name, value in changed.items()}
    with pytest.raises(ValueError, match=r"checkpoint must be from a call with the same data, options .* resume=False"):
        fastmlp.fit(**(options | changed), resume=True)
    assert path.read_bytes() == before


def test_what_does_not_change_the_result_may_differ(sine, tmp_path):
    path = tmp_path / "run.npz"
    options = {"hidden": 20, "epochs": 300, "checkpoint": path}
    fastmlp.fit(*sine, rng=np.random.default_rng(7), callback=lambda info: True, **options)
    x, y = (array.copy() for array in sine)
    got = fastmlp.fit(
        x.tolist(), y, rng=np.random.default_rng(7), resume=True, checkpoint_every=5, progress=False, **options
    )
    assert_identical(got, fastmlp.fit(*sine, hidden=20, epochs=300, rng=7))


def test_a_continued_model_is_part_of_the_call(sine, tmp_path):
    starts = [fastmlp.fit(*sine, hidden=20, epochs=epochs, rng=0) for epochs in (10, 10, 11)]
    options = {"epochs": 300, "checkpoint": tmp_path / "run.npz"}
    fastmlp.fit(*sine, init=starts[0], callback=lambda info: True, **options)
    got = fastmlp.fit(*sine, init=starts[1], resume=True, **options)
    assert_identical(got, fastmlp.fit(*sine, init=starts[0], epochs=300))
    with pytest.raises(ValueError, match="checkpoint must be from a call with the same data"):
        fastmlp.fit(*sine, init=starts[2], resume=True, **options)


def test_damaged_checkpoints_are_refused_and_kept(sine, tmp_path):
    path = tmp_path / "run.npz"
    options = {"hidden": 5, "epochs": 300, "rng": 0, "checkpoint": path, "resume": True}
    expected = fastmlp.fit(*sine, **options)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(0)
    n_refused = 0
    for _ in range(200):
        damaged = whole.copy()
        damaged[rng.integers(whole.size)] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            got = fastmlp.fit(*sine, **options)
        except fastmlp.FileFormatError:
            n_refused += 1
            assert path.read_bytes() == damaged.tobytes()
        else:
            assert_identical(got, expected)
    assert 100 < n_refused < 200
    fastmlp.Model([[1.0]], [1.0], [[1.0]], [1.0]).save(path)
    with pytest.raises(fastmlp.FileFormatError, match="it is a saved model"):
        fastmlp.fit(*sine, **options)


def test_the_state_of_another_engine_is_refused(sine, tmp_path):
    path = tmp_path / "run.npz"
    options = {"hidden": 5, "epochs": 300, "rng": 0, "checkpoint": path, "algorithm": "dense"}
    fastmlp.fit(*sine, **options)
    whole = archives.read(path, "model", 1)
    for name, value in (("resume/engine/theta", np.zeros((7, 3))), ("resume/rule/stopping", np.zeros(3))):
        archives.write(path, "model", 1, whole[0], whole[1] | {name: value})
        with pytest.raises(fastmlp.FileFormatError, match="must be a checkpoint written by a processor like this one"):
            fastmlp.fit(*sine, resume=True, **options)


def test_leftovers_of_killed_writers_are_removed(sine, tmp_path):
    leftover, other = tmp_path / ".run.npz.0123abcd.tmp.npz", tmp_path / ".other.npz.0123abcd.tmp.npz"
    leftover.write_bytes(b"half")
    other.write_bytes(b"half")
    fastmlp.fit(*sine, hidden=5, epochs=3, checkpoint=tmp_path / "run.npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == [other.name, "run.npz"]


def test_a_full_disk_ends_the_fit_and_keeps_the_old_file(sine, tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    options = {"hidden": 20, "epochs": 2000, "rng": 0, "checkpoint": path}
    fastmlp.fit(*sine, callback=lambda info: info.epoch > 100, **options)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("fastmlp.files.atomic.os.fsync", full)
        with pytest.raises(OSError, match="No space left on device; an existing file is left unchanged"):
            fastmlp.fit(*sine, resume=True, **options)
    assert path.read_bytes() == before
    assert_identical(fastmlp.fit(*sine, resume=True, **options), fastmlp.fit(*sine, hidden=20, epochs=2000, rng=0))


def test_the_file_is_written_every_so_often(sine, tmp_path, monkeypatch, short_chunks):
    written = []
    monkeypatch.setattr(Checkpoint, "write", lambda self, state: written.append(state.engine.epoch))
    for seconds, n_least, n_most in ((0.0, 10, 3000), (1e9, 1, 1)):
        written.clear()
        fastmlp.fit(*sine, hidden=20, epochs=3000, rng=0, checkpoint=tmp_path / "m", checkpoint_every=seconds)
        assert written[-1] == 3000
        assert n_least <= len(written) <= n_most


KILLED = """
import sys, fastmlp, numpy as np
from fastmlp.training import chunks
chunks.CHUNK_SECONDS = 1e-3
x = np.linspace(-3, 3, 50)
fastmlp.fit(x, np.sin(x), hidden=50, epochs=20_000, rng=0, algorithm="dense", checkpoint=sys.argv[1], resume=True,
            checkpoint_every=0, callback=lambda info: print(info.epoch, flush=True))
"""


def test_a_killed_process_goes_on_where_it_stood(tmp_path):
    path = tmp_path / "run.npz"
    for _ in range(2):
        with subprocess.Popen([sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True) as process:
            epochs = [int(process.stdout.readline()) for _ in range(5)]
            process.kill()
        assert fastmlp.load(path).info.epochs_run >= epochs[-1] - 1
    assert epochs[0] > 5  # the second process did not begin at the start
    x = np.linspace(-3, 3, 50)
    options = {"hidden": 50, "epochs": 20_000, "rng": 0, "algorithm": "dense"}
    got = fastmlp.fit(x, np.sin(x), checkpoint=path, resume=True, **options)
    assert_identical(got, fastmlp.fit(x, np.sin(x), **options))


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"resume": True}, ValueError, "resume must be False without checkpoint, got True"),
        ({"resume": 1, "checkpoint": "x"}, TypeError, "resume must be True or False, got 1"),
        ({"checkpoint": 3}, TypeError, "checkpoint must be a path, got 3"),
        ({"checkpoint": "/missing/run.npz"}, ValueError, "checkpoint must be a path in a folder that exists"),
        ({"checkpoint": "/dev/null"}, ValueError, "checkpoint must be a path of a regular file"),
        ({"checkpoint": "x", "checkpoint_every": -1}, ValueError, "checkpoint_every must be at least 0, got -1"),
        ({"checkpoint": "x", "checkpoint_every": None}, TypeError, "checkpoint_every must be a real number"),
    ],
)
def test_wrong_arguments_are_named(sine, options, error, text):
    with pytest.raises(error, match=re.escape(text)):
        fastmlp.fit(*sine, hidden=3, epochs=2, **options)

"""The files of models: they keep every bit, and damaged or hostile files are refused."""

import dataclasses
import json
import os
import pickle
import re
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zipfile

import numpy as np
import pytest

import fastmlp
from fastmlp.files import archives
from fastmlp.models import saving


@pytest.fixture
def fitted(problem):
    x, y, weight, _ = problem(3, 2)
    options = {"hidden": 12, "rng": 0, "epochs": 20, "snapshots": [0, 5], "record_every": 3}
    return x, y, fastmlp.fit(x, y, sample_weight=weight, **options)


def assert_identical(got, expected):
    """Compare every array bit by bit and every field of the info, also of the snapshots."""
    for name in ("w1", "b1", "w2", "b2", "x_range"):
        one, other = getattr(got, name), getattr(expected, name)
        if other is None:
            assert one is None
            continue
        assert (one.dtype, one.flags.writeable) == (other.dtype, False)
        np.testing.assert_array_equal(one, other)
    for name in ("negative_slope", "y_ndim", "feature_names", "target_names"):
        assert getattr(got, name) == getattr(expected, name), name
    if expected.info is None:
        assert got.info is None
    else:
        for name in fastmlp.FitInfo.__dataclass_fields__:
            one, other = getattr(got.info, name), getattr(expected.info, name)
            if name == "standardization" and other is not None:
                for field in other.__dataclass_fields__:
                    np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
            else:
                assert one == other
                assert type(one) is type(other)
    if expected.history is None:
        assert got.history is None
        return
    for name in ("epoch", "rmse", "val_rmse", "crossings"):
        np.testing.assert_array_equal(getattr(got.history, name), getattr(expected.history, name))
    assert got.history.snapshots.keys() == expected.history.snapshots.keys()
    for epoch, snapshot in expected.history.snapshots.items():
        assert_identical(got.history.snapshots[epoch], snapshot)


def saved(model, path):
    model.save(path)
    return fastmlp.load(path)


def test_a_loaded_model_is_the_one_saved(fitted, sine, tmp_path):
    x, y, model = fitted
    assert model.info.standardization is not None
    got = saved(model, tmp_path / "of any name")
    assert [path.name for path in tmp_path.iterdir()] == ["of any name"]
    assert_identical(got, model)
    np.testing.assert_array_equal(got.predict(x), model.predict(x))
    flat = fastmlp.fit(*(array.astype(np.float32) for array in sine), hidden=7, epochs=9, lr=0.01, rng=0)
    assert_identical(saved(flat, str(tmp_path / "flat.npz")), flat)
    bare = fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0], 0.1, y_ndim=2)
    assert_identical(saved(bare, tmp_path / "flat.npz"), bare)
    rates = {"w1": 0.01, "b1": 0.0, "w2": 0.1, "b2": 0.0}
    grouped = fastmlp.fit(x, y, hidden=3, epochs=2, lr=rates, rng=0)
    assert_identical(saved(grouped, tmp_path / "grouped.npz"), grouped)


def test_training_goes_on_from_a_loaded_model_as_from_the_one_saved(fitted, tmp_path):
    x, y, model = fitted
    got, expected = (fastmlp.fit(x, y, init=start, epochs=30) for start in (saved(model, tmp_path / "m"), model))
    for name in ("w1", "b1", "w2", "b2"):
        np.testing.assert_array_equal(getattr(got, name), getattr(expected, name))
    assert got.info.lr == expected.info.lr <= model.info.lr  # without the weights, the samples are others


def test_a_callable_rate_is_saved_as_none(sine, tmp_path):
    model = fastmlp.fit(*sine, hidden=3, epochs=2, rng=0, lr=lambda epoch: 0.01, algorithm="reference")
    got = saved(model, tmp_path / "m.npz")
    assert got.info.lr is None
    np.testing.assert_array_equal(got.w1, model.w1)


def test_numpy_reads_the_file_without_pickle(fitted, tmp_path):
    _, _, model = fitted
    model.save(tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["w1"], model.w1)
        facts = json.loads(arrays["facts"].tobytes())
    assert (facts["kind"], facts["version"]) == ("model", 1)


def test_saving_follows_links_and_keeps_the_mode(fitted, tmp_path):
    _, _, model = fitted
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "file").chmod(0o600)
    (tmp_path / "link").symlink_to("file")
    model.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert_identical(fastmlp.load(tmp_path / "file"), model)


def test_paths_that_cannot_be_files_are_refused(fitted, tmp_path):
    _, _, model = fitted
    for path in (tmp_path, "/dev/null"):
        with pytest.raises(ValueError, match="path must be a path of a regular file"):
            model.save(path)
        with pytest.raises(ValueError, match="path must be a path of a regular file"):
            fastmlp.load(path)
    for act in (model.save, fastmlp.load):
        with pytest.raises(ValueError, match="path must be the name of a file, got ''"):
            act("")
    with pytest.raises(TypeError, match="path must be a path, got 3"):
        model.save(3)
    with pytest.raises(FileNotFoundError, match="an existing file is left unchanged"):
        model.save(tmp_path / "missing" / "m.npz")
    with pytest.raises(FileNotFoundError):
        fastmlp.load(tmp_path / "m.npz")
    assert os.path.exists("/dev/null")


FULL = """
import sys, resource, fastmlp
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
model = fastmlp.load(sys.argv[1])
try:
    fastmlp.Model(model.w1.repeat(1000, axis=1), model.b1.repeat(1000), model.w2.repeat(1000, axis=0), model.b2).save(
        sys.argv[1])
except OSError as error:
    print(error)
"""


def test_a_full_disk_raises_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "m.npz"
    model = fastmlp.Model([[1.0]], [2.0], [[3.0]], [4.0])
    model.save(path)
    # The limit on a file's size stands for the full disk.
    shown = subprocess.run([sys.executable, "-c", FULL, path], capture_output=True, text=True, check=True, timeout=60)
    assert re.search(r"File too large; an existing file is left unchanged: '.*m.npz'", shown.stdout)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.npz"]
    assert_identical(fastmlp.load(path), model)


def test_an_interrupted_save_leaves_the_old_file_alone(fitted, tmp_path, monkeypatch):
    _, _, model = fitted
    path = tmp_path / "m.npz"
    model.save(path)
    before = path.read_bytes()

    def interrupted(descriptor):
        raise KeyboardInterrupt

    monkeypatch.setattr(archives.os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fastmlp.Model([[1.0]], [2.0], [[3.0]], [4.0]).save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.npz"]
    assert path.read_bytes() == before


@pytest.mark.parametrize("seed", [0, 1])
def test_any_damage_is_refused_or_changes_nothing(fitted, tmp_path, seed):
    _, _, model = fitted
    path = tmp_path / "m.npz"
    model.save(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    rng = np.random.default_rng(seed)
    n_same = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(1000):
            damaged = whole.copy()
            damaged[rng.integers(whole.size, size=1 + rng.integers(3))] = rng.integers(256)
            path.write_bytes(damaged[: rng.integers(whole.size)] if rng.random() < 0.1 else damaged)
            try:
                got = fastmlp.load(path)
            except fastmlp.FileFormatError:
                continue
            n_same += 1
            assert_identical(got, model)
    assert 0 < n_same < 500


@pytest.mark.parametrize("length", [0, 1, 21, 22, 1000])
def test_empty_and_foreign_files_are_refused(tmp_path, length):
    for filler in (b"\0", b"P", b"PK\5\6"):
        (tmp_path / "m.npz").write_bytes((filler * length)[:length])
        with pytest.raises(fastmlp.FileFormatError, match="must be a"):
            fastmlp.load(tmp_path / "m.npz")


def rewritten(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def members_of(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_hostile_files_are_refused_before_large_allocations(fitted, tmp_path):
    """Compressed zeros, false headers, shapes larger than the file, pickles."""
    _, _, model = fitted
    path = tmp_path / "m.npz"
    model.save(path)
    members = members_of(path)

    def header(text, length=None):
        return struct.pack("<6sBBH", b"\x93NUMPY", 1, 0, len(text) if length is None else length) + text.encode()

    huge = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s,), }\n"
    hostile = {
        "claims 8 EB": header(huge % 10**18),
        "claims nothing, widely": header(huge.replace("%s,", "0, %s") % 10**18),
        "claims a header of 64 kB": header(huge % 1, 65535),
        "an expression": header("{'descr': '<f8', 'fortran_order': False, 'shape': (__import__('os').getpid(),), }\n"),
        "objects": header("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n") + b"\x80\x04N.",
        "another version": b"\x93NUMPY\2\0\xff\xff\xff\xff",
    }
    tracemalloc.start()
    try:
        for name, content in hostile.items():
            rewritten(path, members | {"w1.npy": content})
            tracemalloc.reset_peak()
            with pytest.raises(fastmlp.FileFormatError):
                fastmlp.load(path)
            assert tracemalloc.get_traced_memory()[1] < 5e6, name
        rewritten(path, members | {"w1.npy": b"\0" * 10**8}, compression=zipfile.ZIP_DEFLATED)
        tracemalloc.reset_peak()
        with pytest.raises(fastmlp.FileFormatError):
            fastmlp.load(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
        with open(path, "wb") as file:  # a directory of the size that the end of the file claims: 3 GB
            file.truncate(3 * 2**30)
            file.seek(0, os.SEEK_END)
            file.write(struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 3 * 2**30, 0, 0))
        tracemalloc.reset_peak()
        with pytest.raises(fastmlp.FileFormatError):
            fastmlp.load(path)
        assert tracemalloc.get_traced_memory()[1] < 5e6
    finally:
        tracemalloc.stop()


def with_facts(path, model, **changed):
    """Save a model with other facts; "removed" removes one."""
    model.save(path)
    facts, arrays = archives.read(path, saving.KIND, saving.VERSION)
    facts = {name: fact for name, fact in {**facts, **changed}.items() if fact != "removed"}
    archives.write(path, saving.KIND, saving.VERSION, facts, arrays)


@pytest.mark.parametrize(
    "changed",
    [
        {"negative_slope": "0"},
        {"negative_slope": "removed"},
        {"y_ndim": True},
        {"y_ndim": 3},
        {"feature_names": ["a"]},
        {"feature_names": ["a", "b", 3]},
        {"target_names": "yz"},
        {"target_names": 3},
        {"info": []},
        {"info": {"lr": 0.1}},
        {"snapshots": []},
        {"snapshots": "removed"},
        {"snapshots": [{"epoch": "5", "info": None}] * 2},
        {"snapshots": [[], []]},
        {"snapshots": 3},
    ],
)
def test_facts_of_the_wrong_type_are_refused(fitted, tmp_path, changed):
    _, _, model = fitted
    with_facts(tmp_path / "m.npz", model, **changed)
    with pytest.raises(fastmlp.FileFormatError, match="must be a valid model file of fastmlp"):
        fastmlp.load(tmp_path / "m.npz")


def test_names_are_kept_and_files_without_them_load(fitted, tmp_path):
    x, y, model = fitted
    named = dataclasses.replace(model, feature_names=("a", "b", "c"), target_names=np.array(["y", "z"]))
    assert named.target_names == ("y", "z")
    longer = fastmlp.fit(x, y, init=named, epochs=4, snapshots=[0, 2], rng=0)
    for one in (
        longer,
        longer.history.snapshots[2],
        saved(longer, tmp_path / "m.npz"),
        pickle.loads(pickle.dumps(longer)),
    ):
        assert (one.feature_names, one.target_names) == (("a", "b", "c"), ("y", "z"))
    assert_identical(saved(longer, tmp_path / "m.npz"), longer)
    with_facts(tmp_path / "old.npz", longer, feature_names="removed", target_names="removed")
    assert_identical(
        fastmlp.load(tmp_path / "old.npz").history.snapshots[2],
        dataclasses.replace(longer.history.snapshots[2], feature_names=None, target_names=None),
    )


@pytest.mark.parametrize("field", fastmlp.FitInfo.__dataclass_fields__)
def test_an_info_of_the_wrong_type_is_refused(fitted, tmp_path, field):
    _, _, model = fitted
    info = saving.info_facts(model.info)
    with_facts(tmp_path / "m.npz", model, info=info | {field: [1]})
    with pytest.raises(fastmlp.FileFormatError):
        fastmlp.load(tmp_path / "m.npz")


def test_a_file_of_a_later_version_or_another_kind_says_so(tmp_path):
    path = tmp_path / "m.npz"
    archives.write(path, "model", 2, {}, {})
    with pytest.raises(fastmlp.FileFormatError, match="has format 2, but this version of fastmlp reads format 1"):
        fastmlp.load(path)
    archives.write(path, "checkpoint", 1, {}, {})
    with pytest.raises(fastmlp.FileFormatError, match="must be a model of fastmlp"):
        fastmlp.load(path)
    np.savez(path, w1=np.zeros(3))
    with pytest.raises(fastmlp.FileFormatError):
        fastmlp.load(path)

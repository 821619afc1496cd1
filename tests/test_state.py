"""Fitted models survive every tool that stores them: pickle, cloudpickle, joblib, deepcopy, asdict, skops, mlflow."""

import copy
import dataclasses
import pickle

import joblib
import numpy as np
import pytest
from test_storage import assert_identical

import fastmlp
from fastmlp.sklearn import FastMLPRegressor


@pytest.fixture
def model(problem):
    x, y, weight, _ = problem(3, 2)
    options = {"hidden": 12, "rng": 0, "epochs": 20, "snapshots": [0, 5], "record_every": 3}
    return fastmlp.fit(x, y, sample_weight=weight, **options)


def through_joblib(model, folder, mmap_mode):
    joblib.dump(model, folder / "model.joblib")
    return joblib.load(folder / "model.joblib", mmap_mode=mmap_mode)


def through_cloudpickle(model):
    return pickle.loads(pytest.importorskip("cloudpickle").dumps(model))


def through_skops(model):
    skops_io = pytest.importorskip("skops.io")
    stored = skops_io.dumps(model)
    return skops_io.loads(stored, trusted=skops_io.get_untrusted_types(data=stored))


TOOLS = {
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
    "cloudpickle": lambda model, folder: through_cloudpickle(model),
    "deepcopy": lambda model, folder: copy.deepcopy(model),
    "joblib": lambda model, folder: through_joblib(model, folder, None),
    "joblib, memory-mapped": lambda model, folder: through_joblib(model, folder, "r"),
    "skops": lambda model, folder: through_skops(model),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_every_tool_gives_back_the_same_model_read_only(model, tmp_path, tool):
    got = TOOLS[tool](model, tmp_path)
    assert_identical(got, model)
    assert got.info == model.info
    assert hash(got.info) == hash(model.info)
    for array in (got.w1, got.history.rmse, got.history.epoch, got.info.standardization.x_shift):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(TypeError):
        got.history.snapshots[7] = None


def test_infos_differ_where_a_fact_does(model):
    info = model.info
    shifted = dataclasses.replace(info.standardization, x_shift=info.standardization.x_shift + 1)
    assert info != dataclasses.replace(info, epochs_run=21)
    assert info != dataclasses.replace(info, standardization=shifted)
    assert info != dataclasses.replace(info, standardization=None)
    assert info != "an info"
    assert info.standardization != "maps"
    assert len({info.standardization, copy.deepcopy(info.standardization), shifted}) == 2


def test_a_model_becomes_plain_dicts_and_arrays(model):
    facts = dataclasses.asdict(model)
    np.testing.assert_array_equal(facts["w1"], model.w1)
    np.testing.assert_array_equal(facts["history"]["_snapshots"][5]["w1"], model.history.snapshots[5].w1)
    assert facts["info"]["lr"] == model.info.lr

    def plain(value):
        if isinstance(value, dict | tuple | list):
            return all(map(plain, value.values() if isinstance(value, dict) else value))
        return value is None or type(value) in (bool, int, float, str, np.ndarray)

    assert plain(facts)


def test_a_function_of_the_epoch_is_not_pickled(sine, tmp_path):
    x, y = sine
    model = fastmlp.fit(x, y, hidden=3, epochs=2, rng=0, lr=lambda epoch: 0.01, algorithm="reference")
    got = pickle.loads(pickle.dumps(model))
    assert (got.info.lr, got.info.lr_rule) == (None, "callable")
    assert got.info == model.info
    model.save(tmp_path / "model.npz")
    assert fastmlp.load(tmp_path / "model.npz").info == model.info
    with pytest.raises(ValueError, match="Pass that function again, or another rate"):
        fastmlp.fit(x, y, init=got, epochs=1, algorithm="reference")
    again, expected = (
        fastmlp.fit(x, y, init=start, lr=lambda epoch: 0.01, epochs=1, algorithm="reference") for start in (got, model)
    )
    assert_identical(dataclasses.replace(again, info=None), dataclasses.replace(expected, info=None))


def test_mlflow_saves_and_loads_an_estimator(tmp_path):
    flavor = pytest.importorskip("mlflow.sklearn")
    skops_io = pytest.importorskip("skops.io")
    x = np.random.default_rng(0).normal(size=(40, 3))
    estimator = FastMLPRegressor(hidden=5, epochs=20, random_state=0).fit(x, x[:, 0])
    trusted = skops_io.get_untrusted_types(data=skops_io.dumps(estimator))
    flavor.save_model(estimator, tmp_path / "model", skops_trusted_types=trusted)  # mlflow's default format is skops
    np.testing.assert_array_equal(flavor.load_model(tmp_path / "model").predict(x), estimator.predict(x))

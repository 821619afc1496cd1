"""fit_many gives the nets of single fits wherever they are trained; predictions, plots and files of an ensemble."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading

import joblib
import numpy as np
import pytest
from matplotlib.colors import to_rgba

import fastmlp
from fastmlp import parallel_fits
from fastmlp.batched_fits import train_batch

JOBS = [
    {"hidden": 12},
    {"hidden": 30, "lr": 0.01, "init": "he"},
    {"algorithm": "dense", "hidden": 8},
    {"hidden": 20, "epochs": 55, "sample_weight": np.linspace(0.1, 1.0, 100)},
    {"hidden": 20, "rng": 77, "stop_at_crossing": True},
    {"hidden": 9, "y": np.cos(np.linspace(0, 5, 100)), "record_every": 7},
]
COMMON = {"epochs": 200, "rng": 5}


def singly(x, y, jobs, rng, **common):
    """Train the jobs by single fits, with the random numbers that `fit_many` gives them."""
    models = []
    for i, job in enumerate(jobs):
        arguments = {"x": x, "y": y, "rng": np.random.SeedSequence(rng, spawn_key=(i,)), **common, **job}
        models.append(fastmlp.fit(**arguments))
    return models


def assert_identical(got, expected):
    assert len(got) == len(expected)
    for got_model, expected_model in zip(got, expected, strict=True):
        for name in ("w1", "b1", "w2", "b2"):
            assert getattr(got_model, name).tobytes() == getattr(expected_model, name).tobytes()
        assert got_model.history.rmse[-1] == expected_model.history.rmse[-1]
        assert got_model.info.crossings == expected_model.info.crossings


@pytest.fixture(scope="module")
def expected():
    x = np.linspace(-np.pi, np.pi, 100)
    return singly(x, np.sin(x), JOBS, **COMMON)


@pytest.mark.parametrize(
    "where", [{}, {"n_jobs": 1}, {"n_jobs": 2}, {"backend": "threading", "n_jobs": 2}], ids=lambda where: str(where)
)
def test_nets_are_those_of_single_fits_however_many_threads_train_them(sine, expected, where):
    with joblib.parallel_config(**where):
        ensemble = fastmlp.fit_many(*sine, JOBS, **COMMON)
    assert not ensemble.failures
    assert_identical(ensemble.models, expected)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_nets_are_those_of_single_fits_in_other_processes(sine, expected, backend):
    with joblib.parallel_config(backend, n_jobs=2):
        ensemble = fastmlp.fit_many(*sine, JOBS, **COMMON)
    assert_identical(ensemble.models, expected)


def test_tasks_of_several_nets_give_the_same_nets(sine):
    jobs = [{"hidden": 2 + i % 5} for i in range(150)]
    ensemble = fastmlp.fit_many(*sine, iter(jobs), epochs=3, rng=1, lr=0.01, init="he")
    assert_identical(ensemble.models, singly(*sine, jobs, 1, epochs=3, lr=0.01, init="he"))


@pytest.fixture
def together(monkeypatch):
    """Let a task have all the nets; return how many of them each call trains together."""
    sizes = []

    def spy(config, coordinates, rngs):
        sizes.append(len(rngs))
        return train_batch(config, coordinates, rngs)

    monkeypatch.setattr("fastmlp.parallel_fits.MAX_PER_TASK", 10**6)
    monkeypatch.setattr("fastmlp.parallel_fits.TASKS_PER_WORKER", 1)
    monkeypatch.setattr("fastmlp.batched_fits.train_batch", spy)
    with joblib.parallel_config(n_jobs=1):
        yield sizes


@pytest.mark.parametrize(
    "common",
    [
        {},
        {"lr": {"w1": 0.01, "b1": 0.0, "w2": 0.02, "b2": 0.03}, "init": 0.3},
        {"hidden_bias": False, "output_bias": False},
        {"dtype": np.float32, "sample_weight": np.arange(100)},
        {"negative_slope": 0.1, "x": np.linspace(1e4, 1e4 + 1, 100)},
        {"y": np.stack([np.sin(np.arange(100)), np.cos(np.arange(100))], axis=1)},
        {"init": (np.ones((1, 9)), np.linspace(-1, 1, 9), np.ones((9, 1)), [0.0]), "lr": 0.01},
        {"init": fastmlp.Model([[1.0, 2.0]], [0.5, 0.0], [[1.0], [-1.0]], [0.1], 0.2), "lr": 0.01},
        {"init": "he", "lr": 0.3},  # too fast for some
        {"init": "he", "lr": 0.3, "dtype": np.float32},
        {"algorithm": "reference"},
        {"momentum": 0.9},
    ],
    ids=lambda common: ", ".join(common) or "defaults",
)
def test_small_nets_trained_together_are_those_of_single_fits(sine, common, together):
    arguments = {"hidden": 9, "epochs": 60, **dict(zip("xy", sine, strict=True)), **common}
    ensemble = fastmlp.fit_many(arguments.pop("x"), arguments.pop("y"), [{}] * 20, rng=2, **arguments)
    assert sum(together) == (0 if {"algorithm", "momentum"} & common.keys() else 20)
    arguments = {**dict(zip("xy", sine, strict=True)), "hidden": 9, "epochs": 60, "record_every": 60, **common}
    for i, model in enumerate(ensemble.models):
        rng = np.random.SeedSequence(2, spawn_key=(i,))
        if model is None:
            with pytest.raises(type(ensemble.failures[i]), match=re.escape(str(ensemble.failures[i]))):
                fastmlp.fit(rng=rng, **arguments)
            continue
        expected = fastmlp.fit(rng=rng, **arguments)
        assert_identical([model], [expected])
        for name in ("epoch", "rmse", "crossings"):
            np.testing.assert_array_equal(getattr(model.history, name), getattr(expected.history, name))
        np.testing.assert_array_equal(model.x_range, expected.x_range)
        for name in ("algorithm", "method", "lr", "epochs_run", "stop_reason", "live_units"):
            assert getattr(model.info, name) == getattr(expected.info, name)
    assert (0 < len(ensemble.failures) < 20) == (common.get("lr") == 0.3)


@pytest.mark.parametrize("common", [{"lr": 1e39}, {"init": 1e39}, {"x": np.linspace(0, 1e39, 100)}], ids=list)
def test_what_small_nets_cannot_be_trained_together_for_fails_each_of_them(sine, together, common):
    arguments = {"x": sine[0], "y": sine[1], "init": "he", "lr": 0.1, "hidden": 9, "epochs": 5, "dtype": np.float32}
    ensemble = fastmlp.fit_many(jobs=[{}] * 20, rng=2, **{**arguments, **common})
    assert together
    assert {type(error) for error in ensemble.failures.values()} == {ValueError}
    assert len(ensemble.failures) == 20


def test_a_checkpoint_of_a_job_belongs_to_its_own_rng(sine, tmp_path):
    path = tmp_path / "net.npz"
    common = {"hidden": 5, "epochs": 10, "algorithm": "reference"}
    jobs = [{"checkpoint": path, "resume": True}]
    first = fastmlp.fit_many(*sine, jobs, rng=0, **common)
    assert_identical(fastmlp.fit_many(*sine, jobs, rng=0, **common).models, first.models)
    single = {"rng": np.random.SeedSequence(0, spawn_key=(0,)), "record_every": 10, "threads": 1}
    again = fastmlp.fit(*sine, **single, **jobs[0], **common)
    assert_identical([again], first.models)
    other = fastmlp.fit_many(*sine, jobs, rng=1, **common)
    assert str(other.failures[0]).startswith("checkpoint must be from a call with the same data, options and")
    path.unlink()
    fresh = fastmlp.fit_many(*sine, jobs, **common)
    assert_identical(fastmlp.fit_many(*sine, jobs, **common).models, fresh.models)


def test_the_number_of_workers_changes_no_bit_of_nets_that_one_fit_would_train_by_threads():
    x = np.random.default_rng(0).normal(size=(1000, 8))
    y = np.sin(x).sum(axis=1)
    options = {"hidden": 400, "epochs": 5}
    expected = singly(x, y, [{"threads": 1}], 0, **options)
    for n_jobs in (1, 2):
        with joblib.parallel_config(n_jobs=n_jobs):
            assert_identical(fastmlp.fit_many(x, y, [{}], rng=0, **options).models, expected)


def test_threads_do_the_work_unless_one_worker_is_asked_for(sine):
    used = set()
    arguments = {"hidden": 5, "epochs": 50, "callback": lambda info: used.add(threading.get_ident())}
    with joblib.parallel_config(n_jobs=2):
        fastmlp.fit_many(*sine, [{}] * 8, **arguments)
    assert threading.get_ident() not in used
    used.clear()
    with joblib.parallel_config(n_jobs=1):
        fastmlp.fit_many(*sine, [{}] * 8, **arguments)
    assert used == {threading.get_ident()}


@pytest.mark.parametrize(
    "rng",
    [
        *(np.random.SeedSequence(3), [1, 2], np.int64(4)),
        *(np.random.default_rng(3), np.random.PCG64(3), np.random.RandomState(3)._bit_generator),
    ],
    ids=lambda rng: type(rng).__name__,
)
def test_every_kind_of_common_rng_gives_each_net_its_own_start(sine, rng):
    models = fastmlp.fit_many(*sine, [{}] * 3, rng=rng, hidden=4, epochs=1).models
    assert len({model.w1[0, 0] for model in models}) == 3
    if isinstance(rng, np.random.SeedSequence):
        assert_identical(models, fastmlp.fit_many(*sine, [{}] * 3, rng=3, hidden=4, epochs=1).models)


def test_a_generator_serves_one_job_only(sine):
    rng = np.random.default_rng(5)
    ensemble = fastmlp.fit_many(*sine, [{"rng": rng}, {"rng": np.random.default_rng(5)}], hidden=3, epochs=3)
    np.testing.assert_array_equal(ensemble.models[0].w1, ensemble.models[1].w1)
    with pytest.raises(
        ValueError, match=r"jobs\[2\] rng must be a seed, or a Generator that no other job has, got that "
    ):
        fastmlp.fit_many(*sine, [{"rng": rng}, {"rng": 5}, {"rng": rng}], hidden=3, epochs=3)


def test_common_rng_none_is_fresh_each_time(sine):
    first, second = (fastmlp.fit_many(*sine, [{}], hidden=4, epochs=1).models[0].w1 for _ in range(2))
    assert (first != second).all()


def test_failed_nets_do_not_affect_the_others(sine):
    jobs = [{"lr": 1e3}, {}, {"hidden": 0}, {"y": [1.0]}]
    ensemble = fastmlp.fit_many(*sine, jobs, rng=0, hidden=10, epochs=100)
    assert [model is None for model in ensemble.models] == [True, False, True, True]
    assert [(i, type(error)) for i, error in ensemble.failures.items()] == [
        (0, fastmlp.DivergenceError),
        (2, ValueError),
        (3, ValueError),
    ]
    assert repr(ensemble) == "Ensemble(4 nets, 3 failed)"
    np.testing.assert_array_equal(ensemble.predict([0.5]), ensemble.models[1].predict([0.5]))


def test_histories_hold_start_and_end_unless_asked_for_more(sine):
    ensemble = fastmlp.fit_many(*sine, [{}, {"epochs": 40}, {"record_every": 50}], rng=0, hidden=5, epochs=100)
    assert [list(history.epoch) for history in ensemble.histories] == [[0, 100], [0, 40], [0, 50, 100]]


def test_a_net_takes_one_thread_unless_told(sine, monkeypatch):
    taken = []
    train = fastmlp.parallel_fits.train
    monkeypatch.setattr("fastmlp.parallel_fits.train", lambda call: taken.append(call.threads) or train(call))
    with joblib.parallel_config(n_jobs=1):
        fastmlp.fit_many(*sine, [{}, {"threads": 2}], algorithm="dense", rng=0, hidden=4, epochs=2)
    assert taken == [1, 2]


def test_every_net_has_the_snapshots_of_a_common_iterator(sine):
    jobs = [{"hidden": 3}, {"hidden": 4}]
    ensemble = fastmlp.fit_many(*sine, jobs, snapshots=iter([1, 2]), rng=0, epochs=5, algorithm="reference")
    assert [list(history.snapshots) for history in ensemble.histories] == [[1, 2]] * 2


def test_every_job_may_bring_its_own_samples():
    jobs = [{"x": [0.0, 1.0, 2.0], "y": [0.0, scale, 0.0]} for scale in (1.0, 2.0)]
    ensemble = fastmlp.fit_many(None, None, jobs, rng=0, hidden=10, epochs=100)
    assert not ensemble.failures


@pytest.mark.parametrize(
    ("x", "jobs", "common", "error", "text"),
    [
        ([0.0, 1.0], "ab", {}, TypeError, "jobs must be an iterable of mappings"),
        ([0.0, 1.0], {"hidden": 3}, {}, TypeError, "jobs must be an iterable of mappings"),
        ([0.0, 1.0], [{}, 3], {}, TypeError, r"jobs\[1\] must be a mapping of arguments of fastmlp.fit, got 3."),
        (
            [0.0, 1.0],
            [{"widht": 3}],
            {},
            TypeError,
            r"jobs\[0\] must be a mapping of arguments of fastmlp.fit other than progress, got the key 'widht'.",
        ),
        (
            [0.0, 1.0],
            [{"progress": True}],
            {},
            TypeError,
            r"jobs\[0\] must be a mapping of arguments of fastmlp.fit other than progress, got the key 'progress'.",
        ),
        ([0.0, 1.0], [{}], {"widht": 3}, TypeError, "unexpected keyword argument 'widht'"),
        ([0.0, 1.0], [{}], {"progress": 1}, TypeError, "progress must be True, False or None, got 1."),
        ([0.0, 1.0], [{}], {"rng": "x"}, TypeError, "rng must be an argument of numpy.random.default_rng"),
        ([0.0, 1.0], [{}, {"lr": 0.1}], {"lr": -1.0}, ValueError, "lr must be positive, got -1.0."),
        ([0.0, 1.0], [{"hidden": 3}], {"epochs": 1e6}, TypeError, "epochs must be an integer, got 1000000.0."),
        ([0.0, np.nan], [{}], {}, ValueError, "x must be finite, got nan at position 1."),
        (
            None,
            [{"x": [1.0, 2.0]}, {}],
            {},
            ValueError,
            "x must be given, or part of every job, got None and no x in job 1",
        ),
    ],
)
def test_wrong_calls_raise_before_anything_is_trained(x, jobs, common, error, text):
    with pytest.raises(error, match=text):
        fastmlp.fit_many(x, [0.0, 1.0], jobs, **common)


def test_common_arguments_may_need_those_of_the_jobs(sine):
    ensemble = fastmlp.fit_many(*sine, [{"momentum": 0.5}], nesterov=True, rng=0, hidden=3, epochs=5)
    assert not ensemble.failures
    assert list(fastmlp.fit_many(*sine, [{"lr": -1.0}], rng=0).failures) == [0]


def test_no_jobs_make_an_empty_ensemble(sine):
    ensemble = fastmlp.fit_many(*sine, [])
    assert len(ensemble) == 0
    with pytest.raises(ValueError, match=r"Ensemble\(0 nets, 0 failed\) has no trained net"):
        ensemble.predict([0.0])


def test_inputs_are_not_changed(sine):
    job = {"hidden": 3}
    common = {"epochs": 5, "rng": 1}
    fastmlp.fit_many(*sine, [job], **common)
    assert job == {"hidden": 3}
    assert common == {"epochs": 5, "rng": 1}


@pytest.fixture(scope="module")
def ensemble():
    x = np.linspace(-np.pi, np.pi, 100)
    y = np.stack([np.sin(x), np.cos(x)], axis=1)
    return fastmlp.fit_many(x, y, [{}, {}, {"lr": 1e9}, {}], rng=0, hidden=15, epochs=300)


def test_predictions_are_mean_deviation_and_quantiles_over_nets(ensemble):
    x = np.linspace(-3, 3, 11)
    outputs = np.stack([model.predict(x) for model in ensemble.models if model is not None])
    mean, std = ensemble.predict(x, return_std=True)
    np.testing.assert_array_equal(mean, ensemble.predict(x))
    np.testing.assert_allclose(mean, outputs.sum(axis=0) / 3, rtol=1e-14)
    np.testing.assert_allclose(std**2, ((outputs - mean) ** 2).sum(axis=0) / 3, rtol=1e-12)
    np.testing.assert_array_equal(ensemble.quantiles(x, [0.0, 1.0]), [outputs.min(axis=0), outputs.max(axis=0)])
    np.testing.assert_array_equal(ensemble.quantiles(x, 0.5), np.median(outputs, axis=0))


@pytest.mark.parametrize(("q", "text"), [(1.5, "from 0 to 1, got 1.5"), ([0.1, np.nan], "got nan"), ([[0.1]], "2 dim")])
def test_quantiles_must_be_fractions(ensemble, q, text):
    with pytest.raises(ValueError, match=text):
        ensemble.quantiles([0.0], q)


def test_nets_for_different_data_are_not_averaged():
    jobs = [{"x": [[0.0, 1.0], [1.0, 2.0]]}, {"x": [0.0, 1.0]}]
    ensemble = fastmlp.fit_many(None, [0.0, 1.0], jobs, rng=0, hidden=5, epochs=5)
    text = r"must have the same inputs and outputs, got \(n_in=1, n_out=1, y_ndim=1\) and \(n_in=2"
    with pytest.raises(ValueError, match=text):
        ensemble.predict([0.0])


def test_summary_has_a_row_for_every_job(ensemble):
    table = ensemble.summary()
    models = ensemble.models
    assert table.shape == (4,)
    assert list(table["n_hidden"]) == [15, 15, -1, 15]
    assert table["rmse"][0] == models[0].history.rmse[-1]
    assert table["start_rmse"][3] == models[3].history.rmse[0]
    assert np.isnan(table["rmse"][2])
    assert table["crossings"][1] == models[1].info.crossings
    assert list(table["stop_reason"]) == ["epochs", "epochs", "", "epochs"]
    assert table["failure"][2] == f"DivergenceError: {ensemble.failures[2]}"
    assert table["failure"][0] == ""
    frame = ensemble.summary(as_frame=True)
    assert list(frame.columns) == list(table.dtype.names)
    assert frame["lr"].iloc[0] == models[0].info.lr


def test_plot_draws_mean_and_band_of_each_output(ensemble):
    y = np.array([[0.0, 1.0], [1.0, 0.5]])
    ax = ensemble.plot([-1.0, 1.0], y)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "data",
        "90% of the nets",
        "mean, output 0",
        "mean, output 1",
    ]
    data, means = ax.lines[:2], ax.lines[2:]
    for k, (points, mean, band) in enumerate(zip(data, means, ax.collections, strict=True)):
        np.testing.assert_array_equal(points.get_ydata(), y[:, k])
        np.testing.assert_array_equal(mean.get_ydata(), ensemble.predict(mean.get_xdata())[:, k])
        assert mean.get_xdata()[0] == -1
        assert points.get_color() == mean.get_color() == f"C{k}"
        np.testing.assert_array_equal(band.get_facecolor(), [to_rgba(f"C{k}", 0.25)])


def test_plot_supports_one_input():
    ensemble = fastmlp.fit_many([[0.0, 1.0], [1.0, 2.0]], [0.0, 1.0], [{}, {}], rng=0, hidden=5, epochs=5)
    with pytest.raises(ValueError, match=r"Ensemble\.plot supports one input; these nets have 2\."):
        ensemble.plot()


def test_a_saved_ensemble_comes_back_whole(sine, tmp_path):
    path = tmp_path / "ensemble.npz"
    jobs = [*JOBS, {"dtype": np.float32, "snapshots": [3, 9]}, {"lr": 1e9}]
    saved = fastmlp.fit_many(*sine, jobs, **COMMON)
    saved.save(path)
    loaded = fastmlp.Ensemble.load(path)
    assert repr(loaded) == repr(saved)
    assert_identical([m for m in loaded.models if m], [m for m in saved.models if m])
    table, expected = loaded.summary(), saved.summary()
    for name in table.dtype.names[:-1]:
        np.testing.assert_array_equal(table[name], expected[name])
    assert [model and model.info.versions for model in loaded.models] == [m and m.info.versions for m in saved.models]
    assert expected["failure"][-1] in str(loaded.failures[7])


def test_similar_nets_share_their_facts_in_a_file(ensemble, tmp_path):
    paths = tmp_path / "few.npz", tmp_path / "many.npz"
    alike = [model for model in ensemble.models if model]
    bare = fastmlp.Model(*alike[0].weights)
    for path, times in zip(paths, (1, 11), strict=True):
        fastmlp.Ensemble((*alike * times, bare), {}).save(path)
    few, many = (np.load(path)["facts"].size for path in paths)
    assert (many - few) / (10 * len(alike)) < 250  # bytes for each net, of 2^24 that there may be
    loaded = fastmlp.Ensemble.load(paths[1])
    assert_identical(loaded.models[:-1], alike * 11)
    assert [model.info.lr for model in loaded.models[:-1]] == [model.info.lr for model in alike * 11]
    assert (loaded.models[-1].info, loaded.models[-1].history) == (None, None)


def test_the_names_of_columns_are_kept_net_by_net(tmp_path):
    names = [{"feature_names": ["a"]}, {}, {"target_names": ["y"]}]
    nets = tuple(fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0], **own) for own in names)
    fastmlp.Ensemble(nets, {}).save(tmp_path / "e.npz")
    got = [(net.feature_names, net.target_names) for net in fastmlp.Ensemble.load(tmp_path / "e.npz").models]
    assert got == [(("a",), None), (None, None), (None, ("y",))]


def test_summary_of_a_checkpoint_knows_no_reason(sine, tmp_path):
    path = tmp_path / "run.npz"
    fastmlp.fit(*sine, hidden=3, epochs=5, algorithm="reference", checkpoint=path)
    assert fastmlp.Ensemble((fastmlp.load(path),), {}).summary()["stop_reason"] == [""]


def test_a_model_is_no_ensemble_and_a_damaged_file_is_refused(sine, tmp_path, ensemble):
    path = tmp_path / "ensemble.npz"
    ensemble.models[0].save(path)
    with pytest.raises(
        fastmlp.FileFormatError, match=r"must be an ensemble of fastmlp; it is a model, which fastmlp\.load reads"
    ):
        fastmlp.Ensemble.load(path)
    ensemble.save(path)
    whole = path.read_bytes()
    with pytest.raises(
        fastmlp.FileFormatError,
        match=r"must be a model of fastmlp; it is an ensemble, which fastmlp\.Ensemble\.load reads",
    ):
        fastmlp.load(path)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(fastmlp.FileFormatError, match="must be an undamaged file of fastmlp"):
        fastmlp.Ensemble.load(path)


def test_progress_bar_counts_nets(sine, capfd):
    fastmlp.fit_many(*sine, [{}] * 3, rng=0, hidden=3, epochs=3, progress=True)
    assert "3.00/3.00" in capfd.readouterr().err


def test_ctrl_c_returns_the_nets_that_are_done(sine, tmp_path):
    def press(info):
        if info.epochs == 10**7:
            os.kill(os.getpid(), signal.SIGINT)

    jobs = [{}, {}, {"epochs": 10**7, "callback": press}, *[{"epochs": 10**8}] * 5]
    with (
        joblib.parallel_config(n_jobs=1),
        pytest.warns(RuntimeWarning, match="fit_many was stopped by Ctrl-C; the 2 finished nets of 8"),
    ):
        ensemble = fastmlp.fit_many(*sine, jobs, rng=0, hidden=5, epochs=10)
    assert [model is None for model in ensemble.models] == [False] * 2 + [True] * 6
    assert not ensemble.failures
    assert ensemble.not_run == (2, 3, 4, 5, 6, 7)
    assert repr(ensemble) == "Ensemble(8 nets, 0 failed, 6 not run)"
    assert ensemble.summary()["failure"].tolist() == [""] * 2 + ["not run"] * 6
    ensemble.save(tmp_path / "e.npz")
    assert fastmlp.Ensemble.load(tmp_path / "e.npz").not_run == ensemble.not_run
    with joblib.parallel_config(n_jobs=2), pytest.warns(RuntimeWarning, match="fit_many was stopped by Ctrl-C"):
        ensemble = fastmlp.fit_many(*sine, jobs, rng=0, hidden=5, epochs=10)
    assert [model is None for model in ensemble.models][3:] == [True] * 5


def test_ctrl_c_before_the_first_net_is_done_raises(sine):
    def press(info):
        os.kill(os.getpid(), signal.SIGINT)

    for n_jobs in (1, 2):
        with joblib.parallel_config(n_jobs=n_jobs), pytest.raises(KeyboardInterrupt):
            fastmlp.fit_many(*sine, [{"callback": press}] * 3, rng=0, hidden=5, epochs=10**8)


@pytest.mark.parametrize("argument", ["callback", "lr"])
def test_functions_of_the_caller_may_train_other_nets(sine, argument):
    inner = []

    def train_others(_):
        if not inner:
            inner.append(None)
            inner[:] = [fastmlp.fit_many(*sine, [{"hidden": h} for h in range(1, 41)], rng=0, epochs=3)]
        return 0.01 if argument == "lr" else None

    jobs = [{"hidden": h, argument: train_others} for h in range(2, 6)]
    with joblib.parallel_config(n_jobs=2):
        ensemble = fastmlp.fit_many(*sine, jobs, rng=0, epochs=5)
    assert not ensemble.failures
    assert not inner[0].failures


@pytest.mark.parametrize(
    ("own", "takes_turns"),
    [
        ({}, True),
        ({"epochs": 10**6}, False),
        ({"x": np.arange(10**4), "y": np.arange(10**4)}, False),
        ({"validation": ([0.0], [0.0])}, False),
        ({"lr": lambda epoch: 0.01}, False),
    ],
    ids=["small", "epochs", "samples", "validation", "lr"],
)
def test_nets_take_turns_only_where_their_python_code_is_the_most(sine, monkeypatch, own, takes_turns):
    held = []

    def spy(call):
        held.append(parallel_fits._small_nets_lock.locked())
        raise RuntimeError

    monkeypatch.setattr("fastmlp.parallel_fits.train", spy)
    with joblib.parallel_config(n_jobs=1):
        fastmlp.fit_many(*sine, [own], rng=0, hidden=5, epochs=10)
    assert held == [takes_turns]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no such system call")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent(sine):
    def train():
        with joblib.parallel_config(n_jobs=1):
            assert not fastmlp.fit_many(*sine, [{}], rng=0, hidden=5, epochs=10).failures

    child = multiprocessing.get_context("fork").Process(target=train)
    with parallel_fits._small_nets_lock:  # as another thread may hold it
        child.start()
    child.join(30)
    child.kill()
    child.join()
    assert child.exitcode == 0


@pytest.mark.slow
def test_the_nets_of_a_dead_worker_are_failures(sine):
    def die(info):
        os._exit(1)

    jobs = [{}] * 40 + [{"callback": die}]
    with joblib.parallel_config("loky", n_jobs=2), pytest.warns(RuntimeWarning, match="fit_many was stopped by Termin"):
        ensemble = fastmlp.fit_many(*sine, jobs, rng=0, hidden=5, epochs=10)
    assert 40 in ensemble.failures
    assert all(model is not None or i in ensemble.failures for i, model in enumerate(ensemble.models))
    assert "TerminatedWorkerError" in str(ensemble.failures[40])


COLD = """
import sys, joblib, numpy as np, fastmlp
x = np.linspace(-1, 1, 30)
jobs = [{"algorithm": "dense", "dtype": dtype} for dtype in (np.float32, np.float64)] * 2
with joblib.parallel_config("loky", n_jobs=2):
    ensemble = fastmlp.fit_many(x, x**2, jobs, rng=0, hidden=8, epochs=20, lr=0.1)
assert not ensemble.failures, ensemble.failures
print(max(model.info.compile_seconds for model in ensemble.models))
"""


@pytest.mark.slow
def test_processes_started_cold_compile_each_kernel_once(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_DEBUG_CACHE": "1"}
    output = subprocess.run(
        [sys.executable, "-c", COLD], env=environment, capture_output=True, text=True, check=True, timeout=300
    ).stdout
    saved = re.findall(r"data saved to '(.*)'", output)
    assert len(saved) == len(set(saved)) == 2  # one for each dtype


@pytest.fixture(scope="module")
def dask():
    """A client of two worker processes."""
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.slow
def test_nets_are_those_of_single_fits_under_dask(sine, expected, dask):
    with joblib.parallel_config("dask"):
        ensemble = fastmlp.fit_many(*sine, JOBS, **COMMON)
    assert not ensemble.failures
    assert_identical(ensemble.models, expected)


@pytest.mark.slow
def test_a_killed_worker_of_dask_loses_no_net(sine, dask, tmp_path):
    once = tmp_path / "killed"

    def die_once(info):
        if not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    jobs = [{"hidden": 5 + i % 3} for i in range(30)]
    jobs[11]["callback"] = die_once
    with joblib.parallel_config("dask"):
        ensemble = fastmlp.fit_many(*sine, jobs, rng=3, epochs=100)
    assert once.exists()
    assert not ensemble.failures
    once.touch()
    assert_identical(ensemble.models, singly(*sine, jobs, 3, epochs=100))


@pytest.mark.slow
def test_a_grid_of_estimators_is_searched_by_dask(sine, dask):
    model_selection = pytest.importorskip("sklearn.model_selection")
    from fastmlp.sklearn import FastMLPRegressor

    x, y = sine[0][:, None], sine[1]
    search = model_selection.GridSearchCV(FastMLPRegressor(random_state=0, epochs=200), {"hidden": [1, 30]}, cv=2)
    here = search.fit(x, y).cv_results_["mean_test_score"]
    with joblib.parallel_config("dask"):
        there = search.fit(x, y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(there, here)

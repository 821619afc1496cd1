"""Cross-validated fits: their results do not depend on what they should not depend on, and bad input is refused."""

import signal

import numpy as np
import pytest

import fastmlp


def table(n=60, n_in=3, seed=0, noise=0.3):
    """Return inputs and noisy targets, of which the last input tells nothing."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, (n, n_in))
    return x, np.sin(x[:, 0]) + (x[:, n_in // 2] if n_in > 1 else 0) + noise * rng.standard_normal(n)


X, Y = table()
MODEL = None


def model():
    global MODEL
    if MODEL is None:
        MODEL = fastmlp.fit_cv(X, Y, rng=0)
    return MODEL


def same(a, b):
    return all(np.array_equal(*pair) for pair in zip(a.weights, b.weights, strict=True))


def test_the_model_is_one_net_of_the_units_of_all_nets():
    assert model().w1.shape == (3, 300)
    assert model().history is None
    info = model().info
    assert len(info.alpha) == len(info.cv_results) == 2
    for alpha, results in zip(info.alpha, info.cv_results, strict=True):
        assert alpha == results["alpha"][int(np.argmin(results["rmse"]))]
    assert 0.25 < info.cv_rmse < 0.6
    assert info.sensitivity[2] < min(info.sensitivity[:2])


def test_the_order_of_rows_and_the_threads_do_not_matter():
    order = np.random.default_rng(1).permutation(len(X))
    for threads in (1, 2):
        assert same(fastmlp.fit_cv(X[order], Y[order], rng=0, threads=threads), model())


def test_a_weight_of_two_is_the_row_twice():
    weight = np.where(np.arange(len(X)) < 20, 2.0, 1.0)
    weighted = fastmlp.fit_cv(X, Y, rng=0, sample_weight=weight)
    repeated = fastmlp.fit_cv(np.concatenate([X[:20], X]), np.concatenate([Y[:20], Y]), rng=0)
    assert same(weighted, repeated)
    assert weighted.info.cv_rmse == repeated.info.cv_rmse
    assert np.array_equal(weighted.predict_interval(X), repeated.predict_interval(X))


def test_equal_rows_are_in_one_fold():
    repeated = fastmlp.fit_cv(np.concatenate([X, X]), np.concatenate([Y, Y]), rng=0)
    fold = repeated.out_of_fold.fold
    assert np.array_equal(fold[: len(X)], fold[len(X) :])
    assert (fold >= 0).all()


def test_predictions_are_clipped_to_the_targets():
    assert np.array_equal(model().y_clip, [[Y.min(), Y.max()]])
    far = 100 * X
    assert model().predict(far).min() >= Y.min()
    assert model().predict(far).max() <= Y.max()
    free = fastmlp.fit_cv(X, Y, rng=0, clip=False)
    assert free.y_clip is None
    assert np.ptp(free.predict(far)) > np.ptp(Y)


def test_a_saved_model_is_the_same(tmp_path):
    model().save(tmp_path / "model.npz")
    loaded = fastmlp.load(tmp_path / "model.npz")
    assert same(loaded, model())
    assert np.array_equal(loaded.predict(X), model().predict(X))
    assert np.array_equal(loaded.predict_interval(X), model().predict_interval(X))
    for fact in ("alpha", "cv_rmse", "cv_rmse_by_output", "cv_results", "sensitivity"):
        assert getattr(loaded.info, fact) == getattr(model().info, fact)
    for name in ("fold", "predictions", "residuals", "sample_weight"):
        assert np.array_equal(getattr(loaded.out_of_fold, name), getattr(model().out_of_fold, name), equal_nan=True)


@pytest.mark.parametrize("n", [2, 3, 9])
def test_few_rows(n):
    few = fastmlp.fit_cv(X[:n], Y[:n], rng=0)
    assert np.isfinite(few.predict(X)).all()
    assert np.isinf(few.predict_interval(X)).all() == (n < 9)


@pytest.mark.parametrize("value", [3.3, 0.0, 1e15])
def test_a_constant_target_gives_that_constant(value):
    constant = fastmlp.fit_cv(X, np.full(len(X), value), rng=0)
    assert (constant.predict(100 * X) == value).all()
    assert constant.info.cv_rmse == 0


@pytest.mark.parametrize("unit", [1e200, 1e-200])
def test_units_of_y_do_not_matter(unit):
    scaled = fastmlp.fit_cv(X, unit * Y, rng=0)
    np.testing.assert_allclose(scaled.info.cv_rmse / unit, model().info.cv_rmse, rtol=0.2)
    assert scaled.info.cv_rmse_by_output == (scaled.info.cv_rmse,)


def test_equal_samples_give_their_target():
    equal = fastmlp.fit_cv([1.0, 1.0, 1.0], [2.0, 2.0, 2.0], rng=0)
    assert (equal.predict([-5.0, 1.0]) == 2).all()
    assert equal.info.cv_rmse == 0
    assert np.isfinite(fastmlp.fit_cv(np.repeat(X[:2], 5, axis=0), np.repeat(Y[:2], 5), rng=0).predict(X)).all()


def test_constant_columns_do_not_matter():
    offset = np.full((len(X), 1), 0.3)
    offset[::2] = 0.1 + 0.2  # another float64
    wide = fastmlp.fit_cv(np.hstack([offset, X]), Y, rng=0)
    assert not wide.w1[0].any()
    assert np.isfinite(wide.predict(np.hstack([1e6 * offset, X]))).all()
    nothing = fastmlp.fit_cv(offset, Y, rng=0)
    np.testing.assert_allclose(nothing.predict([[7.0]]), Y.mean(), rtol=1e-14)


def test_an_outlier_of_an_input():
    x = X.copy()
    x[7, 1] = 1e12
    fitted = fastmlp.fit_cv(x, Y, rng=0)
    assert np.isfinite(fitted.predict(x)).all()
    assert np.isfinite(fitted.info.cv_rmse)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"alphas": []}, ValueError, "alphas must be"),
        ({"alphas": [1.0, 3.0]}, ValueError, "3 after 1"),
        ({"alphas": [1.0, -1.0]}, ValueError, r"alphas\[1\] must be at least 0"),
        ({"alphas": "auto"}, TypeError, "alphas must be"),
        ({"cv": 1}, ValueError, "cv must be at least 2"),
        ({"cv": 2.5}, TypeError, "cv must be"),
        ({"cv": []}, ValueError, "cv must be"),
        ({"cv": [(range(60), [1])]}, ValueError, "disjoint"),
        ({"cv": [(range(50), [51]), (range(50), [51])]}, ValueError, "two test sets"),
        ({"cv": [(range(50), [60])]}, ValueError, "row numbers below 60"),
        ({"hidden": 0}, ValueError, "hidden must be at least 1"),
        ({"n_estimators": 0}, ValueError, "n_estimators must be at least 1"),
        ({"clip": 1}, TypeError, "clip must be True or False"),
        ({"threads": 0}, ValueError, "threads must be at least 1"),
        ({"sample_weight": np.zeros(60)}, ValueError, "sample_weight must be positive"),
        ({"rng": "seed"}, (TypeError, ValueError), "rng must be"),
    ],
)
def test_bad_options_are_refused(options, error, text):
    with pytest.raises(error, match=text):
        fastmlp.fit_cv(X, Y, **options)


def test_more_units_than_memory_are_refused():
    with pytest.raises(MemoryError, match="hidden must be small enough for memory, got 1000000000"):
        fastmlp.fit_cv(X, Y, hidden=10**9)


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="at least two samples"):
        fastmlp.fit_cv([1.0], [2.0])


@pytest.mark.parametrize("coverage", [0, 1, -0.5, 1.5])
def test_a_coverage_outside_0_and_1_is_refused(coverage):
    with pytest.raises(ValueError, match="coverage must be between 0 and 1"):
        model().predict_interval(X, coverage)


def test_other_models_have_no_intervals():
    with pytest.raises(AttributeError, match=r"fastmlp\.fit_cv"):
        fastmlp.Model([[1.0]], [0.0], [[1.0]], [0.0]).predict_interval([0.0])


def test_given_folds_with_weights_are_those_with_repeated_rows():
    folds = [(np.setdiff1d(np.arange(60), test), test) for test in np.split(np.arange(60), 3)]
    weight = np.where(np.arange(60) < 20, 2.0, 1.0)
    weighted = fastmlp.fit_cv(X, Y, rng=0, cv=folds, sample_weight=weight)
    order = np.append(np.arange(60), np.arange(20))
    where = [tuple(np.flatnonzero(np.isin(order, part)) for part in fold) for fold in folds]
    repeated = fastmlp.fit_cv(X[order], Y[order], rng=0, cv=where)
    assert same(weighted, repeated)
    assert np.array_equal(weighted.out_of_fold.fold, np.repeat([0, 1, 2], 20))
    masks = [tuple(np.isin(np.arange(60), part) for part in fold) for fold in folds]
    assert same(fastmlp.fit_cv(X, Y, rng=0, cv=masks, sample_weight=weight), weighted)


def test_a_sample_in_no_test_set_has_no_prediction():
    split = fastmlp.fit_cv(X, Y, rng=0, cv=[(np.arange(10, 60), np.arange(10))])
    assert np.array_equal(split.out_of_fold.fold >= 0, np.arange(60) < 10)
    assert np.isnan(split.out_of_fold.predictions[10:]).all()


def test_a_fold_whose_samples_have_no_weight():
    folds = [(np.arange(20, 60), np.arange(20)), (np.arange(20), np.arange(20, 60))]
    weight = (np.arange(60) >= 20).astype(float)
    with pytest.raises(ValueError, match=r"cv\[1\] must be"):
        fastmlp.fit_cv(X, Y, rng=0, cv=folds, sample_weight=weight)
    one = fastmlp.fit_cv(X, Y, rng=0, cv=[folds[0], (np.arange(20, 40), np.arange(40, 60))], sample_weight=weight)
    assert len(one.out_of_fold.nets) == 1


def test_several_outputs_are_clipped_and_measured_each():
    y = np.stack([Y, 1000 * X[:, 1], np.full(60, 7.0)], axis=1)
    several = fastmlp.fit_cv(X, y, rng=0)
    assert several.predict(X).shape == (60, 3)
    assert (several.predict(50 * X)[:, 2] == 7).all()
    by_output = several.info.cv_rmse_by_output
    residuals = several.out_of_fold.residuals
    np.testing.assert_allclose(by_output, np.sqrt(np.mean(residuals**2, axis=0)))
    np.testing.assert_allclose(several.info.cv_rmse, np.sqrt(np.mean(residuals**2)))
    low, high = several.predict_interval(X[:5])
    assert low.shape == high.shape == (5, 3)
    outputs = several.predict(50 * X)
    is_clipped = (outputs == several.y_clip[:, 0]) | (outputs == several.y_clip[:, 1])
    gradient = several.input_gradient(50 * X)
    assert is_clipped.any()
    assert not gradient[is_clipped].any()
    assert gradient[~is_clipped].any()


def test_one_input_has_one_round_and_a_clipped_curve():
    curve = fastmlp.fit_cv(X[:, 0], Y, rng=0)
    assert curve.w1.shape == (1, 150)
    assert len(curve.info.alpha) == 1
    grid = np.linspace(-50, 50, 1001)
    np.testing.assert_allclose(curve.to_piecewise().evaluate(grid), curve.predict(grid), atol=1e-12)
    assert curve.to_piecewise().values.max() <= Y.max()
    drawn = curve.plot(grid).lines[0].get_ydata()
    assert drawn.min() >= Y.min()
    assert drawn.max() <= Y.max()


def test_float32_data_gives_a_float32_model():
    single = fastmlp.fit_cv(X.astype(np.float32), Y.astype(np.float32), rng=0)
    assert single.w1.dtype == single.predict(X).dtype == np.float32
    assert np.isfinite(single.predict_interval(X)).all()


def test_names_of_columns_are_kept():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=["a", "b", "c"])
    named = fastmlp.fit_cv(frame, pandas.Series(Y, name="target"), rng=0)
    assert named.feature_names == ("a", "b", "c")
    assert named.target_names == ("target",)
    assert np.array_equal(named.predict_interval(frame), model().predict_interval(X))
    with pytest.raises(ValueError, match="columns of x"):
        named.predict_interval(frame[["b", "a", "c"]])


def test_a_fit_that_goes_on_drops_the_clip_and_an_ensemble_keeps_it(tmp_path):
    more = fastmlp.fit(X, Y, init=model(), epochs=3, algorithm="reference")
    assert more.y_clip is None
    assert more.out_of_fold is None
    both = fastmlp.Ensemble((model(), more), {})
    np.testing.assert_allclose(both.predict(9 * X), (model().predict(9 * X) + more.predict(9 * X)) / 2)
    single = fastmlp.Ensemble((model(),), {})
    single.save(tmp_path / "ensemble.npz")
    loaded = fastmlp.Ensemble.load(tmp_path / "ensemble.npz").models[0]
    assert np.array_equal(loaded.predict_interval(9 * X), model().predict_interval(9 * X))
    assert loaded.predict(9 * X).max() <= Y.max()


def test_a_damaged_file_is_refused(tmp_path):
    model().save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz") as archive:
        arrays = dict(archive)
    for name, wrong in (
        ("y_clip", np.array([[2.0, 1.0]])),
        ("out_of_fold_fold", np.full(60, 9)),
        ("out_of_fold_residuals", np.zeros((60, 2))),
        ("out_of_fold_b1", np.zeros((4, 60))),
    ):
        np.savez(tmp_path / "wrong.npz", **(arrays | {name: wrong}))
        with pytest.raises(fastmlp.FileFormatError):
            fastmlp.load(tmp_path / "wrong.npz")


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_workers_of_joblib_train_the_same_nets(backend):
    import joblib

    with joblib.parallel_config(backend, n_jobs=2):
        assert same(fastmlp.fit_cv(X, Y, rng=0), model())


def test_ctrl_c_raises_keyboard_interrupt(monkeypatch):
    from fastmlp.engines.net_batches.batch import Batch

    advance = Batch.advance
    n_calls = []

    def interrupted(self, n_steps):
        advance(self, n_steps)
        n_calls.append(n_steps)
        if len(n_calls) == 3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Batch, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fastmlp.fit_cv(X, Y, rng=0)
    assert len(n_calls) == 3


def test_the_bar_counts_nets(capsys):
    fastmlp.fit_cv(X, Y, rng=0, progress=True)
    assert "net" in capsys.readouterr().err


def test_many_rows_train_one_fold_and_calls_of_any_length_give_the_same(monkeypatch):
    from fastmlp.engines.net_batches import batch

    x, y = table(10_050, 2)
    options = {"rng": 0, "alphas": [1.0], "n_estimators": 1, "hidden": 5}
    whole = fastmlp.fit_cv(x, y, **options)
    assert len(whole.out_of_fold.nets) == 1
    assert np.count_nonzero(whole.out_of_fold.fold == 0) == 2000
    assert np.isfinite(whole.predict_interval(x[:3])).all()
    monkeypatch.setattr(batch, "CALL_WORK", 10**7)
    assert same(fastmlp.fit_cv(x, y, **options), whole)

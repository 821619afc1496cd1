"""The cross-validated estimator: scikit-learn's own checks and tools, and `fit_cv` as its judge."""

import pickle
import re
import signal
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_linnerud, make_friedman1
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_validate
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastmlp
from fastmlp.sklearn import FastMLPRegressorCV


@parametrize_with_checks([FastMLPRegressorCV(hidden=5, n_estimators=2, random_state=0)])
def test_the_estimator_passes_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def friedman():
    x, y = make_friedman1(80, noise=0.5, random_state=0)
    return x, y


def small(**options):
    return FastMLPRegressorCV(**{"hidden": 6, "n_estimators": 2, "random_state": 0} | options)


def test_it_is_fit_cv_under_other_names(friedman):
    x, y = friedman
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    options = {"hidden": 6, "alphas": (10.0, 1.0, 0.1), "cv": 4, "n_estimators": 2}
    got = FastMLPRegressorCV(**options, random_state=3).fit(x, y, sample_weight=weights)
    expected = fastmlp.fit_cv(x, y, **options, rng=3, sample_weight=weights)
    np.testing.assert_array_equal(got.predict(x), expected.predict(x))
    np.testing.assert_array_equal(got.cv_predictions_, expected.out_of_fold.predictions[:, 0])
    np.testing.assert_array_equal(got.predict_interval(x, coverage=0.8), expected.predict_interval(x, 0.8))
    np.testing.assert_array_equal(got.feature_importances_, expected.info.sensitivity)
    assert (got.alpha_, got.cv_rmse_) == (expected.info.alpha[0], expected.info.cv_rmse)
    seen = weights > 0
    errors = got.cv_predictions_[seen] - y[seen]
    assert got.cv_rmse_ == pytest.approx(np.sqrt(np.average(errors**2, weights=weights[seen])))
    assert np.isnan(got.cv_predictions_[~seen]).all()
    assert got.n_outputs_ == 1
    with pytest.raises(TypeError, match="alphas"):
        small(alphas=1.0).fit(x, y)


def test_results_have_the_form_of_a_grid_search(friedman):
    x, y = friedman
    got = small().fit(x, y)
    search = GridSearchCV(Ridge(), {"alpha": [1.0]}, cv=2).fit(x, y)
    shared = {"params", "param_alpha", "mean_test_score", "std_test_score", "rank_test_score"}
    assert shared <= search.cv_results_.keys()
    assert got.cv_results_.keys() == shared | {"param_round"}
    for key in shared - {"params"}:
        assert type(got.cv_results_[key]) is type(search.cv_results_[key]), key
    frame = pd.DataFrame(got.cv_results_)
    tried = got.model_.info.cv_results
    assert len(frame) == sum(len(one["alpha"]) for one in tried)
    for number, one in enumerate(tried, 1):
        rows = frame[frame.param_round == number]
        np.testing.assert_array_equal(rows.mean_test_score, -np.array(one["rmse"]))
        best = rows[rows.rank_test_score == 1].iloc[0]
        assert best.mean_test_score == rows.mean_test_score.max()
        assert best.params == {"round": number, "alpha": got.model_.info.alpha[number - 1]}


def test_it_works_in_scikit_learns_tools(friedman):
    x, y = friedman
    pipeline = make_pipeline(StandardScaler(), small())
    search = GridSearchCV(pipeline, {"fastmlpregressorcv__hidden": [1, 6]}, cv=2, n_jobs=2).fit(x, y)
    assert search.best_params_ == {"fastmlpregressorcv__hidden": 6}
    found = cross_validate(small(), x, y, cv=3, return_estimator=True)
    assert found["test_score"].min() > 0.4
    fitted = found["estimator"][0]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(x), fitted.predict(x))
    with pytest.raises(NotFittedError):
        clone(fitted).predict_interval(x)


def test_names_and_several_outputs():
    x, y = load_linnerud(return_X_y=True, as_frame=True)
    got = small().fit(x, y)
    assert got.predict(x).shape == got.cv_predictions_.shape == (20, 3)
    assert [ends.shape for ends in got.predict_interval(x)] == [(20, 3)] * 2
    np.testing.assert_array_equal(got.feature_names_in_, x.columns)
    assert (got.model_.feature_names, got.model_.target_names) == (tuple(x.columns), tuple(y.columns))
    with pytest.raises(ValueError, match="feature names should match"):
        got.predict_interval(x[x.columns[::-1]])


def test_the_result_depends_neither_on_the_number_of_jobs_nor_on_the_order_of_rows(friedman):
    x, y = friedman
    expected = small().fit(x, y).predict(x)
    for n_jobs in (1, 2, -1):
        np.testing.assert_array_equal(small(n_jobs=n_jobs).fit(x, y).predict(x), expected)
    order = np.random.default_rng(1).permutation(len(y))
    np.testing.assert_array_equal(small().fit(x[order], y[order]).predict(x), expected)


@pytest.mark.parametrize("cv", [5, "splits"])
def test_a_weight_of_two_is_the_row_twice(friedman, cv):
    x, y = friedman
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    fold = np.arange(len(y)) % 3
    rows = np.repeat(np.arange(len(y)), weights)

    def splits(fold):
        return cv if cv == 5 else [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(3)]

    weighted = small(cv=splits(fold)).fit(x, y, sample_weight=weights)
    repeated = small(cv=splits(fold[rows])).fit(x[rows], y[rows])
    np.testing.assert_array_equal(weighted.predict(x), repeated.predict(x))
    np.testing.assert_array_equal(weighted.predict_interval(x), repeated.predict_interval(x))


def test_groups_reach_the_splitter(friedman):
    x, y = friedman
    groups = np.arange(len(y)) // 10
    splits = list(GroupKFold(4).split(x, y, groups))
    expected = small(cv=splits).fit(x, y).predict(x)
    got = small(cv=GroupKFold(4)).fit(x, y, groups=groups)
    np.testing.assert_array_equal(got.predict(x), expected)
    with config_context(enable_metadata_routing=True):
        np.testing.assert_array_equal(small(cv=GroupKFold(4)).fit(x, y, groups=groups).predict(x), expected)
        search = GridSearchCV(small(cv=GroupKFold(2)), {"hidden": [6]}, cv=GroupKFold(2)).fit(x, y, groups=groups)
        assert search.best_estimator_.score(x, y) > 0.5
        with pytest.raises(TypeError, match="groups"):
            small(cv=KFold(3)).fit(x, y, groups=groups)
    with pytest.raises(
        ValueError, match=re.escape("cv must be a splitter that takes groups, such as GroupKFold(), with")
    ):
        small().fit(x, y, groups=groups)
    with pytest.raises(TypeError, match="unexpected keyword argument 'group'"):
        small().fit(x, y, group=groups)


@pytest.mark.parametrize("name", sorted(MLPRegressor().get_params().keys() - FastMLPRegressorCV().get_params().keys()))
def test_names_of_mlp_regressors_parameters_are_translated(name):
    with pytest.raises(TypeError, match=f"FastMLPRegressorCV has no parameter '{name}' of MLPRegressor; here it is "):
        FastMLPRegressorCV(**{name: 1})


def fit_and_interrupt(estimator, x, y):
    """Press Ctrl-C half a second after a fit has begun."""
    timer = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    timer.start()
    try:
        estimator.fit(x, y)
    finally:
        timer.cancel()


def test_ctrl_c_raises(friedman):
    x, y = friedman
    estimator = FastMLPRegressorCV(hidden=2000, n_estimators=1000)
    with pytest.raises(KeyboardInterrupt):
        fit_and_interrupt(estimator, x, y)
    assert not hasattr(estimator, "model_")


def test_it_shows_progress_on_request(friedman, capfd):
    small().fit(*friedman)
    assert capfd.readouterr() == ("", "")
    small(verbose=True).fit(*friedman)
    assert capfd.readouterr().err
    with pytest.raises(TypeError, match="verbose must be True or False, got 1"):
        small(verbose=1).fit(*friedman)
